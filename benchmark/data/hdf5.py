"""What the HDF5 formats share: files that cannot be read, and stores made whole or not at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any

import h5py

from benchmark.data.index import KeySpec, StoreHeader
from benchmark.data.store import Episode, TrajectoryStore
from envs.schema import ManigymError, TaskCard


@contextmanager
def opened(path: Path, kind: str) -> Iterator[h5py.File]:
    """The file for reading; what HDF5 cannot read becomes one :class:`ManigymError`.

    ``kind``: whose file it should be, for the message.
    """
    if not path.is_file():
        raise ManigymError(f"{path} does not exist; pass a {kind} HDF5 file")
    if not h5py.is_hdf5(path):
        raise ManigymError(f"{path} is not an HDF5 file; pass a {kind} HDF5 file")
    try:
        with h5py.File(path, "r") as file:
            yield file
    # h5py raises all of these; a missing name is a KeyError, an empty dataset an IndexError.
    except (OSError, RuntimeError, TypeError, ValueError, KeyError, IndexError) as error:
        if getattr(error, "errno", None):  # the system's own complaint, such as a full disk
            raise
        raise ManigymError(
            f"{path} is truncated or damaged, or not {kind}'s ({error}); get or write it again"
        ) from error


def refuse_existing(path: Path) -> None:
    """Nothing is ever overwritten."""
    if path.exists():
        raise ManigymError(f"{path} exists already; choose another path or delete it")


def fill(
    store_path: Path,
    episodes: Iterator[Episode],
    header: Callable[[Mapping[str, KeySpec]], StoreHeader],
) -> TrajectoryStore:
    """A new store of ``episodes``; it appears when the last one is in. ``header`` makes the header
    from the keys of the first episode, which must exist."""
    refuse_existing(store_path)
    temporary = store_path.with_name(f".{store_path.name}.{os.getpid()}.part")
    first = next(episodes)
    keys = {key: (values.dtype.name, values.shape[1:]) for key, values in first.arrays.items()}
    try:
        with TrajectoryStore.create(temporary, header(keys)) as store:
            for episode in chain([first], episodes):
                store.append(episode)
        temporary.rename(store_path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return TrajectoryStore.open(store_path)


def alike(episodes: Iterator[Episode], files: Mapping[int, object]) -> Iterator[Episode]:
    """Pass episodes on; one with other shapes than the first is refused by its name
    in ``files``."""
    first: dict[str, tuple[int, ...]] = {}
    for episode in episodes:
        shapes = {key: values.shape[1:] for key, values in episode.arrays.items()}
        first = first or shapes
        for key, shape in shapes.items():
            if shape != first[key]:
                raise ManigymError(
                    f"{files[episode.id]}: {key.removeprefix('obs/')!r} has shape {shape} per "
                    f"frame, the first episode has {first[key]}; convert them apart"
                )
        yield episode


def env_options(kinds: Mapping[str, KeySpec], task: TaskCard) -> dict[str, Any]:
    """Options with which the environment shows what these files show."""
    cameras = [camera for camera in task.cameras if f"obs/rgb/{camera}" in kinds]
    sizes = {tuple(kinds[f"obs/rgb/{camera}"][1][:2]) for camera in cameras}
    options: dict[str, Any] = {"cameras": cameras} if cameras else {}
    if len(sizes) == 1:
        options["image_size"] = list(*sizes)
    if "obs/point_cloud" in kinds:
        options["num_points"] = kinds["obs/point_cloud"][1][0]
    return options
