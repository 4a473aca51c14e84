"""Rigid poses in float64, in SAPIEN's camera convention: x forward, y left, z up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

Vector = Sequence[float] | np.ndarray
_UPRIGHT = 1e-6  # sine of the angle to the vertical


@dataclass(frozen=True)
class Pose:
    """``position`` (3,) metres, ``quaternion`` (4,) wxyz, unit length."""

    position: Vector = (0.0, 0.0, 0.0)
    quaternion: Vector = (1.0, 0.0, 0.0, 0.0)

    @property
    def rotation(self) -> np.ndarray:
        """float64 (3, 3), columns are the axes of this frame in its parent."""
        w, x, y, z = np.asarray(self.quaternion, np.float64).tolist()  # floats are the faster ones
        return np.array(
            [
                [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
                [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
                [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
            ]
        )

    def apply(self, point: Vector) -> np.ndarray:
        """float64 (3,) of this frame, in its parent."""
        return self.rotation @ np.asarray(point, np.float64) + self.position

    @classmethod
    def of(cls, position: Vector, rotation: np.ndarray) -> Pose:
        """From a position (3,) and a rotation matrix (3, 3)."""
        return cls(np.asarray(position, np.float64), quaternion(rotation))

    @property
    def inverse(self) -> Pose:
        """The parent, in this frame."""
        rotation = self.rotation.T
        w, x, y, z = np.asarray(self.quaternion, np.float64)
        return Pose(-rotation @ np.asarray(self.position), np.array([w, -x, -y, -z]))

    def __matmul__(self, inner: Pose) -> Pose:
        """``inner``, which is given in this frame, in this frame's parent."""
        outer, own = (np.asarray(p.quaternion, np.float64) for p in (self, inner))
        (w, x, y, z), (s, a, b, c) = outer.tolist(), own.tolist()
        product = np.array(
            [
                w * s - outer[1:] @ own[1:],
                w * a + s * x + (y * c - z * b),
                w * b + s * y + (z * a - x * c),
                w * c + s * z + (x * b - y * a),
            ]
        )
        return Pose(self.apply(inner.position), product)


HERE = Pose()


def look_at(position: Vector, target: Vector, up: Vector = (0.0, 0.0, 1.0)) -> Pose:
    """The pose at ``position`` whose x axis points at ``target`` and whose z axis leans to ``up``.

    >>> look_at((0, 0, 0), (2, 0, 0)).quaternion.tolist()
    [1.0, 0.0, 0.0, 0.0]
    """
    forward = np.subtract(target, position)
    forward = forward / np.linalg.norm(forward)
    left = np.cross(up, forward)
    left = left / np.linalg.norm(left)
    return Pose(position, quaternion(np.stack([forward, left, np.cross(forward, left)], axis=1)))


def quaternion(rotation: np.ndarray) -> np.ndarray:
    """float64 (4,) wxyz of a rotation matrix (3, 3); the largest component is positive.

    The four symmetric products 4qq' are linear in the matrix; the best conditioned row is taken.
    """
    (a, b, c), (d, e, f), (g, h, i) = rotation
    products = np.array(
        [
            [1 + a + e + i, h - f, c - g, d - b],
            [h - f, 1 + a - e - i, b + d, c + g],
            [c - g, b + d, 1 - a + e - i, f + h],
            [d - b, c + g, f + h, 1 - a - e + i],
        ]
    )
    best = int(products.diagonal().argmax())
    return products[best] / np.linalg.norm(products[best])


def euler(pose: Pose) -> tuple[float, float, float]:
    """Roll, pitch and yaw in radians (fixed axes x, y, z, as in a URDF).

    With the x axis upright only roll minus yaw, or their sum, is determined: yaw is 0 there.
    """
    r = pose.rotation
    level = float(np.hypot(r[0, 0], r[1, 0]))
    pitch = float(np.arctan2(-r[2, 0], level))
    if level < _UPRIGHT:
        return float(np.arctan2(-r[1, 2], r[1, 1])), pitch, 0.0
    return float(np.arctan2(r[2, 1], r[2, 2])), pitch, float(np.arctan2(r[1, 0], r[0, 0]))


def from_euler(roll: float, pitch: float, yaw: float) -> np.ndarray:
    """float64 (4,) wxyz; inverse of :func:`euler`."""
    (sr, sp, sy), (cr, cp, cy) = np.sin([roll, pitch, yaw]), np.cos([roll, pitch, yaw])
    return quaternion(
        np.array(
            [
                [cy * cp, cy * sp * sr - sy * cr, cy * sp * cr + sy * sr],
                [sy * cp, sy * sp * sr + cy * cr, sy * sp * cr - cy * sr],
                [-sp, cp * sr, cp * cr],
            ]
        )
    )
