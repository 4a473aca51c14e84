"""SAPIEN 3 behind the facade: bodies are entities made of components."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import sapien

from envs.sapien.bodies import Articulation, Body, Motion
from envs.sapien.camera import Camera
from envs.sapien.geometry import Pose
from envs.sapien.parts import Colour, Stuff
from envs.sapien.scene import Scene
from envs.sapien.urdf import text, without_visuals

LIT_SHADER = "default"
_BUILDERS: dict[tuple[Any, ...], Any] = {}  # articulations as data, by what they were read from


class Body3(Body):
    """``native`` is the physics component; its entity has the pose."""

    @cached_property
    def _entity(self) -> Any:
        return self.native.entity

    @property
    def pose(self) -> Pose:
        pose = self._entity.get_pose()
        return Pose(pose.p.astype(np.float64), pose.q.astype(np.float64))

    def set_pose(self, pose: Pose) -> None:
        self._entity.set_pose(sapien.Pose(pose.position, pose.quaternion))

    @property
    def velocity(self) -> np.ndarray:
        component = self.native
        parts = component.get_linear_velocity(), component.get_angular_velocity()
        return np.concatenate(parts).astype(np.float64)

    @property
    def picture_id(self) -> int:
        return self._entity.per_scene_id

    def set_mass(self, mass: float) -> None:
        self.native.set_mass(mass)

    def float(self) -> None:
        self.native.set_disable_gravity(True)

    def lock(self) -> None:
        raise NotImplementedError("SAPIEN 3 locks no bodies; build them static")

    def pass_through(self, bits: int) -> None:
        for shape in self.native.get_collision_shapes():
            first, second, _, last = shape.get_collision_groups()
            shape.set_collision_groups([first, second, bits, last])


class Articulation3(Articulation):
    def set_root_pose(self, pose: Pose) -> None:
        self.native.set_root_pose(sapien.Pose(pose.position, pose.quaternion))

    def _passive_force(self, coriolis: bool) -> np.ndarray:
        return self.native.compute_passive_force(gravity=True, coriolis_and_centrifugal=coriolis)


class Camera3(Camera):
    def _read(self, name: str) -> np.ndarray:
        return self.native.get_picture(name)


class Scene3(Scene):
    """Without a renderer no visual may be made: even a material needs a device."""

    def __init__(self, timestep: float, visible: bool) -> None:
        systems: list[Any] = [sapien.physx.PhysxCpuSystem()]
        if visible:
            systems.append(sapien.render.RenderSystem())
        super().__init__(sapien.Scene(systems), timestep, visible)

    def _touching(self, contact: Any) -> tuple[str, str]:
        first, second = contact.bodies
        return first.entity.name, second.entity.name

    def _pose(self, pose: Pose) -> sapien.Pose:
        return sapien.Pose(pose.position, pose.quaternion)

    def _paint(self, colour: Colour) -> dict[str, Any]:
        return {"material": sapien.render.RenderMaterial(base_color=(*colour, 1.0))}

    def _texture(self, picture: np.ndarray) -> dict[str, Any]:
        alpha = np.full((*picture.shape[:2], 1), 255, np.uint8)
        pixels = np.ascontiguousarray(np.concatenate([picture, alpha], axis=2))
        material = sapien.render.RenderMaterial(roughness=0.6)
        material.base_color_texture = sapien.render.RenderTexture2D(
            pixels, "R8G8B8A8Unorm", srgb=True
        )
        return {"material": material}

    def _body(self, name: str, native: Any, motion: Motion | Literal["link"]) -> Body:
        if motion != "link":
            native = native.find_component_by_type(sapien.physx.PhysxRigidBaseComponent)
        return Body3(name, native, motion, self.native)

    def _load(self, loader: Any, urdf: Path | str, stuff: Stuff) -> Any:
        """A file is read once per process; cameras that it may hold are left out."""
        own = (loader.fix_root_link, loader.scale, loader.load_multiple_collisions_from_file)
        made_of = (stuff.density, *stuff.densities.items(), stuff.surface)
        key = (text(urdf), isinstance(urdf, Path) and urdf, self.visible, own, made_of)
        if key not in _BUILDERS:
            _BUILDERS[key] = self._parse(loader, urdf, stuff)
        builder = _BUILDERS[key].set_scene(self.native)
        articulation = builder.build()
        builder.set_scene(None)  # or it would keep the scene
        return articulation

    def _parse(self, loader: Any, urdf: Path | str, stuff: Stuff) -> Any:
        if stuff.density:
            loader.set_density(stuff.density)
        for link, density in stuff.densities.items():
            loader.set_link_density(link, density)
        if stuff.surface:
            loader.set_material(*stuff.surface)
        if self.visible and isinstance(urdf, Path):
            return loader.load_file_as_articulation_builder(str(urdf))
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "articulation.urdf"
            file.write_text(text(urdf) if self.visible else without_visuals(urdf))
            return loader.load_file_as_articulation_builder(str(file))

    def _articulation(
        self, native: Any, links: dict[str, Body], joint_names: Sequence[str]
    ) -> Articulation:
        return Articulation3(native, links, joint_names)

    def _select_shader(self, shader: str) -> None:
        sapien.render.set_camera_shader_dir(shader)

    def _mount(self, body: Body) -> Any:
        return body.native.entity

    def _place(self, native: Any, pose: Any) -> None:
        native.entity.set_pose(pose)

    def _camera(self, native: Any, far: float) -> Camera:
        return Camera3(native, far, self.native)
