"""Training data as Diffusion Policy and the guides built on it keep it: zarr, pictures float32.

The layout: one array per key over all steps, pictures float32 in [0, 1], CHW, one frame per chunk
(Blosc, lz4, level 5), ``meta/episode_ends``. The loader: everything is copied to RAM first; a
window is all frames of its horizon, sliced key by key and padded by repetition, whatever the policy
looks at; torch's ``DataLoader`` puts windows together. Written from that description to measure the
layout. Variants: ``ram``, and ``disk``, which reads from the store each time.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmark.data.store import TrajectoryStore
from benchmark.throughput.contest import Contender, Once
from benchmark.throughput.job import LoaderJob
from benchmark.throughput.loading import drawing, shuffled
from envs.schema import ManigymError

VARIANTS = ("ram", "disk")


class Sequences(torch.utils.data.Dataset[dict[str, torch.Tensor]]):
    """Windows of ``horizon`` rows of every key: item ``i`` begins ``before`` steps before the
    ``i``-th step of the data; rows outside the episode repeat its first or last."""

    def __init__(
        self, arrays: Mapping[str, Any], ends: np.ndarray, horizon: int, before: int
    ) -> None:
        self.arrays = arrays
        self.places: list[tuple[int, int, int, int]] = []
        for start, end in zip([0, *ends[:-1].tolist()], ends.tolist(), strict=True):
            for step in range(start, end):
                first, last = step - before, step - before + horizon
                inside = max(first, start), min(last, end)
                self.places.append((*inside, inside[0] - first, last - inside[1]))

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, i: int) -> dict[str, torch.Tensor]:
        start, end, head, tail = self.places[i]
        item = {}
        for key, array in self.arrays.items():
            rows = array[start:end]
            whole = np.empty((head + len(rows) + tail, *rows.shape[1:]), rows.dtype)
            whole[:head], whole[head : head + len(rows)] = rows[0], rows
            whole[head + len(rows) :] = rows[-1]
            item[key] = torch.from_numpy(whole)
        return item


def sequences(job: LoaderJob, variant: str = "") -> Contender:
    """The same windows from that layout."""
    import zarr

    place = variant or "ram"
    if place not in VARIANTS:
        raise ManigymError(f"--against zarr:{place}: there are {', '.join(VARIANTS)}")

    @contextmanager
    def opened() -> Iterator[Once]:
        with tempfile.TemporaryDirectory() as folder:
            _write(TrajectoryStore.open(job.data), job, Path(folder))
            root = zarr.open_group(folder, mode="r")
            arrays = {
                key: array[:] if place == "ram" else array for key, array in root["data"].arrays()
            }
            ends = root["meta/episode_ends"][:]
            dataset = Sequences(arrays, ends, job.horizon, job.n_obs - 1)
            yield drawing(shuffled(dataset, job), job)

    return Contender("zarr float32", opened, detail=f"from {place}")


def _write(store: TrajectoryStore, job: LoaderJob, folder: Path) -> None:
    import zarr
    from numcodecs import Blosc

    compressor = Blosc("lz4", clevel=5, shuffle=Blosc.NOSHUFFLE)
    root = zarr.open_group(str(folder), mode="w")
    for key in ("action", *(f"obs/{key}" for key in job.keys)):
        shape, picture = store.array(key).shape[1:], key.startswith("obs/rgb/")
        array = root.create_dataset(
            f"data/{key.removeprefix('obs/').replace('/', '_')}",
            shape=(store.num_steps, *((shape[-1], *shape[:-1]) if picture else shape)),
            chunks=(1 if picture else 1000, *((None,) * len(shape))),
            dtype="float32",
            compressor=compressor,
        )
        at = 0
        for i, length in enumerate(store.lengths.tolist()):
            rows = store.episode(i)[key]
            array[at : at + length] = (
                np.moveaxis(rows, -1, 1) / np.float32(255) if picture else rows
            )
            at += length
    root.create_dataset("meta/episode_ends", data=np.cumsum(store.lengths))
