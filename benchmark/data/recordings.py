"""Recorded episodes of any format, as far as looking at them and checking them needs.

One :class:`Recording` per episode; formats differ only in who makes it: stores, robomimic and
RoboTwin here, MolmoSpaces in :mod:`benchmark.data.mjthor_recordings`, SPOC in
:mod:`benchmark.data.spoc`. Nothing here needs to know the task of a file.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import h5py
import numpy as np

from benchmark.data.hdf5 import opened
from benchmark.data.mjthor_videos import Film
from benchmark.data.robotwin_hdf5 import episode_files
from benchmark.data.robotwin_layout import PARTS
from benchmark.data.robotwin_notes import first_sentence, read_notes
from benchmark.data.rows import Array
from benchmark.data.store import TrajectoryStore
from envs import CARDS
from envs.schema import ActionSpec, ManigymError, group_slices

Shape = tuple[str, tuple[int, ...]]


@dataclass(frozen=True)
class Recording:
    """One episode.

    ``actions``: group -> (T, n) as the file has them, one row per step; ``shapes``: dtype and shape
    of one step of everything else; ``lengths``: rows of everything that should have ``steps`` rows;
    ``numbers``: what must be finite. ``joints``: group -> absolute joint targets, and measured
    joints before each action, both (T, n). ``poses``: what moves the
    cameras, (T, n). ``films``: those that should have ``film_frames`` frames. ``problems`` and
    ``notes``: what the reader of the format found.
    """

    name: str
    group: str
    steps: int
    actions: Mapping[str, Array]
    shapes: Mapping[str, Shape] = field(default_factory=dict)
    lengths: Mapping[str, int] = field(default_factory=dict)
    numbers: Mapping[str, Array] = field(default_factory=dict)
    joints: Mapping[str, tuple[Array, Array]] = field(default_factory=dict)
    poses: Array | None = None
    films: Mapping[str, Film] = field(default_factory=dict)
    film_frames: int = 0
    fps: float = 0.0
    instruction: str = ""
    success: bool | None = None
    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def of_store(path: Path) -> Iterator[Recording]:
    """Episodes of a trajectory store."""
    store = TrajectoryStore.open(path)
    spec = store.header.action
    for i, id_ in enumerate(store.ids.tolist()):
        arrays = store.episode(i)
        action = arrays["action"]
        slices = spec.slices if spec else {"action": slice(None)}
        yield Recording(
            name=f"episode {id_}",
            group=str(store.groups[i]),
            steps=len(action),
            actions={name: action[:, columns] for name, columns in slices.items()},
            shapes={k: s for k, s in store.header.keys.items() if k != "action"},
            numbers={k: v for k, v in arrays.items() if v.dtype.kind == "f"},
            joints=_joints(store, arrays, spec) if spec else {},
            fps=float(store.header.fps),
            instruction=str(store.instructions[i]),
            success=bool(store.successes[i]),
        )


def of_robomimic(path: Path) -> Iterator[Recording]:
    """Demos of a robomimic HDF5 file."""
    with opened(path, "robomimic") as file:
        names = sorted(file["data"], key=lambda name: int(name.rsplit("_", 1)[1]))
        for name in names:
            demo = file[f"data/{name}"]
            rows = _datasets(demo)
            steps = len(demo["actions"])
            small = {k: v[()] for k, v in rows.items() if v.dtype.kind == "f" and v.ndim < 3}
            rewards = small.get("rewards", np.zeros(1))
            yield Recording(
                name=name,
                group="",
                steps=steps,
                actions={"actions": demo["actions"][()]},
                shapes={k: _shape(v) for k, v in rows.items() if k != "actions"},
                lengths={k: len(v) for k, v in rows.items()},
                numbers=small,
                success=bool(demo.attrs.get("success", rewards.max() >= 1)),
            )


def of_robotwin(path: Path) -> Iterator[Recording]:
    """Episodes of a folder of RoboTwin's; a frame's action is the joint vector of the next one."""
    files = episode_files(path)
    _, notes = read_notes(path, list(files))
    for number, source in files.items():
        with opened(source, "RoboTwin") as file:
            rows = {k: v for k, v in _datasets(file).items() if v.shape[1:] != (0,)}
            if "joint_action/vector" not in rows:
                raise ManigymError(f"{source}: '/joint_action/vector' is missing")
            vector = rows["joint_action/vector"][()]
            numbers = {k: v[()] for k, v in rows.items() if v.dtype.kind == "f" and v.ndim < 3}
            yield Recording(
                name=source.name,
                group="",
                steps=len(vector) - 1,
                actions={p: vector[1:, _columns(c)] for p, c in PARTS.items()},
                shapes={k: _shape(v) for k, v in rows.items() if k not in numbers or v.ndim > 1},
                lengths={k: len(v) - 1 for k, v in rows.items()},
                numbers=numbers,
                instruction=first_sentence(notes, number),
                success=True,
            )


def _columns(columns: slice | int) -> slice:
    return columns if isinstance(columns, slice) else slice(columns, columns + 1)


def _joints(
    store: TrajectoryStore, arrays: Mapping[str, Array], spec: ActionSpec
) -> dict[str, tuple[Array, Array]]:
    """Absolute joint groups whose measured angles ``proprio`` holds under the same name."""
    card = CARDS.get(store.header.env)
    if card is None or "obs/proprio" not in arrays:
        return {}
    physical, seen = spec.to_physical(arrays["action"]), group_slices(card.proprio)
    return {
        g.name: (physical[:, spec.slices[g.name]], arrays["obs/proprio"][:, seen[g.name]])
        for g in spec.groups
        if g.mode == "joint_position" and g.name in seen
    }


def _datasets(group: h5py.Group) -> dict[str, h5py.Dataset]:
    """Datasets with rows below ``group``, by their path."""
    found: dict[str, h5py.Dataset] = {}

    def note(name: str, item: h5py.Dataset | h5py.Group) -> None:
        if isinstance(item, h5py.Dataset) and item.ndim:
            found[name] = item

    group.visititems(note)
    return found


def _shape(data: h5py.Dataset) -> Shape:
    return str(data.dtype), data.shape[1:]
