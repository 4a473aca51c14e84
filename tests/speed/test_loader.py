"""Windows per second: batches of 64, two frames of 84x84 with low-dimensional keys, 16 actions.

Compared with robomimic's ``SequenceDataset`` (everything cached in memory, its fastest mode) behind
a torch ``DataLoader``, where robomimic is installed. Run with ``--benchmark-enable``.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, repeat
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from benchmark.data.index import StoreHeader
from benchmark.data.robomimic import export
from benchmark.data.store import Episode, TrajectoryStore
from benchmark.data.windows import Windows

BATCH, N_OBS, HORIZON, STEPS, EPISODES = 64, 2, 16, 100, 10
KEYS = {
    "action": ("float32", (7,)),
    "obs/proprio": ("float32", (9,)),
    "obs/state": ("float32", (10,)),
    "obs/rgb/agentview": ("uint8", (84, 84, 3)),
}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> TrajectoryStore:
    rng = np.random.default_rng(0)
    path = tmp_path_factory.mktemp("speed") / "demos"
    with TrajectoryStore.create(path, StoreHeader("Toy/reach-v0", KEYS, fps=20.0)) as store:
        for id_ in range(EPISODES):
            arrays = {
                key: rng.integers(0, 256, (STEPS, *shape)).astype(dtype)
                for key, (dtype, shape) in KEYS.items()
            }
            store.append(Episode(id_, arrays))
    return TrajectoryStore.open(path)


def as_tensors(batch: Any) -> Any:
    """The batch with tensors in place of arrays."""
    if isinstance(batch, dict):
        return {key: as_tensors(value) for key, value in batch.items()}
    return torch.from_numpy(batch)


def time_batches(benchmark: Any, batches: Iterator[Any]) -> Any:
    """Time one batch, many times; report windows per second."""
    next(batches)
    batch = benchmark(next, batches)
    if benchmark.stats is not None:
        benchmark.extra_info["windows_per_second"] = BATCH / benchmark.stats.stats.mean
    return batch


@pytest.mark.parametrize("in_memory", [False, True], ids=["mapped", "in_memory"])
@pytest.mark.benchmark(group="loader")
def test_windows(benchmark: Any, store: TrajectoryStore, in_memory: bool) -> None:
    windows = Windows(store, n_obs=N_OBS, horizon=HORIZON, in_memory=in_memory)
    epochs = (windows.epoch(0, epoch, BATCH, drop_last=True) for epoch in range(1_000_000))
    batch = time_batches(benchmark, map(as_tensors, chain.from_iterable(epochs)))
    assert batch["obs"]["rgb/agentview"].shape == (BATCH, N_OBS, 84, 84, 3)


@pytest.mark.benchmark(group="loader")
def test_robomimic(benchmark: Any, store: TrajectoryStore, tmp_path: Path) -> None:
    dataset = pytest.importorskip(
        "robomimic.utils.dataset", reason="robomimic 0.3.0 is not installed (see tox -e robomimic)"
    )
    from robomimic.utils.obs_utils import initialize_obs_utils_with_obs_specs

    keys = ("proprio", "state", "agentview_image")
    initialize_obs_utils_with_obs_specs({"obs": {"low_dim": keys[:2], "rgb": keys[2:]}})
    sequences = dataset.SequenceDataset(
        hdf5_path=str(export(store, tmp_path / "demos.hdf5")),
        obs_keys=keys,
        dataset_keys=("actions",),
        frame_stack=N_OBS,
        seq_length=HORIZON - N_OBS + 1,
        get_pad_mask=True,
        load_next_obs=False,
        hdf5_cache_mode="all",
    )
    loader = torch.utils.data.DataLoader(sequences, BATCH, shuffle=True, drop_last=True)
    batch = time_batches(benchmark, chain.from_iterable(repeat(loader)))
    assert batch["actions"].shape == (BATCH, HORIZON, 7)
