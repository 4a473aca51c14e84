"""All kinds of free things by name; the receptacles: what holds things and is not grasped."""

from __future__ import annotations

import math
from collections.abc import Iterator

from envs.mjthor.house.graspable import GRASPABLE
from envs.mjthor.house.kind import BRIGHT, CALM, Kind, tube
from envs.mjthor.house.parts import Part, open_box, panel, ring

_BASKETS = ("brown", "cream", "grey", "white")


def _plate() -> Iterator[Part]:
    """Seen round, felt as two crossed boxes: what lies on them has a flat rest."""
    for turn in (0.0, math.pi / 4):
        yield Part("box", (0, 0, 0.5), (0.7, 0.7, 1.0), seen=False, turn=turn)
    yield tube(0.0, 0.5, 0.6, solid=False)
    yield tube(0.4, 0.98, solid=False)
    yield tube(0.9, 1.0, 0.7, "cream", solid=False)


RECEPTACLES: dict[str, Kind] = {
    "plate": Kind(
        tuple(_plate()), (0.21, 0.21, 0.024), (0.24, 0.24, 0.028), 0.55, CALM, "xy", receptacle=True
    ),
    "bowl": Kind(
        (*ring(8, 0.07, 0.03), Part("box", (0, 0, 0.1), (0.7, 0.7, 0.2))),
        (0.17, 0.17, 0.065),
        (0.20, 0.20, 0.08),
        0.55,
        BRIGHT,
        "xy",
        receptacle=True,
    ),
    "tray": Kind(
        open_box((-0.5, -0.5, 0), (0.5, 0.5, 1), 0.05, 0.25),
        (0.21, 0.28, 0.03),
        (0.24, 0.34, 0.04),
        0.7,
        ("brown", "red", "white", "black"),
        receptacle=True,
    ),
    "basket": Kind(
        (
            *open_box((-0.5, -0.5, 0), (0.5, 0.5, 1), 0.06, 0.2),
            *(
                panel((x, 0, z), (0.01, 1.0, 0.12), "walnut")
                for x in (-0.5, 0.5)
                for z in (0.35, 0.85)
            ),
            *(
                panel((0, y, z), (1.0, 0.01, 0.12), "walnut")
                for y in (-0.5, 0.5)
                for z in (0.35, 0.85)
            ),
        ),
        (0.19, 0.23, 0.08),
        (0.22, 0.28, 0.11),
        0.6,
        _BASKETS,
        receptacle=True,
    ),
    "box": Kind(
        open_box((-0.5, -0.5, 0), (0.5, 0.5, 1), 0.04, 0.2),
        (0.18, 0.20, 0.09),
        (0.22, 0.26, 0.12),
        0.5,
        ("blue", "red", "green", "yellow", "grey"),
        receptacle=True,
    ),
}
KINDS: dict[str, Kind] = {**GRASPABLE, **RECEPTACLES}
