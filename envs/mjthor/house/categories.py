"""The kinds of free things: parts of a unit box (foot at z = 0), sizes, masses, colours.

Fingers close along y. Round things stand on a small box that is not drawn: a flat foot of four
contacts comes to rest and sleeps, a rim or a sphere rolls.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from envs.mjthor.house.parts import Part, Vector, box, open_box, panel, ring


@dataclass(frozen=True)
class Kind:
    """``low`` to ``high``: sizes (x, y, z) in metres; ``mass`` kg of the middle size. ``even``:
    as wide as deep. ``receptacle``: holds things, is not grasped."""

    parts: tuple[Part, ...]
    low: Vector
    high: Vector
    mass: float
    colours: tuple[str, ...]
    even: bool = False
    receptacle: bool = False


def _foot(width: float = 0.66) -> Part:
    return Part("box", (0, 0, 0.02), (width, width, 0.04), seen=False)


def _tube(low: float, high: float, width: float = 1.0, paint: str = "main", solid: bool = True) -> Part:
    return Part("cylinder", (0, 0, (low + high) / 2), (width, width, high - low), paint, solid)


def _ball() -> tuple[Part, ...]:
    return (_foot(0.4), Part("sphere", (0, 0, 0.51), (0.98, 0.98, 0.98)))


def _plate() -> Iterator[Part]:
    """Seen round, felt as two crossed boxes: what lies on them has a flat rest."""
    for turn in (0.0, 0.785):
        yield Part("box", (0, 0, 0.35), (0.70, 0.70, 0.7), seen=False, turn=turn)
    yield _tube(0.0, 0.5, 0.6, solid=False)
    yield _tube(0.4, 0.7, 0.98, solid=False)
    yield from (
        Part(p.shape, p.at, p.size, p.paint, solid=False, turn=p.turn) for p in ring(12, 0.06, 0.6)
    )


_GAY = ("red", "orange", "yellow", "green", "blue", "purple", "pink", "white")
_CALM = ("white", "blue", "green", "red", "grey", "yellow", "black")
_BASKETS = ("brown", "cream", "grey", "white")
KINDS: dict[str, Kind] = {
    "mug": Kind(
        (
            Part("box", (0.15, 0, 0.02), (0.46, 0.66, 0.04), seen=False),
            Part("cylinder", (0.15, 0, 0.51), (0.70, 1.0, 0.98)),
            Part("cylinder", (0.15, 0, 0.975), (0.58, 0.84, 0.06), "brown", solid=False),
            panel((-0.34, 0, 0.5), (0.30, 0.14, 0.6)),
        ),
        (0.100, 0.070, 0.085), (0.107, 0.075, 0.100), 0.28, _GAY,
    ),
    "cup": Kind(
        (_foot(0.55), _tube(0.01, 0.5, 0.84), _tube(0.45, 1.0), _tube(0.96, 1.004, 0.86, "cream", False)),
        (0.065, 0.065, 0.09), (0.075, 0.075, 0.12), 0.08, _GAY, even=True,
    ),
    "can": Kind(
        (_foot(), _tube(0.01, 0.97), _tube(0.95, 1.0, 0.84, "metal"), _tube(0.0, 0.05, 0.88, "metal", False)),
        (0.060, 0.060, 0.11), (0.068, 0.068, 0.125), 0.35, _CALM, even=True,
    ),
    "bottle": Kind(
        (_foot(), _tube(0.005, 0.62), _tube(0.6, 0.75, 0.66), _tube(0.73, 0.92, 0.4), _tube(0.9, 1.0, 0.46, "white"),
         _tube(0.2, 0.45, 1.01, "cream", False)),
        (0.060, 0.060, 0.19), (0.068, 0.068, 0.22), 0.40, ("green", "blue", "red", "brown", "purple"), even=True,
    ),
    "apple": Kind(
        (*_ball(), Part("cylinder", (0, 0, 0.98), (0.08, 0.08, 0.1), "brown", False)),
        (0.066, 0.066, 0.066), (0.074, 0.074, 0.074), 0.18, ("red", "green", "yellow"), even=True,
    ),
    "orange": Kind(_ball(), (0.068, 0.068, 0.068), (0.075, 0.075, 0.075), 0.2, ("orange",), even=True),
    "tennis ball": Kind(_ball(), (0.065, 0.065, 0.065), (0.067, 0.067, 0.067), 0.06, ("yellow", "green", "pink"), even=True),
    "sponge": Kind(
        (box((0, 0, 0.4), (1, 1, 0.8)), box((0, 0, 0.9), (1, 1, 0.2), "green")),
        (0.10, 0.055, 0.04), (0.12, 0.07, 0.05), 0.05, ("yellow", "pink", "blue", "orange"),
    ),
    "soap bar": Kind(
        (box((0, 0, 0.5), (0.98, 0.98, 1.0)), panel((0, 0, 0.5), (1.0, 1.0, 0.5))),
        (0.08, 0.05, 0.04), (0.095, 0.06, 0.045), 0.11, ("white", "pink", "green", "purple", "cream"),
    ),
    "salt shaker": Kind(
        (_foot(), _tube(0.01, 0.75), _tube(0.74, 1.0, 0.9, "metal")),
        (0.040, 0.040, 0.085), (0.048, 0.048, 0.11), 0.12, ("white", "blue", "red", "black"), even=True,
    ),
    "candle": Kind(
        (_foot(), _tube(0.01, 0.88), Part("ellipsoid", (0, 0, 0.94), (0.14, 0.14, 0.12), "orange", False)),
        (0.050, 0.050, 0.085), (0.065, 0.065, 0.13), 0.22, ("white", "red", "purple", "cream", "green"), even=True,
    ),
    "cereal box": Kind(
        (box((0, 0, 0.5), (1, 1, 1)), panel((0, 0, 0.6), (0.8, 1.01, 0.4), "cream"), panel((0, 0, 0.6), (1.01, 0.7, 0.4), "cream")),
        (0.13, 0.050, 0.19), (0.16, 0.065, 0.22), 0.35, ("red", "blue", "yellow", "orange", "purple", "green"),
    ),
    "juice carton": Kind(
        (box((0, 0, 0.41), (1, 1, 0.82)), panel((0, 0, 0.86), (0.7, 1, 0.1)), panel((0, 0, 0.94), (0.2, 1, 0.12), "white"),
         panel((0, 0, 0.4), (1.01, 0.6, 0.35), "white"), panel((0, 0, 0.4), (0.6, 1.01, 0.35), "white")),
        (0.060, 0.060, 0.17), (0.07, 0.07, 0.21), 0.45, ("orange", "red", "green", "purple", "yellow"), even=True,
    ),
    "toy block": Kind(
        (box((0, 0, 0.5), (1, 1, 1)), panel((0, 0, 0.5), (1.01, 0.6, 0.6), "cream"), panel((0, 0, 0.5), (0.6, 1.01, 0.6), "cream")),
        (0.045, 0.045, 0.045), (0.055, 0.055, 0.055), 0.08, ("red", "blue", "green", "yellow", "purple", "orange"), even=True,
    ),
    "remote control": Kind(
        (box((0, 0, 0.5), (1, 1, 1)), *(panel((x, y, 1.0), (0.09, 0.2, 0.06), p) for x, y, p in
         ((-0.35, 0, "red"), (-0.12, -0.25, "white"), (-0.12, 0.25, "white"), (0.1, -0.25, "white"), (0.1, 0.25, "white")))),
        (0.14, 0.045, 0.04), (0.16, 0.055, 0.042), 0.12, ("black", "grey", "white"),
    ),
    "jar": Kind(
        (_foot(), _tube(0.01, 0.8), _tube(0.78, 1.0, 0.92, "cream"), _tube(0.25, 0.6, 1.01, "white", False)),
        (0.060, 0.060, 0.085), (0.072, 0.072, 0.12), 0.32, ("red", "brown", "orange", "green", "purple"), even=True,
    ),
    "spray bottle": Kind(
        (_foot(), _tube(0.005, 0.6), _tube(0.58, 0.8, 0.4, "white"), box((0.1, 0, 0.9), (0.75, 0.3, 0.2), "white")),
        (0.065, 0.065, 0.18), (0.072, 0.072, 0.21), 0.38, ("blue", "green", "pink", "yellow"), even=True,
    ),
    "toy car": Kind(
        (box((0, 0, 0.42), (1, 0.9, 0.42)), box((-0.05, 0, 0.8), (0.5, 0.8, 0.4), "glass"),
         box((0, 0, 0.1), (0.7, 0.7, 0.2), "black"),
         *(Part("cylinder", (x, y, 0.22), (0.22, 0.14, 0.44), "black", False, axis="y") for x in (-0.3, 0.3) for y in (-0.43, 0.43))),
        (0.11, 0.055, 0.05), (0.13, 0.065, 0.06), 0.15, ("red", "blue", "yellow", "green", "white"),
    ),
    "rubber duck": Kind(
        (box((0, 0, 0.06), (0.55, 0.55, 0.12)), Part("ellipsoid", (0, 0, 0.33), (1, 1, 0.6)), Part("sphere", (0.18, 0, 0.76), (0.55, 0.55, 0.48)),
         Part("ellipsoid", (0.42, 0, 0.74), (0.16, 0.24, 0.1), "orange", False)),
        (0.080, 0.060, 0.075), (0.09, 0.07, 0.085), 0.07, ("yellow", "pink", "blue"),
    ),
    "cactus": Kind(
        (_foot(), _tube(0.01, 0.45), Part("capsule", (0, 0, 0.68), (0.6, 0.6, 0.64), "leaf"), Part("sphere", (0, 0, 0.97), (0.16,) * 3, "pink", False)),
        (0.060, 0.060, 0.12), (0.07, 0.07, 0.15), 0.3, ("brown", "white", "blue", "red"), even=True,
    ),
    "plate": Kind(tuple(_plate()), (0.21, 0.21, 0.024), (0.24, 0.24, 0.028), 0.55, _CALM, True, True),
    "bowl": Kind(
        (*ring(8, 0.07, 0.03), Part("box", (0, 0, 0.06), (0.7, 0.7, 0.12))),
        (0.17, 0.17, 0.065), (0.20, 0.20, 0.08), 0.55, _GAY, True, True,
    ),
    "tray": Kind(open_box((-0.5, -0.5, 0), (0.5, 0.5, 1), 0.05, 0.25), (0.21, 0.28, 0.03), (0.24, 0.34, 0.04), 0.7, ("brown", "red", "white", "black"), receptacle=True),
    "basket": Kind(
        (*open_box((-0.5, -0.5, 0), (0.5, 0.5, 1), 0.06, 0.1), *(panel((x, 0, z), (0.01, 1.0, 0.12), "walnut") for x in (-0.5, 0.5) for z in (0.3, 0.6, 0.92)),
         *(panel((0, y, z), (1.0, 0.01, 0.12), "walnut") for y in (-0.5, 0.5) for z in (0.3, 0.6, 0.92))),
        (0.19, 0.23, 0.08), (0.22, 0.28, 0.11), 0.6, _BASKETS, receptacle=True,
    ),
    "box": Kind(open_box((-0.5, -0.5, 0), (0.5, 0.5, 1), 0.04, 0.08), (0.18, 0.20, 0.09), (0.22, 0.26, 0.12), 0.5, ("blue", "red", "green", "yellow", "grey"), receptacle=True),
}
