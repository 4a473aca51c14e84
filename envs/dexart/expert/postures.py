"""How far the hand is from where it should be."""

from __future__ import annotations

import numpy as np

from envs.dexart.expert.servo import rotation_vector
from envs.dexart.robot import Robot
from envs.sapien.geometry import Pose

_RADIAN = 0.1  # metres that a radian counts as


def reached(robot: Robot, palm: Pose, metres: float, radians: float) -> bool:
    """Whether the palm is so near to a pose."""
    there = robot.palm.pose
    turn = rotation_vector(palm.rotation @ there.rotation.T)
    shift = np.subtract(palm.position, there.position)
    return bool(np.linalg.norm(shift) < metres and np.linalg.norm(turn) < radians)


def missing(robot: Robot, palm: Pose) -> float:
    """Metres, and a tenth of the radians, that the palm is away from a pose."""
    there = robot.palm.pose
    turn = np.linalg.norm(rotation_vector(palm.rotation @ there.rotation.T))
    shift = np.linalg.norm(np.asarray(palm.position) - there.position)
    return float(shift + _RADIAN * turn)
