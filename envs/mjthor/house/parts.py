"""Primitive solids of which furniture and things consist: plain data in the frame of their body."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

Shape = Literal["box", "cylinder", "capsule", "sphere", "ellipsoid"]
Vector = tuple[float, float, float]


@dataclass(frozen=True)
class Part:
    """One primitive: centre ``at`` and full extents ``size`` along x, y, z (before ``turn``).

    A cylinder or capsule lies along ``axis``. ``turn``: radians about z. ``solid``: it collides;
    ``seen``: it is drawn. ``paint``: a name in :data:`envs.mjthor.house.look.PAINTS`, or ``main``
    for the colour of the whole.
    """

    shape: Shape
    at: Vector
    size: Vector
    paint: str = "main"
    solid: bool = True
    seen: bool = True
    axis: Literal["x", "y", "z"] = "z"
    turn: float = 0.0

    def scaled(self, by: Vector) -> Part:
        """The same part of a body whose unit box became ``by``."""
        x, y, z = (a * s for a, s in zip(self.at, by, strict=True))
        u, v, w = (a * s for a, s in zip(self.size, by, strict=True))
        return replace(self, at=(x, y, z), size=(u, v, w))


def box(at: Vector, size: Vector, paint: str = "main") -> Part:
    """A box that collides and is drawn."""
    return Part("box", at, size, paint)


def panel(at: Vector, size: Vector, paint: str = "main") -> Part:
    """A box that is only drawn."""
    return Part("box", at, size, paint, solid=False)


def bar(at: Vector, length: float, axis: Literal["x", "y", "z"], off: float) -> tuple[Part, ...]:
    """A bar handle of diameter 16 mm whose middle is ``at``, on two posts ``off`` long along -x."""
    thick = 0.016
    extents = {a: length if a == axis else thick for a in "xyz"}
    grip = Part("capsule", at, (extents["x"], extents["y"], extents["z"]), "metal", axis=axis)
    spread = length / 2 - 0.02
    shifts = [(0.0, s, 0.0) if axis == "y" else (0.0, 0.0, s) for s in (-spread, spread)]
    posts = (
        Part(
            "cylinder",
            (at[0] - off / 2, at[1] + dy, at[2] + dz),
            (off, 0.01, 0.01),
            "metal",
            solid=False,
            axis="x",
        )
        for _, dy, dz in shifts
    )
    return (grip, *posts)


def open_box(
    low: Vector, high: Vector, thick: float, floor: float, paint: str = "main"
) -> tuple[Part, ...]:
    """A box open on top: outer bounds, thickness of its four walls and of its floor."""
    (x0, y0, z0), (x1, y1, z1) = low, high
    cx, cy, cz = (x0 + x1) / 2, (y0 + y1) / 2, (z0 + z1 + 0.2 * floor) / 2
    dx, dy, dz = x1 - x0, y1 - y0, z1 - z0 - 0.2 * floor  # the floor alone touches what is below
    return (
        box((cx, cy, z0 + floor / 2), (dx - thick, dy - thick, floor), paint),
        box((x0 + thick / 2, cy, cz), (thick, dy, dz), paint),
        box((x1 - thick / 2, cy, cz), (thick, dy, dz), paint),
        box((cx, y0 + thick / 2, cz), (dx - 2 * thick, thick, dz), paint),
        box((cx, y1 - thick / 2, cz), (dx - 2 * thick, thick, dz), paint),
    )


def ring(count: int, thick: float, bottom: float, paint: str = "main") -> tuple[Part, ...]:
    """``count`` boxes around the unit box's axis from height ``bottom`` to 1: a hollow wall."""
    radius = 0.5 * math.cos(math.pi / count) - thick / 2  # the corners touch the unit box
    length = math.sin(math.pi / count)
    angles = [2 * math.pi * i / count for i in range(count)]
    return tuple(
        Part(
            "box",
            (radius * math.cos(a), radius * math.sin(a), (1 + bottom) / 2),
            (thick, length, 1 - bottom),
            paint,
            turn=a,
        )
        for a in angles
    )
