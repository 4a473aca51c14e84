"""The kinds of things that a hand takes."""

from __future__ import annotations

from envs.mjthor.house.kind import BRIGHT, CALM, Kind, ball, foot, tube
from envs.mjthor.house.parts import Part, box, panel

GRASPABLE: dict[str, Kind] = {
    "mug": Kind(
        (
            Part("box", (0.15, 0, 0.02), (0.46, 0.66, 0.04), seen=False),
            Part("cylinder", (0.15, 0, 0.51), (0.70, 1.0, 0.98)),
            Part("cylinder", (0.15, 0, 0.975), (0.58, 0.84, 0.06), "brown", solid=False),
            panel((-0.34, 0, 0.5), (0.30, 0.14, 0.6)),
        ),
        (0.100, 0.070, 0.085),
        (0.107, 0.075, 0.100),
        0.28,
        BRIGHT,
    ),
    "cup": Kind(
        (
            foot(0.55),
            tube(0.01, 0.5, 0.84),
            tube(0.45, 1.0),
            tube(0.96, 1.004, 0.86, "cream", False),
        ),
        (0.065, 0.065, 0.09),
        (0.075, 0.075, 0.12),
        0.08,
        BRIGHT,
        equal="xy",
    ),
    "can": Kind(
        (
            foot(),
            tube(0.01, 0.97),
            tube(0.95, 1.0, 0.84, "metal"),
            tube(0.0, 0.05, 0.88, "metal", False),
        ),
        (0.060, 0.060, 0.11),
        (0.068, 0.068, 0.125),
        0.35,
        CALM,
        equal="xy",
    ),
    "bottle": Kind(
        (
            foot(),
            tube(0.005, 0.62),
            tube(0.6, 0.75, 0.66),
            tube(0.73, 0.92, 0.4),
            tube(0.9, 1.0, 0.46, "white"),
            tube(0.2, 0.45, 1.01, "cream", False),
        ),
        (0.060, 0.060, 0.19),
        (0.068, 0.068, 0.22),
        0.40,
        ("green", "blue", "red", "brown", "purple"),
        equal="xy",
    ),
    "apple": Kind(
        (*ball(), Part("cylinder", (0, 0, 0.98), (0.08, 0.08, 0.1), "brown", False)),
        (0.066, 0.066, 0.066),
        (0.074, 0.074, 0.074),
        0.18,
        ("red", "green", "yellow"),
        equal="xyz",
    ),
    "orange": Kind(
        ball(), (0.068, 0.068, 0.068), (0.075, 0.075, 0.075), 0.2, ("orange",), equal="xyz"
    ),
    "tennis ball": Kind(
        ball(),
        (0.065, 0.065, 0.065),
        (0.067, 0.067, 0.067),
        0.06,
        ("yellow", "green", "pink"),
        equal="xyz",
    ),
    "sponge": Kind(
        (box((0, 0, 0.4), (1, 1, 0.8)), box((0, 0, 0.9), (1, 1, 0.2), "green")),
        (0.10, 0.055, 0.04),
        (0.12, 0.07, 0.05),
        0.075,
        ("yellow", "pink", "blue", "orange"),
    ),
    "soap bar": Kind(
        (box((0, 0, 0.5), (0.98, 0.98, 1.0)), panel((0, 0, 0.5), (1.0, 1.0, 0.5))),
        (0.08, 0.05, 0.04),
        (0.095, 0.06, 0.045),
        0.11,
        ("white", "pink", "green", "purple", "cream"),
    ),
    "salt shaker": Kind(
        (foot(), tube(0.01, 0.75), tube(0.74, 1.0, 0.9, "metal")),
        (0.040, 0.040, 0.085),
        (0.048, 0.048, 0.11),
        0.12,
        ("white", "blue", "red", "black"),
        equal="xy",
    ),
    "candle": Kind(
        (
            foot(),
            tube(0.01, 0.88),
            Part("ellipsoid", (0, 0, 0.94), (0.14, 0.14, 0.12), "orange", False),
        ),
        (0.050, 0.050, 0.085),
        (0.065, 0.065, 0.13),
        0.22,
        ("white", "red", "purple", "cream", "green"),
        equal="xy",
    ),
    "cereal box": Kind(
        (
            box((0, 0, 0.5), (1, 1, 1)),
            panel((0, 0, 0.6), (0.8, 1.01, 0.4), "cream"),
            panel((0, 0, 0.6), (1.01, 0.7, 0.4), "cream"),
        ),
        (0.13, 0.050, 0.19),
        (0.16, 0.065, 0.22),
        0.35,
        ("red", "blue", "yellow", "orange", "purple", "green"),
    ),
    "juice carton": Kind(
        (
            box((0, 0, 0.41), (1, 1, 0.82)),
            panel((0, 0, 0.86), (0.7, 1, 0.1)),
            panel((0, 0, 0.94), (0.2, 1, 0.12), "white"),
            panel((0, 0, 0.4), (1.01, 0.6, 0.35), "white"),
            panel((0, 0, 0.4), (0.6, 1.01, 0.35), "white"),
        ),
        (0.060, 0.060, 0.17),
        (0.07, 0.07, 0.21),
        0.38,
        ("orange", "red", "green", "purple", "yellow"),
        equal="xy",
    ),
    "toy block": Kind(
        (
            box((0, 0, 0.5), (1, 1, 1)),
            panel((0, 0, 0.5), (1.01, 0.6, 0.6), "cream"),
            panel((0, 0, 0.5), (0.6, 1.01, 0.6), "cream"),
        ),
        (0.045, 0.045, 0.045),
        (0.055, 0.055, 0.055),
        0.08,
        ("red", "blue", "green", "yellow", "purple", "orange"),
        equal="xyz",
    ),
    "remote control": Kind(
        (
            box((0, 0, 0.5), (1, 1, 1)),
            panel((-0.36, 0, 1.0), (0.09, 0.3, 0.06), "red"),
            panel((0.0, 0, 1.0), (0.4, 0.6, 0.04), "white"),
        ),
        (0.14, 0.045, 0.04),
        (0.16, 0.055, 0.042),
        0.12,
        ("black", "grey", "white"),
    ),
    "jar": Kind(
        (
            foot(),
            tube(0.01, 0.8),
            tube(0.78, 1.0, 0.92, "cream"),
            tube(0.25, 0.6, 1.01, "white", False),
        ),
        (0.060, 0.060, 0.085),
        (0.072, 0.072, 0.12),
        0.32,
        ("red", "brown", "orange", "green", "purple"),
        equal="xy",
    ),
    "spray bottle": Kind(
        (
            foot(),
            tube(0.005, 0.6),
            tube(0.58, 0.8, 0.4, "white"),
            box((0.1, 0, 0.9), (0.75, 0.3, 0.2), "white"),
        ),
        (0.065, 0.065, 0.18),
        (0.072, 0.072, 0.21),
        0.38,
        ("blue", "green", "pink", "yellow"),
        equal="xy",
    ),
    "toy car": Kind(
        (
            box((0, 0, 0.42), (1, 0.9, 0.42)),
            box((-0.05, 0, 0.8), (0.5, 0.8, 0.4), "glass"),
            box((0, 0, 0.1), (0.7, 0.7, 0.2), "black"),
            *(
                Part("cylinder", (x, y, 0.22), (0.22, 0.14, 0.44), "black", False, axis="y")
                for x in (-0.3, 0.3)
                for y in (-0.43, 0.43)
            ),
        ),
        (0.11, 0.055, 0.05),
        (0.13, 0.065, 0.06),
        0.15,
        ("red", "blue", "yellow", "green", "white"),
    ),
    "rubber duck": Kind(
        (
            box((0, 0, 0.06), (0.55, 0.55, 0.12)),
            Part("ellipsoid", (0, 0, 0.33), (1, 1, 0.6)),
            Part("sphere", (0.18, 0, 0.76), (0.55, 0.55, 0.48)),
            Part("ellipsoid", (0.42, 0, 0.74), (0.16, 0.24, 0.1), "orange", False),
        ),
        (0.080, 0.060, 0.075),
        (0.09, 0.07, 0.085),
        0.07,
        ("yellow", "pink", "blue"),
    ),
    "cactus": Kind(
        (
            foot(),
            tube(0.01, 0.45),
            Part("capsule", (0, 0, 0.68), (0.6, 0.6, 0.64), "leaf"),
            Part("sphere", (0, 0, 0.97), (0.16,) * 3, "pink", False),
        ),
        (0.060, 0.060, 0.12),
        (0.07, 0.07, 0.15),
        0.3,
        ("brown", "white", "blue", "red"),
        equal="xy",
    ),
}
