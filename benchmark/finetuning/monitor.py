"""How fine-tuning goes: success of the policy as it would be deployed, curves, films, an alarm.

The validated policy is the deterministic one (the ODE), on episodes of split ``validation``: test
episodes choose nothing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from benchmark.engine.inference import Inference, probe, refuse
from benchmark.engine.plan import PlannedEpisode, plan_episodes
from benchmark.engine.rollout import Outcome, RolloutOptions, rollout
from benchmark.finetuning.learner import Diverged
from benchmark.finetuning.settings import FinetuneSettings
from benchmark.progress import note
from benchmark.statistics.intervals import wilson
from benchmark.training.metric_log import MetricLog
from benchmark.video import write_video
from envs import card
from envs.pool import Pool
from policies.base import Policy, TrainablePolicy


@dataclass
class Validation:
    """Successes of ``episodes`` validation episodes after ``env_steps`` control steps."""

    env_steps: int
    successes: int
    episodes: int


class Monitor:
    """Validates, logs, keeps the best weights in ``best.pt`` and says when it is hopeless."""

    def __init__(
        self,
        folder: Path,
        pool: Pool,
        settings: FinetuneSettings,
        record: Mapping[str, Any],
        seed: int,
        protocol: str | None,
        step: int = -1,
        history: list[dict[str, int]] | None = None,
    ) -> None:
        """``history`` and ``step`` are those of a run that goes on; what was logged later is
        dropped."""
        self._folder, self._pool, self._settings, self._record = folder, pool, settings, record
        env = pool.interface.env
        self._plan = plan_episodes(env, "validation", settings.validation_episodes, seed)
        self._fps = card(env).protocol(protocol).control_hz
        self._log = MetricLog(folder, step, record, settings.wandb)
        self._inference: Inference | None = None
        self.validations = [Validation(**entry) for entry in history or []]

    @property
    def history(self) -> list[dict[str, int]]:
        """Plain data, to go on from."""
        return [asdict(validation) for validation in self.validations]

    @property
    def best(self) -> Validation:
        """Most successes; of equals the latest."""
        return max(self.validations, key=lambda v: (v.successes, v.env_steps))

    def write(self, step: int, figures: Mapping[str, float]) -> None:
        """Log figures of an iteration; an implausible one ends the training."""
        memory = torch.cuda.max_memory_allocated() / 1e9 if torch.cuda.is_available() else 0.0
        self._log.write(step, **figures, **({"gpu_memory_gb": memory} if memory else {}))
        wrong = [name for name, value in figures.items() if not math.isfinite(value)]
        if wrong:
            raise Diverged(f"{wrong[0]} is {figures[wrong[0]]}; {_GENTLER}")
        if figures.get("kl", 0.0) > self._settings.kl_limit:
            raise Diverged(
                f"the policy moved by a KL of {figures['kl']:.3g} nats in one iteration (limit "
                f"training.kl_limit={self._settings.kl_limit}); {_GENTLER}"
            )

    def validate(self, policy: TrainablePolicy, step: int) -> Validation:
        """Success of ``policy``; the best so far is kept, a collapse ends the training."""
        outcomes: list[Outcome] = []
        inference = self._tried(policy)
        options = RolloutOptions(film=self._settings.videos, inference=inference)
        rollout(self._pool, policy, self._plan, outcomes.append, options, tries=2)
        for outcome in outcomes:
            if outcome.failure is not None:
                note(f"validation episode {outcome.episode.index}: {outcome.failure}")
        good = [o for o in outcomes if o.summary is not None]
        successes = sum(bool(o.summary and o.summary.success) for o in good)
        found = Validation(step, successes, len(good))
        self.validations.append(found)
        rate = successes / max(1, len(good))
        self._log.write(step, validation_success=rate, validation_episodes=len(good))
        self._film(good, step)
        if self.best is found:
            policy.save(self._folder / "best.pt", {**self._record, "step": step})
        note(f"after {step} steps: {successes} of {len(good)} validation episodes")
        self._check_collapse()
        return found

    def close(self) -> None:
        self._log.close()

    def _tried(self, policy: Policy) -> Inference:
        if self._inference is None:
            self._inference = checked(policy, self._pool, self._plan)
        return self._inference

    def _film(self, outcomes: list[Outcome], step: int) -> None:
        for outcome in outcomes:
            if outcome.summary is not None and outcome.summary.frames:
                name = f"videos/step-{step:08d}-episode-{outcome.episode.index:04d}.mp4"
                write_video(self._folder / name, outcome.summary.frames, self._fps)

    def _check_collapse(self) -> None:
        """Twice in a row below a share of the best, and by more than chance explains."""
        best, recent = self.best, self.validations[-2:]
        floor = self._settings.collapse * best.successes
        if len(recent) < 2 or any(v.successes >= floor for v in recent):
            return
        successes, episodes = (
            sum(getattr(v, k) for v in recent) for k in ("successes", "episodes")
        )
        if wilson(successes, episodes)[1] < best.successes / best.episodes:
            raise Diverged(
                f"success fell from {best.successes} to {recent[-1].successes} of "
                f"{recent[-1].episodes} validation episodes; {_GENTLER}"
            )


_GENTLER = (
    "try a third of training.learning_rate, training.target_kl=0.02, fewer training.epochs, more "
    "training.rollout_episodes, or less policy.noise_level"
)


def checked(policy: Policy, pool: Pool, plan: list[PlannedEpisode]) -> Inference:
    """Which episodes may share a call of ``policy``; one whose answers vary is refused."""
    found = probe(policy, pool, plan, pool.size)
    if not found.repeatable:
        raise refuse(policy)
    return found
