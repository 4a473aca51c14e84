"""How the expert does the toilet: it slides its fingers under the lid's free edge and swings it up.

The backs of the fingers carry the lid. The hand comes from the side that the arm reaches; the more
that is from the side of the lid, the more the hand turns with the lid, otherwise the fingers bend.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from envs.dexart.expert.postures import missing
from envs.dexart.expert.servo import Command
from envs.dexart.robot import ARM_JOINTS, PALM, URDF, Robot
from envs.dexart.tabletop import Tabletop
from envs.dexart.things import Thing, vertices
from envs.sapien.geometry import Pose
from envs.sapien.kinematics import Chain, rotations

_SIDES = np.radians([0, 10, 20, 30, 45, 60, 75, 90])  # between the fingers and the way to the hinge
_KNUCKLE = np.array([0.0, 0.0, 0.0171])  # metres in the palm
_BACK = 0.0098  # metres from a finger's middle to its back
_REACH = 0.075  # metres from the knuckles to the lid's edge
_BEFORE, _ROOM = 0.09, 0.012  # metres out of the lid, and below it, before the fingers slide in
# Metres out of the lid and above that, and how near the hand must come: beside the lid, before
# its edge, under it.
_WAY = ((0.2, 0.08, 0.1), (_BEFORE, 0.0, 0.04), (0.0, 0.0, 0.02))
_PATIENCE = 40  # control steps for each
_PRESS = 0.004  # metres that the fingers press into the lid
_LEAD = 0.3  # radians that the hand is ahead of the lid
# Radians that the hand turns in a control step, but less so near the end, which is when so much is
# left; how far beyond where the lid is open it aims.
_PACE, _CRAWL, _SOON, _BEYOND = 0.09, 0.03, 0.25, 0.3
_LAG = 7.5  # control steps that a finger is behind what it is told: damping over stiffness
_BENDING = np.array([0.0, 1.0, 0.0, 0.0] * 3 + [0.0] * 4)
_LOOSE = 0.1  # radians that the fingers bend less than the lid is turned
_AWAY = (0.263, 0.0, 0.0, 0.0)  # radians of the thumb
_FAST = 1.7  # m/s and rad/s
# Postures, radians, that inverse kinematics starts from: the episode's, and with the arm in front.
_STARTS = np.array(
    [
        [0.0, 0.0, 0.0, 0.0, 0.0, 0.0],
        [0.0, 0.5, -0.9, 0.0, 0.4, 0.0],
        [0.4, 0.8, -0.9, 0.0, 0.1, 0.8],
        [0.4, 0.8, -1.3, 0.0, 0.5, -0.8],
    ]
)
_UP = np.array([0.0, 0.0, 1.0])


@dataclass(frozen=True)
class Lid:
    """A lid as it lies, in the world: ``hinge`` (3,) metres and ``axis`` (3,) about which it opens,
    ``edge`` (3,) the middle of its free edge's underside, ``slope`` radians above level,
    ``left`` radians until it is open."""

    hinge: np.ndarray
    axis: np.ndarray
    edge: np.ndarray
    slope: float
    left: float

    @classmethod
    def of(cls, thing: Thing, thick: float) -> Lid:
        hinge = thing.hinge
        start = np.asarray(hinge.position)
        way = np.sign(thing.instance.open - thing.instance.closed)
        axis = way * hinge.rotation[:, 0]
        arm = thing.handle_point - start
        start = start + (arm @ axis) * axis
        arm = arm - (arm @ axis) * axis
        over = np.cross(axis, arm) / np.linalg.norm(arm)
        level = np.cross(_UP, axis)  # from the hinge to the front
        slope = float(np.arctan2(arm @ _UP, arm @ level))
        left = float(way * (thing.instance.open - thing.angle))
        return cls(start, axis, thing.handle_point - thick * over, slope, left)

    def swung(self, angle: float) -> np.ndarray:
        """float64 (3,) where the edge is once the lid has opened ``angle`` radians more."""
        turn = rotations(self.axis, np.array([angle]))[0]
        return self.hinge + turn @ (self.edge - self.hinge)


def toilet(table: Tabletop) -> Iterator[Command]:
    """Go before the edge, slide under it, swing."""
    robot, thing = table.robot, table.thing
    thick = _thickness(thing)
    side = _side(robot, Lid.of(thing, thick))
    for out, above, near in _WAY:
        for _ in range(_PATIENCE):
            palm, fingers = _pose(Lid.of(thing, thick), side, 0.0, out, -_ROOM)
            palm = Pose(palm.position + above * _UP, palm.quaternion)
            if missing(robot, palm) < near:
                break
            yield Command(palm, fingers, _FAST)
    yield from _swing(thing, thick, side)


def _swing(thing: Thing, thick: float, side: float) -> Iterator[Command]:
    """Turn with the lid at the hand's own pace: a lid that was flung is waited for."""
    aim = Lid.of(thing, thick).left
    while True:
        lid = Lid.of(thing, thick)
        pace = _PACE if aim > _SOON else _CRAWL
        aim = max(aim - pace, lid.left - _LEAD, -_BEYOND)
        palm, fingers = _pose(lid, side, lid.left - aim, 0.0, _PRESS)
        yield Command(palm, fingers + (1 - np.sin(abs(side))) * pace * _LAG * _BENDING, _FAST)


def _pose(lid: Lid, side: float, lead: float, out: float, press: float) -> tuple[Pose, np.ndarray]:
    """Palm and fingers (16,) that hold the lid ``lead`` radians further, or ``out`` metres away."""
    share = np.sin(abs(side))
    slope = lid.slope + lead
    bend = float(np.clip((1 - share) * slope - _LOOSE, 0.0, 1.5))
    inward = rotations(_UP, np.array([side]))[0] @ np.cross(lid.axis, _UP)
    level = np.stack([-_UP, np.cross(inward, -_UP), inward], axis=1)
    turn = rotations(lid.axis, np.array([share * slope]))[0] @ level
    along = np.array([np.sin(bend), 0.0, np.cos(bend)])
    above = np.array([-np.cos(bend), 0.0, np.sin(bend)])
    point = _KNUCKLE + _REACH * along + (_BACK - press) * above + out * np.array([0, 0, 1.0])
    finger = (0.0, bend, 0.0, 0.0)
    palm = Pose.of(lid.swung(lead) - turn @ point, turn)
    return palm, np.array([*finger, *finger, *finger, *_AWAY])


def _side(robot: Robot, lid: Lid) -> float:
    """The least angle from the side at which the arm reaches the most of what it has to."""
    chain = Chain.read(URDF, PALM, base=robot.links["link_base"].pose)
    stages = ((0.0, _BEFORE), (0.0, 0.0), (0.5, 0.0), (1.0, 0.0), (1.4, 0.0))
    angles = np.repeat(_STARTS[None], len(_SIDES), axis=0).reshape(-1, ARM_JOINTS)
    reached = []
    for lead, out in stages:
        goals = [_pose(lid, side, lead, out, 0.0)[0] for side in _SIDES for _ in _STARTS]
        places = np.array([goal.position for goal in goals])
        found = chain.solve(places, np.array([goal.rotation for goal in goals]), angles)
        angles = found.angles
        reached.append(found.reached(0.01, 0.1))
    count = np.array(reached).reshape(len(stages), len(_SIDES), -1).sum(axis=0).max(axis=1)
    return float(_SIDES[count.argmax()])


def _thickness(thing: Thing) -> float:
    """Metres from the handle point through the lid to its underside, near the free edge."""
    place, hinge = thing.handle.pose, thing.hinge
    axis = hinge.rotation[:, 0] * np.sign(thing.instance.open - thing.instance.closed)
    arm = thing.handle_point - hinge.position
    arm = arm - (arm @ axis) * axis
    out = arm / np.linalg.norm(arm)
    corners = vertices(thing.handle) @ place.rotation.T + place.position - thing.handle_point
    near = corners[corners @ out > -_REACH]
    return float(max((near @ -np.cross(axis, out)).max(), 0.0))
