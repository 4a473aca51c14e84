"""Faucets: a fixed body with its spout towards the robot, and a light handle on a hinge."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from envs.dexart.instance import Instance
from envs.dexart.objects.shapes import ball, bar, box, disc, generator, loop, mixed, oval, rod, tube
from envs.sapien.geometry import Pose
from envs.sapien.parts import Colour, Link, Part, urdf

_STEMS, _THIN = {"top": 0.028, "left": 0.055, "right": 0.055}, 0.008  # metres: a handle's stem
PLACE = (0.53, -0.05, 0.0)  # metres in front of the robot's base

_CHROME, _NICKEL, _STEEL = (0.8, 0.83, 0.87), (0.66, 0.64, 0.6), (0.52, 0.56, 0.6)
_BRASS, _COPPER, _BLACK = (0.83, 0.65, 0.26), (0.74, 0.43, 0.29), (0.16, 0.16, 0.18)
_WHITE, _RED, _BLUE = (0.93, 0.93, 0.91), (0.78, 0.14, 0.12), (0.15, 0.33, 0.72)
_GREEN, _STONE, _WOOD = (0.12, 0.45, 0.25), (0.45, 0.44, 0.43), (0.55, 0.36, 0.2)


@dataclass(frozen=True)
class Style:
    """One faucet. ``mount``: where the hinge is, see :data:`_MOUNTS`; ``turn``: range, rad."""

    body: str
    handle: str
    mount: str
    turn: tuple[float, float]
    metal: Colour
    accent: Colour


_LEFT, _RIGHT, _BOTH = (-0.05, 2.1), (-2.1, 0.05), (-1.9, 1.9)

STYLES: Mapping[str, tuple[Style, ...]] = {
    "seen": (
        Style("straight", "lever", "top", _BOTH, _CHROME, _BLUE),
        Style("arch", "lever", "left", _LEFT, _NICKEL, _BLACK),
        Style("straight", "cross", "top", _BOTH, _BRASS, _WHITE),
        Style("slant", "tee", "top", _LEFT, _COPPER, _WOOD),
        Style("arch", "paddle", "left", _RIGHT, _CHROME, _CHROME),
        Style("slant", "lever", "right", _LEFT, _BLACK, _BRASS),
        Style("straight", "paddle", "top", _RIGHT, _STEEL, _RED),
        Style("arch", "cross", "left", _BOTH, _BLACK, _WHITE),
        Style("slant", "cross", "top", _RIGHT, _CHROME, _RED),
        Style("straight", "tee", "left", _BOTH, _NICKEL, _WOOD),
        Style("slant", "paddle", "top", _LEFT, _WHITE, _BLUE),
    ),
    "unseen": (
        Style("garden", "wheel", "top", _BOTH, _BRASS, _RED),
        Style("bridge", "loop", "top", _LEFT, _CHROME, _BLUE),
        Style("flat", "hook", "left", _LEFT, _BLACK, _BRASS),
        Style("garden", "loop", "top", _BOTH, _COPPER, _GREEN),
        Style("bridge", "wheel", "top", _RIGHT, _NICKEL, _BLACK),
        Style("flat", "loop", "left", _RIGHT, _STEEL, _RED),
        Style("bridge", "hook", "top", _BOTH, _BRASS, _WHITE),
    ),
}


def make(split: str, index: int) -> Instance:
    """Faucet ``index`` of ``split``; its lever starts at 0."""
    style, draw = STYLES[split][index], generator("faucet", split, index)
    height, radius = float(draw.uniform(0.13, 0.19)), float(draw.uniform(0.016, 0.022))
    body, top = _BODIES[style.body](height, radius, float(draw.uniform(0.08, 0.11)), style)
    size = float(draw.uniform(0.0, 1.0))
    links = (
        Link("body", tuple(body)),
        Link(
            "handle",
            _pointed(style.mount, _HANDLES[style.handle](size, _handled(style)), style.metal),
            parent="body",
            joint="revolute",
            origin=_hinge(style.mount, top, radius),
            low=style.turn[0],
            high=style.turn[1],
        ),
    )
    name = f"faucet-{split}-{index}"
    return Instance(name, urdf("faucet", links), "faucet/handle_joint", PLACE)


# ----------------------------------------------------------- bodies: (parts, top of the column)
Body = tuple[list[Part], np.ndarray]


def _column(height: float, radius: float, style: Style) -> list[Part]:
    return [
        box((0.09, 0.16, 0.012), (0, 0, 0.006), _STONE),
        *rod((0, 0, 0.012), (0, 0, 0.024), radius + 0.012, style.metal, solid=True),
        *rod((0, 0, 0.02), (0, 0, height), radius, style.metal),
    ]


def _straight(height: float, radius: float, reach: float, style: Style) -> Body:
    level = 0.62 * height
    points = [(0, 0, level), (-reach, 0, level), (-reach, 0, level - 0.035)]
    parts = [*_column(height, radius, style), *tube(points, 0.65 * radius, style.metal)]
    return parts, np.array([0, 0, height])


def _slant(height: float, radius: float, reach: float, style: Style) -> Body:
    tip = np.array([-reach, 0, 0.75 * height])
    points = [np.array([0, 0, 0.35 * height]), tip, tip - (0.012, 0, 0.03)]
    parts = [*_column(height, radius, style), *tube(points, 0.7 * radius, style.metal)]
    return parts, np.array([0, 0, height])


def _arch(height: float, radius: float, reach: float, style: Style) -> Body:
    half = 0.5 * reach
    angles = np.linspace(0, np.pi, 8)
    arc = [(half * (np.cos(a) - 1), 0, height + 0.04 + half * np.sin(a)) for a in angles]
    points = [(0, 0, 0.6 * height), *arc, (-reach, 0, height - 0.01)]
    pipe = tube(points, 0.6 * radius, style.metal)
    low = 0.75 * height
    return [*_column(low, radius, style), *pipe], np.array([0, 0, low - radius - 0.004])


def _flat(height: float, radius: float, reach: float, style: Style) -> Body:
    """A square column with a wide plate that water falls from."""
    width = 2.2 * radius
    plate = box((reach + 0.03, 0.07, 0.014), (-reach / 2, 0, 0.8 * height), style.metal)
    edge = box((0.006, 0.06, 0.004), (-reach - 0.013, 0, 0.8 * height), _BLUE, False)
    parts = [
        box((0.09, 0.14, 0.012), (0, 0, 0.006), _STONE),
        box((width, width, height), (0, 0, height / 2), style.metal),
    ]
    return [*parts, plate, edge], np.array([0, 0, 0.45 * height])


def _bridge(height: float, radius: float, reach: float, style: Style) -> Body:
    """Two pillars, a pipe across, the spout in its middle and the hinge on one pillar."""
    level, side = 0.75 * height, 0.055
    parts = [box((0.07, 0.18, 0.012), (0, 0, 0.006), _STONE)]
    for y in (-side, side):
        parts += rod((0, y, 0), (0, y, height), 0.8 * radius, style.metal)
        parts += disc(radius + 0.006, 0.01, (0, y, 0.016), style.metal)
    parts += rod((0, -side, level), (0, side, level), 0.6 * radius, style.metal)
    tip = (-reach, 0, level + 0.03)
    points = [(0, 0, level), (-0.4 * reach, 0, level + 0.03), tip, (-reach, 0, level - 0.01)]
    parts += tube(points, 0.6 * radius, style.metal)
    return parts, np.array([0, side, height])


def _garden(height: float, radius: float, reach: float, style: Style) -> Body:
    """A tap on a standpipe behind: a level pipe, the valve's bonnet, a nozzle that looks down."""
    level, back = 0.7 * height, 0.06
    nozzle = [(back, 0, level), (-0.55 * reach, 0, level), (-0.75 * reach, 0, level - 0.05)]
    parts = [
        box((0.1, 0.12, 0.012), (back, 0, 0.006), _STONE),
        *rod((back, 0, 0), (back, 0, level + radius), 1.1 * radius, _STEEL),
        *tube(nozzle, 0.8 * radius, style.metal),
        *rod((0, 0, level), (0, 0, height), 0.7 * radius, style.metal),
        *rod((0, 0, level), (0, 0, level + 1.4 * radius), 1.1 * radius, style.metal),
    ]
    return parts, np.array([0, 0, height])


_BODIES: Mapping[str, Callable[[float, float, float, Style], Body]] = {
    "straight": _straight,
    "slant": _slant,
    "arch": _arch,
    "flat": _flat,
    "bridge": _bridge,
    "garden": _garden,
}

# Turn about x that brings the hinge's axis from z to where it is; of the handle about it, rad.
_MOUNTS: Mapping[str, tuple[float, float]] = {
    "top": (0.0, np.pi),
    "left": (-np.pi / 2, -np.pi / 2),
    "right": (np.pi / 2, np.pi / 2),
}


def _hinge(mount: str, top: np.ndarray, radius: float) -> Pose:
    """The handle's frame in the root's: z is the axis, x the root's."""
    turn = _MOUNTS[mount][0]
    pose = Pose(top, (np.cos(turn / 2), np.sin(turn / 2), 0.0, 0.0))
    return pose if mount == "top" else Pose(pose.apply((0.0, 0.0, 0.8 * radius)), pose.quaternion)


def _pointed(mount: str, parts: list[Part], colour: Colour) -> tuple[Part, ...]:
    """A handle that lies along x, turned to where it points at joint angle 0, and set on a stem
    that, as the cap, is only seen, and leaves room for fingers."""
    turn = _MOUNTS[mount][1]
    length = _STEMS[mount]
    pose = Pose((0.0, 0.0, length), (np.cos(turn / 2), 0.0, 0.0, np.sin(turn / 2)))
    stem = [part for part in rod((0, 0, 0), (0, 0, length), _THIN, colour) if not part.collides]
    return (*stem, *(replace(part, pose=pose @ part.pose) for part in parts))


# ------------------------- handles about z, pointing along x; size 0 to 1 from small to large
def _handled(style: Style) -> Style:
    """A handle's metal is a shade darker than its body's, to be told from it in flat light."""
    return replace(style, metal=mixed(style.metal, 0.0, 0.14))


def _hub(style: Style, height: float, radius: float = 0.013) -> list[Part]:
    """The cap on the hinge, hollow: it is seen but does not collide."""
    return [
        part for part in rod((0, 0, 0), (0, 0, height), radius, style.metal) if not part.collides
    ]


def _lever(size: float, style: Style) -> list[Part]:
    length = 0.1 + 0.04 * size
    arm = bar((-0.012, 0, 0.026), (length, 0, 0.038), (0.014, 0.007), style.metal)
    return [*_hub(style, 0.03), arm, ball(0.009, (length, 0, 0.038), style.accent)]


def _cross(size: float, style: Style) -> list[Part]:
    half, parts = 0.064 + 0.012 * size, _hub(style, 0.03)
    for x, y in ((1, 0), (-1, 0), (0, 1), (0, -1)):
        end = np.array([x * half, y * half, 0.024])
        start = np.array([x, y, 0]) * 0.004 + (0, 0, 0.024)
        parts += [bar(start, end, (0.009, 0.007), style.metal), ball(0.0075, end, style.metal)]
    return [*parts, ball(0.009, (0, 0, 0.03), style.accent, False)]


def _tee(size: float, style: Style) -> list[Part]:
    half, parts = 0.07 + 0.012 * size, _hub(style, 0.036)
    for side in (-1, 1):
        parts += rod((0, 0, 0.034), (side * 0.02, 0, 0.034), 0.006, style.metal)
        parts += rod((side * 0.02, 0, 0.034), (side * half, 0, 0.034), 0.007, style.accent)
    return parts


def _paddle(size: float, style: Style) -> list[Part]:
    length, width = 0.095 + 0.025 * size, 0.03 + 0.008 * size
    blade = bar((0.02, 0, 0.028), (length, 0, 0.036), (width, 0.0045), style.metal)
    neck = bar((-0.01, 0, 0.025), (0.03, 0, 0.029), (0.018, 0.006), style.metal)
    dot = ball(0.006, (length - 0.015, 0, 0.035), style.accent, False)
    return [*_hub(style, 0.027), neck, blade, dot]


def _wheel(size: float, style: Style) -> list[Part]:
    radius = 0.045 + 0.01 * size
    rim = loop(oval(10, radius, radius, 0.026), (0.008, 0.007), style.accent)
    ends = [(radius * np.cos(a), radius * np.sin(a), 0.026) for a in np.arange(1, 6, 2) * np.pi / 3]
    spokes = [bar((0, 0, 0.026), end, (0.006, 0.005), style.accent) for end in ends]
    return [*_hub(style, 0.034, 0.011), *rim, *spokes]


def _loop(size: float, style: Style) -> list[Part]:
    """A stirrup: two arms and a bar across their ends."""
    length, half = 0.09 + 0.03 * size, 0.024 + 0.006 * size
    corners = [(0.0, half, 0.024), (length, half, 0.03), (length, -half, 0.03), (0.0, -half, 0.024)]
    return [*_hub(style, 0.028), *loop(np.array(corners), (0.008, 0.007), style.accent)]


def _hook(size: float, style: Style) -> list[Part]:
    """An arm with an upright grip at its end, like a crank."""
    length, grip = 0.07 + 0.02 * size, 0.06 + 0.015 * size
    arm = bar((-0.012, 0, 0.024), (length, 0, 0.024), (0.014, 0.007), style.metal)
    post = rod((length, 0, 0.02), (length, 0, 0.024 + grip), 0.0075, style.accent)
    return [*_hub(style, 0.029), arm, *post]


_HANDLES: Mapping[str, Callable[[float, Style], list[Part]]] = {
    "lever": _lever,
    "cross": _cross,
    "tee": _tee,
    "paddle": _paddle,
    "wheel": _wheel,
    "loop": _loop,
    "hook": _hook,
}
