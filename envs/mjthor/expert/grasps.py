"""How to take hold: postures before and at a thing, a handle or a place."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from envs.mjthor.expert.arm import arm, grasp_axes
from envs.mjthor.expert.motions import Motions, OutOfReach

_BEFORE = 0.10  # metres that the hand stops before it goes straight in
_PITCHES = tuple(np.radians((45.0, 35.0, 55.0, 25.0, 65.0)))
_LOWEST = 0.028  # metres that the fingertips' middle stays above a support
_ASKEW = np.radians(50.0)
_HANDLE_PITCHES = tuple(np.radians((25.0, 40.0, 10.0, 0.0, 55.0)))
_ASIDES = tuple(np.arange(-12, 13) * 0.05)  # metres to the left
_DROP = 0.01  # metres between a thing's foot and the receptacle's rim when it is let go
_LIFTS = (0.12, 0.08, 0.05)
_FLAT = 0.078  # metres between the fingers that can still be taken


@dataclass(frozen=True)
class Approach:
    """Postures (7,) of the arm: where to stop before, and at, what is taken."""

    before: np.ndarray
    at: np.ndarray
    azimuth: float
    pitch: float


def approach_thing(motions: Motions, name: str) -> Approach:
    """How to take a thing from where the base stands, fingers on two of its sides."""
    thing, world = motions.world.things[name], motions.world
    height = thing.size[2]
    point = world.position(name) + np.array((0.0, 0.0, max(_LOWEST, 0.55 * height)))
    position = motions.robot.in_frame(point)
    azimuths = sorted(_facing(motions, name), key=abs)
    return approach(motions, position, azimuths, _PITCHES, allowed=(name,))


def approach_handle(motions: Motions, name: str) -> Approach:
    """How to take a handle: a lying bar from its front, fingers above and below it; an upright one
    with the fingers on both sides."""
    position = motions.robot.in_frame(motions.world.handle(name))
    out = np.array((*motions.outward(name), 0.0))
    inward = np.arctan2(-out[1], -out[0]) - motions.robot.base_pose[2]
    inward = float((inward + np.pi) % (2 * np.pi) - np.pi)
    lying = not name.startswith("fridge")
    azimuths = [inward + turn for turn in np.radians((0.0, 15.0, -15.0, 30.0, -30.0))]
    leaf = motions.leaf(name)
    return approach(motions, position, azimuths, _HANDLE_PITCHES, allowed=(leaf,), upright=lying)


def place_over(motions: Motions, thing: str, receptacle: str) -> tuple[float, Approach]:
    """How far to slide to the left, and postures with the thing above a receptacle: ``at`` where
    it is let go, ``before`` higher."""
    world, robot = motions.world, motions.robot
    hand, axes = robot.hand
    foot = world.position(thing) - hand
    point = world.position(receptacle) + (0.0, 0.0, world.things[receptacle].size[2] + _DROP)
    aim = robot.in_frame(point - foot)
    here = robot.in_frame(hand)
    for aside in sorted(_ASIDES, key=lambda a: abs(aim[1] - a - here[1])):
        if not motions.can_slide(aside):
            continue
        at = _above(motions, aim - (0.0, aside, 0.0), thing)
        if at is not None:
            return aside, at
    raise OutOfReach(f"no way to put {thing} over {receptacle}")


def _above(motions: Motions, position: np.ndarray, thing: str) -> Approach | None:
    """Postures above a place that keep the direction in which the thing is held."""
    now = motions.robot.target[5:12]
    _, axes = arm().pose(now)
    for lift in _LIFTS:
        before = arm().solve(position + (0.0, 0.0, lift), axes, now)
        at = None if before is None else arm().follow(position, axes, before)
        if before is not None and at is not None and motions.clear(at, (thing,)):
            return Approach(before, at, 0.0, 0.0)
    return None


def approach(
    motions: Motions,
    position: np.ndarray,
    azimuths: Sequence[float],
    pitches: Sequence[float],
    *,
    allowed: Sequence[str] = (),
    upright: bool = False,
    start: np.ndarray | None = None,
) -> Approach:
    """The first way in that the arm can follow and that is clear; the fingers meet at
    ``position`` (3,) in the robot's frame. ``allowed``: bodies that may be touched."""
    now = motions.robot.target[5:12] if start is None else start
    for pitch, azimuth, flipped in product(pitches, azimuths, (False, True)):
        axes = grasp_axes(azimuth, pitch, flipped, upright)
        before = arm().solve(position + _BEFORE * axes[:, 2], axes, now)
        at = None if before is None else arm().follow(position, axes, before)
        if before is None or at is None or np.abs(at - before).max() > 1.0:
            continue
        if motions.clear(at, allowed) and motions.clear_way(now, before):
            return Approach(before, at, azimuth, pitch)
    raise OutOfReach(f"nothing takes the hand to {np.round(position, 2)}")


def _facing(motions: Motions, name: str) -> Iterator[float]:
    """Azimuths at which two opposite sides of a thing, near enough together, face the fingers."""
    thing, robot = motions.world.things[name], motions.robot
    axes = motions.world.data.body(name).xmat.reshape(3, 3)
    for k, size in enumerate(thing.size[:2]):
        angle = np.arctan2(axes[1, k], axes[0, k]) - robot.base_pose[2]
        for across in (angle, angle + np.pi) if size <= _FLAT else ():
            azimuth = float((across + np.pi / 2 + np.pi) % (2 * np.pi) - np.pi)
            if abs(azimuth) <= _ASKEW:
                yield azimuth
