"""What the scripts are made of: motions, each a generator of one physical action per control step.

Actions are float64 (13,) in physical units with the arm absolute; whatever a motion does not move
is held. Motions look at the simulation when they begin, and plan from there.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import mujoco
import numpy as np

from envs.mjthor.expert.arm import arm
from envs.mjthor.expert.navigate import Follower
from envs.mjthor.house.facts import Support
from envs.mjthor.house.free_space import FreeSpace
from envs.mjthor.robot import ARM, ARM_REACH, REST_ARM, turned
from envs.mjthor.tasks import HEAD_HIGH, HEAD_LOW
from envs.mjthor.world import World

Actions = Iterator[np.ndarray]
_EYES = np.array((0.12, 0.0, 1.39))  # where the head camera is, in the robot's frame
_EASY = 0.5  # share of a joint's speed at which it is moved
_STRAIGHT = 0.02  # metres per step along a line
_GRIP_STEPS = 6
_PATIENCE = 15  # steps that a motion waits for the joints to follow
_NEAR = 0.02  # rad
_LONG = 300  # steps that driving straight may take
_STUCK = 40  # steps without progress after which driving is given up


class OutOfReach(Exception):
    """No posture or path does what the script asks for."""


class Motions:
    """Motions of one episode. ``doors``: how far they are taken to be open when a path is planned."""

    def __init__(self, world: World, space: FreeSpace) -> None:
        self.world, self.robot, self.space = world, world.robot, space
        self.watched: np.ndarray | None = None  # a point of the house that the head follows
        self._scratch = mujoco.MjData(world.model)

    def support_of(self, thing: str) -> Support:
        """What a thing stood on at the start."""
        name = self.world.things[thing].support
        return next(support for support in self.world.house.supports if support.name == name)

    def outward(self, name: str) -> tuple[float, float]:
        """The direction (x, y) from an opening or closed door towards who stands before it."""
        world = self.world
        if name in world.openings:
            piece = next(
                f for f in world.house.furniture if f.name == world.openings[name].furniture
            )
            return float(np.cos(piece.yaw)), float(np.sin(piece.yaw))
        door = world.doors[name]
        x, y = np.subtract(door.latch, door.hinge) / np.linalg.norm(
            np.subtract(door.latch, door.hinge)
        )
        sign = np.sign(door.open_angle)  # the leaf's handle is on the side that it turns to
        return float(-sign * y), float(sign * x)

    # -------------------------------------------------------------------- one step
    def step(
        self,
        base: Sequence[float] | np.ndarray = (0.0, 0.0, 0.0),
        angles: np.ndarray | None = None,
        opening: float | None = None,
    ) -> np.ndarray:
        """The action that holds all but what is given; the head follows the watched point."""
        target = self.robot.target
        target[:3] = base
        target[3:5] = self._gaze(target[3:5])
        target[5:12] = target[5:12] if angles is None else angles
        target[12] = target[12] if opening is None else opening
        return target

    def _gaze(self, now: np.ndarray) -> np.ndarray:
        if self.watched is None:
            return now
        x, y, z = self.robot.in_frame(self.watched) - _EYES
        gaze = math.atan2(y, x), math.atan2(-z, math.hypot(x, y))
        return np.clip(gaze, HEAD_LOW, HEAD_HIGH)

    def wait(self, steps: int) -> Actions:
        for _ in range(steps):
            yield self.step()

    # ------------------------------------------------------------------------ base
    def drive(self, pose: Sequence[float] | np.ndarray, turn: bool = True) -> Actions:
        """Drive to a pose (x, y, yaw) of the house, or with ``turn`` false to its place only.

        Backs out first from where the base cannot turn, and slides in at the end likewise.
        """
        start = self.robot.base_pose.copy()
        out, into = self.space.turning_point(start), self.space.turning_point(pose)
        middle = self.space.path((out[0], out[1]), (into[0], into[1]))
        if middle is None:
            raise OutOfReach(f"no way from {np.round(start, 2)} to {np.round(pose, 2)}")
        points = np.vstack([start[:2], out, middle, into, np.asarray(pose)[:2]])
        leave = float(np.linalg.norm(out - start[:2]))
        approach = float(np.linalg.norm(np.asarray(pose)[:2] - into))
        follower = Follower(points, pose[2] if turn else None, leave=leave, approach=approach)
        yield from self._follow(follower)

    def straight_to(self, pose: Sequence[float] | np.ndarray) -> Actions:
        """Drive straight to a pose (x, y, yaw), without looking at the map, pushing if need be."""
        goal, speed = np.asarray(pose), np.array((0.04, 0.04, 0.08))
        for _ in range(_LONG):
            gap = goal - self.robot.target[:3]
            gap[2] = (gap[2] + np.pi) % (2 * np.pi) - np.pi
            if np.abs(gap[:2]).max() < 0.01 and abs(gap[2]) < 0.02:
                return
            ahead = np.array((*turned(gap[:2], -self.robot.target[2]), gap[2]))
            yield self.step(base=np.clip(ahead, -speed, speed))

    def swing(self, hinge: np.ndarray, angle: float) -> Actions:
        """Move the hand and what it holds round a hinge (x, y) by an angle, backing away: the base
        turns half as far and keeps the hand where it is in its frame, but for its direction."""
        position, axes = arm().pose(self.robot.target[5:12])
        base = self.robot.target[:3]
        grip = base[:2] + turned(position[:2], base[2])
        steps = max(1, math.ceil(abs(angle) * float(np.linalg.norm(grip - hinge)) / 0.03))
        angles = self.robot.target[5:12]
        for k in range(1, steps + 1):
            part = angle * k / steps
            yaw = base[2] + part / 2
            held = hinge + turned(grip - hinge, part)
            goal = np.array((*(held - turned(position[:2], yaw)), yaw))
            turn = np.array(
                [
                    [np.cos(part / 2), -np.sin(part / 2), 0],
                    [np.sin(part / 2), np.cos(part / 2), 0],
                    [0, 0, 1],
                ]
            )
            following = arm().follow(position, turn @ axes, angles)
            angles = angles if following is None else following
            now = self.robot.target
            shift = turned(goal[:2] - now[:2], -now[2])
            yield self.step(base=np.array((*shift, goal[2] - now[2])), angles=angles)
        yield from self.wait(8)

    def slide(self, forward: float, left: float = 0.0, turned: float = 0.0) -> Actions:
        """Move the base straight, in its own frame, without looking at the map."""
        steps = max(
            1, math.ceil(max(abs(forward), abs(left)) / 0.04), math.ceil(abs(turned) / 0.08)
        )
        for _ in range(steps):
            yield self.step(base=np.array((forward, left, turned)) / steps)

    def _follow(self, follower: Follower) -> Actions:
        best, since = math.inf, 0
        while not follower.done(self.robot.base_pose):
            yield self.step(base=follower.command(self.robot.base_pose))
            gap = float(np.linalg.norm(follower.points[-1] - self.robot.base_pose[:2]))
            left = follower.remaining + gap
            since = 0 if left < best - 0.01 else since + 1
            best = min(best, left)
            if since > _STUCK:
                raise OutOfReach("the base does not get any further")

    # ------------------------------------------------------------------------- arm
    def reach(self, angles: np.ndarray, opening: float | None = None) -> Actions:
        """Move the arm to a posture (7,), smoothly and all joints together."""
        start = self.robot.target[5:12]
        gap = np.abs(angles - start) / (_EASY * ARM_REACH)
        steps = max(2, math.ceil(1.5 * float(gap.max())))
        for k in range(1, steps + 1):
            share = (k / steps) ** 2 * (3 - 2 * k / steps)
            yield self.step(angles=start + share * (angles - start), opening=opening)
        for _ in range(_PATIENCE):
            if np.abs(self.robot.arm - angles).max() < _NEAR:
                break
            yield self.step(angles=angles)

    def rest(self) -> Actions:
        """Back to the posture in which the robot drives."""
        yield from self.reach(np.array(REST_ARM))

    def line(self, by: Sequence[float] | np.ndarray) -> Actions:
        """Move the hand straight by metres (3,) in the robot's frame, keeping its direction."""
        for angles in self.line_angles(self.robot.target[5:12], by):
            yield self.step(angles=angles)

    def line_angles(self, start: np.ndarray, by: Sequence[float] | np.ndarray) -> list[np.ndarray]:
        """Postures along a straight way of the hand from the posture ``start``; as far as the arm
        gets, at least half of it or ``OutOfReach``."""
        position, axes = arm().pose(start)
        steps = max(1, math.ceil(float(np.linalg.norm(by)) / _STRAIGHT))
        angles, found = start, []
        for k in range(1, steps + 1):
            following = arm().follow(position + np.asarray(by) * k / steps, axes, angles)
            if following is None or np.abs(following - angles).max() > 0.4:
                break
            angles = following
            found.append(angles)
        if len(found) < steps / 2:
            raise OutOfReach(f"the hand cannot move straight by {np.round(by, 2)}")
        return found

    def grip(self, opening: float) -> Actions:
        """Close (0) or open (1) the gripper and let the fingers follow."""
        for _ in range(_GRIP_STEPS):
            yield self.step(opening=opening)

    def carry(self) -> Actions:
        """Bring what is in the hand near to the chest, upright as it was taken."""
        position, axes = arm().pose(self.robot.target[5:12])
        for x, z in ((0.42, 1.05), (0.45, 1.05), (0.45, 1.10), (0.5, 1.1)):
            angles = arm().solve(np.array((x, -0.2, z)), axes, self.robot.target[5:12])
            if angles is not None and self.clear(angles, self._in_hand()):
                yield from self.reach(angles)
                return

    # ----------------------------------------------------------------- postures
    def clear(self, angles: np.ndarray, allowed: Sequence[str] = ()) -> bool:
        """Whether the arm at a posture touches nothing, itself included, but ``allowed`` bodies."""
        data, world = self._scratch, self.world
        data.qpos[:] = world.data.qpos
        for name, angle in zip(ARM, angles, strict=True):
            data.joint(name).qpos[0] = angle
        mujoco.mj_kinematics(world.model, data)
        mujoco.mj_comPos(world.model, data)
        mujoco.mj_collision(world.model, data)
        ignored = {world.model.body(name).id for name in allowed}
        for contact in data.contact:
            bodies = {int(world.model.geom_bodyid[g]) for g in contact.geom}
            robot = any(world.model.body_rootid[b] == self.robot.root for b in bodies)
            if robot and not bodies & ignored and contact.dist < -0.001:
                return False
        return True

    def _in_hand(self) -> tuple[str, ...]:
        return tuple(name for name in self.world.things if self.world.held(name))

    def leaf(self, name: str) -> str:
        """The body that an opening or a door moves."""
        joint = self.world.model.joint(name)
        return self.world.model.body(int(self.world.model.jnt_bodyid[joint.id])).name

    def can_slide(self, left: float) -> bool:
        """Whether the base may move sideways."""
        x, y, yaw = self.robot.base_pose
        shifts = np.linspace(0.0, left, 5)[1:, None] * (-np.sin(yaw), np.cos(yaw))
        poses = np.column_stack([shifts + (x, y), np.full(4, yaw)])
        return abs(left) < 0.01 or bool(self.space.rectangles_free(poses, 0.0).all())

    def clear_way(self, start: np.ndarray, end: np.ndarray, allowed: Sequence[str] = ()) -> bool:
        """Whether the straight way in joint space is clear."""
        return all(self.clear(start + s * (end - start), allowed) for s in np.linspace(0.1, 1, 8))
