"""SAPIEN 2 behind the facade: one engine and one renderer for all scenes of a process."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
import sapien.core as sapien

from envs.sapien.bodies import Articulation, Body, Motion
from envs.sapien.camera import Camera
from envs.sapien.geometry import Pose
from envs.sapien.parts import Colour, Stuff
from envs.sapien.scene import Scene

LIT_SHADER = "ibl"


@cache
def _engine() -> Any:
    return sapien.Engine()


@cache
def _renderer() -> Any:
    """Made with the first scene that is seen: without a driver it would crash later, not here."""
    renderer = sapien.SapienRenderer(offscreen_only=True)
    _engine().set_renderer(renderer)
    return renderer


class Body2(Body):
    @property
    def pose(self) -> Pose:
        pose = self.native.get_pose()
        return Pose(pose.p.astype(np.float64), pose.q.astype(np.float64))

    def set_pose(self, pose: Pose) -> None:
        self.native.set_pose(sapien.Pose(pose.position, pose.quaternion))

    @property
    def velocity(self) -> np.ndarray:
        parts = self.native.get_velocity(), self.native.get_angular_velocity()
        return np.concatenate(parts).astype(np.float64)

    @property
    def picture_id(self) -> int:
        return self.native.get_id()

    def set_mass(self, mass: float) -> None:
        raise NotImplementedError("SAPIEN 2 gives a body its mass when it is built")

    def float(self) -> None:
        raise NotImplementedError("SAPIEN 2 has gravity on all bodies; compensate it instead")

    def lock(self) -> None:
        self.native.lock_motion()

    def pass_through(self, bits: int) -> None:
        for shape in self.native.get_collision_shapes():
            first, second, _, last = shape.get_collision_groups()
            shape.set_collision_groups(first, second, bits, last)


class Articulation2(Articulation):
    def drive_all(self, targets: np.ndarray, velocities: np.ndarray) -> None:
        """In two calls; joint by joint costs ten times as much and has the same bits."""
        self._target[:], self._speed[:] = targets, velocities
        self.native.set_drive_target(self._natively(targets))
        self.native.set_drive_velocity_target(self._natively(velocities))

    def set_root_pose(self, pose: Pose) -> None:
        self.native.set_root_pose(sapien.Pose(pose.position, pose.quaternion))

    def _passive_force(self, coriolis: bool) -> np.ndarray:
        return self.native.compute_passive_force(
            gravity=True, coriolis_and_centrifugal=coriolis, external=False
        )


class Camera2(Camera):
    def _read(self, name: str) -> np.ndarray:
        if name == "Segmentation":
            return self.native.get_uint32_texture(name)
        return self.native.get_float_texture(name)


class Scene2(Scene):
    """Without a renderer the camera and light calls crash the process, so they are not made."""

    def __init__(self, timestep: float, visible: bool) -> None:
        if visible:
            _renderer()
        super().__init__(_engine().create_scene(), timestep, visible)

    def _touching(self, contact: Any) -> tuple[str, str]:
        return contact.actor0.get_name(), contact.actor1.get_name()

    def _pose(self, pose: Pose) -> sapien.Pose:
        return sapien.Pose(pose.position, pose.quaternion)

    def _paint(self, colour: Colour) -> dict[str, Any]:
        return {"color": colour}

    def _texture(self, picture: np.ndarray) -> dict[str, Any]:
        raise NotImplementedError("textures are drawn with SAPIEN 3 only")

    def _body(self, name: str, native: Any, motion: Motion | Literal["link"]) -> Body:
        return Body2(name, native, motion, self.native)

    def _load(self, loader: Any, urdf: Path | str, stuff: Stuff) -> Any:
        config: dict[str, Any] = {}
        if stuff.density:
            config["density"] = stuff.density
        if stuff.densities:
            config["link"] = {link: {"density": d} for link, d in stuff.densities.items()}
        if stuff.surface:
            config["material"] = self.native.create_physical_material(*stuff.surface)
        if isinstance(urdf, Path):
            return loader.load(str(urdf), config)
        return loader.load_from_string(urdf, "", config)

    def _articulation(
        self, native: Any, links: dict[str, Body], joint_names: Sequence[str]
    ) -> Articulation:
        return Articulation2(native, links, joint_names)

    def _select_shader(self, shader: str) -> None:
        sapien.render_config.camera_shader_dir = shader

    def _mount(self, body: Body) -> Any:
        return body.native

    def _place(self, native: Any, pose: Any) -> None:
        native.set_pose(pose)

    def _camera(self, native: Any, far: float) -> Camera:
        return Camera2(native, far, self.native)
