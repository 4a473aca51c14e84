"""Drives the base along a path: displacements in the robot frame, one per step of 10 Hz."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from envs.mjthor.house.free_space import RADIUS, FreeSpace
from envs.mjthor.plane import wrapped

Array = NDArray[np.float64]
Pose = Sequence[float] | Array

STEP = 0.05  # metres per step along either axis of the robot
TURN = 0.10  # radians per step
LOOK_AHEAD = 0.20  # metres along the path
# Share of an error commanded per step. The servo adds displacements to its previous target and
# follows with 95 % in 0.32 s: 0.4 settles with 3 % of overshoot, 1 would ring.
GAIN = 0.4
FACING, ASKEW = 0.10, 0.30  # radians off the heading: full speed below, turns on the spot above
ARRIVED, ALIGNED = 0.02, 0.03  # metres, radians


class Follower:
    """Follows way points (K, 2) facing along them, then takes ``yaw`` (``None``: any).

    The first ``leave`` metres are driven at the heading of the start and the last ``approach`` at
    the final one: next to a counter there is room to slide but none to turn. In between the base
    stops where the path bends by more than 0.3 rad and turns on the spot.
    """

    def __init__(
        self, path: Array, yaw: float | None = None, *, leave: float = 0.0, approach: float = 0.0
    ) -> None:
        points = np.asarray(path, float).reshape(-1, 2)
        apart = np.append(True, np.hypot(*np.diff(points, axis=0).T) > 1e-6)
        self.points, self.yaw = points[apart], yaw
        lengths = np.hypot(*np.diff(self.points, axis=0).T)
        self._along = np.append(0.0, np.cumsum(lengths))
        self.length = float(self._along[-1])
        arrive = self.length - (approach if yaw is not None else 0.0)
        self._ends = (min(leave, arrive), arrive, self.length)
        self._leg = 0
        self._progress = 0.0
        self._start_yaw: float | None = None

    @property
    def remaining(self) -> float:
        """Metres of the path still ahead at the latest command."""
        return self.length - self._progress

    def done(self, pose: Pose) -> bool:
        """Whether a pose (x, y, yaw) is at the end: within 0.02 m and 0.03 rad."""
        gap = np.hypot(*(self.points[-1] - pose[:2]))
        turned = self.yaw is None or abs(wrapped(self.yaw - pose[2])) < ALIGNED
        return bool(gap < ARRIVED and turned)

    def command(self, pose: Pose) -> Array:
        """Displacement (3,) dx, dy, dyaw in the robot frame for this step, from a pose (3,)."""
        place, yaw = np.asarray(pose[:2], float), float(pose[2])
        if self._start_yaw is None:
            self._start_yaw = yaw
        self._advance(place)
        aim = self._at(min(self._progress + LOOK_AHEAD, self._ends[self._leg]))
        error = wrapped(self._heading(aim - place, yaw) - yaw)
        speed = np.clip((ASKEW - abs(error)) / (ASKEW - FACING), 0.0, 1.0)
        cos, sin = np.cos(yaw), np.sin(yaw)
        gap = np.array(((cos, sin), (-sin, cos))) @ (aim - place)
        step = GAIN * gap / max(1.0, GAIN * np.abs(gap).max() / STEP)
        return np.append(speed * step, np.clip(GAIN * error, -TURN, TURN))

    def _advance(self, place: Array) -> None:
        """Moves on to the point of the leg nearest to a place, never back, and to the next leg."""
        reach = self._progress + np.linspace(0.0, 2 * LOOK_AHEAD, 41)
        reach = np.minimum(reach, self._ends[self._leg])
        gaps = np.hypot(*(self._at(reach) - place).T)
        self._progress = float(reach[np.argmin(gaps)])
        while self._leg < 2 and self._progress >= self._ends[self._leg] - ARRIVED:
            self._leg += 1

    def _at(self, along: float | Array) -> Array:
        return np.stack([np.interp(along, self._along, axis) for axis in self.points.T], axis=-1)

    def _heading(self, gap: Array, yaw: float) -> float:
        """The heading wanted here: of the start, along the path, or the final one."""
        if self._leg == 0 and self._start_yaw is not None:
            return self._start_yaw
        if self._leg == 2 and self.yaw is not None:
            return self.yaw
        if np.hypot(*gap) < ARRIVED:
            return yaw
        return float(np.arctan2(gap[1], gap[0]))


def route(space: FreeSpace, start: Pose, goal: Pose, radius: float = RADIUS) -> Follower | None:
    """Follower from pose to pose (x, y, yaw) that turns only where there is room to; ``None``
    without a way."""
    ends = [space.turning_point(pose) for pose in (start, goal)]
    way = space.path((ends[0][0], ends[0][1]), (ends[1][0], ends[1][1]), radius)
    if way is None:
        return None
    leave, approach = (
        float(np.hypot(*(end - pose[:2]))) for end, pose in zip(ends, (start, goal), strict=True)
    )
    points = np.vstack((np.asarray(start[:2]), way, np.asarray(goal[:2])))
    return Follower(points, float(goal[2]), leave=leave, approach=approach)
