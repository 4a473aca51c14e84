"""What a number of an action means in a MolmoSpaces file, and from one meaning to another.

========  =====================  ======================================================
base      robot_delta            dx, dy, dyaw of one step in the robot's frame
          world_delta            the same in the axes of the world (open, close, MolmoBot)
          world_absolute         x, y, yaw in the world (doors, pick, pick and place)
joints    absolute, delta        rad; a delta is added to what is measured
gripper   opening                0 closed .. 1 open
          metres                 of a finger, -0.05 open .. 0 closed
          force                  newtons, -100 open, +100 close
========  =====================  ======================================================

Upstream uses more than one of each and files do not say which; ours do (``action_modes``). A delta
is relative to the *measured* state before the action, as upstream's controllers take it. World to
robot: ``delta = Rz(-yaw) (xy_commanded - xy)``, dyaw wrapped to (-pi, pi].
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from benchmark.data.rows import Array
from envs.schema import ActionGroup, ActionSpec, ManigymError, TaskCard

FINGER_OPEN = -0.05  # metres, of the right finger
FORCE = 100.0  # newtons
OWN: Mapping[str, str] = {  # mode of our action group -> what its physical values are called here
    "base_displacement": "robot_delta",
    "joint_position": "absolute",
    "joint_delta": "delta",
    "gripper_opening": "opening",
}
CHOICES: Mapping[str, tuple[str, ...]] = {
    "base_displacement": ("robot_delta", "world_delta", "world_absolute"),
    "joint_position": ("absolute", "delta"),
    "joint_delta": ("absolute", "delta"),
    "gripper_opening": ("opening", "metres", "force"),
}
Conversion = Callable[[Array, Array], Array]
Modes = Mapping[str, str]  # group of the action -> mode


def wrap(angle: Array) -> Array:
    """Angles in (-pi, pi]."""
    return np.pi - np.mod(np.pi - angle, 2 * np.pi)


def rotate(xy: Array, yaw: Array) -> Array:
    """Vectors (..., 2) turned by ``yaw`` (...)."""
    x, y, c, s = xy[..., 0], xy[..., 1], np.cos(yaw), np.sin(yaw)
    return np.stack([c * x - s * y, s * x + c * y], -1)


def _world_pose(delta: Array, pose: Array) -> Array:
    xy = pose[..., :2] + rotate(delta[..., :2], pose[..., 2])
    return np.concatenate([xy, wrap(pose[..., 2:] + delta[..., 2:])], -1)


def _robot_delta(target: Array, pose: Array) -> Array:
    xy = rotate(target[..., :2] - pose[..., :2], -pose[..., 2])
    return np.concatenate([xy, wrap(target[..., 2:] - pose[..., 2:])], -1)


def _moved(delta: Array, pose: Array) -> Array:
    return np.concatenate([pose[..., :2] + delta[..., :2], wrap((pose + delta)[..., 2:])], -1)


def _moves(target: Array, pose: Array) -> Array:
    return np.concatenate([(target - pose)[..., :2], wrap((target - pose)[..., 2:])], -1)


# Every mode to and from what it aims at: a pose in the world, joint angles, an opening.
TARGET: Mapping[str, Conversion] = {
    "robot_delta": _world_pose,
    "world_delta": _moved,
    "world_absolute": lambda values, _: values,
    "absolute": lambda values, _: values,
    "delta": lambda values, measured: measured + values,
    "opening": lambda values, _: values,
    "metres": lambda values, _: values / FINGER_OPEN,
    "force": lambda values, _: (values < 0).astype(np.float64),
}
FROM_TARGET: Mapping[str, Conversion] = {
    "robot_delta": _robot_delta,
    "world_delta": _moves,
    "world_absolute": lambda target, _: target,
    "absolute": lambda target, _: target,
    "delta": lambda target, measured: target - measured,
    "opening": lambda target, _: target,
    "metres": lambda target, _: target * FINGER_OPEN,
    "force": lambda target, _: np.where(target >= 0.5, -FORCE, FORCE),
}


def convert(values: Array, measured: Array, source: str, target: str) -> Array:
    """Physical values (T, n) from one mode to another.

    ``measured`` (T, n): base pose, joint angles or opening before each action.
    """
    if source == target:
        return values
    return FROM_TARGET[target](TARGET[source](values, measured), measured)


def modes_of(spec: ActionSpec, asked: Modes, known: Modes) -> dict[str, str]:
    """The mode of every group of ``spec``: as ``asked``, else as ``known``."""
    strange = sorted(asked.keys() - spec.slices.keys())
    if strange:
        raise ManigymError(f"modes of {strange}: the action has {', '.join(spec.slices)}")
    return {g.name: _checked(g, asked.get(g.name, known.get(g.name))) for g in spec.groups}


def check_action(task: TaskCard) -> None:
    """Refuse a task without a moving base, or with groups that have no mode here."""
    modes = [group.mode for group in task.action.groups]
    if "base_displacement" not in modes or any(mode not in OWN for mode in modes):
        raise ManigymError(
            f"{task.id}: MolmoSpaces' layout here holds a moving base, joints and grippers; this "
            f"task takes {', '.join(modes)}"
        )


def own_modes(spec: ActionSpec) -> dict[str, str]:
    """How the physical values of ``spec`` itself are called."""
    return {group.name: OWN[group.mode] for group in spec.groups}


def _checked(group: ActionGroup, mode: str | None) -> str:
    choices = CHOICES[group.mode]
    if mode in choices:
        return mode
    got = "the file does not say" if mode is None else f"got {mode!r}"
    raise ManigymError(
        f"what the numbers of {group.name!r} mean: {got}; pass --modes {group.name}="
        f"{'|'.join(choices)}. MolmoSpaces writes base=world_absolute right_arm=absolute "
        "right_gripper=force for doors, pick and pick-and-place, base=world_delta right_arm=delta "
        "right_gripper=force for opening and closing"
    )
