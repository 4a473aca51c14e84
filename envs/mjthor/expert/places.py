"""Where to stand to take something or to put it down, and how to put it down from there."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice, product

import numpy as np

from envs.mjthor.expert.arm import arm
from envs.mjthor.expert.grasps import Approach, approach_handle, approach_thing, way_out
from envs.mjthor.expert.motions import OutOfReach
from envs.mjthor.expert.scene import Array, Scene, about_z, in_frame
from envs.mjthor.house.facts import Point
from envs.mjthor.stand import stand_poses

_AHEAD, _LATERAL = (0.60, 0.55, 0.65, 0.50), (-0.25, -0.15, -0.35)  # of a thing, robot's frame
_AHEAD_OF_HANDLE = (0.55, 0.50, 0.60, 0.45, 0.65)
_BEST = 3  # poses that are tried for each of these
_HERE = 0.04  # metres within which the base counts as standing there
_MOST = 24  # poses that are tried at all
_ASIDES = np.arange(1, 13) * 0.05  # metres to slide
_TURNS = np.radians((0.0, 20.0, -20.0, 40.0, -40.0, 60.0, -60.0))  # of the hand about the vertical
_FLOOR, _DROP = 0.022, 0.012  # metres above a receptacle's foot, or its rim, to let go at
_LIFTS = ((0.04, 0.08, 0.12), (0.04, 0.08), (0.04,))  # metres above where it is let go


def stand_to_take(scene: Scene, thing: str) -> Array:
    """A pose (3,) of the base from which the arm takes a thing."""
    place, sides = scene.world.middle(thing), scene.support_of(thing).sides
    poses = _stands(scene, place, sides, _AHEAD)
    return _first(poses, lambda pose: approach_thing(scene, thing, pose), thing)


def stand_at_handle(scene: Scene, name: str) -> Array:
    """A pose (3,) of the base from which the arm takes a handle."""
    poses = _stands(scene, scene.world.handle(name), [scene.facing(name)], _AHEAD_OF_HANDLE)
    return _first(poses, lambda pose: approach_handle(scene, name, pose), name)


def stand_to_put(scene: Scene, thing: str, receptacle: str) -> Array:
    """A pose (3,) of the base from which the arm puts what it holds into a receptacle: this one,
    one to the side, or any other."""
    place, sides = scene.world.position(receptacle), scene.support_of(receptacle).sides
    poses = [*_beside(scene, place), *_stands(scene, place, sides, _AHEAD)]
    return _first(poses, lambda pose: place_over(scene, thing, receptacle, pose), receptacle)


def _stands(
    scene: Scene, place: Array, sides: Sequence[Point], ahead: Sequence[float]
) -> Iterator[Array]:
    """Free poses before a place, the best of every distance first; not where the base stands, from
    where it was tried before."""
    found = [
        stand_poses(scene.space, (place[0], place[1]), sides, ahead=x, lateral=y)[:_BEST]
        for y, x in product(_LATERAL, ahead)
    ]
    ranked = (poses[k] for k in range(_BEST) for poses in found if k < len(poses))
    here = scene.robot.base_pose[:2].copy()
    yield from (pose for pose in islice(ranked, _MOST) if np.hypot(*(pose[:2] - here)) > _HERE)


def _beside(scene: Scene, place: Array) -> Iterator[Array]:
    """Where the base stands and where it gets by sliding, nearest to having a place before its arm
    first."""
    base = scene.robot.base_pose.copy()
    left = np.array((-np.sin(base[2]), np.cos(base[2]), 0.0))
    aim = in_frame(place, base)[1] - _LATERAL[0]
    asides = sorted((0.0, *_ASIDES, *-_ASIDES), key=lambda a: (abs(a) > 0.0, abs(aim - a)))
    held = scene.in_hand()
    for aside in asides:
        pose = base + aside * left
        if not aside or scene.straight(pose, held):
            yield pose


def _first(poses: Iterable[Array], plan: Callable[[Array], object], what: str) -> Array:
    """The first pose at which a plan is found."""
    for pose in poses:
        try:
            plan(pose)
        except OutOfReach:
            continue
        return pose
    raise OutOfReach(f"no place to stand from which the hand gets to {what}")


def place_over(scene: Scene, thing: str, receptacle: str, base: Array | None = None) -> Approach:
    """Postures with the thing in the hand in or above a receptacle, upright as it is held: ``at``
    where it is let go, as low as there is room, ``before`` higher."""
    pose = scene.robot.base_pose if base is None else base
    hand, axes = arm().pose(scene.robot.target[5:12])
    foot = in_frame(scene.world.position(thing), scene.robot.base_pose) - hand
    place = in_frame(scene.world.position(receptacle), pose)
    rim = scene.world.things[receptacle].size[2]
    heights = sorted({max(_FLOOR, share * rim) for share in (0.0, 0.5)} | {rim + _DROP})
    for turn, height in product(map(about_z, _TURNS), heights):
        position = place - turn @ foot + height * np.eye(3)[2]
        found = _above(scene, position, turn @ axes, thing, base)
        if found is not None:
            return found
    raise OutOfReach(f"the hand does not get over {receptacle}")


def _above(
    scene: Scene, position: Array, axes: Array, thing: str, base: Array | None
) -> Approach | None:
    now = scene.robot.target[5:12]
    at = arm().solve(position, axes, now)
    if at is None or not scene.clear(at, base=base, opening=1.0, carried=(thing,)):
        return None
    for lifts in _LIFTS:
        way = way_out(at, np.outer(lifts, np.eye(3)[2]))
        if way is not None and scene.clear_way(now, way[0], base=base, carried=(thing,)):
            return Approach(way)
    return None
