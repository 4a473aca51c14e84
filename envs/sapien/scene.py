"""The facade: what the tasks call, the same for SAPIEN 2 and 3.

The two lines differ in names, in how a body is put together and in how pictures are read
(``v2.py`` and ``v3.py`` hold the differences); what they have in common is written here. A scene
belongs to one episode: one that is set back is not bit for bit the scene that was built.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Container, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from envs.sapien.bodies import Articulation, Body, Contact, Motion
from envs.sapien.camera import Camera, CameraSpec
from envs.sapien.geometry import Pose, Vector
from envs.sapien.parts import Colour, Part, Stuff, Surface
from envs.sapien.urdf import movable_joints, robot_links


class Scene(ABC):
    """One episode's world. ``visible=False`` builds the physics alone, with the same bits."""

    def __init__(self, native: Any, timestep: float, visible: bool) -> None:
        self.native, self.visible = native, visible
        native.set_timestep(timestep)
        self.bodies: list[Body] = []
        self.articulations: list[Articulation] = []

    def add_body(
        self,
        name: str,
        parts: Sequence[Part],
        pose: Pose,
        motion: Motion = "dynamic",
        mass: float | None = None,
        texture: np.ndarray | None = None,
        surface: Surface | None = None,
    ) -> Body:
        """A rigid body of primitives of 1000 kg/m3; see :class:`envs.sapien.parts.Part`.

        ``mass`` kg replaces the weight of the shapes; ``texture`` uint8 (H, W, 3) their colours;
        ``surface`` SAPIEN's own, which is (0.3, 0.3, 0.1).
        """
        builder = self.native.create_actor_builder()
        touch = {"material": self.native.create_physical_material(*surface)} if surface else {}
        for part in parts:
            place = {"pose": self._pose(part.pose), **_size(part)}
            if part.collides:
                collision = _COLLISION.get(part.shape, f"add_{part.shape}_collision")
                getattr(builder, collision)(**place, **touch)
            if part.visible and self.visible:
                paint = self._paint(part.colour) if texture is None else self._texture(texture)
                look = {} if part.file else paint
                getattr(builder, _VISUAL.get(part.shape, f"add_{part.shape}_visual"))(
                    **place, **look
                )
        body = self._build(builder, name, pose, motion)
        if mass is not None:
            body.set_mass(mass)
        return body

    def add_box(
        self, name: str, half_size: Vector, pose: Pose, colour: Colour, motion: Motion = "static"
    ) -> Body:
        """A box of 1000 kg/m3; ``half_size`` (3,) metres."""
        x, y, z = half_size
        return self.add_body(name, [Part("box", (x, y, z), colour=colour)], pose, motion)

    def add_sphere(
        self,
        name: str,
        radius: float,
        pose: Pose,
        colour: Colour,
        motion: Motion = "static",
        collides: bool = True,
    ) -> Body:
        """A sphere of 1000 kg/m3; ``collides=False`` is only seen (a marker, a goal)."""
        part = Part("sphere", (radius,), colour=colour, collides=collides)
        return self.add_body(name, [part], pose, motion)

    def _build(self, builder: Any, name: str, pose: Pose, motion: Motion) -> Body:
        build = {"static": "build_static", "kinematic": "build_kinematic", "dynamic": "build"}
        body = self._body(name, getattr(builder, build[motion])(name=name), motion)
        body.set_pose(pose)
        self.bodies.append(body)
        return body

    def load_urdf(
        self,
        urdf: Path | str,
        pose: Pose,
        fixed: bool = True,
        scale: float = 1.0,
        stuff: Stuff | None = None,
        pieces: bool = True,
    ) -> Articulation:
        """The articulation of a URDF file, or of a URDF's text, its root at ``pose``.

        ``fixed=False`` lets the root fall and be carried; ``scale`` of all its lengths; ``pieces``:
        whether every piece of a mesh collides as a convex hull of its own.
        """
        loader = self.native.create_urdf_loader()
        loader.fix_root_link, loader.scale = fixed, scale
        loader.load_multiple_collisions_from_file = pieces
        native = self._load(loader, urdf, stuff or Stuff())
        native.set_root_pose(self._pose(pose))
        found = {link.get_name(): link for link in native.get_links()}
        links = {name: self._body(name, found[name], "link") for name in robot_links(urdf)}
        robot = self._articulation(native, links, movable_joints(urdf))
        robot.fixed = fixed
        self.bodies += links.values()
        self.articulations.append(robot)
        return robot

    def add_camera(self, spec: CameraSpec, size: tuple[int, int], shader: str) -> Camera:
        """``size`` (height, width) pixels; ``shader`` a folder name of the line."""
        self._select_shader(shader)
        height, width = size
        shape = (width, height, float(np.radians(spec.fovy)), spec.near, spec.far)
        if spec.mount is None:
            native = self.native.add_camera("camera", *shape)
            self._place(native, self._pose(spec.pose))
        else:
            mount = self._mount(self.body(spec.mount))
            pose = self._pose(spec.pose)
            native = self.native.add_mounted_camera("camera", mount, pose, *shape)
        return self._camera(native, spec.far)

    def add_lights(self, ambient: Colour, lights: Sequence[tuple[Vector, Colour]]) -> None:
        """Ambient light and directional lights (direction, colour), the first with shadows."""
        if self.visible:
            self.native.set_ambient_light(ambient)
            for i, (direction, colour) in enumerate(lights):
                self.native.add_directional_light(direction, colour, shadow=i == 0)

    def add_point_lights(self, lights: Sequence[tuple[Vector, Colour]]) -> None:
        """Lamps (position, colour) without shadows."""
        if self.visible:
            for position, colour in lights:
                self.native.add_point_light(position, colour)

    def body(self, name: str) -> Body:
        """The first body of this name; links are bodies too."""
        for body in self.bodies:
            if body.name == name:
                return body
        known = ", ".join(body.name for body in self.bodies)
        raise KeyError(f"no body {name!r} in this scene; it has: {known}")

    def camera_pose(self, spec: CameraSpec) -> Pose:
        """Where a camera is now, in the world."""
        return self.body(spec.mount).pose @ spec.pose if spec.mount else spec.pose

    def step(self) -> None:
        """One physics step of every body."""
        self.native.step()

    def update_render(self) -> None:
        """Let pictures see the present poses."""
        self.native.update_render()

    def contacts(
        self, of: Container[str] | None = None, at: Container[str] | None = None
    ) -> list[Contact]:
        """The touching pairs of the last physics step; ``of``: only with bodies of these names;
        ``at``: only where the other body is one of these."""
        return [
            Contact(
                *pair,
                np.array([point.impulse for point in contact.points]),
                np.array([point.position for point in contact.points]),
            )
            for contact in self.native.get_contacts()
            if contact.points and _concerns(pair := self._touching(contact), of, at)
        ]

    @abstractmethod
    def _touching(self, contact: Any) -> tuple[str, str]: ...

    # ------------------------------------------------------- what the lines do differently
    @abstractmethod
    def _pose(self, pose: Pose) -> Any: ...

    @abstractmethod
    def _paint(self, colour: Colour) -> dict[str, Any]: ...

    @abstractmethod
    def _texture(self, picture: np.ndarray) -> dict[str, Any]: ...

    @abstractmethod
    def _body(self, name: str, native: Any, motion: Motion | Literal["link"]) -> Body: ...

    @abstractmethod
    def _load(self, loader: Any, urdf: Path | str, stuff: Stuff) -> Any: ...

    @abstractmethod
    def _articulation(
        self, native: Any, links: dict[str, Body], joint_names: Sequence[str]
    ) -> Articulation: ...

    @abstractmethod
    def _select_shader(self, shader: str) -> None: ...

    @abstractmethod
    def _mount(self, body: Body) -> Any: ...

    @abstractmethod
    def _place(self, native: Any, pose: Any) -> None: ...

    @abstractmethod
    def _camera(self, native: Any, far: float) -> Camera: ...


def _concerns(pair: tuple[str, str], of: Container[str] | None, at: Container[str] | None) -> bool:
    return any(
        (of is None or one in of) and (at is None or other in at)
        for one, other in (pair, pair[::-1])
    )


# Shapes whose builder calls have names of their own.
_COLLISION = {"mesh": "add_multiple_convex_collisions_from_file"}
_VISUAL = {"mesh": "add_visual_from_file"}


def _size(part: Part) -> dict[str, Any]:
    """Arguments of the line's builder for the shape of a part."""
    if part.shape == "box":
        return {"half_size": list(part.size)}
    if part.shape == "mesh":
        return {"filename": str(part.file), "scale": list(part.size)}
    names = ("radius", "half_length")
    return dict(zip(names, part.size, strict=False))
