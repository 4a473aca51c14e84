"""Rigid bodies, articulations and contacts, the same for both SAPIEN lines."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from envs.sapien.geometry import Pose
from envs.sapien.parts import Surface

_UNLIMITED = 3.402823e38  # N m, the lines' own default
Motion = Literal["static", "kinematic", "dynamic"]


@dataclass(frozen=True)
class Contact:
    """Two touching bodies of one physics step, and where: ``impulses`` (K, 3) N s on the first, at
    ``points`` (K, 3) metres in the world."""

    first: str
    second: str
    impulses: np.ndarray
    points: np.ndarray

    @property
    def impulse(self) -> np.ndarray:
        """(3,) N s, of all points together."""
        return self.impulses.sum(axis=0)

    @property
    def pressure(self) -> float:
        """N s: the components of all impulses, summed without their signs."""
        return float(np.abs(self.impulses).sum())


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

    def set_surface(self, surface: Surface, patch: tuple[float, float] | None = None) -> None:
        """Friction and restitution of all its shapes; ``patch``: the radius of the patch that
        resists turning, metres, and the least one."""
        material = self._world.create_physical_material(*surface)
        for shape in self.native.get_collision_shapes():
            shape.set_physical_material(material)
            if patch is not None:
                shape.patch_radius, shape.min_patch_radius = patch

    def set_contact_offset(self, metres: float) -> None:
        """From how far away its shapes look for contacts."""
        for shape in self.native.get_collision_shapes():
            shape.contact_offset = metres

    @property
    @abstractmethod
    def picture_id(self) -> int:
        """The number that the line's segmentation pictures show for this body."""

    @abstractmethod
    def set_mass(self, mass: float) -> None:
        """Kilogrammes; the inertia stays as it was made from the shapes. SAPIEN 3 only."""

    @abstractmethod
    def float(self) -> None:
        """Let gravity not pull at this body. SAPIEN 3 only."""

    @abstractmethod
    def lock(self) -> None:
        """Never move, but as a dynamic body does not. SAPIEN 2 only."""

    @abstractmethod
    def pass_through(self, bits: int) -> None:
        """Not collide with bodies that share one of these (16) ``bits``."""


class Articulation(ABC):
    """Links with PD-driven joints, in the order of their URDF (the lines' own orders differ).

    ``fixed``: whether the root, the first of ``links``, stays where it was put.
    """

    fixed = True

    def __init__(self, native: Any, links: dict[str, Body], joint_names: Sequence[str]) -> None:
        self.native, self.links, self.joint_names = native, links, tuple(joint_names)
        own = {joint.get_name(): i for i, joint in enumerate(native.get_active_joints())}
        self._order = np.array([own[name] for name in joint_names])
        self._joints = [native.get_active_joints()[i] for i in self._order]
        self._target = self.qpos
        self._speed = np.full(
            len(self._joints), np.nan
        )  # what they are driven at, once it was said

    @property
    def qpos(self) -> np.ndarray:
        """float64 (J,) rad or m."""
        return self.native.get_qpos()[self._order].astype(np.float64)

    @property
    def qvel(self) -> np.ndarray:
        """float64 (J,) rad/s or m/s."""
        return self.native.get_qvel()[self._order].astype(np.float64)

    @property
    def limits(self) -> np.ndarray:
        """float64 (J, 2) rad or m, lowest and highest position of every joint."""
        return np.array(self.native.get_qlimits(), np.float64)[self._order]

    @property
    def drive_target(self) -> np.ndarray:
        """float64 (J,) what the joints are driven to."""
        return self._target.copy()

    def set_state(self, qpos: np.ndarray, qvel: np.ndarray, drive_target: np.ndarray) -> None:
        """Put every joint somewhere; all float (J,)."""
        self.native.set_qpos(self._natively(qpos))
        self.native.set_qvel(self._natively(qvel))
        self.set_drive_target(drive_target)

    def set_qpos(self, qpos: np.ndarray) -> None:
        """Put every joint at ``qpos`` (J,), rad or m."""
        self.native.set_qpos(self._natively(qpos))

    def set_drive_target(self, target: np.ndarray) -> None:
        self._target = np.array(target, np.float64)
        for joint, value in zip(self._joints, self._target, strict=True):
            joint.set_drive_target(float(value))

    def drive(self, first: int, targets: np.ndarray, velocities: np.ndarray) -> None:
        """Drive joints, from number ``first`` on, to ``targets`` moving at ``velocities``, both
        float64 (n,). Velocities are said to the simulator when they change."""
        span = slice(first, first + len(targets))
        self._target[span] = targets
        for joint, target in zip(self._joints[span], targets.tolist(), strict=True):
            joint.set_drive_target(target)
        if velocities.tobytes() != self._speed[span].tobytes():
            self._speed[span] = velocities
            for joint, velocity in zip(self._joints[span], velocities.tolist(), strict=True):
                joint.set_drive_velocity_target(velocity)

    def drive_all(self, targets: np.ndarray, velocities: np.ndarray) -> None:
        """Drive every joint to ``targets`` (J,), moving at ``velocities`` (J,)."""
        self.drive(0, targets, velocities)

    @abstractmethod
    def set_root_pose(self, pose: Pose) -> None:
        """Put the root somewhere, all links with it."""

    def set_drives(
        self,
        stiffness: float,
        damping: float,
        limit: float = _UNLIMITED,
        joints: slice = slice(None),
    ) -> None:
        """PD gains of joints, all by default: N m/rad and N m s/rad (N/m and N s/m for sliding
        joints), with at most ``limit`` N m."""
        for joint in self._joints[joints]:
            joint.set_drive_property(stiffness, damping, limit)

    def set_friction(self, coefficient: float) -> None:
        """Friction of every joint, relative to its load."""
        for joint in self._joints:
            joint.set_friction(coefficient)

    def set_limits(self, joint: str, low: float, high: float) -> None:
        """The range of a joint, rad or m."""
        native = self._joints[self.joint_names.index(joint)]
        native.set_limits(np.array([[low, high]], np.float32))

    def stay_awake(self) -> None:
        """Never let a joint that moves slowly fall asleep short of its target."""
        self.native.set_sleep_threshold(0.0)

    def compensate(self, coriolis: bool = True) -> None:
        """Cancel gravity, and Coriolis forces too, during the next physics step."""
        self.native.set_qf(self._passive_force(coriolis))

    @abstractmethod
    def _passive_force(self, coriolis: bool) -> np.ndarray: ...

    def _natively(self, values: np.ndarray) -> np.ndarray:
        native = np.empty(len(self._order), np.float32)
        native[self._order] = values
        return native
