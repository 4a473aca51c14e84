"""What a piece of furniture is made of, in its own frame: front along +x, origin on the floor in
the middle of its footprint."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from envs.mjthor.house.facts import Point
from envs.mjthor.house.parts import Part, Vector, bar, box, open_box, panel

FRONT: Point = (1.0, 0.0)
ALL_SIDES: tuple[Point, ...] = ((1.0, 0.0), (0.0, 1.0), (0.0, -1.0), (-1.0, 0.0))
FRIDGE_TRAVEL = 1.75  # rad: the door clears its own compartment
DRAWER_TRAVEL = 0.30


@dataclass(frozen=True)
class Moving:
    """A drawer (slides along +x) or a hinged door (turns about +z at ``axis``) and its parts.

    ``parts`` are in the frame of the furniture, closed; ``handle``: the middle of the bar.
    """

    name: str
    kind: Literal["drawer", "door"]
    travel: float
    axis: Point
    handle: Vector
    parts: tuple[Part, ...]
    mass: float
    friction: float
    damping: float


@dataclass(frozen=True)
class Surface:
    """Where things stand: ``centre`` and ``half`` sizes; ``sides`` one may come from."""

    name: str
    centre: Vector
    half: Point
    sides: tuple[Point, ...] = (FRONT,)
    opening: str = ""


@dataclass(frozen=True)
class Piece:
    """Everything about one piece of furniture of a given size."""

    parts: tuple[Part, ...]
    moving: tuple[Moving, ...] = ()
    surfaces: tuple[Surface, ...] = ()


Build = Callable[[Vector], Piece]


def counter(size: Vector) -> Piece:
    """A closed kitchen counter: a sink at one end, things on the rest, cupboards on the wall."""
    d, w, h = size
    decor = 0.62
    count = round(w / 0.55)
    fronts = []
    for i in range(count):
        y = -w / 2 + (i + 0.5) * w / count
        fronts.append(panel((d / 2 - 0.015, y, h / 2 + 0.01), (0.02, w / count - 0.02, h - 0.2)))
        grip = (0.012, w / count * 0.5, 0.012)
        fronts.append(panel((d / 2, y, h - 0.13), grip, "metal"))
    y = w / 2 - decor / 2
    parts = (
        box((-0.02, 0, (h - 0.04) / 2), (d - 0.04, w, h - 0.04), "front_dark"),
        box((0, 0, h - 0.02), (d, w, 0.04), "worktop"),
        *fronts,
        panel((-0.02, y, h), (0.36, 0.44, 0.012), "metal"),
        panel((-0.02, y, h + 0.001), (0.31, 0.38, 0.012), "dark_metal"),
        Part("cylinder", (-0.24, y, h + 0.11), (0.03, 0.03, 0.22), "metal", solid=False),
        Part("cylinder", (-0.17, y, h + 0.21), (0.16, 0.022, 0.022), "metal", False, axis="x"),
        panel((-d / 2 + 0.006, 0, h + 0.28), (0.012, w, 0.56), "splash"),
        box((-d / 2 + 0.17, 0, 1.80), (0.34, w, 0.64)),
        panel((-d / 2 + 0.341, 0, 1.80), (0.004, 0.01, 0.62), "front_dark"),
    )
    top = Surface("top", (0, -decor / 2, h), (d / 2, (w - decor) / 2))
    return Piece(parts, surfaces=(top,))


def fridge(size: Vector) -> Piece:
    """Hinged at +y, so that an open door stands to the right of who looks into it."""
    d, w, h = size
    leaf, wall, shelf = 0.06, 0.05, 0.80
    back, front = -d / 2, d / 2 - leaf
    depth, middle = front - back, (front + back) / 2
    inner = depth - wall - 0.02
    parts = (
        box((back + wall / 2, 0, h / 2), (wall, w, h)),
        box((middle, w / 2 - wall / 2, h / 2), (depth, wall, h)),
        box((middle, -w / 2 + wall / 2, h / 2), (depth, wall, h)),
        box((middle, 0, h - wall / 2), (depth, w, wall)),
        box((middle, 0, 0.06), (depth, w, 0.12)),
        panel((back + wall + 0.003, 0, h / 2), (0.006, w - 2 * wall, h - 0.1), "ice"),
        box((back + wall + inner / 2, 0, shelf - 0.01), (inner, w - 2 * wall, 0.02), "ice"),
        box((back + wall + inner / 2, 0, 0.45), (inner, w - 2 * wall, 0.02), "ice"),
        box((back + wall + inner / 4, 0, 1.30), (inner / 2, w - 2 * wall, 0.02), "ice"),
    )
    handle = (d / 2 + 0.055, -w / 2 + 0.06, 0.92)
    door = (
        box((front + leaf / 2, 0, h / 2 + 0.01), (leaf - 0.006, w, h - 0.02)),
        panel((front - 0.004, 0, h / 2), (0.012, w - 0.1, h - 0.16), "ice"),
        *bar(handle, 0.42, "z", 0.05),
    )
    opening = Moving(
        "door", "door", FRIDGE_TRAVEL, (front + leaf / 2, w / 2), handle, door, 12.0, 1.5, 3.0
    )
    centre = (back + wall + inner / 2, 0.0, shelf)
    surface = Surface("shelf", centre, (inner / 2, w / 2 - wall), opening="door")
    return Piece(parts, (opening,), (surface,))


def dresser(size: Vector) -> Piece:
    """Three drawers one above the other behind fronts with bar handles."""
    d, w, h = size
    wall, front = 0.02, 0.02
    depth = d - front
    middle = -front / 2
    parts = (
        box((-d / 2 + wall / 2, 0, h / 2), (wall, w, h)),
        box((middle, w / 2 - wall / 2, h / 2), (depth, wall, h)),
        box((middle, -w / 2 + wall / 2, h / 2), (depth, wall, h)),
        box((0, 0, h - 0.015), (d, w, 0.03)),
        box((middle, 0, 0.03), (depth, w, 0.06), "front_dark"),
    )
    step = (h - 0.03 - 0.06) / 3
    drawers = tuple(_drawer(i, size, 0.06 + i * step, step) for i in range(3))
    top = Surface("top", (0, 0, h), (d / 2, w / 2))
    return Piece(parts, drawers, (top,))


def _drawer(number: int, size: Vector, bottom: float, height: float) -> Moving:
    d, w, _ = size
    low = (-d / 2 + 0.04, -w / 2 + 0.03, bottom + 0.015)
    high = (d / 2 - 0.02, w / 2 - 0.03, bottom + height - 0.05)
    middle = bottom + height / 2
    handle = (d / 2 + 0.05, 0.0, round(middle, 4))
    parts = (
        *open_box(low, high, 0.012, 0.012, "pale_wood"),
        box((d / 2 - 0.01, 0, middle), (0.02, w - 0.008, height - 0.008), "front"),
        *bar(handle, min(0.2, w / 3), "y", 0.05),
    )
    return Moving(f"drawer_{number}", "drawer", DRAWER_TRAVEL, FRONT, handle, parts, 2.5, 3.0, 15.0)


def table(size: Vector) -> Piece:
    """Four legs and a top."""
    d, w, h = size
    legs = (
        box((sx * (d / 2 - 0.05), sy * (w / 2 - 0.05), (h - 0.03) / 2), (0.06, 0.06, h - 0.03))
        for sx in (-1, 1)
        for sy in (-1, 1)
    )
    rail = (panel((sx * (d / 2 - 0.05), 0, h - 0.06), (0.03, w - 0.1, 0.06)) for sx in (-1, 1))
    parts = (box((0, 0, h - 0.015), (d, w, 0.03)), *legs, *rail)
    return Piece(parts, surfaces=(Surface("top", (0, 0, h), (d / 2, w / 2), ALL_SIDES),))


def shelf(size: Vector) -> Piece:
    """An open rack; the levels above the one for things step back, so that an arm comes in."""
    d, w, h = size
    level, upper = 0.80, 0.6 * d
    set_back = -d / 2 + upper / 2
    sides = (
        p
        for y in (w / 2 - 0.0125, -w / 2 + 0.0125)
        for p in (
            box((0, y, level / 2), (d, 0.025, level)),
            box((set_back, y, (h + level) / 2), (upper, 0.025, h - level)),
        )
    )
    lower = (box((0, 0, z - 0.0125), (d, w, 0.025)) for z in (0.10, 0.45, level))
    above = (box((set_back, 0, z - 0.0125), (upper, w, 0.025)) for z in (1.22, h))
    books = (
        panel((set_back, -w / 2 + 0.06 + i * 0.045, 1.22 + t / 2), (0.16, 0.04, t), paint)
        for i, (t, paint) in enumerate(_BOOKS)
    )
    parts = (*sides, *lower, *above, *books)
    return Piece(parts, surfaces=(Surface("level", (0, 0, level), (d / 2, w / 2 - 0.03)),))


_BOOKS = ((0.22, "red"), (0.25, "blue"), (0.2, "cream"), (0.24, "green"))


def washbasin(size: Vector) -> Piece:
    """A closed cabinet with a basin at one end, a mirror above it."""
    d, w, h = size
    y = w / 2 - 0.26
    parts = (
        box((-0.01, 0, (h - 0.03) / 2), (d - 0.02, w, h - 0.03)),
        box((0, 0, h - 0.015), (d, w, 0.03), "white"),
        *(
            panel((d / 2 - 0.008, s * w / 4, h / 2), (0.016, w / 2 - 0.02, h - 0.16))
            for s in (-1, 1)
        ),
        Part("ellipsoid", (0, y, h), (0.34, 0.42, 0.02), "ice", solid=False),
        Part("cylinder", (-d / 2 + 0.06, y, h + 0.07), (0.03, 0.03, 0.14), "metal", solid=False),
        panel((-d / 2 + 0.008, 0, 1.55), (0.012, w * 0.8, 0.75), "mirror"),
    )
    top = Surface("top", (0, -0.26, h), (d / 2, w / 2 - 0.26))
    return Piece(parts, surfaces=(top,))
