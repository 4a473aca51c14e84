"""From where the palm should be to the action that brings it there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from envs.dexart.robot import ARM_JOINTS, URDF, WRIST, Robot
from envs.sapien.geometry import Pose
from envs.sapien.kinematics import Chain

_GAIN = 8.0  # 1/s: what is missing shrinks by a third in a control step
_CENTRE = np.array([0.0, 0.00064, -0.00952])  # metres in link6: what the twist moves
_FASTEST = 1.0  # m/s and rad/s, the limits of the action
_DAMPING, _LEFT = 0.05**2, 0.015**2  # of the controller's least squares; of what is left of it


@dataclass(frozen=True)
class Command:
    """``palm``: where the palm's frame should be, in the world. ``fingers`` (16,) radians.
    ``speed``: m/s and rad/s at most; above 1 as far as no axis is faster than 1. ``exact``: make
    up for the controller's damping, which near singular postures stops the hand early."""

    palm: Pose
    fingers: np.ndarray
    speed: float = _FASTEST
    exact: bool = False


class Servo:
    """Moves the palm straight towards a pose, turning on the way."""

    def __init__(self, robot: Robot) -> None:
        self._robot = robot
        self._arm = Chain.read(URDF, WRIST, Pose(_CENTRE))

    def action(self, command: Command) -> np.ndarray:
        """float32 (22,) in [-1, 1]."""
        palm, wrist = self._robot.palm.pose, self._robot.links[WRIST].pose
        shift = np.asarray(command.palm.position) - palm.position
        turn = rotation_vector(command.palm.rotation @ palm.rotation.T)
        linear, angular = _GAIN * shift, _GAIN * turn
        fastest = float(max(np.linalg.norm(linear), np.linalg.norm(angular))) / command.speed
        linear, angular = linear / max(fastest, 1.0), angular / max(fastest, 1.0)
        arm = wrist.apply(_CENTRE) - palm.position
        twist = np.concatenate([linear + np.cross(angular, arm), angular])
        if command.exact:
            twist = twist + self._missing(twist)
        twist /= max(float(np.abs(twist).max()), 1.0)  # no faster, but the same way
        low, high = self._robot.limits[ARM_JOINTS:].T
        fingers = 2 * (command.fingers - low) / (high - low) - 1
        return np.concatenate([twist, fingers]).clip(-1.0, 1.0).astype(np.float32)

    def _missing(self, twist: np.ndarray) -> np.ndarray:
        """What the controller's damping takes off a twist (6,)."""
        jacobian = self._arm.forward(self._robot.qpos[None, :ARM_JOINTS])[2][0]
        square = jacobian @ jacobian.T + _LEFT * np.eye(6)
        return (_DAMPING - _LEFT) * np.linalg.solve(square, twist)


def rotation_vector(rotation: np.ndarray) -> np.ndarray:
    """float64 (3,) axis times angle, radians, of a rotation matrix (3, 3)."""
    cosine = np.clip((np.trace(rotation) - 1) / 2, -1.0, 1.0)
    vector = np.array(
        [
            rotation[2, 1] - rotation[1, 2],
            rotation[0, 2] - rotation[2, 0],
            rotation[1, 0] - rotation[0, 1],
        ]
    )
    sine = np.linalg.norm(vector) / 2
    return vector / 2 * (np.arctan2(sine, cosine) / sine if sine > 1e-9 else 1.0)
