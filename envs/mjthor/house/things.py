"""Placing free things: near an edge at which the robot can stand, with room for the fingers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from envs.mjthor.house.categories import KINDS
from envs.mjthor.house.facts import Point, Support, Thing
from envs.mjthor.house.free_space import FreeSpace
from envs.mjthor.house.rectangles import Rect, covered, placed, turned

STAND = 0.55  # metres from a thing to the centre of the base that grasps it
BESIDE = 0.25  # metres from there to the right shoulder's lane
DEPTHS = (0.06, 0.17)  # from the edge to what is grasped: the base stops before the edge
SPACE = 0.045  # between bounding boxes
FINGERS = 0.065  # free on both sides of what is grasped
_RIM = 0.01  # from a bounding box to the edge of its support
_NEAR = (0.15, 0.5)  # from a receptacle to what may be put into it
_NEW_COLOUR = 0.9  # probability that a thing of a category already there differs in colour
GRASPED = tuple(name for name, kind in KINDS.items() if not kind.receptacle)
RECEPTACLES = tuple(name for name, kind in KINDS.items() if kind.receptacle)


def stand(point: Point, side: Point) -> tuple[float, float, float]:
    """Base pose (x, y, yaw) from which the right arm grasps at ``point`` coming from ``side``."""
    ahead = (-side[0], -side[1])
    left = (-ahead[1], ahead[0])
    x = point[0] + STAND * side[0] + BESIDE * left[0]
    y = point[1] + STAND * side[1] + BESIDE * left[1]
    return (x, y, math.atan2(ahead[1], ahead[0]))


@dataclass
class Placing:
    """The things of a house so far. ``taken``: per support, bounding boxes in its frame, each with
    the floor its fingers need."""

    rng: np.random.Generator
    space: FreeSpace
    blocked: Sequence[Rect]  # swept by doors of furniture: no place to stand beside them
    things: list[Thing] = field(default_factory=list)
    taken: dict[str, list[tuple[Rect, Rect]]] = field(default_factory=dict)

    def put(
        self,
        category: str,
        support: Support,
        side: Point,
        along: tuple[float, float] | None = None,
        tries: int = 6,
    ) -> Thing | None:
        """Put a new thing near the edge of ``side``, ``along`` it between two offsets (metres)
        from the support's middle; ``None`` if no drawn place is free."""
        kind = KINDS[category]
        size = self._size(category)
        ahead = turned(side, -support.yaw)
        for _ in range(tries):
            offset = self._offset(support, ahead, size, kind.receptacle, along)
            if offset is None:
                return None
            yaw = math.atan2(ahead[1], ahead[0]) + self.rng.uniform(-0.15, 0.15)
            bounds = covered(
                (-size[0] / 2, -size[1] / 2), (size[0] / 2, size[1] / 2), offset, yaw
            )
            if not self._fits(support, bounds, ahead, kind.receptacle):
                continue
            x, y = placed(offset, support.centre[:2], support.yaw)
            if not self._reached((x, y), side):
                continue
            return self._keep(category, support, (x, y), yaw, size, bounds, ahead)
        return None

    def _size(self, category: str) -> tuple[float, float, float]:
        kind = KINDS[category]
        x, y, z = (round(float(v), 4) for v in self.rng.uniform(kind.low, kind.high))
        return (x, x if kind.even else y, z)

    def _offset(
        self,
        support: Support,
        ahead: Point,
        size: tuple[float, float, float],
        deep: bool,
        along: tuple[float, float] | None,
    ) -> Point | None:
        """A drawn place in the support's frame, ``None`` where the support is too small."""
        across = abs(ahead[0]) * support.half[0] + abs(ahead[1]) * support.half[1]
        length = abs(ahead[1]) * support.half[0] + abs(ahead[0]) * support.half[1]
        least = max(size[0] / 2 + 0.02, DEPTHS[0])
        most = least + 0.02 if deep else DEPTHS[1]
        limit = length - size[1] / 2 - 0.02
        low, high = along or (-limit, limit)
        low, high = max(low, -limit), min(high, limit)
        if low >= high or least >= most or most + size[0] / 2 > 2 * across:
            return None
        inward, t = across - self.rng.uniform(least, most), self.rng.uniform(low, high)
        return (ahead[0] * inward - ahead[1] * t, ahead[1] * inward + ahead[0] * t)

    def _fits(self, support: Support, bounds: Rect, ahead: Point, receptacle: bool) -> bool:
        hx, hy = support.half
        if not Rect(-hx, -hy, hx, hy).grown(-_RIM).holds(bounds):
            return False
        hands = bounds if receptacle else _with_fingers(bounds, ahead)
        if support.opening and (hands.y0 < -hy or hands.y1 > hy):
            return False  # between walls
        return not any(
            bounds.grown(SPACE).overlaps(other)
            or hands.overlaps(other)
            or bounds.overlaps(others_hands)
            for other, others_hands in self.taken.get(support.name, ())
        )

    def _reached(self, point: Point, side: Point) -> bool:
        x, y, yaw = stand(point, side)
        base = covered((-0.35, -0.30), (0.35, 0.30), (x, y), yaw)
        return self.space.rectangle_free(x, y, yaw) and not base.hits(self.blocked)

    def _keep(
        self,
        category: str,
        support: Support,
        point: Point,
        yaw: float,
        size: tuple[float, float, float],
        bounds: Rect,
        ahead: Point,
    ) -> Thing:
        kind = KINDS[category]
        hands = bounds if kind.receptacle else _with_fingers(bounds, ahead)
        self.taken.setdefault(support.name, []).append((bounds, hands))
        count = sum(thing.category == category for thing in self.things)
        thing = Thing(
            name=f"{category.replace(' ', '_')}_{count}",
            category=category,
            colour=self._colour(category),
            support=support.name,
            position=(round(point[0], 4), round(point[1], 4), support.centre[2]),
            yaw=round(yaw + support.yaw, 4),
            size=size,
            grasp=0.0 if kind.receptacle else size[1],
            receptacle=kind.receptacle,
        )
        self.things.append(thing)
        return thing

    def _colour(self, category: str) -> str:
        colours = KINDS[category].colours
        used = {thing.colour for thing in self.things if thing.category == category}
        fresh = [colour for colour in colours if colour not in used]
        if not fresh or self.rng.random() > _NEW_COLOUR:
            fresh = list(colours)
        return fresh[int(self.rng.integers(len(fresh)))]


def _with_fingers(bounds: Rect, ahead: Point) -> Rect:
    """Grown along the edge: fingers close across the direction ``ahead``."""
    x, y = FINGERS * abs(ahead[1]), FINGERS * abs(ahead[0])
    return Rect(bounds.x0 - x, bounds.y0 - y, bounds.x1 + x, bounds.y1 + y)


def standable(support: Support, space: FreeSpace, blocked: Sequence[Rect]) -> Support:
    """The same support with those sides only at which the robot can stand somewhere."""
    placing = Placing(np.random.default_rng(0), space, blocked)
    sides = []
    for side in support.sides:
        x, y = turned(side, -support.yaw)
        half = abs(y) * support.half[0] + abs(x) * support.half[1]
        depth = abs(x) * support.half[0] + abs(y) * support.half[1] - 0.1
        for t in np.linspace(-half + 0.1, half - 0.1, 5):
            offset = (x * depth - y * t, y * depth + x * t)
            if placing._reached(placed(offset, support.centre[:2], support.yaw), side):
                sides.append(side)
                break
    return replace(support, sides=tuple(sides))


def things(
    rng: np.random.Generator,
    supports: Sequence[Support],
    space: FreeSpace,
    blocked: Sequence[Rect],
) -> tuple[Thing, ...] | None:
    """24 to 36 things, or ``None`` where too few found a place."""
    placing = Placing(rng, space, blocked)
    grasped, receptacles = _endless(rng, GRASPED), _endless(rng, RECEPTACLES)
    if not _group(placing, supports, grasped, receptacles):
        return None
    places = [(s, side) for s in supports for side in s.sides]
    # Long edges carry more.
    weights = np.array([1.5 * s.half[1] + 0.2 for s, _ in places])
    count = int(rng.integers(26, 37))
    for _ in range(4 * count):
        if len(placing.things) == count:
            break
        support, side = places[int(rng.choice(len(places), p=weights / weights.sum()))]
        many = sum(thing.receptacle for thing in placing.things) * 6 > len(placing.things)
        deep = not support.opening and not many
        placing.put(next(receptacles if deep else grasped), support, side)
    return tuple(placing.things) if len(placing.things) >= 24 else None


def _endless(rng: np.random.Generator, names: Sequence[str]):  # type: ignore[no-untyped-def]
    """Names in drawn order, all of them before any comes again."""
    while True:
        yield from (names[i] for i in rng.permutation(len(names)))


def _group(placing: Placing, supports: Sequence[Support], grasped, receptacles) -> bool:  # type: ignore[no-untyped-def]
    """On one counter or table a receptacle with two graspable things beside it."""
    tops = [(s, side) for s in supports for side in s.sides if s.furniture.startswith(_GROUPS)]
    for i in placing.rng.permutation(len(tops)):
        support, side = tops[i]
        bowl = placing.put(next(receptacles), support, side)
        if bowl is None:
            continue
        ahead = turned(side, -support.yaw)
        local = turned(
            (bowl.position[0] - support.centre[0], bowl.position[1] - support.centre[1]),
            -support.yaw,
        )
        middle = ahead[0] * local[1] - ahead[1] * local[0]
        near = 0
        for low, high in ((0.2, 0.42), (-0.42, -0.2)) * 2:
            thing = placing.put(next(grasped), support, side, (middle + low, middle + high))
            near += thing is not None and _NEAR[0] < math.dist(
                thing.position[:2], bowl.position[:2]
            ) < _NEAR[1]
        if near >= 2:
            return True
    return False


_GROUPS = ("counter", "table")
