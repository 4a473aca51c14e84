"""One ``traj_<i>`` of MolmoSpaces as arrays of a store; the current layout and the flat one.

Row ``i + 1`` of the actions belongs to state ``i`` (:mod:`benchmark.data.mjthor_write`): row 0 and
what ends an episode (``{}``, ``{"done": [1.0]}``) are no actions, and the last state has none.
``obs_scene`` may hold ``frozen_config``, a pickle: it is text here, and never unpickled.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import h5py
import numpy as np

from benchmark.data.mjthor_layout import Trajectory, is_flat
from benchmark.data.mjthor_modes import CHOICES, FINGER_OPEN, rotate
from benchmark.data.mjthor_rows import decode_rows, decode_text
from benchmark.data.mjthor_write import BASE_POSE, BASE_VELOCITY, DONE
from benchmark.data.rows import Array, check_finite
from envs.schema import ActionGroup, ManigymError

HEAD = "head"
REST_HEAD = (0.0, 0.6)  # where upstream's head stays: it cannot be commanded there
PICKLE = "frozen_config"


@dataclass(frozen=True)
class Rows:
    """The JSON columns of a trajectory: ``commands`` are those of the states 0 .. T-1."""

    where: str
    commands: list[dict[str, Any]]
    qpos: list[dict[str, Any]]
    qvel: list[dict[str, Any]]
    base_pose: Array | None

    @property
    def steps(self) -> int:
        return len(self.commands)


def read_rows(group: h5py.Group, where: Trajectory) -> Rows:
    """Decode once what :func:`measured`, :func:`commanded` and others ask for."""
    rows = decode_rows(_data(group, command_key(group), where), f"{where}, commanded actions")
    commands = _actions(rows, str(where))
    qpos = decode_rows(_data(group, "obs/agent/qpos", where), f"{where}, qpos")
    qvel = "obs/agent/qvel"
    speeds = decode_rows(_data(group, qvel, where), f"{where}, qvel") if qvel in group else []
    if len(qpos) != len(rows) or len(speeds) not in (0, len(rows)):
        raise ManigymError(
            f"{where}: {len(rows)} actions, {len(qpos)} rows of qpos and {len(speeds)} of qvel; "
            "leave this episode out"
        )
    steps = len(commands)
    pose = "obs/extra/robot_base_pose"
    poses = _planar(_data(group, pose, where), f"{where}: {pose}") if pose in group else None
    if poses is not None:
        poses = poses[:steps]
    return Rows(str(where), commands, qpos[:steps], speeds[:steps], poses)


def command_key(group: h5py.Group) -> str:
    """Where the commanded actions are in this layout."""
    return "actions" if is_flat(group) else "actions/commanded_action"


def scene(group: h5py.Group, where: Trajectory) -> dict[str, Any]:
    """``obs_scene`` as plain data."""
    text = decode_text(_data(group, "obs_scene", where)) if "obs_scene" in group else "{}"
    try:
        facts = json.loads(text)
    except ValueError as error:
        raise ManigymError(f"{where}: obs_scene is not JSON ({error}); mend the file") from error
    if not isinstance(facts, dict):
        raise ManigymError(f"{where}: obs_scene holds {type(facts).__name__}, expected an object")
    return facts


def flags(group: h5py.Group, name: str, where: Trajectory) -> Array:
    """One number or truth value per row."""
    return np.asarray(_data(group, name, where))


def measured(rows: Rows, group: ActionGroup) -> Array:
    """float64 (T, n) before each action: base pose in the world, joint angles, or opening."""
    kind = CHOICES[group.mode][0]
    if kind == "robot_delta" and rows.base_pose is not None:
        return rows.base_pose
    if group.name == HEAD and not any(HEAD in row for row in rows.qpos):
        return np.tile(REST_HEAD, (rows.steps, 1))
    size = 1 if kind == "opening" else group.size
    values = _column(rows.qpos, group.name, size, f"{rows.where}, qpos")
    return values / FINGER_OPEN if kind == "opening" else values


def commanded(rows: Rows, group: ActionGroup) -> tuple[Array, Array]:
    """float64 (T, n) as written, and bool (T,): which rows leave the group out, which means hold.

    Of a gripper with two numbers the first counts: some writers store both fingers.
    """
    size = 1 if group.mode == "gripper_opening" else group.size
    left_out = {group.name: [0.0] * size}
    filled = [row if group.name in row else left_out for row in rows.commands]
    held = np.array([group.name not in row for row in rows.commands])
    return _column(filled, group.name, size, f"{rows.where}, action"), held


def base_velocity(rows: Rows, yaw: Array, name: str) -> Array:
    """float64 (T, 3) in the robot's frame; ``qvel`` has it in the axes of the world."""
    if not rows.qvel or any(name not in row for row in rows.qvel):
        raise ManigymError(
            f"{rows.where}: {BASE_VELOCITY!r} needs {name!r} in every row of qvel; it is missing"
        )
    world = _column(rows.qvel, name, 3, f"{rows.where}, qvel")
    return np.hstack([rotate(world[:, :2], -yaw), world[:, 2:]])


def state(group: h5py.Group, size: int, steps: int, where: Trajectory) -> Array:
    """float32 (T, size), which only files of ours have."""
    values = _data(group, "obs/extra/state", where)
    if values.ndim != 2 or values.shape[1] != size:
        raise ManigymError(
            f"{where}: obs/extra/state is {values.shape}, this task has {size} numbers per row "
            f"({BASE_POSE}, ...); read it as the task it was collected from"
        )
    return np.asarray(values[:steps], np.float32)


def is_done(row: Mapping[str, Any]) -> bool:
    """Whether the policy ends the episode here (``[1.0]`` in files, ``true`` in dictionaries)."""
    return DONE in row and bool(np.any(row[DONE]))


def file_modes(file: h5py.File) -> dict[str, str]:
    """What our own files say about their numbers; nothing in others."""
    return dict(json.loads(str(file.attrs.get("action_modes", "{}"))))


def _actions(rows: Sequence[dict[str, Any]], where: str) -> list[dict[str, Any]]:
    """Rows without the dummy at the start and what marks the end."""
    end = len(rows)
    while end > 1 and (not rows[end - 1] or is_done(rows[end - 1])):
        end -= 1
    early = [i for i, row in enumerate(rows[:end]) if is_done(row)]
    if early:
        raise ManigymError(f"{where}: row {early[0]} is done, but actions follow; damaged file")
    if end < 2:
        raise ManigymError(f"{where} has {len(rows)} rows and no action; leave this episode out")
    return list(rows[1:end])


def _column(rows: Sequence[Mapping[str, Any]], name: str, size: int, where: str) -> Array:
    """float64 (T, size), finite; of a gripper's two fingers the first."""
    values = []
    for i, row in enumerate(rows):
        got = row.get(name)
        fits = isinstance(got, list) and (len(got) == size or (size == 1 and len(got) == 2))
        if not isinstance(got, list) or not fits:
            raise ManigymError(f"{where}, row {i}: {name!r} is {got!r}, expected {size} numbers")
        values.append(got[:size])
    column = np.array(values, np.float64)
    check_finite(column, f"{where}, {name!r}")
    return column


def _planar(pose: Array, where: str) -> Array:
    """xyz, wxyz (T, 7) -> x, y, yaw."""
    if pose.ndim != 2 or pose.shape[1] != 7:
        raise ManigymError(f"{where} is {pose.shape}, expected (T, 7): xyz and wxyz")
    check_finite(pose, where)
    x, y, _, qw, qx, qy, qz = pose.T.astype(np.float64)
    yaw = np.arctan2(2 * (qw * qz + qx * qy), 1 - 2 * (qy**2 + qz**2))
    return np.stack([x, y, yaw], axis=1)


def _data(group: h5py.Group, name: str, where: Trajectory) -> Any:
    data = group.get(name)
    if not isinstance(data, h5py.Dataset):
        raise ManigymError(f"{where}: {name!r} is missing; this is not a trajectory of MolmoSpaces")
    return data[()]
