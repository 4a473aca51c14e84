"""Robot and object at a table at the start of an episode, built alike as often as one likes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from envs.dexart import world
from envs.dexart.instance import Instance
from envs.dexart.reward import Reading
from envs.dexart.robot import TIMESTEP, Robot
from envs.dexart.setting import SETTINGS, Setting
from envs.dexart.things import Thing
from envs.dexart.touch import Touch
from envs.sapien.geometry import Pose
from envs.sapien.line import line
from envs.sapien.scene import Scene


@dataclass(frozen=True)
class Start:
    """All that an episode starts from. ``root``: where the object stands. ``exact``: in every bit
    as upstream builds it, which takes bodies that nobody sees."""

    task: str
    instance: Instance
    root: Pose
    base: Pose
    urdf: Path
    exact: bool

    @property
    def setting(self) -> Setting:
        return SETTINGS[self.task]


class Tabletop:
    """A scene filled from a :class:`Start`, in upstream's order."""

    def __init__(self, scene: Scene, start: Start) -> None:
        self.scene, self.start = scene, start
        world.furnish(scene, solid=start.exact)
        world.stand(scene, start.setting)
        self.robot = Robot(scene, start.urdf, start.exact)
        self.robot.stand(start.base)
        self.thing = Thing(scene, start.task, start.instance, start.setting)
        self.thing.start(start.root)
        world.light(scene)
        self._touch = Touch(self.thing, self.robot)

    def read(self, step: int, before: Reading | None = None) -> Reading:
        """The world after control step ``step``; ``before`` is the reading of the step before it.

        Contacts are those of the last physics step.
        """
        robot, thing = self.robot, self.thing
        contacts = self.scene.contacts(of=thing.articulation.links)
        handle, body, arm = self._touch.of(contacts)
        palm = robot.palm.pose
        height = float(palm.position[2])
        return Reading(
            step=step,
            distance=float(np.linalg.norm(np.asarray(palm.position) - thing.handle_point)),
            fingers=handle[:4],
            palm=bool(handle[4]),
            arm=arm,
            progress=thing.progress,
            speeds=robot.qvel,
            cartesian_error=robot.cartesian_error,
            body=body,
            body_velocity=thing.body.velocity,
            lift=self._touch.lift(thing),
            palm_up=float(palm.rotation[2, 0]),
            palm_height=height,
            palm_rise=0.0 if before is None else height - before.palm_height,
        )

    def again(self) -> Tabletop:
        """The same start in an unseen scene of its own, which moves as this one, bit by bit."""
        return Tabletop(line().scene(TIMESTEP, False), self.start)
