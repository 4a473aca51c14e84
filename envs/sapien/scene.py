"""The facade: what the tasks call, the same for SAPIEN 2 and 3.

The two lines differ in names, in how a body is put together and in how pictures are read
(``v2.py`` and ``v3.py`` hold the differences); what they have in common is written here. A scene
belongs to one episode: one that is set back is not bit for bit the scene that was built.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from envs.sapien.geometry import Pose, Vector
from envs.sapien.urdf import movable_joints, robot_links

Motion = Literal["static", "kinematic", "dynamic"]
Colour = tuple[float, float, float]


@dataclass(frozen=True)
class CameraSpec:
    """``fovy`` vertical degrees; ``pose`` in the world, or in the link ``mount``; metres."""

    pose: Pose
    fovy: float
    mount: str | None = None
    near: float = 0.01
    far: float = 10.0


@dataclass(frozen=True)
class Contact:
    """Two touching bodies and the impulse (3,) N s on the first, of one physics step."""

    first: str
    second: str
    impulse: np.ndarray


class Body(ABC):
    """A rigid object or a link. ``native`` is what the line calls it."""

    def __init__(
        self, name: str, native: Any, motion: Motion | Literal["link"], world: Any
    ) -> None:
        self.name, self.native, self.motion = name, native, motion
        self._world = world  # the line's scene: without it ``native`` points at freed memory

    @property
    @abstractmethod
    def pose(self) -> Pose:
        """In the world."""

    @abstractmethod
    def set_pose(self, pose: Pose) -> None: ...

    @property
    @abstractmethod
    def velocity(self) -> np.ndarray:
        """float64 (6,) linear m/s and angular rad/s, in the world."""

    @property
    @abstractmethod
    def picture_id(self) -> int:
        """The number that the line's segmentation pictures show for this body."""


class Articulation(ABC):
    """A robot with PD-driven joints, in the order of its URDF (the lines' own orders differ)."""

    def __init__(self, native: Any, links: dict[str, Body], joint_names: Sequence[str]) -> None:
        self.native, self.links, self.joint_names = native, links, tuple(joint_names)
        own = {joint.get_name(): i for i, joint in enumerate(native.get_active_joints())}
        self._order = np.array([own[name] for name in joint_names])
        self._joints = [native.get_active_joints()[i] for i in self._order]
        self._target = self.qpos

    @property
    def qpos(self) -> np.ndarray:
        """float64 (J,) rad or m."""
        return self.native.get_qpos()[self._order].astype(np.float64)

    @property
    def qvel(self) -> np.ndarray:
        """float64 (J,) rad/s or m/s."""
        return self.native.get_qvel()[self._order].astype(np.float64)

    @property
    def drive_target(self) -> np.ndarray:
        """float64 (J,) what the joints are driven to."""
        return self._target.copy()

    def set_state(self, qpos: np.ndarray, qvel: np.ndarray, drive_target: np.ndarray) -> None:
        """Put every joint somewhere; all float (J,)."""
        self.native.set_qpos(self._natively(qpos))
        self.native.set_qvel(self._natively(qvel))
        self.set_drive_target(drive_target)

    def set_drive_target(self, target: np.ndarray) -> None:
        self._target = np.array(target, np.float64)
        for joint, value in zip(self._joints, self._target, strict=True):
            joint.set_drive_target(float(value))

    def set_drives(self, stiffness: float, damping: float) -> None:
        """PD gains of every joint: N m/rad and N m s/rad (N/m and N s/m for sliding joints)."""
        for joint in self._joints:
            joint.set_drive_property(stiffness, damping)

    def compensate(self) -> None:
        """Cancel gravity and Coriolis forces during the next physics step."""
        self.native.set_qf(self._passive_force())

    @abstractmethod
    def _passive_force(self) -> np.ndarray: ...

    def _natively(self, values: np.ndarray) -> np.ndarray:
        native = np.empty(len(self._order), np.float32)
        native[self._order] = values
        return native


class Camera(ABC):
    """One camera at one size. :meth:`take` first, then read."""

    def __init__(self, native: Any, far: float, world: Any) -> None:
        self.native, self._far = native, far
        self._world = world  # as in a body

    def take(self) -> None:
        self.native.take_picture()

    @abstractmethod
    def _read(self, name: str) -> np.ndarray: ...

    def rgb(self) -> np.ndarray:
        """uint8 (H, W, 3)."""
        return (self._read("Color")[..., :3] * 255).clip(0, 255).astype(np.uint8)

    def depth(self) -> np.ndarray:
        """float32 (H, W), metres along the optical axis; ``far`` where nothing was hit."""
        depth = -self._read("Position")[..., 2]
        return np.where(depth > 0, depth, np.float32(self._far))

    def picture_ids(self) -> np.ndarray:
        """int64 (H, W), the line's own object numbers, 0 where nothing was hit."""
        return self._read("Segmentation")[..., 1].astype(np.int64)


class Scene(ABC):
    """One episode's world. ``visible=False`` builds the physics alone, with the same bits."""

    def __init__(self, native: Any, timestep: float, visible: bool) -> None:
        self.native, self.visible = native, visible
        native.set_timestep(timestep)
        self.bodies: list[Body] = []
        self.articulations: list[Articulation] = []

    def add_box(
        self, name: str, half_size: Vector, pose: Pose, colour: Colour, motion: Motion = "static"
    ) -> Body:
        """A box of 1000 kg/m3; ``half_size`` (3,) metres."""
        builder = self.native.create_actor_builder()
        builder.add_box_collision(half_size=half_size)
        if self.visible:
            builder.add_box_visual(half_size=half_size, **self._paint(colour))
        return self._build(builder, name, pose, motion)

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
        builder = self.native.create_actor_builder()
        if collides:
            builder.add_sphere_collision(radius=radius)
        if self.visible:
            builder.add_sphere_visual(radius=radius, **self._paint(colour))
        return self._build(builder, name, pose, motion)

    def _build(self, builder: Any, name: str, pose: Pose, motion: Motion) -> Body:
        build = {"static": "build_static", "kinematic": "build_kinematic", "dynamic": "build"}
        body = self._body(name, getattr(builder, build[motion])(name=name), motion)
        body.set_pose(pose)
        self.bodies.append(body)
        return body

    def load_robot(self, urdf: Path, pose: Pose) -> Articulation:
        """The robot of a URDF file, its root fixed at ``pose``."""
        loader = self.native.create_urdf_loader()
        loader.fix_root_link = True
        native = self._load(loader, urdf)
        native.set_root_pose(self._pose(pose))
        found = {link.get_name(): link for link in native.get_links()}
        links = {name: self._body(name, found[name], "link") for name in robot_links(urdf)}
        robot = self._articulation(native, links, movable_joints(urdf))
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

    @abstractmethod
    def contacts(self) -> list[Contact]:
        """The touching pairs of the last physics step."""

    # ------------------------------------------------------- what the lines do differently
    @abstractmethod
    def _pose(self, pose: Pose) -> Any: ...

    @abstractmethod
    def _paint(self, colour: Colour) -> dict[str, Any]: ...

    @abstractmethod
    def _body(self, name: str, native: Any, motion: Motion | Literal["link"]) -> Body: ...

    @abstractmethod
    def _load(self, loader: Any, urdf: Path) -> Any: ...

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
