"""Opening a hinged leaf by its handle: the base drives along an arc, the hand stays on it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from envs.mjthor.expert.arm import arm
from envs.mjthor.expert.motions import Actions, Motions
from envs.mjthor.expert.scene import Array, about_z
from envs.mjthor.house.free_space import FreeSpace
from envs.mjthor.plane import turned

_STRIDE = 0.03  # metres of the handle's arc per step
_SHARES = (0.5, 0.7, 0.3, 0.9, 0.1, 1.1)  # of the leaf's turn in which the base may take part
_CLOSER = (0.0, 0.08, -0.08, 0.14)  # metres that the base may come nearer to the handle meanwhile
_JUMP = 0.4  # rad between neighbouring postures, at most
_MARGIN = 0.01  # metres kept free around the base


@dataclass(frozen=True)
class _Arc:
    """Base poses (N, 3) that take the hand, at ``grips`` (N, 3) of the robot's frame and turned by
    ``turns`` (N,) there, along a leaf's arc; the base has room at the first ``free`` of them."""

    bases: Array
    grips: Array
    turns: Array
    free: int


def swing(motions: Motions, name: str, share: float) -> Actions:
    """Open the door or opening that the hand holds up to a share of its travel, backing away, so
    far as there is room for the base."""
    bases, postures = _plan(motions, name, share)
    for goal, angles in zip(bases, postures, strict=False):
        now = motions.robot.target
        shift = turned(goal[:2] - now[:2], -now[2])
        yield motions.step(base=np.array((*shift, goal[2] - now[2])), angles=angles)
    yield from motions.wait(5)


def _plan(motions: Motions, name: str, share: float) -> tuple[Array, list[Array]]:
    """Base poses and arm postures, one per step: those that get furthest."""
    hinge, full = motions.scene.hinge(name)
    room, angle = _room(motions, name), full * (share - motions.world.opened(name))
    arcs = [_arc(motions, room, hinge, angle, *way) for way in product(_SHARES, _CLOSER)]
    best: tuple[Array, list[Array]] = (np.empty((0, 3)), [])
    for arc in sorted(arcs, key=lambda arc: -arc.free):
        if arc.free <= len(best[1]):
            break
        postures = _postures(motions, arc)
        best = (arc.bases, postures) if len(postures) > len(best[1]) else best
    return best


def _arc(
    motions: Motions, room: FreeSpace, hinge: Array, angle: float, share: float, closer: float
) -> _Arc:
    """The base turns by ``share`` of what the leaf does and the hand by the rest, while the base
    comes ``closer`` (metres) to the handle."""
    target = motions.robot.target
    position, _ = arm().pose(target[5:12])
    grip = target[:2] + turned(position[:2], target[2])
    steps = max(1, math.ceil(abs(angle) * float(np.linalg.norm(grip - hinge)) / _STRIDE))
    done = np.arange(1, steps + 1) / steps
    yaws = target[2] + share * angle * done
    grips = position - closer * np.outer(np.minimum(1.0, 2.0 * done), np.eye(3)[0])
    places = [
        hinge + turned(grip - hinge, angle * part) - turned(at[:2], yaw)
        for part, at, yaw in zip(done, grips, yaws, strict=True)
    ]
    bases = np.column_stack((places, yaws))
    blocked = np.flatnonzero(~room.rectangles_free(bases, _MARGIN))
    free = int(blocked[0]) if len(blocked) else steps
    return _Arc(bases, grips, (1 - share) * angle * done, free)


def _postures(motions: Motions, arc: _Arc) -> list[Array]:
    """Postures (7,) of the arm along an arc, up to where it gets no further."""
    angles = motions.robot.target[5:12]
    _, axes = arm().pose(angles)
    found: list[Array] = []
    for grip, turn in zip(arc.grips[: arc.free], arc.turns, strict=False):
        following = arm().follow(grip, about_z(turn) @ axes, angles)
        if following is None or np.abs(following - angles).max() > _JUMP:
            break
        angles = following
        found.append(angles)
    return found


def _room(motions: Motions, name: str) -> FreeSpace:
    """The floor without the leaf that is held; the doorway of a door is a wall instead."""
    house = motions.world.house
    others = tuple(door for door in house.doors if door.name != name)
    shares = {door.name: motions.world.opened(door.name) for door in others}
    return FreeSpace(replace(house, doors=others), shares)
