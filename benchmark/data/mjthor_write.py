"""One trajectory of a store as MolmoSpaces' ``traj_<i>``.

Row ``i`` of the actions is what led to state ``i``: row 0 is empty, row ``t + 1`` is the action of
our step ``t``, and a last row ``{"done": [1.0]}`` ends the episode. A store keeps no observation
after the last action, so the rows after it repeat the last one.

What is needed, by name of group: in ``proprio`` the measured joints or opening of every joint and
gripper group of the action; in ``state`` ``base_pose`` (x, y, yaw in the world). What is written
besides where it is there: ``base_velocity`` of ``proprio``, ``reward``, and all of ``state`` as
``obs/extra/state``. Not written: ``ee_pose``, ``ee_twist``, ``sensor_param`` and ``env_states``,
for which a store has no numbers.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import h5py
import numpy as np

from benchmark.data.mjthor_layout import video_name
from benchmark.data.mjthor_modes import FINGER_OPEN, convert, own_modes, rotate
from benchmark.data.mjthor_rows import Row, encode_name, encode_rows
from benchmark.data.rows import Array
from envs.schema import ActionSpec, ManigymError, TaskCard, group_slices

BASE = "base"
BASE_POSE, BASE_VELOCITY, DONE = "base_pose", "base_velocity", "done"
POSITIONS = {"robot_delta": "world_absolute", "opening": "metres", "delta": "absolute"}
COMPRESSION = "lzf"


@dataclass(frozen=True)
class Facts:
    """What ``obs_scene`` says of an episode."""

    task: str
    instruction: str
    fps: float
    success: bool
    seed: int
    id: int


def check_groups(task: TaskCard) -> None:
    """Refuse a task whose card does not name what the layout needs."""
    proprio, state = group_slices(task.proprio), group_slices(task.state)
    needed = [g for g, mode in own_modes(task.action).items() if mode != "robot_delta"]
    missing = [f"proprio {name!r}" for name in needed if name not in proprio]
    missing += [] if BASE_POSE in state else [f"state {BASE_POSE!r}"]
    if missing:
        raise ManigymError(
            f"{task.id}: MolmoSpaces' layout needs the group(s) {', '.join(missing)}; this task "
            "cannot be written as such files"
        )


def measured_groups(arrays: Mapping[str, Array], task: TaskCard) -> dict[str, Array]:
    """Group of the action -> float64 (T, n): base pose, joint angles, opening, before each step."""
    proprio, state = arrays["obs/proprio"], arrays["obs/state"]
    columns, pose = group_slices(task.proprio), group_slices(task.state)[BASE_POSE]
    return {
        name: (state[:, pose] if mode == "robot_delta" else proprio[:, columns[name]]).astype(float)
        for name, mode in own_modes(task.action).items()
    }


def write_trajectory(
    group: h5py.Group,
    arrays: Mapping[str, Array],
    task: TaskCard,
    facts: Facts,
    modes: Mapping[str, str],
    flat: bool,
) -> None:
    """Fill an empty ``traj_<i>``; ``modes``: how to write the commanded action.

    The flat layout has no row ``done``: its reader would take it for an action of zeros.
    """
    measured = measured_groups(arrays, task)
    steps = len(arrays["action"])
    rows = steps + (1 if flat else 2)
    actions = _actions(arrays["action"], measured, task.action, modes, done=not flat)
    if flat:
        _put(group, "actions", encode_rows(actions["commanded_action"]))
    else:
        for name, texts in actions.items():
            _put(group, f"actions/{name}", encode_rows(texts))
    for name, values in _observations(arrays, measured, task, rows).items():
        _put(group, f"obs/{name}", values)
    for name, values in _flags(arrays, facts.success, steps, rows).items():
        _put(group, name, values)
    group.create_group("obs/sensor_data")
    number = int(group.name.rsplit("_", 1)[1])
    for camera in (k.removeprefix("obs/rgb/") for k in arrays if k.startswith("obs/rgb/")):
        _put(group, f"obs/sensor_data/{camera}", encode_name(video_name(number, camera)))
    group["obs_scene"] = _scene(facts)


def last_row_repeated(values: Array, rows: int) -> Array:
    """(T, ...) -> (rows, ...)."""
    return np.concatenate([values, np.repeat(values[-1:], rows - len(values), axis=0)])


def _put(group: h5py.Group, name: str, values: Array) -> None:
    group.create_dataset(name, data=values, compression=COMPRESSION)


def _actions(
    action: Array,
    measured: Mapping[str, Array],
    spec: ActionSpec,
    modes: Mapping[str, str],
    done: bool,
) -> dict[str, list[Row]]:
    """The rows of ``commanded_action``, ``joint_pos`` and ``joint_pos_rel``."""
    own, physical = own_modes(spec), spec.to_physical(action)
    said, aims, changes = {}, {}, {}
    for name, columns in spec.slices.items():
        values, seen, mode = physical[:, columns], measured[name], own[name]
        position = POSITIONS.get(mode, mode)
        said[name] = convert(values, seen, mode, modes[name])
        aims[name] = convert(values, seen, mode, position)
        changes[name] = aims[name] - _position(seen, position)
    start = {name: _position(measured[name], POSITIONS.get(own[name], own[name])) for name in own}
    zeros = {name: np.zeros_like(values[:1]) for name, values in aims.items()}
    return {
        "commanded_action": [{}, *_rows(said), *([{DONE: [1.0]}] if done else [])],
        "joint_pos": [*_rows(start)[:1], *_rows(aims), *([{}] if done else [])],
        "joint_pos_rel": [*_rows(zeros), *_rows(changes), *([{}] if done else [])],
    }


def _position(measured: Array, mode: str) -> Array:
    return measured * FINGER_OPEN if mode == "metres" else measured


def _rows(groups: Mapping[str, Array]) -> list[dict[str, Any]]:
    lists = {name: values.tolist() for name, values in groups.items()}
    steps = len(next(iter(lists.values())))
    return [{name: values[t] for name, values in lists.items()} for t in range(steps)]


def _observations(
    arrays: Mapping[str, Array], measured: Mapping[str, Array], task: TaskCard, rows: int
) -> dict[str, Array]:
    """``agent/qpos``, ``agent/qvel``, ``extra/robot_base_pose`` and ``extra/state``."""
    own = own_modes(task.action)
    qpos = {
        name: np.hstack([values, -values]) * FINGER_OPEN if own[name] == "opening" else values
        for name, values in measured.items()
    }
    state = arrays["obs/state"]
    pose = state[:, group_slices(task.state)[BASE_POSE]].astype(float)
    columns = group_slices(task.proprio).get(BASE_VELOCITY)
    qvel: list[Row] = [{}] * len(state)
    if columns is not None:
        velocity = arrays["obs/proprio"][:, columns].astype(float)
        turned = np.hstack([rotate(velocity[:, :2], pose[:, 2]), velocity[:, 2:]])
        qvel = [*_rows({_base_name(own): turned})]
    return {
        "agent/qpos": last_row_repeated(encode_rows(_rows(qpos)), rows),
        "agent/qvel": last_row_repeated(encode_rows(qvel), rows),
        "extra/robot_base_pose": last_row_repeated(_pose7(pose), rows),
        "extra/state": last_row_repeated(state, rows),
    }


def _base_name(modes: Mapping[str, str]) -> str:
    return next((name for name, mode in modes.items() if mode == "robot_delta"), BASE)


def _pose7(pose: Array) -> Array:
    """x, y, yaw -> xyz and wxyz, float32 (T, 7)."""
    half, zero = pose[:, 2] / 2, np.zeros(len(pose))
    columns = [pose[:, 0], pose[:, 1], zero, np.cos(half), zero, zero, np.sin(half)]
    return np.stack(columns, axis=1).astype(np.float32)


def _flags(arrays: Mapping[str, Array], success: bool, steps: int, rows: int) -> dict[str, Array]:
    """Per row: rewards, success and the two ways to end. All happen in the rows after the last
    action; upstream's own writer stores ``terminated`` of its last row as true, whatever was."""
    reached = np.arange(rows) >= steps
    reward = np.zeros(rows, np.float32)
    if "reward" in arrays:
        reward[1 : steps + 1] = arrays["reward"]
    return {
        "rewards": reward,
        "success": reached & success,
        "fail": ~(reached & success),
        "terminated": reached & success,
        "truncated": reached & (not success),
    }


def _scene(facts: Facts) -> str:
    scene = {
        "task_type": facts.task,
        "task_description": facts.instruction,
        "policy_dt_ms": 1000.0 / facts.fps,
        "seed": facts.seed,
        "episode_id": facts.id,
    }
    return json.dumps(scene, sort_keys=True, separators=(",", ":"))
