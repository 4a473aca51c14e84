"""Buckets of thin sheet, free to be carried, with a thick light bail that hangs on two pins."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from envs.dexart.instance import Instance
from envs.dexart.objects.shapes import (
    ball,
    bar,
    box,
    generator,
    loop,
    mixed,
    oval,
    tilt,
    wall,
)
from envs.sapien.parts import Colour, Link, Part, urdf

PLACE = (0.47, -0.025, -0.3)  # from a base 0.3 m above the table that it stands on
SHEET = 0.0014  # metres

_ZINC, _STEEL, _DARK = (0.66, 0.69, 0.72), (0.8, 0.82, 0.84), (0.25, 0.26, 0.28)
_RED, _BLUE, _YELLOW = (0.8, 0.17, 0.14), (0.16, 0.38, 0.7), (0.93, 0.74, 0.16)
_GREEN, _ORANGE, _TEAL = (0.26, 0.55, 0.28), (0.9, 0.46, 0.13), (0.14, 0.52, 0.53)
_WOOD, _CREAM, _PINK = (0.62, 0.42, 0.24), (0.92, 0.88, 0.76), (0.88, 0.52, 0.6)
_BLACK, _WHITE, _COPPER = (0.14, 0.14, 0.15), (0.93, 0.93, 0.93), (0.72, 0.44, 0.3)


@dataclass(frozen=True)
class Style:
    """One bucket. ``sides`` of its outline, ``slim`` its width along x over that along y,
    ``taper`` its foot over its rim, ``bail`` a name in :data:`_BAILS`."""

    sides: int
    slim: float
    taper: float
    bail: str
    sheet: Colour
    trim: Colour
    grip: Colour


STYLES: Mapping[str, tuple[Style, ...]] = {
    "seen": (
        Style(12, 1.0, 0.76, "round", _ZINC, _STEEL, _WOOD),
        Style(12, 1.0, 0.85, "trapeze", _RED, _WHITE, _BLACK),
        Style(10, 1.0, 0.95, "round", _BLUE, _BLUE, _WHITE),
        Style(12, 1.0, 0.7, "square", _YELLOW, _YELLOW, _BLACK),
        Style(8, 1.0, 0.85, "trapeze", _WOOD, _DARK, _DARK),
        Style(12, 1.0, 0.82, "square", _STEEL, _STEEL, _BLUE),
        Style(10, 1.0, 0.78, "round", _GREEN, _DARK, _WOOD),
        Style(12, 0.9, 0.8, "trapeze", _ZINC, _RED, _RED),
        Style(12, 1.0, 0.92, "square", _ORANGE, _ORANGE, _BLACK),
        Style(12, 1.0, 0.74, "round", _CREAM, _BLUE, _BLUE),
        Style(8, 1.0, 0.9, "trapeze", _TEAL, _WHITE, _WHITE),
    ),
    "unseen": (
        Style(4, 1.0, 0.85, "yoke", _RED, _WHITE, _BLACK),
        Style(12, 0.75, 0.8, "gable", _ZINC, _STEEL, _WOOD),
        Style(6, 1.0, 0.8, "roller", _PINK, _WHITE, _WHITE),
        Style(4, 0.8, 0.92, "yoke", _WOOD, _DARK, _COPPER),
        Style(12, 0.72, 0.88, "roller", _BLUE, _YELLOW, _YELLOW),
        Style(6, 1.0, 0.95, "gable", _COPPER, _DARK, _DARK),
        Style(4, 1.0, 0.75, "yoke", _GREEN, _GREEN, _YELLOW),
        Style(12, 1.0, 0.6, "gable", _WHITE, _RED, _RED),
    ),
}


def make(split: str, index: int) -> Instance:
    """Bucket ``index`` of ``split``: the bail lies down on the side of x, ``open`` is upright."""
    style, draw = STYLES[split][index], generator("bucket", split, index)
    radius, height = float(draw.uniform(0.073, 0.102)), float(draw.uniform(0.135, 0.185))
    pins = height - float(draw.uniform(0.014, 0.024))
    down, past = float(draw.uniform(1.4, 1.7)), float(draw.uniform(0.15, 0.3))
    sign = 1.0 if draw.random() < 0.5 else -1.0  # of the hinge's axis along y
    offset = float(draw.choice([0.0, 0.5, 1.0])) * down  # of the bail from upright at 0
    half = style.slim * radius, radius
    across = _reach(style, half)[1] + 0.019
    rise = _reach(style, half)[0] + float(draw.uniform(0.055, 0.067))
    low, high = sorted((sign * (down - offset), sign * (-past - offset)))
    links = (
        Link("body", tuple(_body(style, half, height, pins, across))),
        Link(
            "bail",
            tuple(_bail(style, across, rise)),
            parent="body",
            joint="revolute",
            origin=tilt((0.0, 0.0, pins), offset),
            axis=(0.0, sign, 0.0),
            low=low,
            high=high,
        ),
    )
    return Instance(
        f"bucket-{split}-{index}",
        urdf("bucket", links),
        "bucket/bail_joint",
        PLACE,
        closed=sign * (down - offset),
        open=-sign * offset,
        body="bucket/body",
    )


def _outline(style: Style, half: tuple[float, float], scale: float, height: float) -> np.ndarray:
    """Corners whose sides, not whose corners, are at the half widths."""
    grow = scale / float(np.cos(np.pi / style.sides))
    return oval(style.sides, half[0] * grow, half[1] * grow, height)


def _reach(style: Style, half: tuple[float, float]) -> np.ndarray:
    """Farthest the rim goes along x and y."""
    return _outline(style, half, 1.0, 0.0).max(axis=0)[:2]


def _body(
    style: Style, half: tuple[float, float], height: float, pins: float, across: float
) -> list[Part]:
    foot = _outline(style, half, style.taper, 0.0)
    rim = _outline(style, half, 1.0, height)
    trim = mixed(style.trim, 0.0, 0.15)
    parts = wall(foot, rim, SHEET, style.sheet, bands=3, light=(0.5, -0.9, 0.0))
    parts += loop(rim, (0.006, 0.007), trim, False)
    for level in (0.07, 0.55):
        ring = foot + level * (rim - foot)
        outside = ring * (1.0 + 0.002 / half[1], 1.0 + 0.002 / half[1], 1.0)
        parts += loop(outside, (0.003, 0.009), trim, False)
    if style.sides <= 8:
        parts += [bar(a, b, (0.005, 0.005), trim, False) for a, b in zip(foot, rim, strict=True)]
    parts += _floor(style, half)
    edge = _reach(style, half)[1]
    for side in (-1, 1):
        pin = (0.0, side * (edge - 0.004), pins), (0.0, side * (across + 0.006), pins)
        parts.append(bar(*pin, (0.007, 0.007), trim))
        parts.append(box((0.03, 0.004, 0.026), (0, side * (edge + 0.003), pins), trim, False))
    return parts


def _floor(style: Style, half: tuple[float, float]) -> list[Part]:
    """A sheet on the ground: spokes of the outline are seen, a square inside it collides."""
    x, y = (style.taper * h for h in half)
    if style.sides == 4:
        return [box((2 * x, 2 * y, SHEET), (0, 0, SHEET / 2), style.sheet)]
    seen = [
        Part("box", (part.size[0], part.size[1], SHEET / 2), part.pose, style.sheet, False)
        for part in _spokes(style, x, y)
    ]
    return [*seen, box((1.4 * x, 1.4 * y, SHEET), (0, 0, SHEET / 2), style.sheet)]


def _spokes(style: Style, x: float, y: float) -> list[Part]:
    corners = _outline(style, (x, y), 1.0, SHEET / 2)
    middles = (corners + np.roll(corners, -1, axis=0)) / 2
    edges = np.linalg.norm(corners - np.roll(corners, -1, axis=0), axis=1)
    opposite = style.sides // 2
    return [
        bar(middles[i], middles[i + opposite], (float(edges[i]), SHEET), style.sheet)
        for i in range(opposite)
    ]


# ------------------------------- bails: corners (n, 2) of half a bail, y over across, z over rise
def _bail(style: Style, across: float, rise: float) -> list[Part]:
    """Upright over its hinge, in the plane of y and z."""
    half, grip = _BAILS[style.bail]()
    right = half * (across, rise)
    corners = np.concatenate([right, (right * (-1, 1))[::-1]])
    points = [np.array([0.0, y, z]) for y, z in corners]
    middle = len(half) - 1
    parts = []
    for i, (a, b) in enumerate(pairwise(points)):
        if np.linalg.norm(b - a) > 1e-9:
            held = abs(i - middle) <= grip
            section = (0.02, 0.02) if held else (0.014, 0.016)
            paint = style.grip if held else style.trim
            parts.append(bar(a, b, section, paint, up=(1.0, 0.0, 0.0)))
    eyes = [ball(0.01, (0, side * across, 0), style.trim, False) for side in (-1, 1)]
    return [*parts, *eyes]


def _round() -> tuple[np.ndarray, int]:
    angles = np.linspace(0, np.pi / 2, 6)[:-1]
    corners = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    return np.concatenate([corners, [[0.22, 1.0]]]), 1


_BAILS: Mapping[str, Callable[[], tuple[np.ndarray, int]]] = {
    "round": _round,
    "square": lambda: (np.array([[1, 0], [1, 0.78], [0.78, 1]]), 0),
    "trapeze": lambda: (np.array([[1, 0], [0.95, 0.55], [0.5, 1]]), 0),
    "yoke": lambda: (np.array([[1, 0], [1, 1]]), 0),
    "gable": lambda: (np.array([[1, 0], [1, 0.5], [0.3, 1]]), 0),
    "roller": lambda: (np.array([[1, 0], [0.98, 0.5], [0.75, 0.9], [0.55, 0.94], [0.5, 1]]), 0),
}
