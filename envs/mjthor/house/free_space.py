"""Where the robot fits and how far it is from place to place.

Two models of the same solid boxes (walls, doors at their angle, footprints of furniture; what lies
on the floor is left out): a raster of clearances for planning with a disc, and exact boxes for the
robot's rectangle at a pose.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property

import numpy as np

from envs.mjthor.house import solid
from envs.mjthor.house.facts import House, Point
from envs.mjthor.house.raster import CELL, Raster, Ways
from envs.mjthor.house.solid import Array, Mask

BASE_HALF = (0.35, 0.30)  # half length and half width of the base, RB-Y1M
RADIUS = 0.42  # disc that stands for the base on its way
TURNING = 0.48  # clearance in which the base (corners at 0.461) turns on the spot
TIGHT = 0.30  # clearance below which the base fits at no heading
SLIDE = 1.2  # metres within which a place to turn is looked for
EYES = 1.1  # furniture higher than this hides what is behind it from the head camera


class FreeSpace:
    """The free floor of a house; ``opened``: door name -> fraction open (0..1), 1 where absent.

    Distances are for a disc of a given radius. A start or goal where the disc does not fit stands
    for the nearest place of its room where it does (the robot at a counter, a thing on a table).
    """

    def __init__(self, house: House, opened: Mapping[str, float] | None = None) -> None:
        self.house = house
        self._low, self._high = np.array(house.low, float), np.array(house.high, float)
        fixed = np.concatenate((solid.walls(house), solid.leaves(house, opened or {})))
        self.boxes = np.concatenate((fixed, solid.furniture(house)))
        self._high_boxes = np.concatenate((fixed, solid.furniture(house, EYES)))
        self.raster = Raster.of(self.boxes, self._low, self._high)
        self._ways: dict[tuple[float, bool], Ways] = {}

    def clearance(self, points: Array) -> Array:
        """Metres (N,) from points (N, 2) to what is solid, at most 0.8; negative inside of it."""
        return self.raster.at(np.asarray(points, float))

    def rectangle_free(self, x: float, y: float, yaw: float, margin: float = 0.02) -> bool:
        """Whether the base, grown by ``margin`` metres on all sides, fits at a pose. Exact."""
        return bool(self.rectangles_free(np.array([(x, y, yaw)]), margin)[0])

    def rectangles_free(self, poses: Array, margin: float = 0.02) -> Mask:
        """``rectangle_free`` (N,) of many poses (N, 3)."""
        half = np.broadcast_to(np.add(BASE_HALF, margin), (len(poses), 2))
        free = self.clearance(poses[:, :2]) >= TIGHT + margin - 0.02  # cheap, spares the exact test
        base = np.column_stack((poses[:, :2], half, poses[:, 2]))[free]
        free[free] = ~solid.overlaps(base, self.boxes)
        return free

    def sees(self, points: Array, target: Point) -> Mask:
        """Whether (N,) no wall, leaf or high furniture is between points (N, 2) and a target.

        What the target itself is in or on is no hindrance.
        """
        place = np.array(target, float)
        other = [box for box in self._high_boxes if solid.distance(box, place) > 0.0]
        goals = np.broadcast_to(place, (len(points), 2))
        return ~solid.crossed(np.asarray(points, float), goals, np.array(other))

    def ways(self, radius: float = RADIUS, *, shy: bool = False) -> Ways:
        """The graph of a radius, built once."""
        if (radius, shy) not in self._ways:
            self._ways[radius, shy] = Ways(self.raster, radius, shy=shy)
        return self._ways[radius, shy]

    def distances(self, goals: Point | Sequence[Point] | Array, radius: float = RADIUS) -> Array:
        """Metres (W, H) from the centre of every cell to the nearest goal; inf where none is.

        Row and column follow x and y: ``raster.centres`` are the positions. Over 16 directions: up
        to 2.8 % more than the true length. ``distance`` and ``path`` are tighter.
        """
        ways = self.ways(radius)
        field = np.full(self.raster.field.shape, np.inf)
        nodes = {self._node(goal, ways) for goal in np.reshape(goals, (-1, 2))}
        known = np.array([node for node in nodes if node is not None], np.intp)
        if len(known):
            field.flat[ways.cells] = ways.field(known)
        return field

    def distance(self, start: Point, goal: Point, radius: float = RADIUS) -> float:
        """Length in metres of the shortest way for a disc, pulled straight; inf without a way."""
        way = self._way(start, goal, self.ways(radius))
        return float("inf") if way is None else float(np.hypot(*np.diff(way, axis=0).T).sum())

    def path(self, start: Point, goal: Point, radius: float = RADIUS) -> Array | None:
        """Way points (K, 2) from start to goal that keep away from obstacles where they can.

        ``None`` without a way. A goal at which the base fits at no heading is left out, and the
        path ends at the place of the disc nearest to it.
        """
        way = self._way(start, goal, self.ways(radius, shy=True))
        if way is None or self.clearance(np.array([goal]))[0] >= TIGHT:
            return way
        return way[:-1]

    def _way(self, start: Point, goal: Point, ways: Ways) -> Array | None:
        first, last = self._node(start, ways), self._node(goal, ways)
        if first is None or last is None:
            return None
        way = ways.between(first, last)
        if way is None:
            return None
        ends = np.array((start, goal), float)
        fits = self.clearance(ends) >= ways.radius
        # An end where the disc fits takes the place of its cell; another is reached from it.
        inner = way[int(fits[0]) : len(way) - int(fits[1])]
        tight = ways.tightened(np.concatenate((ends[:1][fits[:1]], inner, ends[1:][fits[1:]])))
        return np.concatenate((ends[:1][~fits[:1]], tight, ends[1:][~fits[1:]]))

    def _node(self, point: Point | Array, ways: Ways) -> int | None:
        """The nearest cell of the graph; where the disc does not fit, one in the same room before
        any other, and none of a pocket if it can be helped."""
        if not len(ways.points):
            return None
        place = np.asarray(point, float)
        gaps = np.hypot(*(ways.points - place).T)
        if self.clearance(place[None])[0] >= ways.radius:
            return int(np.argmin(gaps))
        gaps = np.where(ways.roomy, gaps, gaps + 1e2)
        room = self.house.room_at((float(place[0]), float(place[1])))
        if room is not None:
            inside = ((ways.points >= room.low) & (ways.points <= room.high)).all(1)
            gaps = np.where(inside, gaps, gaps + 1e3)
        return int(np.argmin(gaps))

    def can_leave(self, pose: Sequence[float] | Array) -> bool:
        """Whether ``turning_point`` of a pose (x, y, yaw) is one and not in a pocket of floor:
        the base gets to the pose and away."""
        spot = self.turning_point(pose)
        turns = self.clearance(spot[None])[0] >= TURNING - 1e-9
        return bool(turns and np.hypot(*(self._spots - spot).T).min(initial=np.inf) < CELL)

    def sample(
        self,
        rng: np.random.Generator,
        count: int,
        *,
        room: str | None = None,
        radius: float = RADIUS,
    ) -> Array:
        """Poses (<= count, 3) uniform over the floor where a disc fits, of one room or all."""
        places = self.ways(radius).points[self.ways(radius).roomy]
        if room is not None:
            bounds = next(item for item in self.house.rooms if item.name == room)
            places = places[((places >= bounds.low) & (places <= bounds.high)).all(1)]
        if not len(places):
            return np.empty((0, 3))
        chosen = places[rng.integers(len(places), size=count)]
        poses = np.column_stack((chosen, rng.uniform(-np.pi, np.pi, count)))
        return poses[self.rectangles_free(poses)]

    @cached_property
    def _spots(self) -> Array:
        """Places (N, 2), none in a pocket, where the base turns on the spot."""
        ways = self.ways()
        roomy = ways.points[ways.roomy]
        return roomy[self.clearance(roomy) >= TURNING]

    def turning_point(self, pose: Sequence[float] | Array) -> Array:
        """The nearest place (2,) where the base can turn on the spot and from which it slides
        straight to a pose (x, y, yaw) without turning; the pose's own place where there is none.
        """
        place, yaw = np.asarray(pose[:2], float), float(pose[2])
        if self.clearance(place[None])[0] >= TURNING:
            return place
        spots = self._spots
        gaps = np.hypot(*(spots - place).T)
        near = np.argsort(gaps, kind="stable")[: int((gaps < SLIDE).sum())]
        parts = np.linspace(0.0, 1.0, int(SLIDE / 0.05))[:, None]
        for spot in spots[near[::3]]:
            line = place + parts * (spot - place)
            poses = np.column_stack((line, np.full(len(line), yaw)))
            if self.rectangles_free(poses, 0.0)[1:].all():
                return np.asarray(spot)
        return place
