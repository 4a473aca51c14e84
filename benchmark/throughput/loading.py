"""Windows per second: random windows of demonstrations, in batches, as tensors on the CPU."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import chain, count, repeat
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import psutil
import torch

from benchmark.data.index import KeySpec, StoreHeader
from benchmark.data.store import Episode, TrajectoryStore
from benchmark.data.windows import Empty, Windows
from benchmark.throughput.contest import Contender, Once
from benchmark.throughput.job import LoaderJob
from benchmark.training.feed import feed

CAMERAS = ("agentview", "robot0_eye_in_hand")
PICTURE = (84, 84, 3)
VECTORS: dict[str, KeySpec] = {  # robosuite Lift
    "action": ("float32", (7,)),
    "obs/proprio": ("float32", (9,)),
    "obs/state": ("float32", (10,)),
}


def synthetic_store(
    path: Path,
    episodes: int = 10,
    steps: int = 100,
    cameras: Sequence[str] = CAMERAS,
    picture: tuple[int, int, int] = PICTURE,
    seed: int = 0,
) -> Path:
    """A store of noise in the sizes of robosuite's Lift: pictures uint8, vectors in [-1, 1]."""
    keys = VECTORS | {f"obs/rgb/{camera}": ("uint8", picture) for camera in cameras}
    rng = np.random.default_rng(seed)
    with TrajectoryStore.create(path, StoreHeader("noise", keys, fps=20.0)) as store:
        for number in range(episodes):
            store.append(Episode(number, {k: _noise(rng, steps, v) for k, v in keys.items()}))
    return path


def ours(job: LoaderJob, in_memory: bool = False) -> Contender:
    """This project's way, as training draws its batches: from the memory map, or from RAM."""

    @contextmanager
    def opened() -> Iterator[Once]:
        windows = Windows(
            TrajectoryStore.open(job.data),
            n_obs=job.n_obs,
            horizon=job.horizon,
            obs_keys=job.keys,
            in_memory=in_memory,
        )
        with feed(partial(_epochs, windows, job), torch.device("cpu")) as batches:
            yield drawing(batches, job)

    return Contender("manigym, in memory" if in_memory else "manigym", opened)


def drawing(batches: Iterator[Any], job: LoaderJob) -> Once:
    """One repeat: batches for ``job.seconds``; units are windows, of which a batch has no more than
    the data."""
    size = min(job.batch_size, TrajectoryStore.open(job.data).num_steps)

    def once() -> float:
        windows, end = 0, perf_counter() + job.seconds
        while perf_counter() < end:
            next(batches)
            windows += size
        return float(windows)

    return once


def shuffled(dataset: Any, job: LoaderJob) -> Iterator[Any]:
    """A map-style data set behind torch's ``DataLoader``, as the other ways use it, without end;
    in this process, as ours."""
    loader = torch.utils.data.DataLoader(
        dataset,
        min(job.batch_size, len(dataset)),
        shuffle=True,
        drop_last=True,
        generator=torch.Generator().manual_seed(job.seed),
    )
    return chain.from_iterable(repeat(loader))


def data_bytes(job: LoaderJob) -> int:
    """Size of what the job looks at: its keys and the actions, all steps."""
    store = TrajectoryStore.open(job.data)
    return sum(store.array(key).nbytes for key in ("action", *(f"obs/{key}" for key in job.keys)))


def memory_growth(make: Callable[[LoaderJob], Contender], job: LoaderJob) -> int:
    """Bytes (PSS) that a contender holds after one repeat, beyond its imports.

    Measured in a new process; pages of a mapped file count as far as they were read. ``make`` is a
    function that pickles and imports what it needs before it returns.
    """
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_growth, (make, job))


def _growth(make: Callable[[LoaderJob], Contender], job: LoaderJob) -> int:
    contender = make(job)
    before = _held()
    with contender.open() as once:
        once()
        return _held() - before


def _held() -> int:
    """PSS of this process and of all below it."""
    me = psutil.Process()
    return sum(process.memory_full_info().pss for process in (me, *me.children(recursive=True)))


def _epochs(windows: Windows, job: LoaderJob, empty: Empty) -> Iterator[dict[str, Any]]:
    size = min(job.batch_size, len(windows))
    for epoch in count():
        yield from windows.epoch(job.seed, epoch, size, drop_last=True, empty=empty)


def _noise(rng: np.random.Generator, steps: int, spec: KeySpec) -> np.ndarray:
    dtype, shape = np.dtype(spec[0]), (steps, *spec[1])
    if dtype.kind == "u":
        return rng.integers(0, 256, shape, dtype)
    return rng.uniform(-1.0, 1.0, shape).astype(dtype)
