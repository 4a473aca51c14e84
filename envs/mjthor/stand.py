"""Where to put the base: poses from which a target is reached, seen, or a walk away."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from envs.mjthor.house.facts import Point
from envs.mjthor.house.free_space import RADIUS, TIGHT, FreeSpace
from envs.mjthor.plane import wrapped

Array = NDArray[np.float64]

TWISTS = np.linspace(-0.6, 0.6, 13)  # radians off the direction straight at a side
MARGIN = 0.02  # metres kept free around the base
ROOMY = 0.6  # clearance of the base's centre beyond which more is not better


def stand_poses(
    space: FreeSpace,
    target: Point,
    sides: Sequence[Point],
    *,
    ahead: float,
    lateral: float,
    margin: float = MARGIN,
) -> Array:
    """Free base poses (N, 3) at which ``target`` is at (``ahead``, ``lateral``) of the robot, and
    from which it can drive away: a slide leads to a place where it can turn.

    ``sides``: outward directions (x, y) at which the robot can stand, ``Support.sides``; none: all
    around. Best first: facing a side squarely, then with room around.
    """
    inward = [np.arctan2(-y, -x) for x, y in sides]
    if not inward:
        inward = list(np.arange(-np.pi, np.pi, np.pi / 12))
    twists = TWISTS if len(sides) else np.zeros(1)
    yaw = np.add.outer(np.array(inward), twists).ravel()
    twist = np.tile(np.abs(twists), len(inward))
    cos, sin = np.cos(yaw), np.sin(yaw)
    x = target[0] - cos * ahead + sin * lateral
    y = target[1] - sin * ahead - cos * lateral
    poses = np.column_stack((x, y, wrapped(yaw)))
    free = space.rectangles_free(poses, margin)
    free[free] = [space.can_leave(pose) for pose in poses[free]]
    cramped = ROOMY - np.minimum(space.clearance(poses[:, :2]), ROOMY)
    order = np.argsort((twist + cramped)[free], kind="stable")
    return poses[free][order]


def view_poses(
    space: FreeSpace,
    target: Point,
    low: float = 0.6,
    high: float = 1.4,
    *,
    radius: float = RADIUS,
) -> Array:
    """Free poses (N, 3) that face a target ``low`` to ``high`` metres away with nothing high in
    between (walls, doors, wardrobes), the roomiest first.

    Where the disc of ``radius`` fits; at a target in a nook, where there are none of these, poses
    that are reached by sliding.
    """
    ways = space.ways(radius)
    poses = _facing(space, ways.points[ways.roomy], target, low, high)
    if not len(poses):
        narrow = (space.raster.field >= TIGHT) & (space.raster.field < radius)
        poses = _facing(space, space.raster.centres[narrow], target, low, high)
        poses = poses[np.array([space.can_leave(pose) for pose in poses], bool)]
    roomy = np.minimum(space.clearance(poses[:, :2]), ROOMY)
    return poses[np.argsort(-roomy, kind="stable")]


def _facing(space: FreeSpace, places: Array, target: Point, low: float, high: float) -> Array:
    """Free poses (N, 3) at some of ``places`` (M, 2) that face and see a target."""
    gap = np.asarray(target, float) - places
    length = np.hypot(*gap.T)
    near = (length >= low) & (length <= high)
    places, gap = places[near], gap[near]
    poses = np.column_stack((places, np.arctan2(gap[:, 1], gap[:, 0])))
    poses = poses[space.sees(places, target)]
    return poses[space.rectangles_free(poses, MARGIN)]


def start_poses(
    rng: np.random.Generator,
    space: FreeSpace,
    target: Point | Sequence[Point],
    low: float,
    high: float,
    count: int = 1,
    *,
    radius: float = RADIUS,
) -> Array:
    """Random free poses (<= count, 3) whose way to a target is ``low`` to ``high`` metres long: to
    the nearest, where there are several.

    Uniform over the floor and the heading. Fewer than ``count`` only where the floor has too few.
    """
    ways = space.ways(radius)
    length = space.distances(target, radius).ravel()[ways.cells]
    places = ways.points[(length >= low) & (length <= high)]
    if not len(places):
        return np.empty((0, 3))
    chosen = places[rng.integers(len(places), size=max(64, 4 * count))]
    poses = np.column_stack((chosen, rng.uniform(-np.pi, np.pi, len(chosen))))
    return poses[space.rectangles_free(poses, MARGIN)][:count]
