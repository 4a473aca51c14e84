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
