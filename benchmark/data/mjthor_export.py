"""A store as MolmoSpaces' data (working name MjThor).

Folders and names: :mod:`benchmark.data.mjthor_layout`; rows and what is needed to write them:
:mod:`benchmark.data.mjthor_write`; what the numbers mean: :mod:`benchmark.data.mjthor_modes`.
Our files say so themselves, in attributes of the HDF5 root: ``schema``, ``action_spec``,
``action_modes`` (JSON) and ``fps``. Films are lossy; the layout has no place for simulator states,
point clouds, depth and segmentation.
"""

from __future__ import annotations

import json
import os
import shutil
from contextlib import ExitStack
from dataclasses import asdict, replace
from pathlib import Path

import h5py

from benchmark.data import mjthor_videos as videos
from benchmark.data.hdf5 import refuse_existing
from benchmark.data.mjthor_layout import BATCH, SCHEMA, Say, group_folder, video_name
from benchmark.data.mjthor_modes import Modes, check_action, modes_of, own_modes
from benchmark.data.mjthor_post import write_index
from benchmark.data.mjthor_write import Facts, check_groups, last_row_repeated, write_trajectory
from benchmark.data.store import TrajectoryStore
from envs.schema import ManigymError, TaskCard

WRITTEN = ("action", "reward", "obs/proprio", "obs/state")


def export(
    store: TrajectoryStore,
    folder: str | Path,
    *,
    task: TaskCard,
    modes: Modes | None = None,
    flat: bool = False,
    say: Say = print,
) -> Path:
    """Write ``store`` below ``folder``: ``<split>/house_<n>/`` from the groups of its episodes.

    ``modes`` says how commanded actions are written, as our own by default; ``flat`` chooses the
    older layout. ``traj_<i>`` is the i-th episode of its house in id order.
    """
    folder = Path(folder)
    refuse_existing(folder)
    task = _as_collected(store, task)
    check_groups(task)
    chosen = modes_of(task.action, modes or {}, own_modes(task.action))
    if not len(store):
        raise ManigymError(f"{store.path} holds no episodes; collect some")
    missing = [key for key in ("obs/proprio", "obs/state") if key not in store.header.keys]
    if missing:
        raise ManigymError(
            f"{store.path} holds no {', '.join(missing)}, which have the robot's pose; collect "
            "with --observations proprio state and what else is wanted"
        )
    left_out = [k for k in store.header.keys if k not in WRITTEN and not k.startswith("obs/rgb/")]
    if left_out:
        say(f"left out, as the layout has no place for it: {', '.join(left_out)}")
    temporary = folder.with_name(f".{folder.name}.{os.getpid()}.tmp")
    try:
        with ExitStack() as stack:
            homes: dict[str, h5py.File] = {}
            for i, id_ in enumerate(store.ids.tolist()):
                home = group_folder(str(store.groups[i]), id_)
                if home not in homes:
                    file = _created(temporary / home, store, task, chosen)
                    homes[home] = stack.enter_context(file)
                _write(homes[home], temporary / home, store, i, task, chosen, flat)
        write_index(temporary)
        temporary.rename(folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return folder


def fits(task: TaskCard) -> bool:
    """Whether a task's store can be written in this layout."""
    try:
        check_action(task)
        check_groups(task)
    except ManigymError:
        return False
    return True


def _as_collected(store: TrajectoryStore, task: TaskCard) -> TaskCard:
    """The card with the action of the protocol under which the store was collected."""
    check_action(task)
    said = json.dumps(store.header.action_spec, sort_keys=True)
    specs = [task.action, *(p.action for p in task.protocols if p.action is not None)]
    for spec in specs:
        if said in ("{}", json.dumps(asdict(spec), sort_keys=True)):
            return replace(task, action=spec)
    raise ManigymError(f"{store.path}: its action is none of {task.id}'s; collect it again")


def _created(home: Path, store: TrajectoryStore, task: TaskCard, modes: Modes) -> h5py.File:
    home.mkdir(parents=True)
    file = h5py.File(home / f"trajectories{BATCH}.h5", "w")
    file.attrs["schema"] = SCHEMA
    file.attrs["action_spec"] = json.dumps(asdict(task.action))
    file.attrs["action_modes"] = json.dumps(dict(modes))
    file.attrs["fps"] = float(store.header.fps)
    return file


def _write(
    file: h5py.File,
    home: Path,
    store: TrajectoryStore,
    i: int,
    task: TaskCard,
    modes: Modes,
    flat: bool,
) -> None:
    arrays, number = store.episode(i), len(file)
    facts = Facts(
        task=task.task,
        instruction=str(store.instructions[i]),
        fps=float(store.header.fps),
        success=bool(store.successes[i]),
        seed=int(store.seeds[i]),
        id=int(store.ids[i]),
    )
    group = file.create_group(f"traj_{number}")
    write_trajectory(group, arrays, task, facts, modes, flat)
    rows = len(group["success"])
    for key in (key for key in arrays if key.startswith("obs/rgb/")):
        path = home / video_name(number, key.removeprefix("obs/rgb/"))
        videos.write(path, last_row_repeated(arrays[key], rows), store.header.fps)
