"""Inverse kinematics of the right arm: damped least squares on MuJoCo's Jacobian.

Poses are of the ``grasp`` site in the robot's frame; axes (3, 3) have the direction from finger to
finger as x and the approach as -z.
"""

from __future__ import annotations

from functools import cache

import mujoco
import numpy as np

from envs.mjthor.robot import ARM, REST_ARM, robot_spec
from envs.mjthor.tasks import ARM_HIGH, ARM_LOW

_LOW, _HIGH = np.array(ARM_LOW) + 0.01, np.array(ARM_HIGH) - 0.01
_DAMPING, _ITERATIONS, _STEP = 0.02, 80, 0.3  # _STEP: rad, the most that one iteration turns
_POSITION, _ROTATION = 0.004, 0.03  # metres and radians within which a pose is reached
_SHOULDER, _STRETCHED = np.array((0.0, -0.22, 1.2039)), 0.536  # metres; shoulder to wrist at most
_WRIST = 0.245  # metres from the wrist to between the fingertips
_STALLED, _GAIN = 12, 0.9  # iterations after which the error must have shrunk to this share
# Postures to start from: at rest, elbow out, arm low, arm stretched, hand turned round.
_STARTS = np.array(
    [
        REST_ARM,
        (0.6, -0.3, 0.3, -1.9, 0.0, 0.6, 1.57),
        (-0.2, -0.3, 0.0, -1.6, 0.0, 0.8, -1.57),
        (0.2, -0.8, 0.8, -1.7, 0.5, 0.8, 1.57),
        (-0.9, -0.2, 0.0, -0.9, 0.0, 0.5, -1.57),
        (-0.9, -0.2, 0.0, -0.9, 0.0, 0.5, 1.57),
    ]
)


class Arm:
    """The arm alone, its base at the origin."""

    def __init__(self) -> None:
        self._model = robot_spec().compile()
        self._data = mujoco.MjData(self._model)
        self._q = np.array([self._model.joint(name).qposadr[0] for name in ARM])
        self._v = np.array([self._model.joint(name).dofadr[0] for name in ARM])
        self._site = self._model.site("grasp").id
        self._jacobian = np.zeros((6, self._model.nv))

    def pose(self, angles: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Position (3,) and axes (3, 3) at joint angles (7,)."""
        self._data.qpos[self._q] = angles
        mujoco.mj_kinematics(self._model, self._data)
        position = self._data.site_xpos[self._site].copy()
        return position, self._data.site_xmat[self._site].reshape(3, 3).copy()

    def solve(self, position: np.ndarray, axes: np.ndarray, near: np.ndarray) -> np.ndarray | None:
        """Angles (7,) that reach a pose, from the posture ``near`` first; ``None`` without any."""
        if not self.in_range(position, axes):
            return None
        for start in (near, *_STARTS):
            angles = self.follow(position, axes, start)
            if angles is not None:
                return angles
        return None

    def follow(self, position: np.ndarray, axes: np.ndarray, near: np.ndarray) -> np.ndarray | None:
        """As :meth:`solve`, from one posture only: for the next pose of a path."""
        angles, before = np.clip(near, _LOW, _HIGH), np.inf
        for iteration in range(_ITERATIONS if self.in_range(position, axes) else 0):
            error = self._error(angles, position, axes)
            if iteration % _STALLED == 0:
                if np.linalg.norm(error) > _GAIN * before:
                    return None
                before = float(np.linalg.norm(error))
            if np.linalg.norm(error[:3]) < _POSITION and np.linalg.norm(error[3:]) < _ROTATION:
                return angles
            step = self._step(error)
            step *= min(1.0, _STEP / np.abs(step).max())
            angles = np.clip(angles + step, _LOW, _HIGH)
        return None

    @staticmethod
    def in_range(position: np.ndarray, axes: np.ndarray) -> bool:
        """Whether the wrist of a pose is no further from the shoulder than the arm is long."""
        wrist = position + _WRIST * axes[:, 2]
        return bool(np.linalg.norm(wrist - _SHOULDER) <= _STRETCHED)

    def _error(self, angles: np.ndarray, position: np.ndarray, axes: np.ndarray) -> np.ndarray:
        """Metres and radians (6,) from the pose at ``angles`` to the wanted one, in the base."""
        here, frame = self.pose(angles)
        quaternion, turn = np.zeros(4), np.zeros(3)
        mujoco.mju_mat2Quat(quaternion, (axes @ frame.T).ravel())
        mujoco.mju_quat2Vel(turn, quaternion, 1.0)
        return np.concatenate([position - here, turn])

    def _step(self, error: np.ndarray) -> np.ndarray:
        mujoco.mj_comPos(self._model, self._data)
        jacobian = self._jacobian
        mujoco.mj_jacSite(self._model, self._data, jacobian[:3], jacobian[3:], self._site)
        arm = jacobian[:, self._v]
        gram = arm @ arm.T + _DAMPING**2 * np.eye(6)
        return arm.T @ np.linalg.solve(gram, error)


@cache
def arm() -> Arm:
    """One for the process."""
    return Arm()


def grasp_axes(
    azimuth: float, pitch: float, flipped: bool = False, upright: bool = False
) -> np.ndarray:
    """Axes (3, 3) of a hand that approaches along ``azimuth`` (0: straight ahead, robot's frame)
    and ``pitch`` radians below the horizontal, fingers side by side, or one above the other when
    ``upright``; ``flipped``: the hand turned by pi about the approach."""
    c, s = np.cos(azimuth), np.sin(azimuth)
    approach = np.array([np.cos(pitch) * c, np.cos(pitch) * s, -np.sin(pitch)])
    side = np.array([s, -c, 0.0])  # to the robot's right
    across = np.cross(approach, side) if upright else side
    across = -across if flipped else across
    return np.column_stack([across, np.cross(-approach, across), -approach])
