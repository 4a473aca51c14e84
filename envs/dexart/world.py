"""Table, room, lights and camera, built in upstream's order.

PhysX solves upstream's walls in one island with what stands on the table: without them, an episode
is not upstream's any more from the first touch on. With objects that upstream does not have there
is nothing to be equal to, and the walls are only seen.
"""

from __future__ import annotations

from collections.abc import Mapping

from envs.dexart.setting import CAMERA, OVERVIEW, Setting
from envs.sapien.camera import CameraSpec
from envs.sapien.geometry import Pose, look_at
from envs.sapien.parts import Colour, Part
from envs.sapien.scene import Scene

_TOP = (0.65, 0.65, 0.025)  # metres, half
_HEIGHT = 0.6  # of the table, of whose legs only pictures know
_SURFACE = (1.0, 0.5, 0.01)
_WOOD: Colour = (0.62, 0.47, 0.33)
_STEEL: Colour = (0.25, 0.26, 0.28)
_PLASTER: Colour = (0.78, 0.83, 0.88)
_WALL, _FAR, _WIDE = 1.0, 3.0, 100.0
_GAP = 0.05  # metres: a wall's face is where the clouds of two tasks end, and must not be in them
_AMBIENT: Colour = (0.35, 0.35, 0.37)
_LIGHTS = (
    ((-1.0, -1.0, -1.0), (0.7, 0.7, 0.7)),
    ((0.0, 0.0, -1.0), (0.8, 0.75, 0.72)),
    ((0.3, -1.0, -0.4), (0.5, 0.5, 0.52)),
)


def furnish(scene: Scene, solid: bool) -> None:
    """Table and room, whose walls are ``solid`` or only seen; the lights are added last, with
    :func:`light`."""
    half = _TOP[2]
    leg = (0.025, 0.025, _HEIGHT / 2 - half)
    parts = [Part("box", _TOP, Pose((0.0, 0.0, -half)), _WOOD)]
    for x in (-1, 1):
        for y in (-1, 1):
            place = Pose((x * (_TOP[0] - 0.1), y * (_TOP[1] - 0.1), -_HEIGHT / 2 - half))
            parts.append(Part("box", leg, place, _STEEL, collides=False))
    scene.add_body("table", parts, Pose(), "static", surface=_SURFACE)
    walls = [
        (-_FAR, 0.0, 0.0),
        (_FAR, 0.0, 0.0),
        (0.0, _FAR, 0.0),
        (0.0, -_FAR, 0.0),
        (0.0, 0.0, 9.0),
    ]
    for i, position in enumerate(walls):
        half_size = [_WIDE] * 3
        half_size[(0, 0, 1, 1, 2)[i]] = _WALL
        plaster = Part("box", tuple(s - _GAP for s in half_size), colour=_PLASTER, collides=False)
        if solid:
            wall = Part("box", tuple(half_size), visible=False)
            scene.add_body(f"wall{i + 1}", [wall, plaster], Pose(position), "dynamic").lock()
        elif scene.visible:
            scene.add_body(f"wall{i + 1}", [plaster], Pose(position), "static")


def stand(scene: Scene, setting: Setting) -> None:
    """What the robot stands on, where it stands high."""
    if setting.base > 0:
        half = (0.1, 0.2, setting.base / 2)
        part = Part("box", half, colour=(0.2, 0.2, 0.2))
        scene.add_body("stand", [part], Pose((-0.5, 0.0, setting.base / 2)), "dynamic").lock()


def light(scene: Scene) -> None:
    scene.add_lights(_AMBIENT, _LIGHTS)


def cameras(setting: Setting) -> Mapping[str, CameraSpec]:
    """Upstream's camera of a task, and one that sees all of it, as high as the robot stands."""
    height = 0.7 * setting.base
    pose = look_at((0.05, 1.3, 0.75 + height), (-0.15, 0.0, 0.22 + height))
    return {CAMERA: setting.camera, OVERVIEW: CameraSpec(pose, fovy=45.0)}
