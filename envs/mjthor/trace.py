"""What is measured of an episode beside its success: way, rooms, smoothness.

Everything is kept in one float64 array, which is part of the state: a restored episode has the
measures of the one it continues.
"""

from __future__ import annotations

import numpy as np

from envs.mjthor.world import World

_STEP = 0.1  # seconds
_STEPS, _WAY, _JERK, _POSE, _JOINTS = 0, 1, 2, slice(3, 5), slice(5, 26)
_ROOMS = 26


class Trace:
    """Follows the robot from its start; ``memory`` float64 (26 + rooms,)."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.memory = np.zeros(_ROOMS + len(world.house.rooms))
        self.memory[_POSE] = world.robot.base_pose[:2]
        self._enter()

    def update(self) -> None:
        """Take in one control step."""
        memory, robot = self.memory, self._world.robot
        place, joints = robot.base_pose[:2], memory[_JOINTS].reshape(3, 7)
        memory[_WAY] += np.linalg.norm(place - memory[_POSE])
        memory[_POSE] = place
        if memory[_STEPS] >= 3:
            third = robot.arm - 3 * joints[0] + 3 * joints[1] - joints[2]
            memory[_JERK] += np.linalg.norm(third) / _STEP**3
        joints[1:], joints[0] = joints[:-1].copy(), robot.arm
        memory[_STEPS] += 1
        self._enter()

    def _enter(self) -> None:
        x, y, _ = self._world.robot.base_pose
        for i, room in enumerate(self._world.house.rooms):
            if room.holds((x, y)):
                self.memory[_ROOMS + i] = 1.0

    def measures(self) -> dict[str, float]:
        """``path_length`` m, ``rooms_visited`` share of the rooms, ``joint_jerk`` rad/s^3, the mean
        norm of the arm's third difference over time (MolmoSpaces' smoothness)."""
        counted = max(1.0, self.memory[_STEPS] - 3)
        return {
            "path_length": float(self.memory[_WAY]),
            "rooms_visited": float(self.memory[_ROOMS:].mean()),
            "joint_jerk": float(self.memory[_JERK] / counted),
        }
