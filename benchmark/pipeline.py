"""What ``train`` and ``run`` share: find or make demonstrations, find or make a checkpoint.

Everything made is cached below ``--out`` under a name that holds a hash of what determines it, so
the same command finds it again and another command never picks up the wrong one.
"""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from benchmark.claim import claimed
from benchmark.collect import CollectJob, collect
from benchmark.config import DataSettings, RunSettings, TrainingSettings, parse, resolved
from benchmark.data import robotwin_hdf5
from benchmark.data.hdf5 import env_options
from benchmark.data.robomimic import import_
from benchmark.data.robomimic_layout import task_layout
from benchmark.data.store import TrajectoryStore
from benchmark.engine.latency import LatencySettings
from benchmark.engine.perturbations import PerturbationSettings
from benchmark.results.provenance import config_hash, file_hash, slug
from benchmark.training.job import TrainJob, train
from envs import card
from envs.make import Workers
from envs.schema import ManigymError, TaskCard
from policies.base import TrainablePolicy

WITHOUT_EFFECT = ("device", "threads", "wandb")


@dataclass(frozen=True)
class Recipe:
    """How to get a checkpoint of ``policy`` for ``env``; ``None`` means the default."""

    policy: str
    policy_class: type[TrainablePolicy]
    env: str
    out: Path
    seed: int = 0
    workers: Workers = field(default_factory=Workers)
    demonstrations: int | None = None
    data: Path | None = None
    config_file: Path | None = None
    overrides: Sequence[str] = ()

    def settings(self) -> dict[str, Any]:
        """The settings by section; those of a run are checked and have no effect on training."""
        kinds = {
            "policy": self.policy_class.Config,
            "training": TrainingSettings,
            "data": DataSettings,
            "env": None,
            "run": RunSettings,
            "latency": LatencySettings,
            "perturb": PerturbationSettings,
        }
        found = parse(kinds, self.overrides, self.config_file)
        # What depends on the machine ("auto") is decided now: names of folders are hashes of this.
        return {**found, "policy": found["policy"].resolved()}


def demonstrations(recipe: Recipe, settings: Mapping[str, Any]) -> tuple[Path, str]:
    """The store to train on (given, imported from HDF5, or the expert's) and what identifies it."""
    observations = settings["policy"].observations
    if recipe.data is not None:
        foreign = not recipe.data.is_dir() or robotwin_hdf5.is_folder(recipe.data)
        path = _imported(recipe, recipe.data, observations) if foreign else recipe.data
        store = TrajectoryStore.open(path)
        if store.header.env != recipe.env:
            raise ManigymError(
                f"--data {path} holds demonstrations of {store.header.env}, asked for {recipe.env}"
            )
        for section, asked in (
            ("policy", settings["policy"].spec().env_options),
            ("env", settings["env"]),
        ):
            _check_options(store, section, asked, observations)
        return path, store.content_hash("instruction" in observations)
    job = CollectJob(
        env=recipe.env,
        episodes=settings["data"].episodes,
        observations=tuple(observations),
        env_options={**settings["policy"].spec().env_options, **settings["env"]},
        seed=recipe.seed,
        workers=recipe.workers,
    )
    path = demonstrations_path(recipe.out, job)
    path.parent.mkdir(parents=True, exist_ok=True)
    collect(job, path)
    return path, path.name


def _check_options(
    store: TrajectoryStore, section: str, asked: Mapping[str, Any], observations: Sequence[str]
) -> None:
    """Raise for an environment option that recorded demonstrations cannot have any more."""
    header, task = store.header, card(store.header.env)
    seen = {"protocol": task.protocol().name, **env_options(header.keys, task)}
    held = resolved({**seen, **header.env_options})
    for name, value in resolved(asked).items():
        has = held.get(name)
        if name == "cameras" and has:  # a policy may look through some of those recorded
            these = {value} if isinstance(value, str) else {*value}
            fits = these <= {*has} if section == "policy" else these == {*has}
        else:
            fits = name in held and value == has
        if not fits:
            wish = f"{name}={str(value).replace(' ', '').replace(chr(39), '')}"
            record = f"collect --env {task.id} --observations {' '.join(observations)}"
            raise ManigymError(
                f"{section}.{wish} was asked for, but the demonstrations in {store.path} were "
                f"recorded {f'with {has}' if name in held else 'without it'}, which training does "
                f"not change. Record others (python -m benchmark {record} "
                f"{shlex.quote(f'env.{wish}')}), or leave it out; an evaluation has options of its "
                "own"
            )


def demonstrations_path(out: Path, job: CollectJob) -> Path:
    """Where a job's demonstrations are cached; a longer store of the same job is the same place."""
    return out / "demonstrations" / f"{slug(job.env)}-{config_hash(job.settings)}"


def trained(recipe: Recipe, overwrite: bool = False) -> tuple[Path, bool]:
    """The checkpoint of a recipe, and whether it was there already, completely trained."""
    settings = recipe.settings()
    default = card(recipe.env).demonstrations if recipe.data is None else None
    settings["data"].episodes = recipe.demonstrations or settings["data"].episodes or default
    data, identity = demonstrations(recipe, settings)
    config = {
        "policy_name": recipe.policy,
        "env": recipe.env,
        "demonstrations": identity,
        **resolved({section: settings[section] for section in ("policy", "training", "data")}),
    }
    folder = recipe.out / "training" / f"{recipe.policy}-{slug(recipe.env)}-{_identity(config)}"
    checkpoint = folder / "checkpoint.pt"
    job = TrainJob(
        recipe.policy_class, settings["policy"], data, settings["data"], settings["training"]
    )
    with claimed(folder):
        if overwrite and folder.exists():
            shutil.rmtree(folder)
        if checkpoint.exists() and not (folder / "resume.pt").exists():
            return checkpoint, True
        folder.mkdir(parents=True, exist_ok=True)
        OmegaConf.save(OmegaConf.create(config), folder / "config.yaml")
        return train(job, folder, config), False


def _identity(config: Mapping[str, Any]) -> str:
    """The hash of what determines the weights: where and how it is watched does not."""
    training = {k: v for k, v in config["training"].items() if k not in WITHOUT_EFFECT}
    return config_hash({**config, "training": training})


def _imported(recipe: Recipe, source: Path, observations: Sequence[str]) -> Path:
    """A robomimic HDF5 file or a folder of RoboTwin's as a store, converted once per content and
    kind of observation."""
    if not source.exists():
        raise ManigymError(f"--data {source}: no such file or folder")
    task = card(recipe.env)
    folder = source.is_dir()
    keys = (_robotwin_keys if folder else _robomimic_keys)(source, task, observations)
    content = _episode_hashes(source) if folder else file_hash(source)
    identity = config_hash({"file": content, "env": task.id, "keys": keys})
    target = recipe.out / "demonstrations" / f"{source.stem}-{identity}"
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        if folder:
            robotwin_hdf5.import_(source, target, task=task, keys=keys)
        else:
            layout, rate = task_layout(task, keys), task.protocol().control_hz
            import_(source, target, env=task.id, layout=layout, fps=rate, action=task.action)
    return target


def _robomimic_keys(_: Path, task: TaskCard, observations: Sequence[str]) -> list[str]:
    pictures = [f"rgb/{camera}" for camera in task.cameras] if "rgb" in observations else []
    return ["proprio", *(["state"] if "state" in observations else []), *pictures]


def _robotwin_keys(folder: Path, task: TaskCard, observations: Sequence[str]) -> list[str]:
    wanted = {"proprio", *observations}
    return [k for k in robotwin_hdf5.offered(folder, task) if k.split("/")[0] in wanted]


def _episode_hashes(folder: Path) -> dict[str, str]:
    return {str(n): file_hash(file) for n, file in robotwin_hdf5.episode_files(folder).items()}
