"""What the scripts are made of: motions, each a generator of one physical action per control step.

Actions are float64 (13,) in physical units with the arm absolute; whatever a motion does not move
is held. Motions look at the simulation when they begin, and plan from there.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import product

import numpy as np

from envs.mjthor.expert.arm import arm
from envs.mjthor.expert.navigate import Follower, route
from envs.mjthor.expert.scene import Array, Scene, about_z
from envs.mjthor.plane import turned, wrapped
from envs.mjthor.robot import ARM_REACH, REST_ARM
from envs.mjthor.tasks import HEAD_HIGH, HEAD_LOW

Actions = Iterator[np.ndarray]
_EYES = np.array((0.12, 0.0, 1.39))  # where the head camera is, in the robot's frame
_AHEAD, _GLANCE = (0.0, 0.4), 0.12  # rad: pan and tilt while driving on; the most in one step
_EASY, _CAREFUL = 0.5, 0.3  # shares of a joint's speed at which it is moved: empty, carrying
_STRAIGHT = 0.02  # metres per step along a line
_GRIP_STEPS = 6
_PATIENCE = 15  # steps that a motion waits for the joints to follow
_NEAR = 0.02  # rad
_SLOW = 0.015  # m/s and rad/s at which the base counts as standing
_LONG = 300  # steps that driving straight may take
_STUCK = 40  # steps without progress after which driving is given up
_ASIDE = 0.15  # metres that the base moves to get free
_SPEED = np.array((0.04, 0.04, 0.08))  # m, m, rad per step of a straight drive
# Where the hand carries something, above the base: x, y, z in the robot's frame, in metres.
_CHEST = tuple(product((0.32, 0.36, 0.40, 0.44, 0.50), (-0.10, -0.20), (1.05, 1.12, 0.98)))
_FAR = 1.8  # rad that a joint may move for that
_TURNS = tuple(np.radians((0.0, 30.0, -30.0, 60.0)))  # of the hand about the vertical


class OutOfReach(Exception):
    """No posture or path does what the script asks for."""


class Motions:
    """Motions of one episode."""

    def __init__(self, scene: Scene) -> None:
        self.scene, self.world, self.robot = scene, scene.world, scene.robot
        self.watched: Array | None = None  # a point of the house that the head follows

    # -------------------------------------------------------------------- one step
    def step(
        self,
        base: Sequence[float] | Array = (0.0, 0.0, 0.0),
        angles: Array | None = None,
        opening: float | None = None,
    ) -> Array:
        """The action that holds all but what is given; the head follows the watched point."""
        target = self.robot.target
        target[:3] = base
        target[3:5] = self._gaze(target[3:5])
        target[5:12] = target[5:12] if angles is None else angles
        target[12] = target[12] if opening is None else opening
        return target

    def _gaze(self, now: Array) -> Array:
        """Towards the watched point, or ahead while that is behind; never faster than a glance."""
        if self.watched is None:
            return now
        x, y, z = self.robot.in_frame(self.watched) - _EYES
        gaze = (math.atan2(y, x), math.atan2(-z, math.hypot(x, y))) if x > 0 else _AHEAD
        return now + np.clip(np.clip(gaze, HEAD_LOW, HEAD_HIGH) - now, -_GLANCE, _GLANCE)

    def wait(self, steps: int) -> Actions:
        """Hold still."""
        for _ in range(steps):
            yield self.step()

    # ------------------------------------------------------------------------ base
    def drive(self, pose: Sequence[float] | Array) -> Actions:
        """Drive to a pose (x, y, yaw) of the house: straight where it is near and nothing is in
        between, else on the best way, turning only where there is room."""
        start, goal = self.robot.base_pose.copy(), np.asarray(pose, float)
        if self.scene.straight(goal, self.scene.in_hand()):
            yield from self.straight_to(goal)
            yield from self.settle()
            return
        follower = route(self.scene.space, start, goal)
        if follower is None:
            raise OutOfReach(f"no way from {np.round(start, 2)} to {np.round(goal, 2)}")
        yield from self._follow(follower)
        yield from self.settle()

    def settle(self) -> Actions:
        """Wait until the base stands."""
        for _ in range(_PATIENCE):
            if np.abs(self.robot.base_velocity).max() < _SLOW:
                break
            yield self.step()

    def visit(self, place: tuple[float, float]) -> Actions:
        """Drive to a place, at whatever heading."""
        start = self.robot.base_pose.copy()
        out = self.scene.space.turning_point(start)
        way = self.scene.space.path((out[0], out[1]), place)
        if way is None:
            raise OutOfReach(f"no way from {np.round(start, 2)} to {np.round(place, 2)}")
        leave = float(np.hypot(*(out - start[:2])))
        yield from self._follow(Follower(np.vstack((start[:2], way)), leave=leave))

    def straight_to(self, pose: Sequence[float] | Array) -> Actions:
        """Drive straight to a pose (x, y, yaw), without looking at the map, pushing if need be."""
        goal = np.asarray(pose)
        for _ in range(_LONG):
            now = self.robot.target
            gap = np.array((*turned(goal[:2] - now[:2], -now[2]), wrapped(goal[2] - now[2])))
            if np.abs(gap[:2]).max() < 0.01 and abs(gap[2]) < 0.02:
                return
            yield self.step(base=gap / max(1.0, float((np.abs(gap) / _SPEED).max())))

    def slide(self, forward: float, left: float = 0.0) -> Actions:
        """Move the base straight, in its own frame, without looking at the map."""
        steps = max(1, math.ceil(max(abs(forward), abs(left)) / _SPEED[0]))
        for _ in range(steps):
            yield self.step(base=np.array((forward, left, 0.0)) / steps)

    def _follow(self, follower: Follower) -> Actions:
        best, since = math.inf, 0
        while not follower.done(self.robot.base_pose):
            yield self.step(base=follower.command(self.robot.base_pose))
            gap = float(np.linalg.norm(follower.points[-1] - self.robot.base_pose[:2]))
            left = follower.remaining + gap
            since = 0 if left < best - 0.01 else since + 1
            best = min(best, left)
            if since > _STUCK:
                yield from self._free()
                raise OutOfReach("the base does not get any further")

    def _free(self) -> Actions:
        """Move a little to where there is most room around the base."""
        x, y, yaw = self.robot.base_pose
        angles = np.arange(0.0, 2 * np.pi, np.pi / 8)
        places = np.array((x, y)) + _ASIDE * np.column_stack((np.cos(angles), np.sin(angles)))
        best = places[int(np.argmax(self.scene.space.clearance(places)))]
        yield from self.straight_to((*best, yaw))

    # ------------------------------------------------------------------------- arm
    def reach(self, angles: Array, opening: float | None = None) -> Actions:
        """Move the arm to a posture (7,), smoothly and all joints together."""
        start, share = self.robot.target[5:12], _CAREFUL if self.scene.in_hand() else _EASY
        gap = np.abs(angles - start) / (share * ARM_REACH)
        steps = math.ceil(1.5 * float(gap.max()))
        for k in range(1, steps + 1):
            part = (k / steps) ** 2 * (3 - 2 * k / steps)
            yield self.step(angles=start + part * (angles - start), opening=opening)
        for _ in range(_PATIENCE):
            if np.abs(self.robot.arm - angles).max() < _NEAR:
                break
            yield self.step(angles=angles)

    def along(self, way: Sequence[Array]) -> Actions:
        """Move the arm along neighbouring postures, one per step, and let the joints follow."""
        for angles in way:
            yield self.step(angles=angles)
        yield from self.reach(way[-1])

    def rest(self) -> Actions:
        """Back to the posture in which the robot drives, unless the arm is there."""
        if np.abs(self.robot.target[5:12] - REST_ARM).max() > 0.25:
            yield from self.reach(np.array(REST_ARM))

    def line(self, by: Sequence[float] | Array) -> Actions:
        """Move the hand straight by metres (3,) in the robot's frame, keeping its direction; as
        far as the arm gets."""
        start = self.robot.target[5:12]
        position, axes = arm().pose(start)
        steps = max(1, math.ceil(float(np.linalg.norm(by)) / _STRAIGHT))
        angles = start
        for k in range(1, steps + 1):
            following = arm().follow(position + np.asarray(by) * k / steps, axes, angles)
            if following is None or np.abs(following - angles).max() > 0.4:
                return
            angles = following
            yield self.step(angles=angles)

    def grip(self, opening: float) -> Actions:
        """Close (0) or open (1) the gripper and let the fingers follow."""
        for _ in range(_GRIP_STEPS):
            yield self.step(opening=opening)

    def carry(self) -> Actions:
        """Bring what is in the hand near to the chest, upright as it was taken; back off first
        where there is no room for that."""
        held, now = self.scene.in_hand(), self.robot.target[5:12]
        _, axes = arm().pose(now)
        found: list[tuple[float, Array]] = []
        for place, turn in product(_CHEST, _TURNS):
            angles = arm().solve(np.array(place), about_z(turn) @ axes, now)
            if angles is None or np.abs(angles - now).max() > _FAR:
                continue
            if self.scene.clear(angles, carried=held):
                found.append((self.scene.spread(held), angles))
        if found:
            angles = min(found, key=lambda item: item[0])[1]
            if not self.scene.clear_way(now, angles, carried=held):
                yield from self.slide(-0.25)
            yield from self.reach(angles)
