"""What a kind of free thing is: parts of a unit box (foot at z = 0), sizes, mass, colours.

Fingers close along y. Round things stand on a small box that is not drawn: a flat foot of four
contacts comes to rest and sleeps, a rim or a sphere rolls.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from envs.mjthor.house.parts import Part, Vector

BRIGHT = ("red", "orange", "yellow", "green", "blue", "purple", "pink", "white")
CALM = ("white", "blue", "green", "red", "grey", "yellow", "black")


@dataclass(frozen=True)
class Kind:
    """``low`` to ``high``: sizes (x, y, z) in metres; ``mass`` kg of the middle size. ``equal``:
    axes of equal size. ``receptacle``: holds things, is not grasped."""

    parts: tuple[Part, ...]
    low: Vector
    high: Vector
    mass: float
    colours: tuple[str, ...]
    equal: Literal["", "xy", "xyz"] = ""
    receptacle: bool = False


def foot(width: float = 0.66) -> Part:
    """What a round thing stands on."""
    return Part("box", (0, 0, 0.02), (width, width, 0.04), seen=False)


def tube(
    low: float, high: float, width: float = 1.0, paint: str = "main", solid: bool = True
) -> Part:
    """An upright cylinder between two heights."""
    return Part("cylinder", (0, 0, (low + high) / 2), (width, width, high - low), paint, solid)


def ball() -> tuple[Part, ...]:
    """A sphere that stays where it is put."""
    return (foot(0.4), Part("sphere", (0, 0, 0.51), (0.98, 0.98, 0.98)))
