"""Toilets: a bowl on its foot, a seat, and a lid on a hinge at the back.

The front is -x of the root; the lid's own frame is turned around, so that its free edge is where x
is largest: there upstream takes the point that the hand has to reach.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np

from envs.dexart.instance import Instance
from envs.dexart.objects.shapes import box, disc, generator, loop, mixed, oval, rod, tilt, wall
from envs.sapien.geometry import Pose
from envs.sapien.parts import Colour, Link, Part, urdf

PLACE = (0.47, -0.2, -0.4)  # from a base 0.4 m above the table that it stands on

_WHITE, _IVORY, _BONE = (0.93, 0.94, 0.95), (0.93, 0.9, 0.82), (0.82, 0.8, 0.74)
_PINK, _AVOCADO, _SKY = (0.88, 0.68, 0.68), (0.58, 0.66, 0.48), (0.62, 0.75, 0.84)
_OAK, _WALNUT, _BLACK = (0.68, 0.48, 0.28), (0.42, 0.27, 0.17), (0.16, 0.16, 0.17)
_CHROME, _WATER, _GREY = (0.62, 0.66, 0.7), (0.45, 0.68, 0.82), (0.5, 0.52, 0.55)
_NAVY, _SAGE = (0.2, 0.28, 0.42), (0.7, 0.77, 0.7)


@dataclass(frozen=True)
class Style:
    """One toilet; names in :data:`_TANKS`, :data:`_FEET` and :data:`_LIDS`."""

    tank: str
    foot: str
    lid: str
    ware: Colour
    cover: Colour


STYLES: Mapping[str, tuple[Style, ...]] = {
    "seen": (
        Style("button", "waist", "arch", _WHITE, _WHITE),
        Style("lever", "waist", "arch", _IVORY, _OAK),
        Style("button", "cone", "square", _WHITE, _BLACK),
        Style("slim", "waist", "round", _SKY, _WHITE),
        Style("lever", "cone", "arch", _PINK, _PINK),
        Style("button", "waist", "round", _WHITE, _WALNUT),
        Style("slim", "cone", "square", _BONE, _BONE),
        Style("lever", "waist", "square", _WHITE, _GREY),
        Style("button", "cone", "arch", _AVOCADO, _AVOCADO),
        Style("slim", "waist", "arch", _WHITE, _NAVY),
        Style("lever", "cone", "round", _WHITE, _WHITE),
        Style("button", "waist", "square", _SAGE, _WHITE),
        Style("slim", "cone", "round", _IVORY, _WALNUT),
        Style("lever", "waist", "round", _GREY, _BLACK),
        Style("button", "cone", "round", _BONE, _OAK),
        Style("slim", "waist", "square", _WHITE, _SKY),
        Style("lever", "cone", "square", _WHITE, _OAK),
    ),
    "unseen": (
        Style("panel", "hung", "egg", _WHITE, _WHITE),
        Style("barrel", "block", "egg", _IVORY, _WALNUT),
        Style("none", "block", "slab", _WHITE, _BLACK),
        Style("panel", "hung", "wedge", _WHITE, _GREY),
        Style("barrel", "block", "wedge", _PINK, _WHITE),
        Style("none", "hung", "egg", _BLACK, _BLACK),
        Style("panel", "block", "slab", _SAGE, _OAK),
        Style("barrel", "block", "slab", _WHITE, _NAVY),
        Style("none", "block", "wedge", _BONE, _WALNUT),
        Style("panel", "hung", "slab", _SKY, _WHITE),
        Style("barrel", "hung", "egg", _WHITE, _OAK),
    ),
}


_AROUND = Pose(quaternion=(0.0, 0.0, 0.0, 1.0))


@dataclass(frozen=True)
class Sizes:
    """Metres: the lid's ``length`` from its hinge, ``width``; ``height`` of the bowl's rim;
    ``gap`` from the hinge to the tank; ``tank`` how far that stands out above the rim."""

    length: float
    width: float
    height: float
    gap: float
    tank: float


def make(split: str, index: int) -> Instance:
    """Toilet ``index`` of ``split``; its root is on the floor under the middle of the lid."""
    style, draw = STYLES[split][index], generator("toilet", split, index)
    width = float(draw.uniform(0.155, 0.185))
    length = width * float(draw.uniform(1.08, 1.2))
    height, tank = float(draw.uniform(0.25, 0.3)), float(draw.uniform(0.07, 0.1))
    sizes = Sizes(length, width, height, 0.04, tank)
    lean, shut = float(draw.uniform(0.08, 0.16)), np.pi / 2
    zero = shut + lean  # of the lid, from lying flat, at joint angle 0
    low = float(draw.uniform(0.0, 0.03))
    closed, opened = low - zero, float(draw.uniform(-0.06, 0.0))
    stop = max(0.0, opened + 0.04)  # held against it the lid counts as open
    thick = float(draw.uniform(0.011, 0.016))
    flat = tilt((length / 2, 0.0, height + 0.004), 0.0)
    hinge = tilt((length / 2, 0.0, height + 0.02), zero)
    moving: dict[str, Any] = {"parent": "body", "joint": "revolute"}
    left, right = (0.0, 1.0, 0.0), (0.0, -1.0, 0.0)
    lid = tuple(replace(part, pose=_AROUND @ part.pose) for part in _lid(style, sizes, thick))
    links = (
        Link("body", tuple(_body(style, sizes))),
        Link("lid", lid, origin=hinge @ _AROUND, axis=right, low=closed, high=stop, **moving),
        Link("seat", tuple(_seat(style, sizes)), origin=flat, axis=left, high=1.5, **moving),
    )
    return Instance(
        f"toilet-{split}-{index}",
        urdf("toilet", links),
        "toilet/lid_joint",
        PLACE,
        closed=closed,
        open=opened,
        ghosts=("toilet/lid", "toilet/seat"),
    )


# --------------------------------------------------------------------------------- fixed parts
def _body(style: Style, sizes: Sizes) -> list[Part]:
    rim = _bowl_ring(sizes, 0.97, sizes.height)
    waist = _bowl_ring(sizes, 0.66, 0.55 * sizes.height, 0.02)
    parts = wall(waist, rim, 0.012, style.ware)
    inner = _bowl_ring(sizes, 0.42, 0.6 * sizes.height)
    parts += wall(inner, _bowl_ring(sizes, 0.8, sizes.height - 0.002), 0.004, style.ware, False)
    parts += loop(_bowl_ring(sizes, 0.89, sizes.height - 0.008), (0.024, 0.016), style.ware)
    parts += disc(0.26 * sizes.width, 0.004, (0.0, 0.0, 0.64 * sizes.height), _WATER)
    back = sizes.length / 2 + sizes.gap
    deck = (0.09 + sizes.gap, 0.75 * sizes.width, 0.45 * sizes.height)
    middle = (back - deck[0] / 2 + 0.03, 0.0, 0.775 * sizes.height - 0.001)
    parts.append(box(deck, middle, style.ware))
    for side in (-1, 1):
        place = (sizes.length / 2 + 0.006, side * 0.28 * sizes.width, sizes.height + 0.01)
        parts.append(box((0.02, 0.026, 0.022), place, _CHROME, False))
    parts += _FEET[style.foot](style, sizes)
    return parts + _TANKS[style.tank](style, sizes, back)


def _bowl_ring(sizes: Sizes, scale: float, height: float, back: float = 0.0) -> np.ndarray:
    return oval(14, scale * sizes.length / 2, scale * sizes.width / 2, height, back)


def _waist(style: Style, sizes: Sizes) -> list[Part]:
    middle = _bowl_ring(sizes, 0.6, 0.56 * sizes.height, 0.02)
    neck = _bowl_ring(sizes, 0.5, 0.25 * sizes.height, 0.03)
    ground = _bowl_ring(sizes, 0.72, 0.0, 0.03)
    return [*wall(neck, middle, 0.012, style.ware), *wall(ground, neck, 0.012, style.ware)]


def _cone(style: Style, sizes: Sizes) -> list[Part]:
    middle = _bowl_ring(sizes, 0.66, 0.56 * sizes.height, 0.02)
    ground = _bowl_ring(sizes, 0.56, 0.0, 0.035)
    plinth = _bowl_ring(sizes, 0.64, 0.0, 0.035)
    rise = np.array([0.0, 0.0, 0.02])
    foot = wall(plinth, plinth + rise, 0.012, style.ware)
    return [*wall(ground, middle, 0.012, style.ware), *foot]


def _block(style: Style, sizes: Sizes) -> list[Part]:
    """A skirted foot with straight sides."""
    size = (0.78 * sizes.length, 0.62 * sizes.width, 0.56 * sizes.height)
    return [box(size, (0.05, 0.0, size[2] / 2), style.ware)]


def _hung(style: Style, sizes: Sizes) -> list[Part]:
    """No foot: a bracket from the wall behind."""
    back = sizes.length / 2 + sizes.gap
    size = (0.6 * sizes.length, 0.45 * sizes.width, 0.22 * sizes.height)
    bracket = box(size, (back - size[0] / 2 + 0.02, 0, 0.6 * sizes.height), style.ware)
    board = (0.03, 1.1 * sizes.width, sizes.height + 0.01)
    return [bracket, box(board, (back + 0.035, 0, board[2] / 2), _GREY)]


_FEET: Mapping[str, Callable[[Style, Sizes], list[Part]]] = {
    "waist": _waist,
    "cone": _cone,
    "block": _block,
    "hung": _hung,
}


def _box_tank(style: Style, sizes: Sizes, back: float, depth: float, width: float) -> list[Part]:
    low, top = 0.85 * sizes.height, sizes.height + sizes.tank
    middle = back + depth / 2
    tank = box((depth, width, top - low), (middle, 0, (top + low) / 2), style.ware)
    pale = mixed(style.ware, 0.0, 0.1)
    cover = box((depth + 0.012, width + 0.014, 0.014), (middle, 0, top + 0.007), pale)
    return [tank, cover]


def _button_tank(style: Style, sizes: Sizes, back: float) -> list[Part]:
    top = sizes.height + sizes.tank + 0.014
    parts = _box_tank(style, sizes, back, 0.06, 1.0 * sizes.width)
    return [*parts, *disc(0.018, 0.008, (back + 0.03, 0, top + 0.004), _CHROME)]


def _lever_tank(style: Style, sizes: Sizes, back: float) -> list[Part]:
    level, side = sizes.height + sizes.tank - 0.02, 0.45 * sizes.width
    parts = _box_tank(style, sizes, back, 0.055, 1.08 * sizes.width)
    pin = rod((back - 0.008, side, level), (back + 0.01, side, level), 0.007, _CHROME)
    arm = box((0.006, 0.045, 0.01), (back - 0.008, side - 0.018, level - 0.002), _CHROME)
    return [*parts, *pin, arm]


def _slim_tank(style: Style, sizes: Sizes, back: float) -> list[Part]:
    level = sizes.height + sizes.tank + 0.014
    parts = _box_tank(style, sizes, back, 0.05, 0.78 * sizes.width)
    knob = rod((back + 0.025, 0, level), (back + 0.025, 0, level + 0.018), 0.009, _CHROME)
    return [*parts, *knob]


def _barrel_tank(style: Style, sizes: Sizes, back: float) -> list[Part]:
    """A round tank, lying."""
    half, radius = 0.55 * sizes.width, 0.04
    level, middle = sizes.height + 0.5 * sizes.tank, back + radius
    barrel = rod((middle, -half, level), (middle, half, level), radius, style.ware, 5, True)
    half += 0.01
    caps = rod((middle, -half, level), (middle, half, level), 0.6 * radius, _CHROME)
    rise = 0.5 * sizes.tank
    post = box((0.05, 0.08, rise), (middle, 0, sizes.height + 0.4 * rise), style.ware)
    return [*barrel, *caps, post]


def _panel_tank(style: Style, sizes: Sizes, back: float) -> list[Part]:
    """A board in front of a hidden tank, with two flush plates."""
    top = sizes.height + sizes.tank + 0.03
    board = box((0.03, 1.2 * sizes.width, top), (back + 0.035, 0, top / 2), _GREY)
    front, level = back + 0.019, top - 0.035
    plate = box((0.004, 0.09, 0.036), (front, 0, level), _CHROME, False)
    buttons = [
        box((0.004, 0.034, 0.024), (front - 0.003, y, level), _WHITE, False) for y in (-0.02, 0.02)
    ]
    return [board, plate, *buttons]


def _no_tank(style: Style, sizes: Sizes, back: float) -> list[Part]:
    """A flush valve on a short pipe."""
    top = sizes.height + sizes.tank
    pipe = rod((back + 0.03, 0, sizes.height - 0.02), (back + 0.03, 0, top), 0.012, _CHROME)
    cap = disc(0.02, 0.02, (back + 0.03, 0, top), _CHROME)
    arm = box((0.01, 0.06, 0.01), (back + 0.03, 0.03, top), _CHROME)
    return [*pipe, *cap, arm]


_TANKS: Mapping[str, Callable[[Style, Sizes, float], list[Part]]] = {
    "button": _button_tank,
    "lever": _lever_tank,
    "slim": _slim_tank,
    "barrel": _barrel_tank,
    "panel": _panel_tank,
    "none": _no_tank,
}


# ------------------------------------------------- moving parts, lying along -x of their hinge
def _seat(style: Style, sizes: Sizes) -> list[Part]:
    middle = -sizes.length / 2
    ring = oval(14, 0.86 * sizes.length / 2, 0.83 * sizes.width / 2, 0.007, middle)
    colour = mixed(style.cover, 0.0, 0.14)
    hinge = box((0.03, 0.6 * sizes.width, 0.012), (-0.012, 0, 0.007), colour)
    return [*loop(ring, (0.03, 0.014), colour), hinge]


def _lid(style: Style, sizes: Sizes, thick: float) -> list[Part]:
    """Slats across, finer towards the front, each as wide as the outline is in its middle."""
    colour, outline = mixed(style.cover, 0.0, 0.06), _LIDS[style.lid]
    ends = np.sin(np.linspace(0, np.pi / 2, 15))
    slats = []
    for start, end in pairwise(ends):
        middle = float(start + end) / 2
        size = (end - start) * sizes.length, outline(middle) * sizes.width, thick
        slats.append(box(size, (-middle * sizes.length, 0, thick / 2), colour))
    if style.lid == "slab":
        tab = (0.022, 0.3 * sizes.width, 0.7 * thick)
        slats.append(box(tab, (-sizes.length - 0.011, 0, 0.35 * thick), _CHROME))
    return slats


def _arc(place: float, start: float, end: float) -> float:
    """1 up to ``start``, then a quarter of an ellipse down to 0 at ``end``."""
    return float(np.sqrt(max(1.0 - max((place - start) / (end - start), 0.0) ** 2, 0.0)))


# Width of a lid over its widest, from the hinge at 0 to the front at 1.
_LIDS: Mapping[str, Callable[[float], float]] = {
    "arch": lambda s: _arc(s, 0.56, 1.0),
    "round": lambda s: _arc(s, 0.5, 1.0) * max(_arc(1 - s, 0.5, 1.0), 0.6),
    "square": lambda s: 0.6 + 0.4 * _arc(s, 0.82, 1.0),
    "egg": lambda s: _arc(s, 0.35, 1.0) * max(_arc(1 - s, 0.65, 1.05), 0.7),
    "wedge": lambda s: 1.0 - 0.4 * s,
    "slab": lambda s: 1.0,
}
