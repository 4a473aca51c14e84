"""Where a task sets up its things: what it may put on the table, and what it may ask of the scene.

Upstream's ``create_actor``, ``create_box``, ``rand_create_sapien_urdf_obj`` and ``rand_pose``, with
every random number from the episode's generator.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np

from envs.robotwin.objects.model import Appearance, ObjectModel
from envs.robotwin.robot import Arm, Robot
from envs.robotwin.things import Thing, box_model
from envs.sapien.bodies import Motion
from envs.sapien.geometry import HERE, Pose, from_euler
from envs.sapien.parts import Colour, Part, urdf
from envs.sapien.scene import Scene
from envs.schema import SimulationError

TABLE = 0.74  # metres, top of the table
UPRIGHT = (0.5, 0.5, 0.5, 0.5)  # how upstream puts models, whose own up is y, on the table
SURFACE = (0.5, 0.5, 0.0)  # of boxes, table and wall upstream; models have SAPIEN's own
LIGHT = 0.01  # kg, what upstream lets every object weigh
_TRIES = 1000
_AREA = tuple[float, float, float, float]
COLOURS: dict[str, Colour] = {
    "red": (0.85, 0.10, 0.10),
    "green": (0.10, 0.65, 0.20),
    "blue": (0.10, 0.20, 0.85),
}


class Library(Protocol):
    """Where models come from: embedded ones (``envs.robotwin.objects``) or upstream's files.

    ``robot``: the URDF of the robot that goes with them.
    """

    robot: Path

    def model(self, category: str, number: int) -> ObjectModel: ...

    def appearance(self, model: ObjectModel) -> Appearance: ...


@dataclass
class Stage:
    """The table of one episode. ``lowered``: metres that the table stands lower than 0.74."""

    scene: Scene
    robot: Robot
    library: Library
    rng: np.random.Generator
    lowered: float = 0.0
    things: dict[str, Thing] = field(default_factory=dict)
    reserved: list[_AREA] = field(default_factory=list)

    # ------------------------------------------------------------------- placing things
    def add(
        self,
        name: str,
        category: str,
        number: int,
        pose: Pose,
        *,
        motion: Motion = "dynamic",
        mass: float = LIGHT,
        fixed: bool = False,
    ) -> Thing:
        """A model of the library; ``fixed`` holds the root of an articulated one."""
        model = self.library.model(category, number)
        look = self.library.appearance(model)
        pose = self.on_table(pose)
        if look.links or look.urdf:
            return self._keep(self._articulated(name, model, look, pose, fixed, mass))
        weight = mass if motion == "dynamic" else None
        body = self.scene.add_body(name, look.parts, pose, motion, weight)
        return self._keep(Thing(name, model, {"": body}))

    def box(
        self,
        name: str,
        half_size: tuple[float, float, float],
        pose: Pose,
        colour: str,
        *,
        kind: str = "block",
        motion: Motion = "dynamic",
        tall: bool = False,
    ) -> Thing:
        """A box of one of :data:`COLOURS`; frames: :func:`envs.robotwin.things.box_model`."""
        part = Part("box", half_size, colour=COLOURS[colour])
        weight = LIGHT if motion == "dynamic" else None
        place = self.on_table(pose)
        body = self.scene.add_body(name, [part], place, motion, weight, surface=SURFACE)
        return self._keep(Thing(name, box_model(half_size, colour, kind, tall), {"": body}))

    def _articulated(
        self, name: str, model: ObjectModel, look: Appearance, pose: Pose, fixed: bool, mass: float
    ) -> Thing:
        if look.urdf is None:
            # Upstream lifts the root, which is somewhere in the middle, to stand where it was put.
            x, y, z = pose.position
            root = Pose((x, y, z + model.extents[2] / 2 - model.centre[2]), pose.quaternion)
            hinge = self.scene.load_urdf(urdf(name, look.links), root, fixed)
            links = {link.name: hinge.links[f"{name}/{link.name}"] for link in look.links}
        else:
            turn = look.urdf.place.rotation @ pose.rotation
            root = Pose.of(np.add(pose.position, look.urdf.place.position), turn)
            hinge = self.scene.load_urdf(look.urdf.file, root, fixed, look.urdf.scale)
            links = hinge.links
        for body in links.values():
            body.set_mass(mass)
        return Thing(name, model, links, hinge)

    def _keep(self, thing: Thing) -> Thing:
        self.things[thing.name] = thing
        return thing

    def on_table(self, pose: Pose) -> Pose:
        """A pose above the table at 0.74 m, above the table as it is."""
        x, y, z = pose.position
        return Pose((x, y, z - self.lowered), pose.quaternion)

    def somewhere(
        self,
        x: tuple[float, float],
        y: tuple[float, float],
        z: float = 0.741,
        quaternion: Sequence[float] = (1.0, 0.0, 0.0, 0.0),
        turn: Sequence[float] = (0.0, 0.0, 0.0),
        unless: Callable[[np.ndarray], bool] = lambda position: False,
        front: bool = False,
    ) -> Pose:
        """A random pose: position uniform, turned about its own axes by up to ``turn`` rad.

        Drawn again while ``unless(position)`` holds. ``front``: not behind y = 0 in the middle.
        """
        for _ in range(_TRIES):
            position = np.array([self.rng.uniform(*x), self.rng.uniform(*y), z])
            while front and abs(position[0]) < 0.15 and position[1] > 0:
                position[1] = self.rng.uniform(y[0], 0.0)
            roll, pitch, yaw = (self.rng.uniform(-limit, limit) for limit in turn)
            if not unless(position):
                return Pose(position, quaternion) @ Pose(
                    HERE.position, from_euler(roll, pitch, yaw)
                )
        raise SimulationError(f"no free place found in {_TRIES} tries within x {x}, y {y}")

    def pick(self, numbers: Sequence[int]) -> int:
        """One of some model numbers."""
        return int(self.rng.choice(np.asarray(numbers)))

    def reserve(self, area: _AREA) -> None:
        """Keep clutter out of (x low, y low, x high, y high) metres."""
        self.reserved.append(area)

    # ---------------------------------------------------------------- asking the scene
    def touching(self, first: Thing, second: Thing) -> bool:
        """Whether two things are in contact."""
        return bool(self.scene.contacts(of=first.bodies, at=second.bodies))

    def touched(self, thing: Thing, arms: Sequence[Arm]) -> np.ndarray:
        """float64 (K, 3) where fingers of ``arms`` touch a thing, metres in the world."""
        fingers = frozenset[str]().union(*(arm.fingers for arm in arms))
        points = [contact.points for contact in self.scene.contacts(of=thing.bodies, at=fingers)]
        return np.concatenate(points) if points else np.empty((0, 3))
