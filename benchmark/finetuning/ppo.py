"""One iteration's updates: PPO on chains, actor and critic with optimizers of their own.

Everything is a function of the weights, the batch and (seed, iteration): a run that was interrupted
goes on with the same bits.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch

from benchmark.finetuning.advantages import Targets, targets
from benchmark.finetuning.episodes import Batch
from benchmark.finetuning.learner import Diverged, Learner
from benchmark.finetuning.loss import (
    Surrogate,
    explained_variance,
    ratio_figures,
    surrogate,
    value_loss,
)
from benchmark.finetuning.settings import AdvantageSettings, FinetuneSettings
from benchmark.training.bc import autocast
from envs.schema import ManigymError
from policies.base import ActorCritic

RATIO_TOLERANCE = {"float32": 1e-3, "bfloat16": 0.2}
"""How far the first ratio of an iteration may be from 1: rounding, and nothing else."""


def improve(
    learner: Learner, batch: Batch, settings: FinetuneSettings, advantage: AdvantageSettings
) -> dict[str, float]:
    """One iteration of updates on ``batch``; figures to log."""
    values, last_values = evaluate_critic(learner.actor_critic, batch, settings)
    aims = targets(batch, values, last_values, advantage)
    updates = Updates(learner, batch, aims, values, settings)
    updates.run()
    return updates.figures()


@torch.no_grad()
def evaluate_critic(
    actor_critic: ActorCritic, batch: Batch, settings: FinetuneSettings
) -> tuple[np.ndarray, np.ndarray]:
    """Values of every chunk (M,) and of what followed every episode (E,), float32."""

    def values(obs: dict[str, np.ndarray], count: int) -> np.ndarray:
        pieces = []
        for at in range(0, count, settings.micro_batch):
            rows = {key: value[at : at + settings.micro_batch] for key, value in obs.items()}
            with autocast(settings.precision, actor_critic.device):
                value = actor_critic.value(actor_critic.tensors(rows))
            pieces.append(value.float().cpu().numpy())
        return np.concatenate(pieces)

    return values(batch.obs, len(batch)), values(batch.last, len(batch.counts))


def check_ratios(log_ratios: torch.Tensor, settings: FinetuneSettings) -> None:
    """Raise unless a policy that was not updated gives the densities that it acted with."""
    off = log_ratios.exp().sub(1).abs().max().item()
    tolerance = RATIO_TOLERANCE[settings.precision]
    if not off <= tolerance:  # NaN is not either
        raise ManigymError(
            f"before any update a probability ratio is off by {off:.2g} (at most {tolerance}): "
            "sampling and training compute different densities. Something in the network is random "
            "(dropout) or depends on the batch (batch normalisation), or training.precision="
            f"{settings.precision} is too coarse for training.ratio={settings.ratio}; try float32"
        )


class Updates:
    """The epochs of one iteration."""

    def __init__(
        self,
        learner: Learner,
        batch: Batch,
        aims: Targets,
        values: np.ndarray,
        settings: FinetuneSettings,
    ) -> None:
        self._learner, self._batch, self._settings = learner, batch, settings
        self._aims, self._values = aims, values
        self._device = learner.actor_critic.device
        self._acting = learner.iteration >= settings.critic_warmup
        self._surrogates: list[Surrogate] = []
        self._sums: dict[str, list[float]] = {}
        self._stopped = False
        self._guarded = False

    def run(self) -> None:
        """All epochs of the actor, unless it moves too far, then those of the critic."""
        if self._acting:
            for index in self._minibatches(self._settings.epochs):
                if not self._stopped:
                    self._update_actor(index)
        if self._learner.critic_optimizer is not None:
            for index in self._minibatches(self._settings.value_epochs):
                self._update_critic(index)

    def figures(self) -> dict[str, float]:
        """What happened, as means over the updates."""
        found = {name: float(np.mean(values)) for name, values in self._sums.items()}
        if self._surrogates:
            found |= ratio_figures(self._surrogates, self._settings.clip_range)
        values, returns = (torch.from_numpy(x) for x in (self._values, self._aims.returns))
        return {
            **found,
            "updates": float(len(self._sums.get("actor_gradient_norm", []))),
            "explained_variance": explained_variance(values, returns),
            "value_mean": values.mean().item(),
            "return_mean": returns.mean().item(),
        }

    def _minibatches(self, epochs: int) -> Iterator[np.ndarray]:
        for epoch in range(epochs):
            key = (self._settings.seed, self._learner.iteration, epoch)
            order = np.random.default_rng(key).permutation(len(self._batch))
            for at in range(0, len(order), self._settings.batch_size):
                yield order[at : at + self._settings.batch_size]

    def _pieces(self, index: np.ndarray) -> Iterator[np.ndarray]:
        """A minibatch in parts that fit into memory."""
        for at in range(0, len(index), self._settings.micro_batch):
            yield index[at : at + self._settings.micro_batch]

    def _tensor(self, values: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(values).to(self._device)

    def _update_actor(self, index: np.ndarray) -> None:
        optimizer, settings = self._learner.actor_optimizer, self._settings
        optimizer.zero_grad(set_to_none=True)
        parts = []
        for piece in self._pieces(index):
            part, entropy = self._surrogate(piece)
            loss = part.loss / self._weight(index)
            bonus = settings.entropy_coef * entropy.sum() / len(index)
            (loss - bonus).backward()
            self._note(entropy=entropy.mean().item())
            parts.append(part)
        self._guard(parts)
        self._surrogates += [replace(part, loss=part.loss.detach()) for part in parts]
        if settings.target_kl is not None:
            kl = ratio_figures(parts, settings.clip_range)["kl"]
            if kl > 1.5 * settings.target_kl:
                self._stopped = True
                return
        total = sum(part.loss.item() for part in parts) / self._weight(index)
        self._step(optimizer, "actor", total)
        self._average()

    def _surrogate(self, index: np.ndarray) -> tuple[Surrogate, torch.Tensor]:
        batch, ac = self._batch, self._learner.actor_critic
        with autocast(self._settings.precision, self._device):
            obs = ac.tensors(batch.rows(index))
            new, entropy = ac.logprob(obs, self._tensor(batch.chain[index]))
        old, executed = self._tensor(batch.logprob[index]), self._executed(index)
        advantages = self._tensor(self._aims.advantages[index])
        return surrogate(new.float(), old, executed, advantages, self._settings), entropy

    def _executed(self, index: np.ndarray) -> torch.Tensor:
        return self._tensor(self._batch.executed[index].astype(np.float32))

    def _weight(self, index: np.ndarray) -> float:
        """Weights of all ratios of a minibatch; a piece of it adds its share to the mean."""
        if self._settings.ratio == "action_step":
            return float(self._batch.executed[index].sum())
        steps = self._batch.logprob.shape[1] if self._settings.ratio == "denoising_step" else 1
        return float(len(index) * steps)

    def _guard(self, parts: list[Surrogate]) -> None:
        """Once an iteration, before its first step."""
        if not self._guarded:
            self._guarded = True
            log_ratios = torch.cat([(p.log_ratios * (p.weights > 0)).flatten() for p in parts])
            check_ratios(log_ratios, self._settings)

    def _update_critic(self, index: np.ndarray) -> None:
        optimizer = self._learner.critic_optimizer
        assert optimizer is not None
        optimizer.zero_grad(set_to_none=True)
        total = 0.0
        for piece in self._pieces(index):
            with autocast(self._settings.precision, self._device):
                ac = self._learner.actor_critic
                value = ac.value(ac.tensors(self._batch.rows(piece)))
            old, returns = (self._tensor(x[piece]) for x in (self._values, self._aims.returns))
            losses = value_loss(value.float(), old, returns, self._settings.value_clip)
            loss = losses.sum() / len(index)
            loss.backward()
            total += loss.item()
        self._step(optimizer, "critic", total)

    def _step(self, optimizer: torch.optim.Optimizer, name: str, loss: float) -> None:
        parameters = [p for group in optimizer.param_groups for p in group["params"]]
        norm = torch.nn.utils.clip_grad_norm_(parameters, self._settings.max_grad_norm).item()
        if not math.isfinite(norm):
            raise Diverged(
                f"the {name}'s gradient is {norm}; try a third of "
                f"training.{'learning_rate' if name == 'actor' else 'value_learning_rate'}, or "
                "advantage.reward_scale so that returns are of the order of 1"
            )
        optimizer.step()
        self._note(**{f"{name}_loss": loss, f"{name}_gradient_norm": norm})

    @torch.no_grad()
    def _average(self) -> None:
        averaged, decay = self._learner.averaged, self._settings.ema_decay
        if averaged is not None:
            ours, theirs = (
                averaged.parameters(),
                self._learner.actor_critic.policy.module.parameters(),
            )
            torch._foreach_lerp_(list(ours), list(theirs), 1 - decay)

    def _note(self, **figures: float) -> None:
        for name, value in figures.items():
            self._sums.setdefault(name, []).append(value)
