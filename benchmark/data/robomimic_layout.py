"""How our flat observations map to robomimic's observation names, as data.

Quaternions are ``xyzw`` in robomimic files and ``wxyz`` in ours.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from benchmark.data.rows import Array
from benchmark.data.store import TrajectoryStore
from envs.schema import ManigymError, TaskCard

ROBOSUITE_ARM = 9  # numbers of proprio per arm: position 3, quaternion 4, gripper joints 2


@dataclass(frozen=True)
class Part:
    """A robomimic observation: its name, its size in our vector, and whether it is a quaternion.

    ``size=None`` stands for all that the parts before it leave of our array.
    """

    name: str
    size: int | None = None
    quaternion: bool = False


Layout = Mapping[str, Sequence[Part]]
"""Our flat observation key -> the robomimic observations it is made of, in order."""


def robosuite_layout(arms: int = 1, cameras: Sequence[str] = (), *, state: bool = True) -> Layout:
    """Low-dimensional keys and pictures of robomimic's robosuite data sets.

    ``proprio`` holds per arm the end-effector position (3, m), quaternion (4) and the gripper
    joints (2); ``state`` is the vector ``object``.
    """
    proprio = [
        part
        for arm in range(arms)
        for part in (
            Part(f"robot{arm}_eef_pos", 3),
            Part(f"robot{arm}_eef_quat", 4, quaternion=True),
            Part(f"robot{arm}_gripper_qpos", 2),
        )
    ]
    layout: dict[str, Sequence[Part]] = {"proprio": proprio}
    if state:
        layout["state"] = [Part("object")]
    return layout | {f"rgb/{camera}": [Part(f"{camera}_image")] for camera in cameras}


def plain_layout(store: TrajectoryStore) -> Layout:
    """One robomimic key per observation: ``rgb/top`` -> ``top_image``, others keep their name."""
    return _plain([k.removeprefix("obs/") for k in store.header.keys if k.startswith("obs/")])


def task_layout(task: TaskCard, keys: Sequence[str]) -> Layout:
    """How these flat observation keys of a task are named in a file: as robosuite's data sets do
    where the task's ``proprio`` is what :func:`robosuite_layout` describes, else plainly. Vectors
    have the task's sizes, so that a file of another task is refused."""
    vectors = {"proprio": task.proprio, "state": task.state}
    sizes = {key: sum(group.size for group in groups) for key, groups in vectors.items()}
    arms = sum(group.mode == "gripper_opening" for group in task.action.groups)
    layout = _plain(keys)
    if arms and sizes["proprio"] == ROBOSUITE_ARM * arms:
        cameras = [key.removeprefix("rgb/") for key in keys if key.startswith("rgb/")]
        layout = robosuite_layout(arms, cameras, state="state" in keys)
    return {
        key: [replace(parts[0], size=sizes.get(key))] if len(parts) == 1 else parts
        for key, parts in layout.items()
    }


def _plain(keys: Sequence[str]) -> Layout:
    suffix = {"rgb": "image", "depth": "depth", "segmentation": "segmentation"}
    names = {key: key.partition("/")[::2] for key in keys}
    return {
        k: [Part(f"{name}_{suffix.get(kind, kind)}" if name else kind)]
        for k, (kind, name) in names.items()
    }


def divide(key: str, values: Array, parts: Sequence[Part]) -> Iterator[tuple[str, Array]]:
    """Our array (T, ...) -> names and arrays of its robomimic parts."""
    sizes = [part.size for part in parts if part.size is not None]
    if len(sizes) == len(parts) and sum(sizes) != values.shape[-1]:
        raise ManigymError(
            f"{key!r} has {values.shape[-1]} numbers per step, the layout names {sum(sizes)}: "
            f"{[(part.name, part.size) for part in parts]}; pass the layout of this robot"
        )
    first = 0
    for part in parts:
        last = values.shape[-1] if part.size is None else first + part.size
        piece = values if len(parts) == 1 else values[..., first:last]
        yield part.name, np.roll(piece, -1, -1) if part.quaternion else piece
        first = last


def join(read: Callable[[str], Array], parts: Sequence[Part]) -> Array:
    """Inverse of :func:`divide`: ``read(name)`` gives a part (T, ...); float64 becomes float32."""
    pieces = []
    for part in parts:
        piece = read(part.name)
        if part.size not in (None, piece.shape[-1]):
            raise ManigymError(
                f"observation {part.name!r} has shape {piece.shape}, the layout expects "
                f"{part.size} numbers per step; pass the layout of this robot and task"
            )
        pieces.append(np.roll(piece, 1, -1) if part.quaternion else piece)
    whole = pieces[0] if len(pieces) == 1 else np.concatenate(pieces, axis=-1)
    return whole.astype(np.float32) if whole.dtype.kind == "f" else whole
