"""Placing free things: near an edge at which the robot can stand, with room for the fingers."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from envs.mjthor.house.categories import GRASPABLE, KINDS, RECEPTACLES
from envs.mjthor.house.facts import Point, Support, Thing
from envs.mjthor.house.ground import Reached, stand
from envs.mjthor.house.parts import Vector
from envs.mjthor.house.rectangles import Rect, placed
from envs.mjthor.plane import turned

DEPTHS = (0.06, 0.17)  # from the edge to what is grasped: the base stops before the edge
SPACE = 0.045  # between bounding boxes
FINGERS = 0.075  # free on both sides of what is grasped
LEAST, MOST = 24, 36  # things in a house
PATIENCE = 4  # failed draws after which an edge counts as full
_ASKEW = 0.12  # radians between a thing and the edge it stands at, at most
_RIM = 0.01  # from a bounding box to the edge of its support
_NEAR = (0.15, 0.5)  # from a receptacle to what may be put into it
_NEW_COLOUR = 0.9  # probability that a thing of a category already there differs in colour


@dataclass
class Placing:
    """The things of a house so far. ``taken``: per support, bounding boxes in its frame, each with
    the floor its fingers need."""

    rng: np.random.Generator
    reached: Reached
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
            yaw = math.atan2(ahead[1], ahead[0]) + self.rng.uniform(-_ASKEW, _ASKEW)
            bounds = _bounds(offset, yaw, size)
            if not self._fits(support, bounds, ahead, kind.receptacle):
                continue
            x, y = placed(offset, support.centre[:2], support.yaw)
            if not self.reached(stand((x, y), side), bool(support.opening)):
                continue
            return self._keep(category, support, (x, y), yaw, size, bounds, ahead)
        return None

    def _size(self, category: str) -> Vector:
        kind = KINDS[category]
        x, y, z = (round(float(v), 4) for v in self.rng.uniform(kind.low, kind.high))
        return (x, x if kind.equal else y, x if kind.equal == "xyz" else z)

    def _offset(
        self,
        support: Support,
        ahead: Point,
        size: Vector,
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

    def _keep(
        self,
        category: str,
        support: Support,
        point: Point,
        yaw: float,
        size: Vector,
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


def _bounds(centre: Point, yaw: float, size: Vector) -> Rect:
    c, s = abs(math.cos(yaw)) / 2, abs(math.sin(yaw)) / 2
    x, y = c * size[0] + s * size[1], s * size[0] + c * size[1]
    return Rect(centre[0] - x, centre[1] - y, centre[0] + x, centre[1] + y)


def _with_fingers(bounds: Rect, ahead: Point) -> Rect:
    """Grown along the edge, where fingers close, and a little across it for what stands askew."""
    x, y = (FINGERS * abs(a) + 0.02 * abs(b) for a, b in (ahead[::-1], ahead))
    return Rect(bounds.x0 - x, bounds.y0 - y, bounds.x1 + x, bounds.y1 + y)


def things(
    rng: np.random.Generator, supports: Sequence[Support], reached: Reached
) -> tuple[Thing, ...] | None:
    """24 to 36 things, or ``None`` where too few found a place."""
    placing = Placing(rng, reached)
    grasped, receptacles = _endless(rng, tuple(GRASPABLE)), _endless(rng, tuple(RECEPTACLES))
    if not _group(placing, supports, grasped, receptacles):
        return None
    count = int(rng.integers(LEAST + 2, MOST + 1))
    places = [(support, side) for support in supports for side in support.sides]
    left = dict.fromkeys(range(len(places)), PATIENCE)  # failures until a place counts as full
    while left and len(placing.things) < count:
        i = min(left, key=lambda k: _fill(placing, *places[k]) + rng.uniform(0, 0.6))
        support, side = places[i]
        many = sum(thing.receptacle for thing in placing.things) * 6 > len(placing.things)
        hollow = not support.opening and not many
        if placing.put(next(receptacles if hollow else grasped), support, side) is None:
            left[i] -= 1
            if not left[i]:
                del left[i]
    return tuple(placing.things) if len(placing.things) >= LEAST else None


def _fill(placing: Placing, support: Support, side: Point) -> float:
    """Things per 0.2 m of all edges of a support: the emptiest is served first."""
    across = turned(side, -support.yaw)
    length = abs(across[1]) * support.half[0] + abs(across[0]) * support.half[1]
    return 0.1 * len(placing.taken.get(support.name, ())) / (length * len(support.sides))


def _endless(rng: np.random.Generator, names: Sequence[str]) -> Iterator[str]:
    """Names in drawn order, all of them before any comes again."""
    while True:
        yield from (names[i] for i in rng.permutation(len(names)))


def _group(
    placing: Placing,
    supports: Sequence[Support],
    grasped: Iterator[str],
    receptacles: Iterator[str],
) -> bool:
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
            near += (
                thing is not None
                and _NEAR[0] < math.dist(thing.position[:2], bowl.position[:2]) < _NEAR[1]
            )
        if near >= 2:
            return True
    return False


_GROUPS = ("counter", "table")
