"""The aloha-agilex robot: two six-joint arms with parallel grippers, and what upstream calls them.

Facts: upstream's ``embodiments/aloha-agilex/config.yml`` and ``envs/robot/robot.py`` (stable_2.0).
An arm's *end pose* is the frame of its link 6, x forward: upstream takes the frame of joint 6,
which SAPIEN keeps with y and z turned about, and turns it back. The gripper's centre (*TCP*) is
0.12 m along its x. A gripper is 0 (closed) to 1 (open).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import numpy as np

import assets
from envs.sapien.bodies import Articulation
from envs.sapien.geometry import Pose
from envs.sapien.kinematics import Chain
from envs.sapien.scene import Scene

Side = Literal["left", "right"]
SIDES: tuple[Side, Side] = ("left", "right")
URDF = assets.path("robotwin/aloha_agilex.urdf")
BASE = Pose((0.0, -0.65, 0.0), (0.5**0.5, 0.0, 0.0, 0.5**0.5))
TCP = 0.12  # metres from the end pose to the gripper's centre
JOINTS = 6
_PREFIX: Mapping[Side, str] = {"left": "fl", "right": "fr"}
_GAINS = 1000.0, 200.0  # stiffness and damping of every joint
_CLOSED, _OPEN = -0.01, 0.045  # metres of a finger for a gripper of 0 and 1
_STILL = np.zeros(2)  # m/s of the two fingers
_OPENING_STEP = 0.1  # how far ahead of the fingers' drive target an opening may be commanded
# Joint ranges the arm works in, in front of it and above the table; the URDF has +-10 rad.
_LOW = (-2.6, -0.05, -0.05, -1.8, -1.7, -3.1)
_HIGH = (2.6, 3.1, 3.1, 1.8, 1.7, 3.1)
CHAINS: Mapping[Side, Chain] = {
    side: Chain.read(URDF, f"{prefix}_link6", base=BASE).within(_LOW, _HIGH)
    for side, prefix in _PREFIX.items()
}


class Arm:
    """One arm of a robot in a scene."""

    def __init__(self, robot: Articulation, side: Side) -> None:
        self.side, self.chain = side, CHAINS[side]
        self.gripper = 1.0  # the last command
        self._robot = robot
        self._first = robot.joint_names.index(f"{_PREFIX[side]}_joint1")
        self._link = robot.links[f"{_PREFIX[side]}_link6"]
        fingers = (robot.links[f"{_PREFIX[side]}_link{i}"] for i in (7, 8))
        self.fingers = frozenset(finger.name for finger in fingers)

    def command(self, angles: np.ndarray, velocities: np.ndarray) -> None:
        """Drive the joints to ``angles`` (6,) rad moving at ``velocities`` (6,) rad/s."""
        self._robot.drive(self._first, angles, velocities)

    def grip(self, value: float) -> None:
        """Command the gripper, 0..1; opening is limited per physics step, closing is not."""
        self.gripper = value = min(max(value, 0.0), 1.0)
        now = (float(self._robot.drive_target[self._first + JOINTS]) - _CLOSED) / (_OPEN - _CLOSED)
        value = min(value, min(max(now, 0.0), 1.0) + _OPENING_STEP)
        finger = _CLOSED + value * (_OPEN - _CLOSED)
        self._robot.drive(self._first + JOINTS, np.array([finger, finger]), _STILL)

    @property
    def commanded(self) -> np.ndarray:
        """float64 (6,) rad, what the joints are driven to."""
        return self._robot.drive_target[self._first : self._first + JOINTS]

    @property
    def measured(self) -> np.ndarray:
        """float64 (7,): joint angles in rad, then the gripper's opening in 0..1."""
        joints = self._robot.qpos[self._first : self._first + JOINTS + 2]
        opening = (joints[JOINTS:].mean() - _CLOSED) / (_OPEN - _CLOSED)
        return np.append(joints[:JOINTS], opening)

    @property
    def end_pose(self) -> Pose:
        """Measured, in the world."""
        return self._link.pose

    @property
    def tcp(self) -> np.ndarray:
        """float64 (3,) the gripper's centre in the world."""
        return self.end_pose.apply((TCP, 0.0, 0.0))

    # Upstream's thresholds, on the command.
    @property
    def open(self) -> bool:
        return self.gripper > 0.8

    @property
    def closed(self) -> bool:
        return self.gripper < 0.2


class Robot:
    """Both arms, at home with open grippers."""

    def __init__(self, scene: Scene, urdf: Path = URDF) -> None:
        self.body = scene.load_urdf(urdf, BASE)
        self.body.set_drives(*_GAINS)
        # As good as compensating gravity at every step (measured: errors below 6 mrad at 1 rad/s).
        for link in self.body.links.values():
            link.float()
            link.set_mass(1.0)  # as upstream, which leaves the inertias as they are in the file
        self.body.stay_awake()
        fingers = [name.endswith(("_joint7", "_joint8")) for name in self.body.joint_names]
        home = np.where(fingers, _OPEN, 0.0)
        self.body.set_state(home, np.zeros_like(home), home)
        self.arms: Mapping[Side, Arm] = {side: Arm(self.body, side) for side in SIDES}

    @property
    def commanded(self) -> np.ndarray:
        """float64 (14,): per arm, left first, six drive targets (rad), the gripper's command."""
        return np.concatenate([[*arm.commanded, arm.gripper] for arm in self.arms.values()])

    @property
    def measured(self) -> np.ndarray:
        """float64 (14,): the same, as the joints are."""
        return np.concatenate([arm.measured for arm in self.arms.values()])

    @property
    def end_poses(self) -> np.ndarray:
        """float64 (14,): per arm, left first, position in metres and quaternion."""
        poses = [arm.end_pose for arm in self.arms.values()]
        return np.concatenate([[*pose.position, *pose.quaternion] for pose in poses])
