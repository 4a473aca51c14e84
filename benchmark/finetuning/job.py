"""From a trained checkpoint to a better one: settings, folder, loop, resume."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from omegaconf import OmegaConf

from benchmark.claim import claimed
from benchmark.finetuning.learner import Diverged
from benchmark.finetuning.loop import Trainer
from benchmark.finetuning.settings import AdvantageSettings, FinetuneSettings
from benchmark.machine import available_cores
from benchmark.results.provenance import (
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
from policies.sb3 import library

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

    @property
    def protocol(self) -> str | None:
        """How the task is run; ``None`` is the card's first."""
        return self.options.get("protocol")

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
        trainer = Trainer(job, actor_critic, folder, pool, record_of(job))
        try:
            trainer.run()
        finally:
            trainer.monitor.close()
        return trainer.monitor.history


def _sb3(job: FinetuneJob, actor_critic: ActorCritic, folder: Path) -> list[dict[str, int]]:
    library("training.backend=sb3")  # an optional dependency
    from benchmark.sb3.hosted import fit

    with opened(job, folder) as pool, opened(job, folder) as watched:
        return fit(job, actor_critic, folder, pool, watched, record_of(job))


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
