"""Our own loop: episodes, updates, validation, until enough steps were made."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

from benchmark.engine.plan import PlannedEpisode, planned_episode
from benchmark.engine.rollout import Outcome, RolloutOptions
from benchmark.finetuning.episodes import Batch, Explorer, run_episodes
from benchmark.finetuning.learner import Learner
from benchmark.finetuning.monitor import Monitor, checked
from benchmark.finetuning.ppo import improve
from benchmark.progress import progress
from envs.pool import Pool
from policies.base import ActorCritic

if TYPE_CHECKING:
    from benchmark.finetuning.job import FinetuneJob


class Trainer:
    """Our own loop: episodes, updates, validation, until enough steps were made."""

    def __init__(
        self,
        job: FinetuneJob,
        actor_critic: ActorCritic,
        folder: Path,
        pool: Pool,
        record: Mapping[str, Any],
    ) -> None:
        """``record`` is stored in every checkpoint."""
        self._job, self._settings, self._pool = job, job.settings, pool
        self._resume = folder / "resume.pt"
        self._learner = Learner.fresh(actor_critic, job.settings)
        history = None
        if self._resume.exists():
            history = self._learner.load(self._resume)["validations"]
        step = self._learner.env_steps if self._resume.exists() else -1
        self.monitor = Monitor(
            folder, pool, job.settings, record, job.seed, job.protocol, step, history
        )

    def run(self) -> None:
        learner, settings = self._learner, self._settings
        if not self.monitor.validations:
            self.monitor.validate(learner.policy(), 0)
            self._save()
        explorer = Explorer(learner.actor_critic, settings.precision)
        options = self._options(explorer)
        with progress(settings.total_timesteps, learner.env_steps, "finetune", "step") as bar:
            while learner.env_steps < settings.total_timesteps:
                figures = self._iteration(explorer, options, bar)
                self.monitor.write(learner.env_steps, figures)
                bar.set_postfix(success=f"{figures['rollout_success']:.2f}", refresh=False)
                over = learner.env_steps >= settings.total_timesteps
                if learner.iteration % settings.validate_every == 0 or over:
                    self.monitor.validate(learner.policy(), learner.env_steps)
                if learner.iteration % settings.save_every == 0:
                    self._save()

    def _options(self, explorer: Explorer) -> RolloutOptions:
        """With half of the simulators at work while the policy answers the other half."""
        inference = checked(explorer, self._pool, self._episodes(0))
        return RolloutOptions(gather=max(1, self._pool.size // 2), inference=inference)

    def _episodes(self, iteration: int) -> list[PlannedEpisode]:
        count, seed = self._settings.rollout_episodes, self._settings.seed
        first = iteration * count
        return [planned_episode(self._job.env, "finetuning", first + i, seed) for i in range(count)]

    def _iteration(self, explorer: Explorer, options: RolloutOptions, bar: Any) -> dict[str, float]:
        def advance(outcome: Outcome) -> None:
            bar.update(outcome.summary.steps if outcome.summary else 0)

        learner, started = self._learner, perf_counter()
        episodes = self._episodes(learner.iteration)
        batch = run_episodes(self._pool, explorer, episodes, options, advance)
        ran = perf_counter()
        figures = improve(learner, batch, self._settings, self._job.advantage)
        learner.iteration += 1
        learner.env_steps += batch.steps
        ended = perf_counter()
        return {**figures, **_of_episodes(batch), **_speed(batch, started, ran, ended)}

    def _save(self) -> None:
        self._learner.save(self._resume, {"validations": self.monitor.history})


def _of_episodes(batch: Batch) -> dict[str, float]:
    episodes = len(batch.counts)
    return {
        "rollout_success": float(batch.succeeded.mean()),
        "episode_return": float(batch.rewards.sum() / episodes),
        "episode_length": batch.steps / episodes,
        "chunks": float(len(batch)),
    }


def _speed(batch: Batch, started: float, ran: float, ended: float) -> dict[str, float]:
    return {
        "rollout_seconds": ran - started,
        "update_seconds": ended - ran,
        "frames_per_second": batch.steps / (ended - started),
    }
