"""Axis-parallel rectangles of the floor, and turning points between frames."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from envs.mjthor.house.facts import Point
from envs.mjthor.plane import turned


class Rect(NamedTuple):
    """From (``x0``, ``y0``) to (``x1``, ``y1``), metres."""

    x0: float
    y0: float
    x1: float
    y1: float

    @classmethod
    def around(cls, points: Iterable[Point]) -> Rect:
        """The smallest one that holds all points."""
        xs, ys = zip(*points, strict=True)
        return cls(min(xs), min(ys), max(xs), max(ys))

    def grown(self, by: float) -> Rect:
        """Larger by ``by`` on every side."""
        return Rect(self.x0 - by, self.y0 - by, self.x1 + by, self.y1 + by)

    def overlaps(self, other: Rect) -> bool:
        """Whether the two share more than a border."""
        return (
            self.x0 < other.x1 and other.x0 < self.x1 and self.y0 < other.y1 and other.y0 < self.y1
        )

    def holds(self, other: Rect) -> bool:
        """Whether ``other`` lies in this one."""
        return (
            self.x0 <= other.x0
            and other.x1 <= self.x1
            and self.y0 <= other.y0
            and other.y1 <= self.y1
        )

    def hits(self, others: Iterable[Rect]) -> bool:
        """Whether it overlaps any of ``others``."""
        return any(self.overlaps(other) for other in others)


def placed(point: Point, origin: Point, yaw: float) -> Point:
    """World coordinates of a point of a frame at ``origin`` turned by ``yaw``."""
    x, y = turned(point, yaw)
    return (origin[0] + x, origin[1] + y)


def covered(low: Point, high: Point, origin: Point, yaw: float) -> Rect:
    """World bounds of the rectangle from ``low`` to ``high`` of a frame."""
    corners = [(x, y) for x in (low[0], high[0]) for y in (low[1], high[1])]
    return Rect.around(placed(corner, origin, yaw) for corner in corners)


def rounded(point: Point) -> Point:
    """To whole millimetres."""
    return (round(point[0], 3), round(point[1], 3))
