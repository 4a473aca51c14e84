"""Rooms and doors: a rectangle split into columns, columns into rooms, doors between neighbours."""

from __future__ import annotations

import math

import numpy as np

from envs.mjthor.house.facts import Door, Point, Room, RoomKind
from envs.mjthor.house.rectangles import Rect, rounded

WALL = 0.12  # between two rooms; outer walls are half as thick
WALL_HEIGHT = 2.4
DOORWAY = 1.16  # wide enough for the robot's disc (radius 0.42) beside the open leaf
LEAF_GAP = 0.01  # between leaf and jamb
LEAF_THICKNESS = 0.04
LEAF_HEIGHT = 2.0
OPEN_ANGLE = math.radians(97)
_CORNER = 0.42  # from a doorway to the nearest corner: room for the leaf beyond 90 degrees
_TRIES = 8
_EXTRA_DOOR = 0.35  # probability of a door that the rooms' connection does not need

_KINDS: dict[int, tuple[tuple[RoomKind, ...], ...]] = {  # by area, the largest first
    2: (("living room", "kitchen"), ("bedroom", "kitchen"), ("kitchen", "bedroom")),
    3: (("living room", "kitchen", "bedroom"), ("living room", "bedroom", "kitchen")),
    4: (
        ("living room", "bedroom", "kitchen", "bathroom"),
        ("living room", "kitchen", "bedroom", "bathroom"),
    ),
}


def rooms(rng: np.random.Generator) -> tuple[Room, ...]:
    """Two to four rooms whose walls are shared, the outline's corner at the origin."""
    cells = _cells(rng, int(rng.choice((2, 3, 4), p=(0.25, 0.35, 0.4))))
    if rng.random() < 0.5:
        cells = [Rect(c.y0, c.x0, c.y1, c.x1) for c in cells]
    cells.sort(key=lambda c: (c.x0 - c.x1) * (c.y1 - c.y0))
    options = _KINDS[len(cells)]
    kinds = options[int(rng.integers(len(options)))]
    return tuple(
        Room(kind.replace(" ", "_"), kind, rounded((c.x0, c.y0)), rounded((c.x1, c.y1)))
        for kind, c in zip(kinds, cells, strict=True)
    )


def _cells(rng: np.random.Generator, count: int) -> list[Rect]:
    """Two columns; a column holds one room or, with three or four rooms, two."""
    if count == 2:
        height = rng.uniform(4.2, 5.5)
        heights: list[list[float]] = [[height], [height]]
        widths = rng.uniform((3.7, 3.7), (5.5, 5.5))
    elif count == 3:
        pair = list(rng.uniform(3.4, 4.2, 2))
        heights = [[sum(pair) + WALL], pair]
        widths = rng.uniform((3.6, 3.6), (4.4, 5.2))
    else:
        total = rng.uniform(7.2, 8.8)
        lower = [rng.uniform(3.4, total - 3.4) for _ in range(2)]
        heights = [[a, total - a] for a in lower]
        widths = rng.uniform((3.5, 3.5), (5.2, 5.2))
    cells, left = [], 0.0
    for width, column in zip(widths, heights, strict=True):
        bottom = 0.0
        for height in column:
            cells.append(Rect(left, bottom, left + width, bottom + height))
            bottom += height + WALL
        left += width + WALL
    return cells


def doors(rng: np.random.Generator, rooms: tuple[Room, ...]) -> tuple[Door, ...] | None:
    """Doors that connect all rooms (a random spanning tree), and sometimes one more; ``None`` where
    they would be in each other's way."""
    pairs = [
        (a, b) for i, a in enumerate(rooms) for b in rooms[i + 1 :] if _shared(a, b) is not None
    ]
    group = {room.name: room.name for room in rooms}
    chosen: list[Door] = []
    for a, b in (pairs[i] for i in rng.permutation(len(pairs))):
        joins = group[a.name] != group[b.name]
        if not joins and rng.random() > _EXTRA_DOOR:
            continue
        drawn = (_door(rng, f"door_{len(chosen)}", a, b) for _ in range(_TRIES))
        door = next((d for d in drawn if all(_apart(d, c, rooms) for c in chosen)), None)
        if door is not None:
            chosen.append(door)
            old, new = group[b.name], group[a.name]
            group = {name: new if of == old else of for name, of in group.items()}
    return tuple(chosen) if len(set(group.values())) == 1 else None


def _apart(a: Door, b: Door, rooms: tuple[Room, ...]) -> bool:
    """Whether neither leaf, when open, stands where the other door needs its floor free."""
    return not any(
        open_leaf(one).hits(standing_areas(other, rooms)) for one, other in ((a, b), (b, a))
    )


def _shared(a: Room, b: Room) -> tuple[int, float, float, float] | None:
    """(axis across the wall, the wall's middle on it, from, to along it) if a door fits."""
    for axis in (0, 1):
        along = 1 - axis
        low = max(a.low[along], b.low[along])
        high = min(a.high[along], b.high[along])
        if high - low < DOORWAY + 2 * _CORNER:
            continue
        for first, second in ((a, b), (b, a)):
            if abs(first.high[axis] + WALL - second.low[axis]) < 0.01:
                return axis, first.high[axis] + WALL / 2, low, high
    return None


def _door(rng: np.random.Generator, name: str, a: Room, b: Room) -> Door:
    """Near one end of the shared wall more often than not: that leaves wall for furniture."""
    shared = _shared(a, b)
    assert shared is not None
    axis, wall, low, high = shared
    low, high = low + _CORNER + DOORWAY / 2, high - _CORNER - DOORWAY / 2
    middle = float(rng.choice((low, high, rng.uniform(low, high))))
    into = (a, b)[int(rng.integers(2))]
    inward = 1.0 if into.low[axis] > wall else -1.0
    across = wall + inward * (WALL - LEAF_THICKNESS) / 2
    reach = DOORWAY / 2 - LEAF_GAP
    near_low = middle - into.low[1 - axis] < into.high[1 - axis] - middle
    ends = (middle - reach, middle + reach) if near_low else (middle + reach, middle - reach)
    hinge, latch = (_point(axis, across, end) for end in ends)
    # From the hinge along the leaf, then into the room: a left turn is positive.
    turn = inward * math.copysign(1.0, ends[1] - ends[0]) * (-1.0 if axis == 0 else 1.0)
    height = round(float(rng.uniform(0.95, 1.05)), 3)
    angle = turn * OPEN_ANGLE
    return Door(name, (a.name, b.name), hinge, latch, angle, into.name, height)


def _point(axis: int, across: float, along: float) -> Point:
    return rounded((across, along) if axis == 0 else (along, across))


def doorway(door: Door) -> tuple[int, float, float]:
    """(axis across the wall, from, to along it) of the opening in the wall."""
    axis = 0 if door.hinge[0] == door.latch[0] else 1
    ends = sorted((door.hinge[1 - axis], door.latch[1 - axis]))
    return axis, ends[0] - LEAF_GAP, ends[1] + LEAF_GAP


def standing_areas(door: Door, rooms: tuple[Room, ...]) -> list[Rect]:
    """The floor that stays free: the leaf's sweep, and both sides of the doorway for the robot."""
    axis, low, high = doorway(door)
    areas = []
    for room in rooms:
        if room.name not in door.rooms:
            continue
        pulled = room.name == door.swings_into
        beside, depth = (0.32, 1.8) if pulled else (0.2, 1.6)
        face = min((room.low[axis], room.high[axis]), key=lambda v: abs(v - door.hinge[axis]))
        deep = face + depth if face == room.low[axis] else face - depth
        corners = [(face, low - beside), (deep, high + beside)]
        areas.append(Rect.around([c if axis == 0 else (c[1], c[0]) for c in corners]))
    return areas


def open_leaf(door: Door) -> Rect:
    """Bounds of the leaf when fully open, its handles included."""
    c, s = math.cos(door.open_angle), math.sin(door.open_angle)
    x, y = door.latch[0] - door.hinge[0], door.latch[1] - door.hinge[1]
    end = (door.hinge[0] + c * x - s * y, door.hinge[1] + s * x + c * y)
    return Rect.around([door.hinge, end]).grown(LEAF_THICKNESS / 2)
