"""How to take hold of a thing or a handle: postures of the arm from where a base stands."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, product

import numpy as np

from envs.mjthor.expert.arm import arm, grasp_axes
from envs.mjthor.expert.motions import OutOfReach
from envs.mjthor.expert.scene import Array, Scene, in_frame
from envs.mjthor.expert.shape import Lie, grips, palm_inside
from envs.mjthor.plane import wrapped
from envs.mjthor.robot import REST_ARM
from envs.mjthor.world import World

_BEFORE = np.linspace(0.025, 0.10, 4)  # metres before its goal from which the hand goes straight in
_PITCHES = np.radians((45.0, 35.0, 55.0, 25.0, 65.0, 12.0))
_TILT = np.radians(20.0)  # off the preferred direction that costs 1
_BLOCKED = 4.0  # what it costs if the palm would be where the thing's bounding box is
_ASKEW = np.radians(50.0)
_FLAT = 0.078  # metres between the fingers that can still be taken
_HANDLE_PITCHES = np.radians((25.0, 40.0, 10.0, 0.0, 55.0))
_HANDLE_TURNS = np.radians((0.0, 15.0, -15.0, 30.0, -30.0))
_JUMP = 0.5  # rad between neighbouring postures of a straight way, at most
_TRIES = 60  # ways in that are tried from one place

Way = tuple[Array, Array]  # position (3,) and axes (3, 3) of the hand, robot's frame


@dataclass(frozen=True)
class Approach:
    """Postures (7,) of the arm: where to stop before, and the straight way from there to ``at``."""

    way: tuple[Array, ...]

    @property
    def before(self) -> Array:
        """Where the arm stops, in the open."""
        return self.way[0]

    @property
    def at(self) -> Array:
        """Where the hand closes, or opens."""
        return self.way[-1]


def approach_thing(scene: Scene, name: str, base: Array | None = None) -> Approach:
    """How to take a thing, fingers on two of its sides; ``base``: from there instead of here."""
    lie = Lie.of(scene.world, name)
    if lie.middle[2] < 0.5 * scene.support_of(name).centre[2]:
        raise OutOfReach(f"{name} lies on the floor")
    ways = _ways_in(scene.world, name, lie, _pose(scene, base))
    return first_way(scene, ways, base=base, what=name)


def _ways_in(world: World, name: str, lie: Lie, base: Array) -> Iterator[Way]:
    """At 45 degrees, straight ahead and at the best grip first."""
    found = []
    for azimuth in _facing(lie, base):
        for (cost, point), pitch in product(grips(world, name, lie, base[2] + azimuth), _PITCHES):
            askew = abs(pitch - _PITCHES[0]) + abs(azimuth)
            blocked = _BLOCKED * palm_inside(lie, point, base[2] + azimuth, float(pitch))
            found.append((cost + askew / _TILT + blocked, point, azimuth, float(pitch)))
    for _, point, azimuth, pitch in sorted(found, key=lambda item: item[0]):
        for flipped in (False, True):
            yield in_frame(point, base), grasp_axes(azimuth, pitch, flipped)


def _facing(lie: Lie, base: Array) -> list[float]:
    """Azimuths at which two sides, near enough together, face the fingers; straight ahead first."""
    found = []
    for across, width in lie.across:
        for turn in (0.0, np.pi) if width <= _FLAT else ():
            azimuth = wrapped(across - base[2] + np.pi / 2 + turn)
            if abs(azimuth) <= _ASKEW:
                found.append(azimuth)
    return sorted(found, key=abs)


def approach_handle(scene: Scene, name: str, base: Array | None = None) -> Approach:
    """How to take a handle: a lying bar with the fingers above and below it, an upright one with
    the fingers on both sides."""
    pose, out = _pose(scene, base), scene.facing(name)
    position = in_frame(scene.world.handle(name), pose)
    inward = wrapped(np.arctan2(-out[1], -out[0]) - pose[2])
    lying = not scene.upright(name)
    ways = (
        (position, grasp_axes(inward + turn, float(pitch), flipped, lying))
        for pitch, turn, flipped in product(_HANDLE_PITCHES, _HANDLE_TURNS, (False, True))
    )
    return first_way(scene, ways, allowed=(scene.leaf_of(name),), base=base, what=name)


def first_way(
    scene: Scene,
    ways: Iterable[Way],
    *,
    what: str,
    allowed: Sequence[str] = (),
    base: Array | None = None,
) -> Approach:
    """The first way in that the arm can follow and on which it touches nothing but ``allowed``
    bodies; the arm is at rest where it has to drive to ``base`` first."""
    now = scene.robot.target[5:12] if base is None else np.array(REST_ARM)
    for position, axes in islice(ways, _TRIES):
        at = arm().solve(position, axes, now)
        if at is None or not scene.clear(at, allowed, base=base, opening=1.0):
            continue
        way = way_out(at, _BEFORE[:, None] * axes[:, 2])
        if way is None or not all(scene.clear(q, allowed, base=base, opening=1.0) for q in way):
            continue
        if scene.clear_way(now, way[0], base=base, opening=1.0):
            return Approach(way)
    raise OutOfReach(f"the hand does not get to {what}")


def way_out(at: Array, steps: Array) -> tuple[Array, ...] | None:
    """Postures along a straight way that ends at ``at``, from those displacements (N, 3) of the
    hand, nearest first; ``None`` where the arm does not follow smoothly."""
    position, axes = arm().pose(at)
    way = [at]
    for step in steps:
        angles = arm().follow(position + step, axes, way[0])
        if angles is None or np.abs(angles - way[0]).max() > _JUMP:
            return None
        way.insert(0, angles)
    return tuple(way)


def _pose(scene: Scene, base: Array | None) -> Array:
    return scene.robot.base_pose if base is None else base
