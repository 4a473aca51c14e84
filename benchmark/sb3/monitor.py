"""Watching a training with Stable-Baselines3: progress, metrics, validation, the best weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.logger import KVWriter, Logger

from benchmark.engine.plan import plan_episodes
from benchmark.engine.rollout import Outcome, rollout
from benchmark.progress import note
from benchmark.sb3.model import separate_streams
from benchmark.sb3.settings import SB3Settings
from benchmark.training.metric_log import MetricLog
from envs.pool import Pool
from policies.sb3 import SB3Policy


class MetricWriter(KVWriter):
    """SB3's figures into our one log."""

    def __init__(self, log: MetricLog) -> None:
        self._log = log

    def write(
        self, key_values: dict[str, Any], key_excluded: dict[str, Any], step: int = 0
    ) -> None:
        figures = (int, float, np.integer, np.floating)
        self._log.write(
            step, **{k: float(v) for k, v in key_values.items() if isinstance(v, figures)}
        )

    def close(self) -> None:
        """The log is closed by who opened it."""


class Validation:
    """Success of a checkpoint file on validation start states, through the ordinary engine.

    ``policy_class`` reads the file, so what is measured is what ``run`` will execute.
    """

    def __init__(
        self, pool: Pool, policy_class: type[SB3Policy], settings: SB3Settings, root_seed: int
    ) -> None:
        self._pool, self._policy_class = pool, policy_class
        count, env = settings.validation_episodes, pool.interface.env
        self.episodes = plan_episodes(env, "validation", count, root_seed)

    def successes(self, checkpoint: Path) -> int:
        """Of :attr:`episodes`; one that ends in an error is none."""
        won: list[int] = []

        def ended(outcome: Outcome) -> None:
            if outcome.failure is not None:
                note(f"validation episode {outcome.episode.index}: {outcome.failure}")
            if outcome.summary is not None and outcome.summary.success:
                won.append(outcome.episode.index)

        with separate_streams():  # loading a model seeds them again
            policy = self._policy_class.from_options(checkpoint, {})
            rollout(self._pool, policy, self.episodes, ended)
        return len(won)


class Monitor(BaseCallback):
    """Keeps the weights with most validation successes, of equals the latest, at ``best``."""

    def __init__(
        self, log: MetricLog, bar: Any, validation: Validation, best: Path, every: int
    ) -> None:
        super().__init__()
        self._log, self._bar, self._validation = log, bar, validation
        self._best, self._every = best, every
        self._due, self._last = every, 0
        self.successes, self.step = -1, 0  # of the best
        self.planned = len(validation.episodes)

    def _init_callback(self) -> None:
        self.model.set_logger(Logger(folder=None, output_formats=[MetricWriter(self._log)]))

    def _on_step(self) -> bool:
        self._bar.update(min(self.num_timesteps, self._bar.total) - self._bar.n)
        return True

    def _on_rollout_start(self) -> None:  # after an update: never twice for the same weights
        if self.num_timesteps >= self._due:
            self._validate()
            self._due += self._every * (1 + (self.num_timesteps - self._due) // self._every)

    def _on_training_end(self) -> None:
        if self._last < self.num_timesteps:
            self._validate()

    def _validate(self) -> None:
        candidate = self._best.with_name("candidate.zip")
        self.model.save(candidate)
        found, count = self._validation.successes(candidate), self.planned
        self._last = self.num_timesteps
        self._log.write(self.num_timesteps, validation_success=found / count)
        self._bar.set_postfix(validation=f"{found}/{count}", refresh=False)
        if found >= self.successes:
            self.successes, self.step = found, self.num_timesteps
            candidate.replace(self._best)
        else:
            candidate.unlink()
