"""Round things out of boxes and spheres, which every collision engine knows exactly.

SAPIEN 2 makes other shapes of cylinders, so a rod here is a bundle of boxes turned about its axis,
whose union is a regular prism; what is seen may be finer than what collides.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np

from envs.sapien.geometry import Pose, Vector, look_at
from envs.sapien.parts import Colour, Part


def generator(task: str, split: str, index: int) -> np.random.Generator:
    """The random stream of one object; a fixed one, so that an object never changes."""
    return np.random.default_rng([*task.encode(), *split.encode(), index])


def box(size: Vector, centre: Vector, colour: Colour, collides: bool = True) -> Part:
    """An upright box; ``size`` (3,) metres, whole lengths."""
    x, y, z = (float(s) / 2 for s in size)
    return Part("box", (x, y, z), Pose(centre), colour, collides)


def ball(radius: float, centre: Vector, colour: Colour, collides: bool = True) -> Part:
    return Part("sphere", (radius,), Pose(centre), colour, collides)


def bar(
    start: Vector,
    end: Vector,
    section: tuple[float, float],
    colour: Colour,
    collides: bool = True,
    up: Vector = (0.0, 0.0, 1.0),
) -> Part:
    """A straight bar between two points (3,); ``section`` (width, height), its height to ``up``."""
    half = float(np.linalg.norm(np.subtract(end, start))) / 2
    pose = look_at(np.add(start, end) / 2, end, up)
    return Part("box", (half, section[0] / 2, section[1] / 2), pose, colour, collides)


def rod(
    start: Vector,
    end: Vector,
    radius: float,
    colour: Colour,
    boxes: int = 4,
    solid: bool = False,
) -> list[Part]:
    """A regular prism of 2 x ``boxes`` sides between the centres of its ends.

    ``solid``: all boxes collide. Otherwise one box does, which has the volume of the cylinder.
    """
    axis = np.subtract(end, start)
    length = float(np.linalg.norm(axis))
    up = (1.0, 0.0, 0.0) if abs(axis[2]) > 0.9 * length else (0.0, 0.0, 1.0)
    pose = look_at(np.add(start, end) / 2, end, up)
    across, along = radius * np.cos(np.pi / 2 / boxes), radius * np.sin(np.pi / 2 / boxes)
    parts = []
    for turn in np.arange(boxes) * np.pi / boxes:
        size = (length / 2, float(across), float(along))
        parts.append(Part("box", size, pose @ _about_x(turn), colour, solid))
    if solid:
        return parts
    half = radius * float(np.sqrt(np.pi)) / 2
    return [*parts, Part("box", (length / 2, half, half), pose, colour, visible=False)]


def tube(points: Sequence[Vector], radius: float, colour: Colour) -> list[Part]:
    """Rods from point to point, with balls in the bends."""
    rods = [part for a, b in pairwise(points) for part in rod(a, b, radius, colour)]
    return rods + [ball(radius, point, colour, False) for point in points[1:-1]]


def disc(radius: float, height: float, centre: Vector, colour: Colour) -> list[Part]:
    """A flat round plate, 12-sided, which collides as it looks."""
    rise = np.array([0.0, 0.0, height / 2])
    return rod(centre - rise, centre + rise, radius, colour, boxes=6, solid=True)


def oval(sides: int, x: float, y: float, height: float, centre: float = 0.0) -> np.ndarray:
    """Corners (sides, 3) of a polygon in an ellipse of half axes ``x``, ``y``; sides face +-x."""
    angles = (np.arange(sides) + 0.5) * 2 * np.pi / sides
    level = np.full(sides, height)
    return np.stack([centre + x * np.cos(angles), y * np.sin(angles), level], axis=1)


def loop(
    corners: np.ndarray, section: tuple[float, float], colour: Colour, collides: bool = True
) -> list[Part]:
    """A closed ring of bars through ``corners`` (n, 3)."""
    return [
        bar(a, b, section, colour, collides)
        for a, b in zip(corners, np.roll(corners, -1, axis=0), strict=True)
    ]


def wall(
    low: np.ndarray,
    high: np.ndarray,
    thickness: float,
    colour: Colour,
    collides: bool = True,
    bands: int = 1,
    light: Vector = (-1.0, 0.0, 0.0),
) -> list[Part]:
    """Panels between two rings of corners (n, 3), each as wide as its edges are on average.

    ``bands``: more of them, one above the other, follow a taper more closely; they are only seen,
    what collides is one panel a side. Panels that look away from ``light`` (3,) are painted darker.
    """
    if bands == 1:
        return _panels(low, high, thickness, colour, collides, light)
    levels = np.linspace(0, 1, bands + 1)
    rings = [low + level * (high - low) for level in levels]
    seen = [_panels(a, b, thickness, colour, False, light) for a, b in pairwise(rings)]
    solid = _panels(low, high, thickness, colour, True, light)
    parts = [part for band in seen for part in band]
    return [*parts, *(replace(part, visible=False) for part in solid)]


def _panels(
    low: np.ndarray,
    high: np.ndarray,
    thickness: float,
    colour: Colour,
    collides: bool,
    light: Vector,
) -> list[Part]:
    panels = []
    ends = np.roll(low, -1, axis=0), np.roll(high, -1, axis=0)
    for a, b, c, d in zip(low, ends[0], high, ends[1], strict=True):
        width = float(np.linalg.norm(b - a) + np.linalg.norm(d - c)) / 2
        along, rise = (b - a) / np.linalg.norm(b - a), (c + d - a - b) / 2
        rise = rise - (rise @ along) * along
        height = float(np.linalg.norm(rise))
        inward = np.cross(rise / height, along)
        pose = Pose.of((a + b + c + d) / 4, np.stack([along, inward, rise / height], axis=1))
        shade = 0.11 * (1.0 + float(inward @ light) / float(np.linalg.norm(light)))
        size = (width / 2, thickness / 2, height / 2)
        panels.append(Part("box", size, pose, mixed(colour, 0.0, shade), collides))
    return panels


def mixed(colour: Colour, other: float, share: float) -> Colour:
    """``colour`` with a ``share`` of the grey ``other``."""
    r, g, b = ((1 - share) * c + share * other for c in colour)
    return r, g, b


def tilt(origin: Vector, angle: float) -> Pose:
    """The pose at ``origin`` turned about y by ``angle``, rad: z leans to x, -x rises to z."""
    return Pose(origin, (np.cos(angle / 2), 0.0, np.sin(angle / 2), 0.0))


def _about_x(angle: float) -> Pose:
    return Pose(quaternion=(np.cos(angle / 2), np.sin(angle / 2), 0.0, 0.0))
