"""Furniture that only stands there, in the same frame: front along +x, origin on the floor."""

from __future__ import annotations

from envs.mjthor.house.furniture import Piece
from envs.mjthor.house.parts import Part, Vector, box, panel


def sofa(size: Vector) -> Piece:
    """Seat, back, two arms; cushions are drawn only."""
    d, w, h = size
    arm, back = 0.18, 0.22
    inner = w - 2 * arm
    cushions = (
        p
        for s in (-1, 1)
        for p in (
            panel(
                (back / 2, s * inner / 4, 0.44), (d - back - 0.02, inner / 2 - 0.02, 0.10), "cloth"
            ),
            panel(
                (-d / 2 + back + 0.05, s * inner / 4, 0.62), (0.12, inner / 2 - 0.06, 0.30), "cloth"
            ),
        )
    )
    parts = (
        box((0, 0, 0.22), (d, w, 0.36)),
        box((-d / 2 + back / 2, 0, h / 2 + 0.1), (back, w, h - 0.2)),
        *(box((0, s * (w - arm) / 2, 0.34), (d, arm, 0.50)) for s in (-1, 1)),
        *cushions,
    )
    return Piece(parts)


def bed(size: Vector) -> Piece:
    """The headboard at the wall, pillows, a blanket over the foot end."""
    d, w, h = size
    pillows = (
        Part(
            "ellipsoid", (-d / 2 + 0.32, s * w / 4, 0.57), (0.42, w / 2 - 0.1, 0.16), "white", False
        )
        for s in (-1, 1)
    )
    parts = (
        box((0, 0, 0.17), (d, w, 0.26), "wood"),
        box((0.03, 0, 0.41), (d - 0.08, w - 0.06, 0.22), "cream"),
        box((-d / 2 + 0.03, 0, h / 2), (0.06, w, h), "wood"),
        panel((d / 6, 0, 0.42), (d * 0.62, w - 0.03, 0.235)),
        *pillows,
    )
    return Piece(parts)


def side_table(size: Vector) -> Piece:
    """A low cabinet with a lamp."""
    d, w, h = size
    parts = (
        box((0, 0, h / 2), (d, w, h)),
        panel((d / 2, 0, h * 0.7), (0.01, w - 0.06, h * 0.4), "front"),
        Part("cylinder", (0, 0, h + 0.12), (0.04, 0.04, 0.24), "metal", solid=False),
        Part("cylinder", (0, 0, h + 0.32), (0.24, 0.24, 0.2), "lamp"),
    )
    return Piece(parts)


def wardrobe(size: Vector) -> Piece:
    """Two closed doors."""
    d, w, h = size
    doors = (
        p
        for s in (-1, 1)
        for p in (
            panel((d / 2, s * w / 4, h / 2 + 0.03), (0.012, w / 2 - 0.02, h - 0.14), "front"),
            panel((d / 2 + 0.015, s * 0.06, h / 2), (0.02, 0.015, 0.25), "metal"),
        )
    )
    return Piece((box((0, 0, h / 2), (d, w, h)), *doors))


def tv_bench(size: Vector) -> Piece:
    """A low bench with a screen."""
    d, w, h = size
    parts = (
        box((0, 0, h / 2), (d, w, h)),
        *(
            panel((d / 2, s * w / 4, h / 2), (0.01, w / 2 - 0.03, h - 0.1), "front")
            for s in (-1, 1)
        ),
        box((-0.05, 0, h + 0.36), (0.04, w * 0.75, 0.62), "black"),
        panel((-0.028, 0, h + 0.36), (0.004, w * 0.75 - 0.04, 0.58), "screen"),
        panel((-0.05, 0, h + 0.03), (0.16, 0.3, 0.06), "black"),
    )
    return Piece(parts)


def plant(size: Vector) -> Piece:
    """A pot with a bush."""
    d, _, h = size
    leaves = ((0.0, 0.0, 0.72, 0.62), (0.08, 0.07, 0.52, 0.5), (-0.09, 0.05, 0.55, 0.5))
    parts = (
        Part("cylinder", (0, 0, 0.18), (d * 0.7, d * 0.7, 0.36)),
        Part("cylinder", (0, 0, 0.4), (0.03, 0.03, 0.3), "brown", solid=False),
        *(Part("sphere", (x, y, z * h), (s * d,) * 3, "leaf", False) for x, y, z, s in leaves),
        Part("cylinder", (0, 0, h / 2 + 0.2), (d * 0.6, d * 0.6, h - 0.4), "leaf", seen=False),
    )
    return Piece(parts)


def bathtub(size: Vector) -> Piece:
    """A full one."""
    d, w, h = size
    parts = (
        box((0, 0, h / 2), (d, w, h)),
        Part("box", (0, 0, h), (d - 0.14, w - 0.16, 0.01), "water", solid=False),
        Part("cylinder", (0, w / 2 - 0.05, h + 0.1), (0.03, 0.03, 0.2), "metal", solid=False),
    )
    return Piece(parts)


def toilet(size: Vector) -> Piece:
    """Cistern, bowl and seat."""
    d, w, h = size
    parts = (
        box((-d / 2 + 0.09, 0, h / 2), (0.18, w, h)),
        box((0.02, 0, 0.19), (d - 0.1, w * 0.7, 0.38)),
        Part("ellipsoid", (0.09, 0, 0.4), (d * 0.68, w, 0.06), solid=False),
        Part("ellipsoid", (0.1, 0, 0.425), (d * 0.42, w * 0.55, 0.03), "ice", solid=False),
    )
    return Piece(parts)


def rug(size: Vector) -> Piece:
    """Drawn on the floor, nothing to roll over."""
    d, w, _ = size
    return Piece(
        (
            panel((0, 0, 0.004), (d, w, 0.006)),
            panel((0, 0, 0.005), (d - 0.2, w - 0.2, 0.006), "cloth"),
        )
    )
