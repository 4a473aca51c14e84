"""MolmoSpaces' data (working name MjThor) as a store; what is in it:
:mod:`benchmark.data.mjthor_layout`, :mod:`benchmark.data.mjthor_write`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmark.data import mjthor_read as read
from benchmark.data import mjthor_videos as videos
from benchmark.data.hdf5 import alike, env_options, fill, opened
from benchmark.data.index import UNKNOWN_SEED, KeySpec, StoreHeader
from benchmark.data.mjthor_convert import Outside, read_arrays
from benchmark.data.mjthor_layout import DEPTH, KIND, TASK_TYPES, Say, Trajectory, films, find
from benchmark.data.mjthor_modes import Modes, check_action
from benchmark.data.rows import Array
from benchmark.data.store import Episode, TrajectoryStore
from envs.schema import ManigymError, TaskCard


def import_(
    folder: str | Path,
    store_path: str | Path,
    *,
    task: TaskCard,
    keys: Sequence[str] | None = None,
    modes: Modes | None = None,
    outside: Outside = "refuse",
    task_type: str | None = None,
    say: Say = print,
) -> TrajectoryStore:
    """Read a folder into a new store; a house is the group of its episodes.

    ``keys``: observations, all that :func:`offered` names by default. ``modes``: what the numbers
    of a file mean that does not say so itself. Actions that the task cannot express are refused, or
    cut with ``outside="clip"``. ``task_type``: a type of the files that counts as ``task`` although
    it is none of its own (``pick_and_place_color`` as ``pick_and_place``). Episodes keep the ids
    that our files hold, others are counted.
    """
    folder = Path(folder)
    check_action(task)
    found = find(folder)
    _check_types(found, task, task_type)
    wanted = list(offered(folder, task, say) if keys is None else keys)
    fps, ids = _rate(found, task), _ids(found)
    episodes = (
        _read(where, id_, task, wanted, modes or {}, outside, say)
        for id_, where in zip(ids, found, strict=True)
    )

    def header(kinds: Mapping[str, KeySpec]) -> StoreHeader:
        settings = {"folder": folder.name, "modes": dict(modes or {}), "outside": outside}
        options, spec = env_options(kinds, task), asdict(task.action)
        return StoreHeader(task.id, kinds, fps, options, spec, KIND, settings)

    names = dict(zip(ids, found, strict=True))
    return fill(Path(store_path), alike(episodes, names), header)


def offered(folder: Path, task: TaskCard, say: Say = print) -> list[str]:
    """Flat observation keys of ``task`` that the first trajectory holds."""
    first = find(folder)[0]
    with opened(first.file, KIND) as file:
        data = file[first.key]
        cameras, guessed = films(data, first)
        keys = ["proprio", *(["state"] if "obs/extra/state" in data else [])]
    if guessed:
        say(f"the files name no film of {', '.join(guessed)}; found by the naming rule")
    if depth := [camera for camera in cameras if camera.endswith(DEPTH)]:
        say(f"left out: films of depth ({', '.join(depth)})")
    others = [c for c in cameras if c not in task.cameras and c not in depth]
    if others:
        say(f"left out: cameras that {task.id} does not have ({', '.join(others)})")
    return keys + [f"rgb/{camera}" for camera in task.cameras if camera in cameras]


def _read(
    where: Trajectory,
    id_: int,
    task: TaskCard,
    keys: Sequence[str],
    modes: Modes,
    outside: Outside,
    say: Say,
) -> Episode:
    with opened(where.file, KIND) as file:
        data = file[where.key]
        known = (modes, read.file_modes(file))
        arrays, cut = read_arrays(data, where, task, keys, known, outside)
        if cut:
            say(f"{where}: {cut} numbers were outside the task's actions, and cut")
        facts, paths = read.scene(data, where), films(data, where)[0]
        success = read.flags(data, "success", where)
    for key in (key for key in keys if key.startswith("rgb/")):
        arrays[f"obs/{key}"] = _frames(paths, key.removeprefix("rgb/"), where, success)[
            : len(arrays["action"])
        ]
    seed = int(facts.get("seed", UNKNOWN_SEED))
    return Episode(
        id_,
        arrays,
        task=str(facts.get("task_type", task.task)),
        success=bool(success[-1]),
        seed=None if seed == UNKNOWN_SEED else seed,
        group=where.group,
        instruction=str(facts.get("task_description", "")),
    )


def _frames(paths: Mapping[str, Path], camera: str, where: Trajectory, rows: Array) -> Array:
    if camera not in paths:
        raise ManigymError(f"{where} has no film of {camera}; convert without pictures")
    frames = videos.read(paths[camera])
    if len(frames) != len(rows):
        raise ManigymError(
            f"{paths[camera]}: {len(frames)} frames, {where.key} has {len(rows)} rows; copy the "
            "film again or leave this episode out"
        )
    return frames


def _scenes(found: Sequence[Trajectory]) -> Iterator[dict[str, Any]]:
    for where in found:
        with opened(where.file, KIND) as file:
            yield read.scene(file[where.key], where)


def _check_types(found: Sequence[Trajectory], task: TaskCard, allowed: str | None) -> None:
    """Raise for a trajectory of another task; one that does not say its type passes."""
    for where, facts in zip(found, _scenes(found), strict=True):
        said = str(facts.get("task_type") or task.task)
        if task.task != TASK_TYPES.get(said, said) and said != allowed:
            raise ManigymError(
                f"{where} is of the task {said!r}, asked for {task.id}; convert it with the --env "
                f"it belongs to. If it is to count as {task.task!r} all the same: "
                f"--task-type {said}"
            )


def _rate(found: Sequence[Trajectory], task: TaskCard) -> float:
    """Steps per second: ``policy_dt_ms`` of the files, which must agree."""
    periods = {float(f["policy_dt_ms"]) for f in _scenes(found) if "policy_dt_ms" in f}
    if len(periods) > 1:
        raise ManigymError(
            f"the trajectories have different policy_dt_ms: {sorted(periods)}; convert them apart"
        )
    return 1000.0 / periods.pop() if periods else task.protocol().control_hz


def _ids(found: Sequence[Trajectory]) -> list[int]:
    """The ids of the store that was written, where every file names another one."""
    named = [facts.get("episode_id") for facts in _scenes(found)]
    unique = len({*named}) == len(named) and all(isinstance(n, int) and n >= 0 for n in named)
    return [int(n) for n in named if n is not None] if unique else list(range(len(found)))
