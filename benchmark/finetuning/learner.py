"""What changes while fine-tuning: weights, optimizers, counts. It is saved and goes on exactly."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from benchmark.finetuning.settings import FinetuneSettings
from envs.schema import ManigymError
from policies.base import ActorCritic, TrainablePolicy
from policies.checkpoint import load_whole, save_whole


class Diverged(ManigymError):
    """Training cannot go on; says why and what to try."""


@dataclass
class Learner:
    """All that changes while fine-tuning. ``averaged``: the EMA of the module, where asked for."""

    actor_critic: ActorCritic
    actor_optimizer: torch.optim.Optimizer
    critic_optimizer: torch.optim.Optimizer | None
    averaged: torch.nn.Module | None
    iteration: int = 0
    env_steps: int = 0

    @classmethod
    def fresh(cls, actor_critic: ActorCritic, settings: FinetuneSettings) -> Learner:
        def adam(parameters: list[torch.nn.Parameter], rate: float) -> torch.optim.Optimizer:
            return torch.optim.AdamW(parameters, rate, weight_decay=settings.weight_decay)

        critic = actor_critic.critic_parameters()
        averaged = None
        if settings.ema_decay:
            averaged = copy.deepcopy(actor_critic.policy.module).requires_grad_(False)
        return cls(
            actor_critic,
            adam(actor_critic.actor_parameters(), settings.learning_rate),
            adam(critic, settings.value_learning_rate) if critic else None,
            averaged,
        )

    def policy(self) -> TrainablePolicy:
        """The policy as it would be deployed now: it shares its weights with the learner."""
        if self.averaged is None:
            return self.actor_critic.policy
        policy = copy.copy(self.actor_critic.policy)
        policy.module = self.averaged
        return policy

    def save(self, path: Path, extra: dict[str, Any]) -> None:
        content = {name: part.state_dict() for name, part in self._parts().items()}
        save_whole(path, content | extra | {"counts": [self.iteration, self.env_steps]})

    def load(self, path: Path) -> dict[str, Any]:
        """Go on from :meth:`save`'s file, whose content is returned."""
        content: dict[str, Any] = load_whole(path)
        for name, part in self._parts().items():
            part.load_state_dict(content[name])
        self.iteration, self.env_steps = content["counts"]
        return content

    def _parts(self) -> dict[str, Any]:
        parts = {
            "module": self.actor_critic.module,
            "actor_optimizer": self.actor_optimizer,
            "critic_optimizer": self.critic_optimizer,
            "averaged": self.averaged,
        }
        return {name: part for name, part in parts.items() if part is not None}
