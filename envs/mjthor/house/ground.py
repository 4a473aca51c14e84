"""Where the robot stands to reach something, and whether it can: all rectangles at right angles."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from envs.mjthor.house.catalogue import DESIGNS
from envs.mjthor.house.facts import Door, Furniture, House, Point, Room, Support, Thing
from envs.mjthor.house.layout import open_leaf
from envs.mjthor.house.rectangles import Rect, covered, placed
from envs.mjthor.plane import turned

Pose = tuple[float, float, float]  # x, y, yaw of the robot's base
Reached = Callable[[Pose, bool], bool]  # (pose, whether furniture stands open there)
STAND = 0.55  # metres from a thing to the centre of the base that grasps it
DEEPEST = 0.175  # metres behind an edge that the base comes close enough to
BESIDE = 0.25  # metres from there to the lane of the right shoulder
BASE = (0.35, 0.30)  # half length and half width of the robot's base
MARGIN = 0.02  # kept between the base and everything else
_FACED = 0.9  # cosine: fingers close across what looks this way
_DOOR_ROOM = 0.06  # around the open door of a fridge


def stand(point: Point, side: Point, away: float = STAND) -> Pose:
    """Base pose (x, y, yaw) from which the right arm reaches ``point``, coming from ``side``."""
    left = (side[1], -side[0])  # of a robot that looks along -side
    x = point[0] + away * side[0] + BESIDE * left[0]
    y = point[1] + away * side[1] + BESIDE * left[1]
    return (x, y, math.atan2(-side[1], -side[0]))


@dataclass(frozen=True)
class Ground:
    """The floors of the rooms, and what stands on them with the doors open."""

    floors: tuple[Rect, ...]
    taken: tuple[Rect, ...]
    swept: tuple[Rect, ...]  # where the open doors of furniture stand

    @classmethod
    def of(
        cls, rooms: tuple[Room, ...], doors: tuple[Door, ...], pieces: tuple[Furniture, ...]
    ) -> Ground:
        """Of a house without its free things."""
        standing = [p for p in pieces if DESIGNS[p.category].where != "flat"]
        fridges = (p for p in pieces if p.category == "fridge")
        return cls(
            tuple(Rect(*room.low, *room.high) for room in rooms),
            (*map(footprint, standing), *map(open_leaf, doors)),
            tuple(map(_open_fridge, fridges)),
        )

    def holds(self, pose: Pose, swept: bool = True) -> bool:
        """Whether the base fits at a pose at right angles to the walls; ``swept``: also while a
        piece of furniture is open."""
        x, y, yaw = pose
        half = BASE if abs(math.cos(yaw)) > 0.5 else BASE[::-1]
        base = Rect(x - half[0], y - half[1], x + half[0], y + half[1]).grown(MARGIN)
        if not any(floor.holds(base) for floor in self.floors):
            return False
        return not base.hits(self.taken) and not (swept and base.hits(self.swept))


def sides(support: Support, reached: Reached) -> tuple[Point, ...]:
    """Those sides of a support at which the robot can stand for at least one place."""
    return tuple(side for side in support.sides if _standable(support, side, reached))


def _standable(support: Support, side: Point, reached: Reached) -> bool:
    x, y = turned(side, -support.yaw)
    long = abs(y) * support.half[0] + abs(x) * support.half[1] - 0.1
    deep = abs(x) * support.half[0] + abs(y) * support.half[1] - 0.1
    offsets = ((x * deep - y * t, y * deep + x * t) for t in np.linspace(-long, long, 5))
    points = (placed(offset, support.centre[:2], support.yaw) for offset in offsets)
    return any(reached(stand(point, side), bool(support.opening)) for point in points)


def approaches(house: House, thing: Thing) -> list[Pose]:
    """Base poses (x, y, yaw) from which a thing is reached: at the near edges of its support that
    it faces (or turns its back to), where the robot fits with all doors open."""
    ground = Ground.of(house.rooms, house.doors, house.furniture)
    support = next(s for s in house.supports if s.name == thing.support)
    off = (thing.position[0] - support.centre[0], thing.position[1] - support.centre[1])
    poses = []
    for side in support.sides:
        x, y = turned(side, -support.yaw)
        edge = abs(x) * support.half[0] + abs(y) * support.half[1]
        faced = abs(math.cos(thing.yaw) * side[0] + math.sin(thing.yaw) * side[1]) > _FACED
        if faced and edge - (off[0] * side[0] + off[1] * side[1]) <= DEEPEST:
            poses.append(stand(thing.position[:2], side))
    return [pose for pose in poses if ground.holds(pose, swept=bool(support.opening))]


def footprint(piece: Furniture) -> Rect:
    """World bounds of a piece of furniture."""
    d, w, _ = piece.size
    return covered((-d / 2, -w / 2), (d / 2, w / 2), piece.position, piece.yaw)


def _open_fridge(piece: Furniture) -> Rect:
    d, w, _ = piece.size
    low = (d / 2 - _DOOR_ROOM, w / 2 - _DOOR_ROOM)
    high = (d / 2 + w + _DOOR_ROOM, w / 2 + 0.14 + _DOOR_ROOM)
    return covered(low, high, piece.position, piece.yaw)
