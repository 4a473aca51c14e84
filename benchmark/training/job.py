"""From a demonstration store to a checkpoint: split, normaliser, network, training loop."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmark.config import DataSettings, TrainingSettings
from benchmark.data.splits import Split, split_episodes
from benchmark.data.store import TrajectoryStore
from benchmark.data.windows import Windows
from benchmark.results.provenance import code_version
from benchmark.training.bc import fit
from envs import CARDS, card
from envs.schema import Interface, ManigymError
from policies.base import TrainablePolicy
from policies.normalize import Normalizer
from policies.statistics import SMALLEST_RANGE


@dataclass(frozen=True)
class TrainJob:
    """``policy_class`` with ``config`` (an instance of its ``Config``) on the store at ``data``."""

    policy_class: type[TrainablePolicy]
    config: Any
    data: Path
    data_settings: DataSettings
    settings: TrainingSettings


def train(job: TrainJob, folder: Path, resolved: Mapping[str, Any]) -> Path:
    """Train into ``folder`` (resuming what is there) and return the checkpoint's path.

    The normaliser sees training episodes only; ``resolved`` (the configuration as plain data), the
    split's hash and the data's hash are stored in the checkpoint.
    """
    store = TrajectoryStore.open(job.data)
    for warning in store.verify().warnings:
        print(f"warning: {job.data}: {warning}")
    interface = store_interface(store)
    chosen = slice(job.data_settings.episodes)
    split = split_episodes(
        store.ids[chosen].tolist(),
        store.groups[chosen].tolist(),
        seed=job.data_settings.split_seed,
        val_fraction=job.data_settings.val_fraction,
        max_train=job.data_settings.max_train,
    )
    keys = _wanted_keys(job, interface)
    spoken = "instruction" in keys
    if spoken:
        _check_instructions(store, job.data)
    normalizer = fit_normalizer(store, split, keys, job.config, interface)
    policy = job.policy_class.build(job.config, interface, normalizer)
    if spoken:
        policy.read_instructions(store.instructions.tolist())
    train_windows, val_windows = (
        _windows(job, store, keys, part) for part in (split.train, split.val)
    )
    assert train_windows is not None
    record = {
        "settings": dict(resolved),
        "env_options": seen_options(store.header.env, store.header.env_options),
        "train_episodes": len(split.train),
        "split_sha256": split.sha256,
        "data_sha256": store.content_hash(spoken),
        "code": code_version(),
    }
    return fit(policy, train_windows, val_windows, job.settings, folder, record)


def seen_options(env: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Options of the data that a policy needs where it is evaluated: how it sees and acts, not
    which scenes it was shown."""
    scenes = card(env).scene_options if env in CARDS else ()
    return {name: value for name, value in options.items() if name not in scenes}


def store_interface(store: TrajectoryStore) -> Interface:
    """What the store's arrays look like to a policy."""
    keys = store.header.keys
    observation = {
        key.removeprefix("obs/"): (tuple(shape), dtype)
        for key, (dtype, shape) in keys.items()
        if key.startswith("obs/")
    }
    if any(store.instructions):
        observation["instruction"] = ((), "str")
    size = keys["action"][1][0]
    said = store.header.action
    # Old stores of a protocol with an action of its own describe the card's: not this one.
    action = said if said is not None and said.size == size else None
    env, protocol = store.header.env, store.header.env_options.get("protocol")
    repeat = card(env).protocol(protocol).action_repeat if env in CARDS else 1
    return Interface(env, size, observation, action, repeat)


def fit_normalizer(
    store: TrajectoryStore, split: Split, keys: list[str], config: Any, interface: Interface
) -> Normalizer:
    """Statistics of actions and observations over the training episodes."""
    arrays = [key for key in keys if key != "instruction"]

    def episodes() -> Iterator[dict[str, np.ndarray]]:
        for position in store.positions(split.train):
            found = store.episode(int(position))
            yield {"action": found["action"], **{k: found[f"obs/{k}"] for k in arrays}}

    return Normalizer.fit(
        episodes(),
        getattr(config, "normalization", None),
        interface.action_groups,
        getattr(config, "range_floor", SMALLEST_RANGE),
    )


def _windows(
    job: TrainJob, store: TrajectoryStore, keys: list[str], episodes: tuple[int, ...]
) -> Windows | None:
    if not episodes:
        return None
    return Windows(
        store,
        n_obs=job.config.n_obs,
        horizon=job.config.horizon,
        obs_keys=keys,
        episodes=episodes,
        in_memory=job.data_settings.in_memory,
    )


def _wanted_keys(job: TrainJob, interface: Interface) -> list[str]:
    wanted = tuple(job.config.observations)
    keys = [k for k in interface.observation if k.split("/")[0] in wanted]
    lacking = [m for m in wanted if not any(k.split("/")[0] == m for k in keys)]
    if lacking:
        command = f"python -m benchmark collect --env {interface.env}"
        raise ManigymError(
            f"{job.data} has no {lacking[0]!r}; it has {', '.join(interface.observation)}. "
            f"Collect it: {command} --observations {' '.join(wanted)}"
        )
    return keys


def _check_instructions(store: TrajectoryStore, path: Path) -> None:
    silent = store.ids[store.instructions == ""]
    if len(silent):
        raise ManigymError(
            f"{path}: {len(silent)} of {len(store)} episodes have no instruction (the first is "
            f"{silent[0]}); collect or convert them again, or leave instruction out of "
            "policy.observations"
        )
