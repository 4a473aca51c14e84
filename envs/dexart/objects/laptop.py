"""Laptops on a riser, their open side towards the robot, the hinge at the far side."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from envs.dexart.instance import Instance
from envs.dexart.objects.shapes import ball, bar, box, generator, mixed, rod, tilt
from envs.sapien.parts import Colour, Link, Part, urdf

_SILVER, _GREY, _BLACK = (0.78, 0.79, 0.81), (0.42, 0.43, 0.46), (0.13, 0.13, 0.14)
_GOLD, _ROSE, _BLUE = (0.83, 0.75, 0.6), (0.8, 0.6, 0.58), (0.24, 0.36, 0.52)
_WHITE, _RED, _GREEN = (0.92, 0.92, 0.9), (0.6, 0.13, 0.14), (0.3, 0.42, 0.33)
_SKY, _DUSK, _MINT = (0.3, 0.58, 0.86), (0.44, 0.32, 0.62), (0.32, 0.66, 0.58)
_AMBER, _NIGHT = (0.9, 0.62, 0.28), (0.14, 0.2, 0.38)


@dataclass(frozen=True)
class Style:
    """One laptop. ``keys``: rows and columns; ``edge``: what the lid's free edge has to hold it by;
    ``aspect`` depth over width."""

    shell: Colour
    screen: Colour
    keys: tuple[int, int]
    hinges: int
    edge: str
    aspect: float


STYLES: Mapping[str, tuple[Style, ...]] = {
    "seen": (
        Style(_SILVER, _SKY, (5, 13), 1, "plain", 0.7),
        Style(_BLACK, _NIGHT, (5, 12), 2, "plain", 0.66),
        Style(_GREY, _DUSK, (6, 14), 1, "notch", 0.68),
        Style(_WHITE, _MINT, (5, 11), 2, "notch", 0.76),
        Style(_BLUE, _SKY, (5, 12), 2, "plain", 0.7),
        Style(_GOLD, _AMBER, (5, 13), 1, "plain", 0.68),
        Style(_BLACK, _MINT, (6, 13), 2, "notch", 0.72),
        Style(_ROSE, _DUSK, (5, 12), 1, "notch", 0.72),
        Style(_SILVER, _NIGHT, (6, 14), 2, "plain", 0.64),
        Style(_GREEN, _AMBER, (5, 12), 2, "plain", 0.74),
        Style(_GREY, _SKY, (6, 12), 1, "plain", 0.78),
    ),
    "unseen": (
        Style(_RED, _NIGHT, (5, 13), 3, "lip", 0.62),
        Style(_WHITE, _SKY, (4, 10), 3, "grip", 0.84),
        Style(_BLACK, _AMBER, (6, 15), 1, "lip", 0.6),
        Style(_BLUE, _MINT, (4, 10), 3, "grip", 0.82),
        Style(_SILVER, _DUSK, (5, 12), 3, "lip", 0.84),
        Style(_GREEN, _SKY, (4, 11), 3, "grip", 0.8),
    ),
}


def make(split: str, index: int) -> Instance:
    """Laptop ``index`` of ``split``; ``closed`` is the lid flat on the keys."""
    style, draw = STYLES[split][index], generator("laptop", split, index)
    depth = float(draw.uniform(0.16, 0.19))
    width = min(max(depth / style.aspect, 0.2), 0.27)
    thick, lid = float(draw.uniform(0.014, 0.024)), float(draw.uniform(0.008, 0.0095))
    rise = float(draw.uniform(0.04, 0.055))
    back = float(draw.uniform(0.0, 0.02))  # of the hinge, in front of the base's far edge
    opened, upright = draw.uniform(1.5, 1.85), draw.uniform(1.0, 1.6)
    hinge = (depth / 2 - back, 0.0, rise + thick + 0.003)
    links = (
        Link("base", tuple(_base(style, depth, width, thick, rise, back))),
        Link(
            "lid",
            tuple(_lid(style, depth - back, width, lid)),
            parent="base",
            joint="revolute",
            origin=tilt(hinge, upright),
            axis=(0.0, 1.0, 0.0),
            low=-upright,
            high=opened - upright + 0.04,  # against its stop it counts as open
        ),
    )
    return Instance(
        f"laptop-{split}-{index}",
        urdf("laptop", links),
        "laptop/lid_joint",
        (0.43 + depth / 2, -0.15, 0.0),
        closed=-upright,
        open=opened - upright,
    )


def _base(
    style: Style, depth: float, width: float, thick: float, rise: float, back: float
) -> list[Part]:
    top, dark = rise + thick, mixed(style.shell, 0.0, 0.45)
    foot = [
        box((0.8 * depth, 0.02, rise), (0, side * 0.36 * width, rise / 2), (0.3, 0.3, 0.32))
        for side in (-1, 1)
    ]
    shelf = box((0.85 * depth, 0.8 * width, 0.005), (0, 0, rise - 0.0025), (0.36, 0.36, 0.38))
    body = box((depth, width, thick), (0, 0, rise + thick / 2), style.shell)
    well = box((0.42 * depth, 0.9 * width, 0.001), (0.14 * depth, 0, top), dark, False)
    pad = box((0.24 * depth, 0.3 * width, 0.0016), (-0.31 * depth, 0, top), dark, False)
    strip = box((0.05 * depth, 0.7 * width, 0.0016), (0.4 * depth, 0, top), dark, False)
    knuckles = [
        part
        for y in np.linspace(-0.3, 0.3, style.hinges) * width * (style.hinges > 1)
        for part in rod(
            (depth / 2 - back, y - 0.16 * width / style.hinges, top + 0.002),
            (depth / 2 - back, y + 0.16 * width / style.hinges, top + 0.002),
            0.005,
            dark,
        )
    ]
    port = box((0.02, 0.002, 0.4 * thick), (0.1 * depth, width / 2, rise + thick / 2), dark, False)
    return [*foot, shelf, body, well, pad, strip, port, *knuckles, *_keys(style, depth, width, top)]


def _keys(style: Style, depth: float, width: float, top: float) -> list[Part]:
    """Rows of key caps; the row nearest the user has a space bar in its middle."""
    rows, columns = style.keys
    light = sum(style.shell) > 1.8
    cap: Colour = (0.2, 0.2, 0.22) if light else (0.72, 0.73, 0.75)
    pitch = 0.41 * depth / rows, 0.88 * width / columns
    keys = []
    for row in range(1, rows):
        x = 0.14 * depth + (row - (rows - 1) / 2) * pitch[0]
        keys += [
            box((0.8 * pitch[0], 0.8 * pitch[1], 0.003), (x, y, top), cap, False)
            for y in (np.arange(columns) - (columns - 1) / 2) * pitch[1]
        ]
    x = 0.14 * depth - (rows - 1) / 2 * pitch[0]
    for y, length in ((0.0, 0.4), (0.33, 0.2), (-0.33, 0.2)):
        keys.append(box((0.8 * pitch[0], length * width, 0.003), (x, y * width, top), cap, False))
    return keys


def _lid(style: Style, length: float, width: float, thick: float) -> list[Part]:
    """In the hinge's frame: along -x when shut, the screen below."""
    middle = -length / 2
    plate = box((length, width, thick), (middle, 0, thick / 2), mixed(style.shell, 0.0, 0.1))
    bezel = box((0.94 * length, 0.96 * width, 0.001), (middle, 0, -0.0003), _BLACK, False)
    picture = box((0.8 * length, 0.9 * width, 0.001), (middle, 0, -0.0008), style.screen, False)
    pale = mixed(style.screen, 1.0, 0.5)
    window = box(
        (0.42 * length, 0.4 * width, 0.001), (1.1 * middle, 0.15 * width, -0.0013), pale, False
    )
    bar_ = box((0.06 * length, 0.9 * width, 0.001), (0.25 * middle, 0, -0.0013), _BLACK, False)
    eye = ball(0.002, (1.9 * middle, 0, 0.0), (0.1, 0.2, 0.5), False)
    logo = box((0.12 * length, 0.09 * width, 0.001), (middle, 0, thick), pale, False)
    return [plate, bezel, picture, window, bar_, eye, logo, *_edge(style, length, width, thick)]


def _edge(style: Style, length: float, width: float, thick: float) -> list[Part]:
    """A notch for a finger is only seen; a lip or a carrying grip stands out from the edge."""
    dark = mixed(style.shell, 0.0, 0.45)
    if style.edge == "notch":
        return [box((0.004, 0.2 * width, 0.5 * thick), (-length, 0, 0.3 * thick), dark, False)]
    if style.edge == "lip":
        return [box((0.014, 0.5 * width, 0.6 * thick), (-length - 0.007, 0, 0.3 * thick), dark)]
    if style.edge == "grip":
        out, half, level = -length - 0.03, 0.22 * width, thick / 2
        corners = [(-length, half, level), (out, half, level), (out, -half, level)]
        corners.append((-length, -half, level))
        return [bar(a, b, (0.012, thick), dark) for a, b in pairwise(corners)]
    return []
