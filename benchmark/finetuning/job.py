"""From a trained checkpoint to a better one: settings, folder, loop, resume."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from time import perf_counter
from typing import Any

import torch
from omegaconf import OmegaConf

from benchmark.claim import claimed
from benchmark.engine.plan import PlannedEpisode, planned_episode
from benchmark.engine.rollout import Outcome, RolloutOptions
from benchmark.finetuning.episodes import Batch, Explorer, run_episodes
from benchmark.finetuning.monitor import Monitor, checked
from benchmark.finetuning.ppo import Diverged, Learner, improve
from benchmark.finetuning.settings import AdvantageSettings, FinetuneSettings
from benchmark.progress import progress
from benchmark.results.provenance import (
    available_cores,
    code_version,
    config_hash,
    file_hash,
    slug,
)
from benchmark.training.pool import training_pool
from envs.make import Workers
from envs.pool import Pool
from policies.base import ActorCritic, FinetunablePolicy
from policies.device import pick_device

WITHOUT_EFFECT = ("device", "threads", "wandb", "videos", "save_every")


@dataclass(frozen=True)
class FinetuneJob:
    """``policy`` (from ``checkpoint``) on ``env``. ``chain``: an instance of its ``ChainConfig``;
    ``seed``: of the validation episodes; ``workers``: where the ``settings.num_envs`` simulators
    run."""

    policy: FinetunablePolicy
    checkpoint: Path
    env: str
    out: Path
    chain: Any
    settings: FinetuneSettings
    advantage: AdvantageSettings
    env_options: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0
    workers: Workers = field(default_factory=Workers)

    @property
    def options(self) -> dict[str, Any]:
        """What the policy needs, then what the user said. Success ends an episode."""
        spec = self.policy.spec
        return {
            **spec.env_options,
            "terminate_on_success": True,
            **self.env_options,
            "observations": spec.observations,
        }

    def resolved(self) -> dict[str, Any]:
        """Everything asked for, as plain data."""
        return {
            "policy_name": self.policy.name,
            "checkpoint_sha256": file_hash(self.checkpoint),
            "env": self.env,
            "seed": self.seed,
            "policy": asdict(self.chain),
            "training": asdict(self.settings),
            "advantage": asdict(self.advantage),
            "env_options": dict(self.env_options),
        }

    @property
    def folder(self) -> Path:
        """Named after the hash of what determines the weights."""
        config = self.resolved()
        without = {*WITHOUT_EFFECT}
        if self.settings.backend == "manigym":
            without |= {"num_envs", "rollout_chunks"}
        training = {k: v for k, v in config["training"].items() if k not in without}
        identity = config_hash({**config, "training": training})
        return self.out / "finetuning" / f"{self.policy.name}-{slug(self.env)}-{identity}"


@dataclass(frozen=True)
class Finetuned:
    """``history``: validations as they came, the first before any update. ``existed``: nothing was
    done, as the checkpoint was there."""

    checkpoint: Path
    history: list[dict[str, int]]
    existed: bool


def finetune(job: FinetuneJob, overwrite: bool = False) -> Finetuned:
    """Fine-tune, going on with what was interrupted; the checkpoint is the best on validation."""
    folder = job.folder
    checkpoint, resume = folder / "checkpoint.pt", folder / "resume.pt"
    with claimed(folder):
        if overwrite and folder.exists():
            shutil.rmtree(folder)
        if checkpoint.exists() and not resume.exists():
            return Finetuned(checkpoint, [], True)
        actor_critic = actor_critic_of(job)  # settings that do not fit are found before anything
        folder.mkdir(parents=True, exist_ok=True)
        OmegaConf.save(OmegaConf.create(job.resolved()), folder / "config.yaml")
        threads = torch.get_num_threads()  # the caller's, given back at the end
        torch.set_num_threads(job.settings.threads or available_cores())
        try:
            history = _BACKENDS[job.settings.backend](job, actor_critic, folder)
        except Diverged as problem:
            _finish(folder)
            raise Diverged(f"{problem}. The best checkpoint so far is {checkpoint}") from None
        finally:
            torch.set_num_threads(threads)
        _finish(folder)
        return Finetuned(checkpoint, history, False)


def _finish(folder: Path) -> None:
    """In this order: a checkpoint without resume.pt beside it is a finished one."""
    best = folder / "best.pt"
    if best.exists():  # not when the last call was interrupted right here
        best.replace(folder / "checkpoint.pt")
    (folder / "resume.pt").unlink(missing_ok=True)


def _own(job: FinetuneJob, actor_critic: ActorCritic, folder: Path) -> list[dict[str, int]]:
    with opened(job, folder) as pool:
        trainer = _Trainer(job, actor_critic, folder, pool)
        try:
            trainer.run()
        finally:
            trainer.monitor.close()
        return trainer.monitor.history


def _sb3(job: FinetuneJob, actor_critic: ActorCritic, folder: Path) -> list[dict[str, int]]:
    from benchmark.sb3.hosted import fit  # an optional dependency

    with opened(job, folder) as pool, opened(job, folder) as watched:
        return fit(job, actor_critic, folder, pool, watched)


_BACKENDS = {"manigym": _own, "sb3": _sb3}


def opened(job: FinetuneJob, folder: Path) -> Pool:
    """The simulators of a job."""
    workers = replace(job.workers, logs=folder / "logs")
    count, n_obs = job.settings.num_envs, job.policy.spec.n_obs
    return training_pool(job.env, job.options, workers, count, chunk=chunk_of(job), n_obs=n_obs)


def chunk_of(job: FinetuneJob) -> int:
    """Executed steps of a decision."""
    return job.chain.n_action or job.policy.spec.n_action


def actor_critic_of(job: FinetuneJob) -> ActorCritic:
    """The policy with its critic, on the device asked for."""
    made = job.policy.actor_critic(job.chain, job.settings.seed)
    made.module.to(pick_device(job.settings.device))
    return made


def record_of(job: FinetuneJob) -> dict[str, Any]:
    """What is stored beside the weights: where they come from."""
    trained = dict(getattr(job.policy, "record", {}))
    return {**trained, "finetuning": {**job.resolved(), "code": code_version()}}


class _Trainer:
    """Our own loop: episodes, updates, validation, until enough steps were made."""

    def __init__(
        self, job: FinetuneJob, actor_critic: ActorCritic, folder: Path, pool: Pool
    ) -> None:
        self._job, self._settings, self._pool = job, job.settings, pool
        self._resume = folder / "resume.pt"
        self._learner = Learner.fresh(actor_critic, job.settings)
        history = None
        if self._resume.exists():
            history = self._learner.load(self._resume)["validations"]
        step = self._learner.env_steps if self._resume.exists() else -1
        self.monitor = Monitor(folder, pool, job.settings, record_of(job), job.seed, step, history)

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
