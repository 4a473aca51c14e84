"""Reinforcement learning with Stable-Baselines3, from a command's settings to a checkpoint.

Start states are the "finetuning" episodes of the plan, success is watched on validation ones. The
same command gives the same weights, whatever the number of workers.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from benchmark.claim import claimed
from benchmark.engine.plan import planned_episode
from benchmark.machine import available_cores
from benchmark.pipeline import WITHOUT_EFFECT
from benchmark.progress import note, progress
from benchmark.results.provenance import config_hash, slug
from benchmark.sb3.model import hyperparameters, make_model, separate_streams, torch_threads
from benchmark.sb3.monitor import Monitor, Validation
from benchmark.sb3.settings import SB3Settings
from benchmark.sb3.vec_env import PoolVecEnv, Reward, flat
from benchmark.training.metric_log import MetricLog
from benchmark.training.pool import training_pool
from envs import card
from envs.make import Workers
from envs.pool import make_pool
from envs.schema import ManigymError
from policies.sb3 import INTERFACE, RECORDED, VECTORS, SB3TrainedPolicy


@dataclass(frozen=True)
class SB3Job:
    """``policy_class`` on ``env``; ``options`` are the ``policy.*``, ``env_options`` the ``env.*``
    settings, ``seed`` the root of the episodes' streams."""

    policy: str
    policy_class: type[SB3TrainedPolicy]
    env: str
    out: Path
    settings: SB3Settings
    options: Mapping[str, Any] = field(default_factory=dict)
    env_options: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0
    workers: Workers = field(default_factory=Workers)

    def __post_init__(self) -> None:
        hyperparameters(self.policy_class.algorithm, self.settings, self.hyperparameters)
        offered = [name for name in VECTORS if name in card(self.env).modalities]
        wrong = [name for name in self.observations if name not in offered]
        if wrong or not self.observations:
            raise ManigymError(
                f"policy.observations={list(self.observations)}: {self.policy} sees vectors, of "
                f"which {self.env} has {', '.join(offered)}"
            )

    @cached_property
    def observations(self) -> tuple[str, ...]:
        """Modalities in the order in which they are concatenated."""
        offered = [name for name in VECTORS if name in card(self.env).modalities]
        return tuple(self.options.get("observations", offered))

    @property
    def hyperparameters(self) -> dict[str, Any]:
        """``policy.*`` that are the algorithm's."""
        return {key: value for key, value in self.options.items() if key != "observations"}

    @property
    def make_options(self) -> dict[str, Any]:
        """Options of ``gymnasium.make``."""
        return {**self.env_options, "observations": self.observations}

    @property
    def config(self) -> dict[str, Any]:
        """Everything that was asked for, as plain data."""
        return {
            "policy_name": self.policy,
            "env": self.env,
            "env_options": {**self.make_options, "observations": list(self.observations)},
            "seed": self.seed,
            "policy": self.hyperparameters,
            "training": asdict(self.settings),
        }

    @property
    def folder(self) -> Path:
        """Named after what determines the weights."""
        training = {k: v for k, v in asdict(self.settings).items() if k not in WITHOUT_EFFECT}
        identity = config_hash({**self.config, "training": training})
        return self.out / "training" / f"{self.policy}-{slug(self.env)}-{identity}"


def trained(job: SB3Job, overwrite: bool = False) -> tuple[Path, bool]:
    """The checkpoint of a job, and whether it was there already, completely trained."""
    folder = job.folder
    checkpoint = folder / "checkpoint.zip"
    with claimed(folder):
        if checkpoint.exists() and not overwrite:
            return checkpoint, True
        if folder.exists():  # replaced, or what an interrupted training has left
            shutil.rmtree(folder)
        folder.mkdir(parents=True)
        OmegaConf.save(OmegaConf.create(job.config), folder / "config.yaml")
        with separate_streams(), torch_threads(job.settings.threads or available_cores()):
            _learn(job, folder).replace(checkpoint)
    return checkpoint, False


def _learn(job: SB3Job, folder: Path) -> Path:
    """Train; the file of the best weights."""
    settings, best = job.settings, folder / "best.zip"
    with ExitStack() as stack:
        learners, watchers = (
            replace(job.workers, logs=folder / "logs" / part) for part in ("training", "validation")
        )
        pool = stack.enter_context(
            training_pool(job.env, job.make_options, learners, settings.num_envs)
        )
        watch = stack.enter_context(make_pool(job.env, job.make_options, watchers, chunk=1))
        log = MetricLog(folder, 0, job.config, settings.wandb)
        stack.callback(log.close)
        bar = stack.enter_context(progress(settings.total_timesteps, 0, job.policy, "step"))
        env = PoolVecEnv(
            pool,
            flat(pool.interface, job.observations),
            partial(planned_episode, job.env, "finetuning", root_seed=job.seed),
            Reward(settings.reward),
        )
        model = make_model(job.policy_class.algorithm, env, settings, job.hyperparameters)
        setattr(model, RECORDED, list(job.observations))
        setattr(model, INTERFACE, pool.interface.to_dict())
        validation = Validation(watch, job.policy_class, settings, job.seed)
        monitor = Monitor(log, bar, validation, best, settings.validate_every)
        try:
            model.learn(settings.total_timesteps, monitor)
        except (KeyboardInterrupt, ManigymError):
            _save_unfinished(model, folder, monitor)
            raise
        except ValueError:  # torch's distributions say so of a network of NaNs
            _raise_if_diverged(model, settings)
            raise
    note(_best(monitor))
    return best


def _best(monitor: Monitor) -> str:
    return (
        f"the best weights, of step {monitor.step}, succeed in {monitor.successes} of "
        f"{monitor.planned} validation episodes"
    )


def _save_unfinished(model: Any, folder: Path, monitor: Monitor) -> None:
    newest = folder / "unfinished.zip"
    model.save(newest)
    kept = f"; {folder / 'best.zip'}: {_best(monitor)}" if monitor.step else ""
    note(
        f"stopped at step {model.num_timesteps}, whose weights are in {newest}{kept}. run "
        "--checkpoint takes such a file; the same command begins anew, in the same folder"
    )


def _raise_if_diverged(model: Any, settings: SB3Settings) -> None:
    if not all(bool(weights.isfinite().all()) for weights in model.policy.parameters()):
        raise ManigymError(
            f"training diverged at step {model.num_timesteps}: weights are not finite; try "
            f"training.learning_rate={settings.learning_rate / 3:.1e}"
        )
