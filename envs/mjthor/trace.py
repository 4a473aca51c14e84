"""What is measured of an episode beside its success: way, rooms, smoothness."""

from __future__ import annotations

from typing import Any

import numpy as np

from envs.mjthor.world import World

_STEP = 0.1  # seconds


class Trace:
    """The robot's way: ``bases`` (x, y, yaw) and ``arms`` (7,) rad, at the start and after every
    control step."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.bases: list[np.ndarray] = []
        self.arms: list[np.ndarray] = []
        self.update()

    def update(self) -> None:
        """Take in the present state."""
        self.bases.append(self._world.robot.base_pose)
        self.arms.append(self._world.robot.arm)

    def copy(self) -> dict[str, Any]:
        return {"bases": list(self.bases), "arms": list(self.arms)}

    def restore(self, copied: dict[str, Any]) -> None:
        """Inverse of :meth:`copy`."""
        self.bases, self.arms = list(copied["bases"]), list(copied["arms"])

    def measures(self) -> dict[str, float]:
        """``path_length`` m, ``rooms_visited`` share of the rooms, ``joint_jerk`` rad/s^3: the mean
        norm of the arm's third difference over time (MolmoSpaces' smoothness)."""
        places = np.array(self.bases)[:, :2]
        third = np.diff(np.array(self.arms), n=3, axis=0) / _STEP**3
        visited = [
            ((places >= room.low) & (places <= room.high)).all(axis=1).any()
            for room in self._world.house.rooms
        ]
        return {
            "path_length": float(np.linalg.norm(np.diff(places, axis=0), axis=1).sum()),
            "rooms_visited": float(np.mean(visited)),
            "joint_jerk": float(np.linalg.norm(third, axis=1).mean()) if len(third) else 0.0,
        }
