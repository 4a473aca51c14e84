"""Small stores with known numbers, for the tests of ``benchmark.data``."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from benchmark.data.index import StoreHeader
from benchmark.data.store import Episode, TrajectoryStore

KEYS = {
    "action": ("float32", (2,)),
    "reward": ("float32", ()),
    "obs/proprio": ("float32", (3,)),
    "obs/rgb/top": ("uint8", (4, 5, 3)),
    "sim_state": ("float64", (6,)),
}


def header() -> StoreHeader:
    return StoreHeader("Toy/reach-v0", KEYS, fps=10.0, source="test", settings={"seed": 1})


def episode(id_: int, steps: int | None = None, group: str | int | None = None) -> Episode:
    """Episode of 3 + id % 4 steps whose numbers are a function of its id alone."""
    steps = 3 + id_ % 4 if steps is None else steps
    rng = np.random.default_rng(id_)
    arrays = {
        "action": rng.uniform(-1, 1, (steps, 2)).astype(np.float32),
        "reward": (np.arange(steps) == steps - 1).astype(np.float32),
        "obs/proprio": rng.normal(size=(steps, 3)).astype(np.float32),
        "obs/rgb/top": rng.integers(0, 256, (steps, 4, 5, 3), np.uint8),
        "sim_state": rng.normal(size=(steps, 6)),
    }
    return Episode(id_, arrays, task="reach", success=id_ % 2 == 0, seed=1000 + id_, group=group)


def write_store(path: Path, ids: Iterable[int]) -> TrajectoryStore:
    """Store of :func:`episode` for each id, arriving in the given order; open for reading."""
    with TrajectoryStore.create(path, header()) as store:
        for id_ in ids:
            store.append(episode(id_))
    return TrajectoryStore.open(path)
