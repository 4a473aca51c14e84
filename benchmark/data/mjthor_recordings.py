"""MolmoSpaces' trajectories as recordings: what is in them, and what is wrong with them.

Every defect becomes a line of ``problems`` instead of an end of reading, so that one look finds
all of them. Numbers are as written: no task and no ``--modes`` are needed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from benchmark.data import mjthor_read as read
from benchmark.data import mjthor_videos as videos
from benchmark.data.hdf5 import opened
from benchmark.data.mjthor_layout import DEPTH, KIND, Trajectory, films, find, is_flat
from benchmark.data.mjthor_post import SHORTEST
from benchmark.data.mjthor_rows import decode_rows, unreadable_rows
from benchmark.data.recordings import Recording
from benchmark.data.rows import Array
from envs.schema import ManigymError

COLUMNS = ("obs/agent/qpos", "obs/agent/qvel")
ABSOLUTE = ("absolute",)


def of_mjthor(path: Path) -> Iterator[Recording]:
    """Trajectories below ``path``, in the current or the flat layout."""
    for where in find(path):
        with opened(where.file, KIND) as file:
            yield _recording(file, where)


def layout(path: Path) -> str:
    """The layout of the first trajectory, in words."""
    first = find(path)[0]
    with opened(first.file, KIND) as file:
        return "flat layout" if is_flat(file[first.key]) else "current layout"


def _recording(file: h5py.File, where: Trajectory) -> Recording:
    data = file[where.key]
    columns = {name: data[name] for name in _json_columns(data)}
    lengths = {name: len(values) for name, values in columns.items()}
    lengths |= {k: len(v) for k, v in data.items() if isinstance(v, h5py.Dataset) and v.ndim == 1}
    problems = [*_bad_rows(columns), *_row_counts(lengths)]
    commands: list[dict[str, Any]] = []
    qpos: list[dict[str, Any]] = []
    if not problems:
        commands, qpos = _pairs(data, where, problems)
    facts = _scene(data, where, problems)
    fps = 1000.0 / float(facts["policy_dt_ms"]) if facts.get("policy_dt_ms") else 0.0
    seen, notes = _films(data, where, problems)
    actions, measured = _groups(commands), _groups(qpos)
    return Recording(
        name=str(where),
        group=where.group,
        steps=len(commands),
        actions=actions,
        shapes=_shapes(data, measured),
        numbers={**actions, **{f"qpos {k}": v for k, v in measured.items()}},
        joints=_joints(actions, measured, read.file_modes(file)),
        poses=_moving(measured),
        films=seen,
        film_frames=len(data["success"]) if "success" in data else 0,
        fps=fps,
        instruction=str(facts.get("task_description", "")),
        success=bool(data["success"][-1]) if "success" in data else None,
        problems=tuple(problems),
        notes=(*notes, *_pickles(facts)),
    )


def _json_columns(data: h5py.Group) -> list[str]:
    names = (
        ["actions"] if is_flat(data) else [f"actions/{name}" for name in data.get("actions", ())]
    )
    return [*names, *(name for name in COLUMNS if name in data)]


def _bad_rows(columns: Mapping[str, h5py.Dataset]) -> Iterator[str]:
    for name, values in columns.items():
        if bad := unreadable_rows(values[()]):
            yield f"{name}: {len(bad)} rows are not JSON, first row {bad[0]} (cut when written?)"


def _row_counts(lengths: Mapping[str, int]) -> Iterator[str]:
    missing = [name for name in ("obs/agent/qpos", "success") if name not in lengths]
    if missing or not any(name.startswith("actions") for name in lengths):
        yield f"missing: {', '.join(missing) or 'actions'}"
    elif len(set(lengths.values())) > 1:
        said = ", ".join(f"{name} {count}" for name, count in sorted(lengths.items()))
        yield f"different numbers of rows: {said}"
    elif (rows := next(iter(lengths.values()))) < SHORTEST:
        yield f"{rows} rows; {SHORTEST} or more are needed for one action"


def _pairs(
    data: h5py.Group, where: Trajectory, problems: list[str]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Commands, and the measured joints before each."""
    try:
        rows = read.read_rows(data, where)
    except ManigymError as error:
        problems.append(str(error).removeprefix(f"{where}: "))
        return [], []
    dummy = decode_rows(data[read.command_key(data)][:1], f"{where}, first action")[0]
    if dummy:
        problems.append(
            "the first row of actions is not empty: rows may be those of the next state"
        )
    return rows.commands, rows.qpos


def _scene(data: h5py.Group, where: Trajectory, problems: list[str]) -> dict[str, Any]:
    if "obs_scene" not in data:
        problems.append("missing: obs_scene, which has the goal in words")
    try:
        return read.scene(data, where)
    except ManigymError as error:
        problems.append(str(error).removeprefix(f"{where}: "))
        return {}


def _films(
    data: h5py.Group, where: Trajectory, problems: list[str]
) -> tuple[dict[str, videos.Film], list[str]]:
    paths, guessed = films(data, where)
    depth = sorted(camera for camera in paths if camera.endswith(DEPTH))
    notes = [f"films of depth are not read: {', '.join(depth)}"] if depth else []
    if guessed:
        problems.append(
            f"obs/sensor_data names no film of {', '.join(guessed)}; found by the naming rule"
        )
    found = {}
    for camera in sorted(paths.keys() - set(depth)):
        try:
            found[camera] = videos.survey(paths[camera])
        except ManigymError as error:
            problems.append(str(error))
    return found, notes


def _groups(rows: Sequence[Mapping[str, Any]]) -> dict[str, Array]:
    """Group -> (T, n), of groups that every row has with one length."""
    names = sorted(set().union(*rows)) if rows else []
    columns = {
        name: [row[name] for row in rows if isinstance(row.get(name), list)] for name in names
    }
    whole = {n: c for n, c in columns.items() if len(c) == len(rows) and len({*map(len, c)}) == 1}
    return {name: np.array(column, np.float64) for name, column in whole.items()}


def _joints(
    actions: Mapping[str, Array], measured: Mapping[str, Array], modes: Mapping[str, str]
) -> dict[str, tuple[Array, Array]]:
    """Groups of absolute targets; of foreign files, joints (not the base, not a gripper)."""
    return {
        name: (values, measured[name])
        for name, values in actions.items()
        if name in measured
        and measured[name].shape == values.shape
        and modes.get(name, _guess(name, values, measured[name])) in ABSOLUTE
    }


def _guess(name: str, values: Array, measured: Array) -> str:
    """Targets lie around the measured joints, changes around zero."""
    joints = name == "head" or name.endswith("_arm")
    nearer = np.abs(values - measured).mean() < np.abs(values).mean()
    return "absolute" if joints and nearer else "other"


def _moving(measured: Mapping[str, Array]) -> Array | None:
    """What moves the cameras: everything but fingers."""
    parts = [values for name, values in measured.items() if not name.endswith("_gripper")]
    return np.hstack(parts) if parts else None


def _shapes(
    data: h5py.Group, measured: Mapping[str, Array]
) -> dict[str, tuple[str, tuple[int, ...]]]:
    shapes = {f"obs/agent/qpos/{k}": ("JSON", v.shape[1:]) for k, v in measured.items()}
    for name, values in data.get("obs/extra", {}).items():
        if isinstance(values, h5py.Dataset):
            shapes[f"obs/extra/{name}"] = (str(values.dtype), values.shape[1:])
    return shapes


def _pickles(facts: Mapping[str, Any]) -> list[str]:
    return [f"obs_scene holds a pickle ({read.PICKLE}), which is not read"] * (read.PICKLE in facts)
