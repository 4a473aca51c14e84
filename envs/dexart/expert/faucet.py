"""How the expert turns a faucet: it lays the hand on the lever, bends the fingers round it and
carries it along; how to lay it on is tried out beforehand."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from envs.dexart.expert.grips import BACK, Grip, grips
from envs.dexart.expert.postures import reached
from envs.dexart.expert.rehearsal import best
from envs.dexart.expert.servo import Command
from envs.dexart.robot import Robot
from envs.dexart.tabletop import Tabletop
from envs.dexart.things import Thing
from envs.sapien.geometry import Pose
from envs.sapien.kinematics import rotations

_TRIES = {-0.005: 16, 0.012: 14, -0.025: 8}  # grips tried, by metres of the lever along the hand
_THUMB = [0.263, -0.1, -0.15, -0.1]  # rad: aside
_OPEN = np.array([0.0, 0.2, 0.2, 0.0] * 3 + _THUMB)
_BENT = np.array([0.0, 1.2, 0.6, 0.6] * 3 + _THUMB)
_SPEED = 1.3  # m/s and rad/s
_CLOSING, _WAIT = 6, 70  # control steps: to bend the fingers, and at most for a way
_LEAD, _PRESS = 0.35, 0.003  # rad ahead of the lever, metres into it
_FAR = 1.5  # rad from which the hand kneads the lever, until palm and fingers press
_KNEAD = np.array([0.02, 0.0, 0.02])  # metres, in the palm's frame
_NEAR = {BACK: (0.02, 0.25), 0.0: (0.012, 0.15)}  # metres and radians within which it is there
_STALLED = {BACK: 5e-4, 0.0: 2e-3}  # metres per step


def faucet(table: Tabletop) -> Iterator[Command]:
    """The first grip that turns the faucet, or else the best."""
    robot, thing = table.robot, table.thing
    choices = [grip for at, tries in _TRIES.items() for grip in grips(robot, thing, at)[:tries]]
    yield from _turn(best(table, _turn, choices), table)


def _turn(choice: Grip, table: Tabletop) -> Iterator[Command]:
    """To the lever, fingers round it, and on about the hinge."""
    robot, thing = table.robot, table.thing
    start = thing.handle.pose
    for back in (BACK, 0.0):
        yield from _go(robot, _hand(thing, choice, start, 0.0, back), back)
    for _ in range(_CLOSING):
        yield Command(_hand(thing, choice, thing.handle.pose), _BENT, _SPEED, exact=True)
    kneaded = 0
    while True:
        kneaded += abs(thing.angle) > _FAR
        pose = _hand(thing, choice, thing.handle.pose, _LEAD)
        sway = (1 - np.cos(0.5 * kneaded)) / 2, 0.0, np.sin(0.23 * kneaded)
        yield Command(Pose(pose.apply(_KNEAD * sway), pose.quaternion), _BENT, _SPEED, exact=True)


def _hand(
    thing: Thing, grip: Grip, handle: Pose, ahead: float = 0.0, back: float = -_PRESS
) -> Pose:
    """The palm in a grip of a lever that is at ``handle`` and ``ahead`` rad further, ``back``
    metres before it."""
    pose, hinge = handle @ grip.palm, np.asarray(thing.hinge.position)
    turn = rotations(grip.axis, np.array([ahead]))[0]
    rotation = turn @ pose.rotation
    place = turn @ (pose.position - hinge) + hinge
    return Pose.of(place - back * rotation[:, 0], rotation)


def _go(robot: Robot, goal: Pose, back: float) -> Iterator[Command]:
    """Until the palm is there, or is stopped by something."""
    before = np.full(3, np.inf)
    for step in range(_WAIT):
        palm = robot.palm.pose
        place = np.asarray(palm.position)
        if step > 6 and np.linalg.norm(place - before) < _STALLED[back]:
            return
        before = place
        yield Command(goal, _OPEN, _SPEED, exact=True)
        if reached(robot, goal, *_NEAR[back]):
            return
