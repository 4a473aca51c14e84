"""From one action to physics steps.

Two timings. ``rate``: every action takes the same number of physics steps, targets move evenly from
where they are, at most at :data:`FASTEST`. ``waypoint``, upstream's own: an action takes as long as
the time-optimal straight line to it (``envs.robotwin.timing``), each arm its own, and the two arms
advance in proportion. Two kinds of action, both absolute: joint angles, or end poses in the world.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from envs.robotwin.robot import JOINTS, SIDES, Arm, Robot
from envs.robotwin.timing import straight
from envs.sapien.geometry import Pose

TIMESTEP = 1 / 250  # seconds
SUBSTEPS = 15  # physics steps of an action at a fixed rate: upstream stores a frame every 15
FASTEST = 3.0  # rad/s of a drive target at a fixed rate
_IDLE = 50  # physics steps of a waypoint that cannot be parameterised, as upstream
_ARM = JOINTS + 1
_POSE = 8
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Stroke:
    """What one arm does during one action: ``angles`` and ``velocities`` (n, 6), or ``None`` where
    the arm keeps its targets and stands still; ``gripper`` n numbers."""

    gripper: list[float]
    angles: np.ndarray | None = None
    velocities: np.ndarray | None = None

    def apply(self, arm: Arm, step: int) -> None:
        """Command the arm for one physics step."""
        if self.angles is not None and self.velocities is not None:
            arm.command(self.angles[step], self.velocities[step])
        elif step == 0:
            arm.command(arm.commanded, np.zeros(JOINTS))
        arm.grip(self.gripper[step])


@dataclass(frozen=True)
class Control:
    """How actions are executed: ``timing`` is "rate" or "waypoint"."""

    timing: str
    end_effector: bool

    def commands(self, robot: Robot, action: np.ndarray) -> Iterator[None]:
        """Command the robot for one physics step after the other; the caller steps the scene.

        ``action``: per arm six angles (rad) or an end pose (7,), then the gripper (0..1).
        """
        size = _POSE if self.end_effector else _ARM
        strokes = []
        for side, part in zip(SIDES, action.reshape(2, size), strict=True):
            arm = robot.arms[side]
            goal = self._posture(arm, part[:-1]) if self.end_effector else part[:-1]
            strokes.append((arm, self._stroke(arm, goal, part[-1])))
        return _together(strokes)

    def _posture(self, arm: Arm, pose: np.ndarray) -> np.ndarray | None:
        """Joint angles (6,) of an end pose, near the present ones; ``None`` if out of reach."""
        length = np.linalg.norm(pose[3:])
        if length > 1e-6:
            target = Pose(pose[:3], pose[3:] / length)
            found = reach(arm, [target], arm.commanded)
            if found is not None:
                return found[0]
        _log.warning(
            "the %s arm cannot reach position %s with quaternion %s; it holds still, as upstream",
            arm.side,
            pose[:3].round(3).tolist(),
            pose[3:].round(3).tolist(),
        )
        return None

    def _stroke(self, arm: Arm, goal: np.ndarray | None, grip: float) -> Stroke:
        start = arm.commanded
        line = None
        if goal is not None:
            line = _even(start, goal) if self.timing == "rate" else straight(start, goal, TIMESTEP)
        count = SUBSTEPS if self.timing == "rate" else _IDLE if line is None else len(line[0])
        gripper = np.linspace(arm.gripper, grip, count + 1)[1:].tolist()
        return Stroke(gripper) if line is None else Stroke(gripper, *line)


def reach(arm: Arm, poses: list[Pose], near: np.ndarray) -> np.ndarray | None:
    """Angles (B, 6) of end poses from a posture ``near`` (6,); ``None`` unless all are reached."""
    positions = np.array([pose.position for pose in poses])
    turns = np.array([pose.rotation for pose in poses])
    found = arm.chain.solve(positions, turns, np.tile(near, (len(poses), 1)))
    return found.angles if found.reached().all() else None


def _even(start: np.ndarray, goal: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Targets (n, 6) that move evenly to ``goal``, or as far towards it as is allowed."""
    seconds = SUBSTEPS * TIMESTEP
    change = goal - start
    change = change * min(1.0, FASTEST * seconds / max(float(np.abs(change).max()), 1e-9))
    share = np.arange(1, SUBSTEPS + 1)[:, None] / SUBSTEPS
    return start + share * change, np.tile(change / seconds, (SUBSTEPS, 1))


def _together(strokes: list[tuple[Arm, Stroke]]) -> Iterator[None]:
    """Apply both strokes so that each arm has done the same share of its own, as upstream."""
    done, lengths = [0, 0], [len(stroke.gripper) for _, stroke in strokes]
    while done[0] < lengths[0] or done[1] < lengths[1]:
        for i, (arm, stroke) in enumerate(strokes):
            other = 1 - i
            if done[i] < lengths[i] and done[i] * lengths[other] <= done[other] * lengths[i]:
                stroke.apply(arm, done[i])
                done[i] += 1
        yield
