"""What is solid in a house, seen from above: oriented boxes and exact plane geometry on them.

A set of boxes is a float64 array (M, 5) of rows x, y, half length, half width, yaw: metres and
radians in the world frame.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from envs.mjthor.house.facts import Door, House
from envs.mjthor.house.layout import LEAF_THICKNESS, doorway

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

BORDER = 0.5  # metres of solid ground around the house


def _doorway(house: House, door: Door) -> tuple[float, ...]:
    """The rectangle of floor under a door, through the wall: x low, y low, x high, y high."""
    first, second = (room for room in house.rooms if room.name in door.rooms)
    axis, start, end = doorway(door)
    low, high = np.full(2, start), np.full(2, end)
    low[axis] = min(first.high[axis], second.high[axis])
    high[axis] = max(first.low[axis], second.low[axis])
    return (*low, *high)


def walls(house: House) -> Array:
    """Boxes (M, 5) of everything that is neither a room nor a doorway, border included.

    The edges of all rooms and doorways cut the plane into a few hundred rectangles; the ones
    outside every room and doorway are solid, and neighbours in a row are one box.
    """
    floors: list[tuple[float, ...]] = [(*room.low, *room.high) for room in house.rooms]
    floors += [_doorway(house, door) for door in house.doors]
    rim = (*np.subtract(house.low, BORDER), *np.add(house.high, BORDER))
    edges = np.array([*floors, rim])
    xs, ys = (np.unique(edges[:, axis::2]) for axis in (0, 1))
    x, y = np.meshgrid((xs[1:] + xs[:-1]) / 2, (ys[1:] + ys[:-1]) / 2, indexing="ij")
    solid = np.ones(x.shape, bool)
    for x0, y0, x1, y1 in floors:
        solid &= ~((x0 < x) & (x < x1) & (y0 < y) & (y < y1))
    return np.array(
        [
            (
                (xs[i] + xs[j]) / 2,
                (ys[k] + ys[k + 1]) / 2,
                (xs[j] - xs[i]) / 2,
                (ys[k + 1] - ys[k]) / 2,
                0,
            )
            for k in range(len(ys) - 1)
            for i, j in _runs(solid[:, k])
        ]
    )


def _runs(flags: Mask) -> Iterator[tuple[int, int]]:
    """First and one past the last index of every run of true flags."""
    changes = np.flatnonzero(np.diff(np.concatenate(([0], flags.astype(int), [0]))))
    return zip(changes[::2], changes[1::2], strict=True)


def leaves(house: House, opened: Mapping[str, float]) -> Array:
    """Boxes (M, 5) of the door leaves; ``opened``: door name -> fraction open, 1 where absent."""
    rows = []
    for door in house.doors:
        hinge, span = np.array(door.hinge), np.subtract(door.latch, door.hinge)
        yaw = np.arctan2(span[1], span[0]) + door.open_angle * opened.get(door.name, 1.0)
        half = np.linalg.norm(span) / 2
        centre = hinge + half * np.array((np.cos(yaw), np.sin(yaw)))
        rows.append((*centre, half, LEAF_THICKNESS / 2, yaw))
    return np.array(rows).reshape(-1, 5)


def furniture(house: House, above: float = 0.0) -> Array:
    """Boxes (M, 5) of the footprints of the furniture that is higher than ``above`` metres."""
    rows = [
        (*item.position, item.size[0] / 2, item.size[1] / 2, item.yaw)
        for item in house.furniture
        if item.size[2] > above
    ]
    return np.array(rows).reshape(-1, 5)


def _turn(vectors: Array, yaw: Array) -> Array:
    """World vectors (..., 2) in frames turned by ``yaw`` (...)."""
    cos, sin = np.cos(yaw), np.sin(yaw)
    x, y = vectors[..., 0], vectors[..., 1]
    return np.stack((cos * x + sin * y, cos * y - sin * x), axis=-1)


def distance(box: Array, points: Array) -> Array:
    """Signed distance (...) from points (..., 2) to one box (5,), negative inside it."""
    beyond = np.abs(_turn(points - box[:2], box[4])) - box[2:4]
    outside = np.hypot(np.maximum(beyond[..., 0], 0.0), np.maximum(beyond[..., 1], 0.0))
    return outside + np.minimum(beyond.max(-1), 0.0)


def overlaps(boxes: Array, others: Array) -> Mask:
    """For each box (N, 5) whether it overlaps any of the others (M, 5) (separating axes)."""
    if not len(others):
        return np.zeros(len(boxes), bool)
    here, there = boxes[:, None], others[None]
    apart = there[..., :2] - here[..., :2]
    relative = there[..., 4] - here[..., 4]
    cos, sin = np.abs(np.cos(relative)), np.abs(np.sin(relative))
    turned = np.stack((np.stack((cos, sin), -1), np.stack((sin, cos), -1)), -2)
    own = np.einsum("nmij,nmj->nmi", turned, np.broadcast_to(there[..., 2:4], apart.shape))
    theirs = np.einsum("nmij,nmj->nmi", turned, np.broadcast_to(here[..., 2:4], apart.shape))
    met = np.abs(_turn(apart, here[..., 4])) < here[..., 2:4] + own
    met &= np.abs(_turn(apart, there[..., 4])) < there[..., 2:4] + theirs
    return met.all(-1).any(1)


def crossed(starts: Array, ends: Array, boxes: Array) -> Mask:
    """For each straight line from ``starts`` (N, 2) to ``ends`` (N, 2) whether a box is on it."""
    if not len(boxes):
        return np.zeros(len(starts), bool)
    there = boxes[None]
    origin = _turn(starts[:, None] - there[..., :2], there[..., 4])
    along = _turn((ends - starts)[:, None] + 0 * origin, there[..., 4] + 0 * origin[..., 0])
    along = np.where(np.abs(along) < 1e-12, 1e-12, along)
    bounds = (np.stack((-there[..., 2:4], there[..., 2:4])) - origin) / along
    enter, leave = bounds.min(0).max(-1), bounds.max(0).min(-1)
    return ((enter < leave) & (leave > 0.0) & (enter < 1.0)).any(1)
