"""Table, wall, lights and cameras; how they vary in the ``randomized`` variant.

Upstream's numbers (``envs/_base_task.py``, ``task_config``, aloha-agilex ``config.yml``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from envs.robotwin import textures
from envs.robotwin.stage import SURFACE, TABLE
from envs.robotwin.tasks.cards import OVERVIEW
from envs.sapien.camera import CameraSpec
from envs.sapien.geometry import HERE, Pose, look_at
from envs.sapien.parts import Colour, Part
from envs.sapien.scene import Scene

_FOVY = 37.0  # degrees: upstream's "D435"
_NEAR, _FAR = 0.1, 100.0
_SIZE = (1.2, 0.7)  # metres of the table top along x and y
_THICK = 0.05
_WHITE: Colour = (1.0, 1.0, 1.0)
_WALL: Colour = (1.0, 0.9, 0.9)
_FLOOR: Colour = (0.55, 0.57, 0.60)
_LOWEST = 0.03  # metres that a randomized table may stand lower
_PLAIN = 0.02  # share of randomized tables and walls that stay plain
# xyz crop of point clouds; the lower z follows the table.
CROP_LOW, CROP_HIGH = (-0.6, -0.35, TABLE + 0.0001), (0.6, 0.35, 2.0)


def _static(position: tuple[float, ...], forward: tuple[float, ...]) -> CameraSpec:
    return CameraSpec(look_at(position, np.add(position, forward)), _FOVY, near=_NEAR, far=_FAR)


CAMERAS: Mapping[str, CameraSpec] = {
    "head_camera": _static((-0.032, -0.45, 1.35), (0.0, 0.6, -0.8)),
    "front_camera": _static((0.20, -0.45, 0.85), (0.0, 1.0, -0.1)),
    "left_camera": CameraSpec(HERE, _FOVY, "left_camera", _NEAR, _FAR),
    "right_camera": CameraSpec(HERE, _FOVY, "right_camera", _NEAR, _FAR),
    # Ours, for films only.
    OVERVIEW: CameraSpec(look_at((0.75, 0.35, 1.4), (0.0, -0.22, 0.84)), 48.0, None, _NEAR, _FAR),
}


@dataclass(frozen=True)
class Look:
    """How the room looks. ``lowered``: metres that the table stands below 0.74; pictures uint8
    (H, W, 3) or ``None`` for a plain surface; ``lights``: colours of the sun and the two lamps."""

    lowered: float = 0.0
    table: np.ndarray | None = None
    wall: np.ndarray | None = None
    lights: tuple[Colour, Colour, Colour] = ((0.5, 0.5, 0.5), _WHITE, _WHITE)


def random_look(rng: np.random.Generator) -> Look:
    """Another table height, background and light, as upstream's ``demo_randomized``."""
    lowered = float(rng.uniform(0.0, _LOWEST))
    table, wall = (
        None if rng.random() < _PLAIN else textures.draw(np.random.default_rng(key))
        for key in rng.integers(2**32, size=2)
    )
    sun, left, right = (tuple(float(c) for c in colour) for colour in rng.uniform(size=(3, 3)))
    return Look(lowered, table, wall, (sun, left, right))  # type: ignore[arg-type]


def furnish(scene: Scene, look: Look) -> None:
    """Floor, wall, table and lights."""
    scene.add_box("floor", (6.0, 6.0, 0.05), Pose((0.0, 0.0, -0.05)), _FLOOR)
    wall, stands = [Part("box", (3.0, 0.6, 1.5), colour=_WALL)], Pose((0.0, 1.0, 1.5))
    scene.add_body("wall", wall, stands, "static", texture=look.wall, surface=SURFACE)
    height = TABLE - look.lowered
    table, stands = _table(height), Pose((0.0, 0.0, height))
    scene.add_body("table", table, stands, "static", texture=look.table, surface=SURFACE)
    sun, left, right = look.lights
    scene.add_lights((0.5, 0.5, 0.5), [((0.0, 0.5, -1.0), sun)])
    scene.add_point_lights([((1.0, 0.0, 1.8), left), ((-1.0, 0.0, 1.8), right)])


def _table(height: float) -> list[Part]:
    """A top whose upper side is at z = 0, and four legs."""
    x, y = _SIZE[0] / 2, _SIZE[1] / 2
    top = Part("box", (x, y, _THICK / 2), Pose((0.0, 0.0, -_THICK / 2)), _WHITE)
    half = (_THICK / 2, _THICK / 2, height / 2 - 0.002)
    legs = [
        Part("box", half, Pose((i * (x - 0.05), j * (y - 0.05), -height / 2 - 0.002)), _WHITE)
        for i in (-1, 1)
        for j in (-1, 1)
    ]
    return [top, *legs]
