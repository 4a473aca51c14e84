"""Placing furniture: backs at walls, doors and fronts kept free."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from envs.mjthor.house.catalogue import DESIGNS, OPTIONAL, REQUIRED, Design, piece
from envs.mjthor.house.facts import Door, Furniture, Opening, Point, Room, Support
from envs.mjthor.house.layout import standing_areas
from envs.mjthor.house.parts import Vector
from envs.mjthor.house.rectangles import Rect, covered, placed, rounded
from envs.mjthor.plane import turned

_GAP = 0.01  # between a back and its wall
_TRIES = 24
_WISHED = 0.65  # probability of trying each piece that is not required


@dataclass
class Furnished:
    """What has been placed so far: the pieces and, per room, floor taken and floor kept free."""

    pieces: list[Furniture] = field(default_factory=list)
    bodies: list[Rect] = field(default_factory=list)
    free: list[Rect] = field(default_factory=list)

    def fits(self, body: Rect, front: Rect) -> bool:
        """Nothing stands in another, nor where another needs its front free."""
        taken = body.hits(self.bodies) or body.hits(self.free)
        return not taken and not front.hits(self.bodies)

    def keep(
        self,
        rng: np.random.Generator,
        room: Room,
        category: str,
        size: Vector,
        pose: tuple[Point, float],
        floor: tuple[Rect, Rect],
    ) -> None:
        """Add a piece whose body and front take ``floor``; what lies flat takes none."""
        design = DESIGNS[category]
        count = sum(p.category == category for p in self.pieces)
        name = f"{category.replace(' ', '_')}_{count}"
        colour = str(rng.choice(design.colours))
        self.pieces.append(Furniture(name, category, colour, room.name, *pose, size))
        if design.where != "flat":
            self.bodies.append(floor[0])
            if design.front:
                self.free.append(floor[1])


def furnish(
    rng: np.random.Generator, rooms: tuple[Room, ...], doors: tuple[Door, ...]
) -> tuple[Furniture, ...] | None:
    """Furniture for all rooms, or ``None`` if something that is required found no place."""
    done = Furnished()
    for door in doors:
        done.free += standing_areas(door, rooms)
    for room, category in _needed(rng, rooms):
        if not _place(rng, room, category, done):
            return None
    for room in rooms:
        wishes = OPTIONAL[room.kind]
        for i in rng.permutation(len(wishes)):
            if rng.random() < _WISHED:
                _place(rng, room, wishes[i], done)
    return tuple(done.pieces)


def _needed(rng: np.random.Generator, rooms: tuple[Room, ...]) -> list[tuple[Room, str]]:
    """The required furniture of each room, the table and a dresser where they find space."""
    needed = [(room, category) for room in rooms for category in REQUIRED[room.kind]]
    for category, kinds in (("table", ("living room", "kitchen")), ("dresser", ("living room",))):
        hosts = [room for room in rooms if room.kind in kinds]
        if all(category != c for _, c in needed):
            needed.append((hosts[int(rng.integers(len(hosts)))], category))
    if len(rooms) == 2:
        needed.append((next(r for r in rooms if r.kind != "kitchen"), "plant"))
    # The large ones first: they have the least choice.
    return sorted(needed, key=lambda n: -DESIGNS[n[1]].high[1] * (1 + DESIGNS[n[1]].front))


def _place(rng: np.random.Generator, room: Room, category: str, done: Furnished) -> bool:
    """Put a piece of a drawn size at the first of several drawn places where it fits."""
    design = DESIGNS[category]
    d, w, h = (round(float(v), 2) for v in rng.uniform(design.low, design.high))
    for attempt in range(_TRIES):
        free = design.where in ("free", "flat") and attempt < _TRIES // 2
        spot = _free_spot(rng, room) if free else _wall_spot(rng, room, design, (d, w, h))
        if spot is None:
            continue
        position, yaw = spot
        body = covered((-d / 2, -w / 2), (d / 2, w / 2), position, yaw)
        front = body
        if design.front:
            low, high = -w / 2 - design.left, w / 2 + design.right
            front = covered((d / 2, low), (d / 2 + design.front, high), position, yaw)
        floor = Rect(*room.low, *room.high)
        if not floor.holds(body) or not floor.holds(front):
            continue
        if design.where == "flat" or done.fits(body, front):
            done.keep(rng, room, category, (d, w, h), (position, yaw), (body, front))
            return True
    return False


def _wall_spot(
    rng: np.random.Generator, room: Room, design: Design, size: Vector
) -> tuple[Point, float] | None:
    d, w, _ = size
    turns = int(rng.integers(4))
    axis, sign = turns % 2, (1.0, 1.0, -1.0, -1.0)[turns]  # the front looks along this axis
    wall = room.low[axis] if sign > 0 else room.high[axis]
    low, high = (
        end + s * (w / 2 + _GAP) for end, s in ((room.low[1 - axis], 1), (room.high[1 - axis], -1))
    )
    if low > high:
        return None
    cornered = design.where == "corner" or rng.random() < 0.5
    along = float(rng.choice((low, high)) if cornered else rng.uniform(low, high))
    across = wall + sign * (d / 2 + _GAP)
    position = (across, along) if axis == 0 else (along, across)
    return rounded(position), turns * math.pi / 2


def _free_spot(rng: np.random.Generator, room: Room) -> tuple[Point, float]:
    x, y = rng.uniform(np.add(room.low, 1.0), np.subtract(room.high, 1.0))
    return rounded((float(x), float(y))), int(rng.integers(4)) * math.pi / 2


def supports(pieces: tuple[Furniture, ...]) -> list[Support]:
    """All surfaces in world coordinates, each with every side its design offers."""
    found = []
    for p in pieces:
        for s in piece(p.category, p.size).surfaces:
            x, y = rounded(placed(s.centre[:2], p.position, p.yaw))
            sides = tuple(_whole(turned(side, p.yaw)) for side in s.sides)
            opening = f"{p.name}/{s.opening}" if s.opening else ""
            centre = (x, y, s.centre[2])
            found.append(
                Support(f"{p.name}/{s.name}", p.name, p.room, centre, s.half, p.yaw, sides, opening)
            )
    return found


def openings(pieces: tuple[Furniture, ...]) -> tuple[Opening, ...]:
    """All drawers and hinged doors in world coordinates."""
    found = []
    for p in pieces:
        for m in piece(p.category, p.size).moving:
            axis = placed(m.axis, p.position, p.yaw) if m.kind == "door" else turned(m.axis, p.yaw)
            x, y = rounded(placed(m.handle[:2], p.position, p.yaw))
            handle = (x, y, m.handle[2])
            name = f"{p.name}/{m.name}"
            found.append(Opening(name, p.name, m.kind, m.travel, rounded(axis), handle))
    return tuple(found)


def _whole(point: Point) -> Point:
    return (round(point[0], 9) + 0.0, round(point[1], 9) + 0.0)
