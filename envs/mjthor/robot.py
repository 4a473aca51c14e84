"""The robot in a model: names, where its joints and actuators are, and what its action does."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import mujoco
import numpy as np

import assets
from envs.mjthor.plane import turned
from envs.mjthor.tasks import ARM_HIGH, ARM_LOW

BASE = ("base_x", "base_y", "base_yaw")
HEAD = ("head_pan", "head_tilt")
ARM = tuple(f"right_arm_{i}" for i in range(7))
FINGERS = ("right_finger_1", "right_finger_2")
FINGER_TRAVEL = 0.05  # metres, each
REST_ARM = (0.5, 0.0, 0.0, -2.3, 0.0, -0.5, 0.0)  # upstream's, as the noise around it
REST_HEAD = (0.0, 0.6)
ARM_NOISE = (0.05, 0.05, 0.075, 0.1, 0.125, 0.15, 0.175)
HEAD_NOISE = (0.2, 0.2)
FOOTPRINT = ((-0.35, 0.346), (-0.30, 0.30))  # metres, x and y of the base in its own frame

# The most that a commanded joint may move in one control step: the joint's speed for 0.1 s.
ARM_REACH = 0.1 * np.array((3.142, 3.142, 3.142, 3.142, 6.283, 6.283, 2.094))
# How far the base's target may run ahead of the base when something holds it: m, m, rad.
LEASH = np.array((0.10, 0.10, 0.20))
_STILL = 1e-6  # rad, of the norm of a change
_ARM_LOW, _ARM_HIGH = np.array(ARM_LOW), np.array(ARM_HIGH)


@cache
def _xml() -> str:
    return assets.path("mjthor/rby1m.xml").read_text(encoding="ascii")


def robot_spec() -> mujoco.MjSpec:
    """A fresh specification of the robot alone, to attach to a house."""
    return mujoco.MjSpec.from_string(_xml())


class Robot:
    """The robot of one model; ``data`` is the simulation's own.

    The commanded targets are the actuators' ``ctrl``, so they are part of the simulator's state.
    """

    def __init__(self, model: mujoco.MjModel, data: mujoco.MjData) -> None:
        self.model, self.data = model, data
        # The robot is the first thing in the model, its joints and actuators in these orders.
        joints, actuators = (*BASE, *HEAD, *ARM, *FINGERS), (*BASE, *HEAD, *ARM, "right_gripper")
        assert [model.joint(name).qposadr[0] for name in joints] == list(range(14))
        assert [model.actuator(name).id for name in actuators] == list(range(13))
        self._hand = model.site("grasp").id
        self.root = model.body("base").id

    # ------------------------------------------------------------------ measured
    @property
    def base_pose(self) -> np.ndarray:
        """float64 (3,): x, y, yaw in the house; yaw is not wrapped."""
        return self.data.qpos[:3].copy()

    @property
    def head(self) -> np.ndarray:
        """float64 (2,): pan, tilt."""
        return self.data.qpos[3:5].copy()

    @property
    def arm(self) -> np.ndarray:
        """float64 (7,) rad."""
        return self.data.qpos[5:12].copy()

    @property
    def opening(self) -> float:
        """The gripper, 0 (closed) to 1 (open)."""
        return float(self.data.qpos[12:14].mean() / FINGER_TRAVEL)

    @property
    def base_velocity(self) -> np.ndarray:
        """float64 (3,): forward, to the left, turning; in the robot's frame."""
        vx, vy, turning = self.data.qvel[:3]
        forward, left = turned((vx, vy), -self.base_pose[2])
        return np.array([forward, left, turning])

    @property
    def joint_speed(self) -> np.ndarray:
        """float64 (7,) rad/s of the arm."""
        return self.data.qvel[5:12].copy()

    @property
    def hand(self) -> tuple[np.ndarray, np.ndarray]:
        """Position (3,) and axes (3, 3) of the point between the fingertips, in the house."""
        return self.data.site_xpos[self._hand], self.data.site_xmat[self._hand].reshape(3, 3)

    def in_frame(self, point: np.ndarray) -> np.ndarray:
        """A point (3,) of the house in the robot's frame: x forward, y left, floor at z = 0."""
        x, y, yaw = self.base_pose
        return np.array([*turned((point[0] - x, point[1] - y), -yaw), point[2]])

    def relative(self, position: np.ndarray, axes: np.ndarray) -> np.ndarray:
        """Pose float64 (7,) in the robot's frame, quaternion wxyz with w >= 0."""
        c, s = np.cos(self.base_pose[2]), np.sin(self.base_pose[2])
        frame = np.array([[c, s, 0.0], [-s, c, 0.0], [0.0, 0.0, 1.0]])
        quaternion = np.zeros(4)
        mujoco.mju_mat2Quat(quaternion, (frame @ axes).ravel())
        return np.concatenate(
            [self.in_frame(position), np.copysign(1.0, quaternion[0]) * quaternion]
        )

    # ------------------------------------------------------------------ commanded
    @property
    def target(self) -> np.ndarray:
        """float64 (13,): base pose in the house, head, arm, gripper opening, as last commanded."""
        target = self.data.ctrl[:13].copy()
        target[12] /= FINGER_TRAVEL
        return target

    def place(self, base: Sequence[float], head: Sequence[float], arm: Sequence[float]) -> None:
        """Put the robot somewhere at rest, gripper open, targets where it is."""
        self.data.qpos[:14] = [*base, *head, *arm, FINGER_TRAVEL, FINGER_TRAVEL]
        self.data.qvel[:14] = 0.0
        self.data.ctrl[:13] = [*base, *head, *arm, FINGER_TRAVEL]

    def command(self, native: np.ndarray, delta_arm: bool) -> None:
        """Set the targets of one control step from the physical action (13,).

        The base's target moves by the displacement, seen from the target before, so that it keeps
        its speed although the servo lags; no further ahead of the base than a leash, so that it
        does not wind up against an obstacle. Arm targets move at most at their joint's speed.
        """
        ctrl = self.data.ctrl
        base, arm = ctrl[:3], ctrl[5:12]
        dx, dy = turned(native[:2], base[2])
        gap = np.array((dx, dy, native[2])) + base - self.data.qpos[:3]
        base[:] = self.data.qpos[:3] + gap.clip(-LEASH, LEASH)
        ctrl[3:5] = native[3:5]
        goal = self._moved(native[5:12]) if delta_arm else native[5:12]
        arm += (goal.clip(_ARM_LOW, _ARM_HIGH) - arm).clip(-ARM_REACH, ARM_REACH)
        ctrl[12] = FINGER_TRAVEL * native[12]

    def _moved(self, delta: np.ndarray) -> np.ndarray:
        """Where a change (7,) of the measured joints leads; none at all holds the target, so that
        an arm under load does not creep (both as upstream's controllers)."""
        if np.linalg.norm(delta) < _STILL:
            return self.data.ctrl[5:12]
        return self.data.qpos[5:12] + delta
