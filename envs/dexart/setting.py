"""What the four tasks set up differently, as data.

Source: ``dexart/env/task_setting.py``, ``create_env.py`` and ``sim_env/*_env.py`` of
Kami-code/dexart-release (d6ab75e).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from envs.sapien.camera import CameraSpec
from envs.sapien.geometry import Pose, Vector, look_at
from envs.sapien.parts import Stuff, Surface

CAMERA = "instance_1"  # upstream's name
OVERVIEW = "overview"  # ours, for films: from the robot's left
_FOVY = 69.4  # degrees
_NEAR, _FAR = 0.1, 10.0


@dataclass(frozen=True)
class Setting:
    """One task's numbers.

    ``base``: height of the robot's base, metres. ``yaw``: of the object's root, radians; an
    episode adds up to ``shift`` metres to x, y and z and turns by up to ``turn`` radians to either
    side. ``density`` kg/m3 of all links, or of the base and the handle; ``surface`` of all links;
    ``friction`` of the joints, relative to their load; ``fixed``: whether the root stays.
    ``ajar``: radians from closed at which the task starts. ``near``: metres between palm and handle
    within which contacts count; a firm contact is one of ``fingers`` fingers and, where ``palm``,
    the palm. ``penalty``: weight of the joint velocities and of the controller's error. ``low``,
    ``high``: the part of the world that point clouds show, metres from the robot's base.
    """

    base: float
    yaw: float
    shift: float
    turn: float
    density: float | tuple[float, float]
    friction: float
    ajar: float
    near: float
    fingers: int
    palm: bool
    penalty: float
    camera: CameraSpec
    low: Vector
    high: Vector
    fixed: bool = True
    surface: Surface | None = None

    def stuff(self, body: str, handle: str) -> Stuff:
        """What the links of these names, and all others, are made of."""
        if isinstance(self.density, tuple):
            return Stuff(
                densities=dict(zip((body, handle), self.density, strict=True)), surface=self.surface
            )
        return Stuff(self.density, surface=self.surface)


def _rolled(position: Vector, forward: Vector, right: Vector) -> CameraSpec:
    """A camera that looks along ``forward``, with ``right`` towards its right edge."""
    ahead = np.asarray(forward) / np.linalg.norm(forward)
    side = right - np.dot(right, ahead) * ahead
    left = -side / np.linalg.norm(side)
    axes = np.stack([ahead, left, np.cross(ahead, left)], axis=1)
    return CameraSpec(Pose.of(position, axes), _FOVY, near=_NEAR, far=_FAR)


_LEVEL = CameraSpec(look_at((0.0, 1.0, 0.5), (0.0, 0.0, 0.5)), _FOVY, near=_NEAR, far=_FAR)
_ABOVE_TABLE = 0.0047767  # metres: cuts the table off

SETTINGS: Mapping[str, Setting] = {
    "faucet": Setting(
        base=0.0, yaw=0.0, shift=0.1, turn=np.pi / 2, density=7800.0, friction=5.0, ajar=0.0,
        near=0.2, fingers=2, palm=True, penalty=0.01,
        camera=_rolled((-0.3, 0.6, 0.4), (0.16, -0.7, -0.35), (-1.5, -2.0, 0.0)),
        low=(0.1, -1.0, _ABOVE_TABLE), high=(2.0, 1.0, 0.4),
    ),
    "bucket": Setting(
        base=0.3, yaw=np.pi, shift=0.05, turn=0.0, density=(7800.0, 100.0), friction=0.0, ajar=0.0,
        near=0.2, fingers=3, palm=False, penalty=0.1, camera=_LEVEL,
        low=(0.1, -2.0, -0.29), high=(2.0, 2.0, 0.4), fixed=False, surface=(1.0, 1.0, 0.1),
    ),
    "laptop": Setting(
        base=0.0, yaw=0.0, shift=0.1, turn=np.pi / 3, density=500.0, friction=5.0, ajar=0.2,
        near=0.2, fingers=2, palm=True, penalty=0.01, camera=_LEVEL,
        low=(0.1, -1.0, _ABOVE_TABLE), high=(1.0, 2.0, 0.6),
    ),
    "toilet": Setting(
        base=0.4, yaw=-np.pi / 2, shift=0.2, turn=np.pi / 4, density=50.0, friction=5.0, ajar=0.25,
        near=0.1, fingers=2, palm=False, penalty=0.005, camera=_LEVEL,
        low=(0.1, -2.0, -0.3), high=(2.0, 2.0, 0.8),
    ),
}  # fmt: skip
