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
from envs.schema import Interface, ManigymError
from policies.base import TrainablePolicy
from policies.normalize import Normalizer


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
    policy = job.policy_class.build(
        job.config, interface, fit_normalizer(store, split, keys, job.config)
    )
    train_windows, val_windows = (
        _windows(job, store, keys, part) for part in (split.train, split.val)
    )
    assert train_windows is not None
    record = {
        "settings": dict(resolved),
        "env_options": dict(store.header.env_options),
        "train_episodes": len(split.train),
        "split_sha256": split.sha256,
        "data_sha256": store.content_hash(),
        "code": code_version(),
    }
    return fit(policy, train_windows, val_windows, job.settings, folder, record)


def store_interface(store: TrajectoryStore) -> Interface:
    """What the store's arrays look like to a policy."""
    keys = store.header.keys
    observation = {
        key.removeprefix("obs/"): (tuple(shape), dtype)
        for key, (dtype, shape) in keys.items()
        if key.startswith("obs/")
    }
    return Interface(store.header.env, keys["action"][1][0], observation)


def fit_normalizer(
    store: TrajectoryStore, split: Split, keys: list[str], config: Any
) -> Normalizer:
    """Statistics of actions and observations over the training episodes."""

    def episodes() -> Iterator[dict[str, np.ndarray]]:
        for position in store.positions(split.train):
            arrays = store.episode(int(position))
            yield {"action": arrays["action"], **{k: arrays[f"obs/{k}"] for k in keys}}

    return Normalizer.fit(episodes(), getattr(config, "normalization", None))


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
