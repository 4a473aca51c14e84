"""RoboTwin 2.0 episodes (HDF5, branch ``stable_2.0``): written from a store, read into one.

Layout (``script/collect_data.py``, ``envs/utils/pkl2hdf5.py``)::

    seed.txt  scene_info.json  instructions/episode<i>.json
    data/episode<i>.hdf5       one episode: :mod:`benchmark.data.robotwin_episode`

The files beside ``data``: :mod:`benchmark.data.robotwin_notes`. The layout has no place for
rewards, simulator states and groups.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import h5py
import numpy as np

from benchmark.data.hdf5 import alike, env_options, fill, opened, refuse_existing
from benchmark.data.index import KeySpec, StoreHeader
from benchmark.data.robotwin_episode import read_episode, write_episode
from benchmark.data.robotwin_layout import JOINTS, endpose_slices, fits
from benchmark.data.robotwin_notes import first_sentence, read_notes, write_notes
from benchmark.data.store import Episode, TrajectoryStore
from envs.schema import ManigymError, TaskCard

REACHED = (
    1e-3  # rad, or part of the gripper's range: a target this near to the action is the action
)


def export(store: TrajectoryStore, folder: str | Path, *, task: TaskCard) -> Path:
    """Write ``store`` below ``folder``; ``episode<i>`` is its ``i``-th episode in id order.

    Frame ``t`` holds ``proprio`` of step ``t``, and one last frame the last action; what else a
    step shows is repeated there. ``proprio`` must be the commanded joint vector.
    """
    folder = Path(folder)
    refuse_existing(folder)
    _check_store(store, task)
    temporary = folder.with_name(f".{folder.name}.{os.getpid()}.tmp")
    try:
        (temporary / "data").mkdir(parents=True)
        for i in range(len(store)):
            with h5py.File(temporary / "data" / f"episode{i}.hdf5", "w") as file:
                write_episode(file, store.episode(i), task)
        write_notes(temporary, store)
        temporary.rename(folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return folder


def import_(
    folder: str | Path,
    store_path: str | Path,
    *,
    task: TaskCard,
    keys: Sequence[str] | None = None,
) -> TrajectoryStore:
    """Read ``folder/data`` or ``folder`` into a new store; an episode keeps its number.

    ``keys``: observations to read, all that :func:`offered` names by default. Every episode counts
    as a success: RoboTwin keeps no others.
    """
    folder = Path(folder)
    _check_task(task)
    files = episode_files(folder)
    wanted = offered(folder, task) if keys is None else keys
    seeds, notes = read_notes(folder, list(files))
    episodes = (
        Episode(
            n,
            read_episode(path, task, wanted),
            task=task.id,
            success=True,
            seed=seeds.get(n),
            instruction=first_sentence(notes, n),
        )
        for n, path in files.items()
    )

    def header(kinds: Mapping[str, KeySpec]) -> StoreHeader:
        rate = task.protocol().control_hz
        settings = {"folder": folder.name, **notes}
        options, spec = env_options(kinds, task), asdict(task.action)
        return StoreHeader(task.id, kinds, rate, options, spec, "RoboTwin", settings)

    return fill(Path(store_path), alike(episodes, files), header)


def is_folder(path: Path) -> bool:
    """Whether ``path`` holds RoboTwin's episodes."""
    return path.is_dir() and bool(_found(path))


def episode_files(folder: Path) -> dict[int, Path]:
    """Number -> file, ascending; at least one."""
    found = _found(folder)
    if not found:
        raise ManigymError(
            f"{folder} holds no episodes; expected data/episode0.hdf5, ... or episode0.hdf5, ... "
            "as RoboTwin's collect_data.sh writes them"
        )
    return dict(sorted(found.items()))


def offered(folder: Path, task: TaskCard) -> list[str]:
    """Flat observation keys of ``task`` that the first episode holds.

    ``state`` only where it consists of the two end poses, as the rest of a scene is not written.
    """
    path = next(iter(episode_files(folder).values()))
    poses = endpose_slices(task.state)
    with opened(path, "RoboTwin") as file:
        keys = ["proprio"]
        if len(poses) == len(task.state) and all(f"endpose/{name}" in file for name in poses):
            keys += ["state"] if poses else []
        if getattr(file.get("pointcloud"), "ndim", 0) == 3:
            keys.append("point_cloud")
        return keys + [f"rgb/{c}" for c in task.cameras if f"observation/{c}/rgb" in file]


def changed(store: TrajectoryStore, task: TaskCard) -> int:
    """Steps whose action is not what the joints were then told: the layout keeps the latter."""
    _check_store(store, task)
    count = 0
    for i in range(len(store)):
        arrays = store.episode(i)
        asked = task.action.to_physical(arrays["action"][:-1])
        count += int((np.abs(asked - arrays["obs/proprio"][1:]) > REACHED).any(axis=1).sum())
    return count


def _found(folder: Path) -> dict[int, Path]:
    inner = folder / "data"
    paths = (inner if inner.is_dir() else folder).glob("episode*.hdf5")
    matches = ((re.fullmatch(r"episode(\d+)", path.stem), path) for path in paths)
    return {int(match[1]): path for match, path in matches if match}


def _check_task(task: TaskCard) -> None:
    if not fits(task):
        raise ManigymError(
            f"{task.id}: RoboTwin's layout holds two arms of six joint positions and a gripper; "
            f"this task takes {', '.join(f'{g.mode} ({g.size})' for g in task.action.groups)}"
        )


def _check_store(store: TrajectoryStore, task: TaskCard) -> None:
    _check_task(task)
    sizes = {"action": JOINTS, "obs/proprio": JOINTS}
    if "obs/state" in store.header.keys:
        sizes["obs/state"] = sum(group.size for group in task.state)
    for key, size in sizes.items():
        shape = store.array(key).shape[1:]
        if shape != (size,):
            raise ManigymError(f"{store.path}: {key!r} has shape {shape}, {task.id} has ({size},)")
    if store.header.env_options.get("proprio", "commanded") != "commanded":
        raise ManigymError(
            f"{store.path}: its proprio is measured, RoboTwin's layout holds what the joints were "
            "told; collect with the default proprio"
        )
    if not len(store):
        raise ManigymError(f"{store.path} holds no episodes; collect some")
