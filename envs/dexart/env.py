"""DexArt: an arm with a dexterous hand opens, turns and lifts articulated objects, in SAPIEN 2."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from envs.base import Expert
from envs.dexart import world
from envs.dexart.cloud import SIZES, KnownHand, sample, within
from envs.dexart.expert.script import ScriptedExpert
from envs.dexart.instance import Instance
from envs.dexart.library import SPLITS, instances_of, robot_urdf
from envs.dexart.reward import GOALS, reward, stage_of
from envs.dexart.robot import TIMESTEP
from envs.dexart.setting import CAMERA, SETTINGS
from envs.dexart.tabletop import Start, Tabletop
from envs.sapien.cloud import Box
from envs.sapien.env import SapienEnv
from envs.sapien.geometry import Pose
from envs.sapien.scene import Scene
from envs.schema import ManigymError, TaskCard
from envs.task_env import one_of

_PLACE, _CLOUD = 0, 1  # streams of an episode


class DexArtEnv(SapienEnv):
    """One task. Options beside those of every environment:

    ``instances``: "seen" or "unseen", the objects of upstream's training or test set; each episode
    draws one of them from its seed. ``instance``: always this one, counted from 0. ``randomize``:
    whether the object is moved and turned. ``cloud``: how point clouds are drawn, "maniflow" (84 x
    84 pixels, farthest points) or "upstream" (64 x 64, any points). ``asset_folder``: upstream's
    own ``assets`` folder, whose robot and objects then replace ours.

    The reward is upstream's staged one. Success is read once per control step, after its last
    physics step, as upstream does.
    """

    timestep = TIMESTEP

    def __init__(
        self,
        card: TaskCard,
        *,
        instances: str = "seen",
        instance: int | None = None,
        randomize: bool = True,
        cloud: str = "maniflow",
        asset_folder: str | None = None,
        **options: Any,
    ) -> None:
        super().__init__(card, **options)
        self.instances = one_of("DexArt", "instances", instances, SPLITS)
        self.cloud = one_of("DexArt", "cloud", cloud, SIZES)
        if not isinstance(randomize, bool):
            raise ManigymError(f"randomize is true or false, got {randomize!r}")
        if not isinstance(asset_folder, str | None):
            raise ManigymError(f"asset_folder is the path of a folder, got {asset_folder!r}")
        self.randomize, self.asset_folder = randomize, asset_folder
        folder = None if asset_folder is None else Path(asset_folder)
        self._library = instances_of(card.task, instances, folder)
        self._urdf = robot_urdf(folder)
        self.instance = _index(instance, len(self._library))
        self.setting = SETTINGS[card.task]
        self.goal = GOALS[self.protocol.name][card.task]
        self.camera_specs = world.cameras(self.setting)
        self.base_pose = Pose((-0.5, 0.0, self.setting.base))
        self._known: KnownHand | None = None

    @property
    def chosen(self) -> dict[str, Any]:
        return super().chosen | {
            "instances": self.instances,
            "instance": self.instance,
            "randomize": self.randomize,
            "cloud": self.cloud,
            "asset_folder": self.asset_folder,
        }

    # ------------------------------------------------------------------ start states
    def _build(self, scene: Scene, rng: np.random.Generator) -> None:
        del rng  # one stream per purpose instead
        stream = np.random.default_rng([self.seed_used, _PLACE])
        drawn = int(stream.integers(len(self._library)))
        chosen = self._library[drawn if self.instance is None else self.instance]
        noise = stream.random(4) if self.randomize else np.array([0.0, 0.0, 0.0, 0.5])
        start = Start(
            self.card.task,
            chosen,
            self._root(chosen, noise),
            self.base_pose,
            self._urdf,
            exact=self.asset_folder is not None,
        )
        self.table = Tabletop(scene, start)
        self.robot, self.thing = self.table.robot, self.table.thing
        self._known = None
        self.reading = self.table.read(0)

    def _root(self, chosen: Instance, noise: np.ndarray) -> Pose:
        """Where the object stands, for numbers (4,) in [0, 1): shift along x, y, z, and turn."""
        place = np.asarray(self.base_pose.position, np.float32) + np.asarray(chosen.place)
        yaw = self.setting.yaw + (2 * noise[3] - 1) * self.setting.turn
        turned = (np.cos(yaw / 2), 0.0, 0.0, np.sin(yaw / 2))
        return Pose(place + noise[:3] * self.setting.shift, turned)

    # ------------------------------------------------------------------- one step
    def _drive(self, native: np.ndarray) -> Iterator[None]:
        return self.robot.drive(native)

    def _reward(self) -> float:
        self.reading = self.table.read(len(self._actions), self.reading)
        return reward(self.card.task, self.reading, self.setting, self.goal)

    @property
    def stage(self) -> int:
        """1 far from the handle, 2 near it, 3 in firm contact with it."""
        return stage_of(self.card.task, self.reading, self.setting)

    def _goal_reached(self) -> bool:
        return self.goal.reached(self.reading, self.stage)

    def _over(self) -> bool:
        """Where success is what holds at the end, the task ends as upstream's does."""
        return not self.protocol.success.latched and self.goal.over(self.reading, self.stage)

    def measures(self) -> dict[str, float]:
        return {"progress": self.reading.progress, "stage": float(self.stage)}

    def expert(self) -> Expert:
        return ScriptedExpert(self.table)

    # ------------------------------------------------------------------ observation
    def _sense(self, modality: str) -> np.ndarray:
        if modality == "proprio":
            return self._proprio().astype(np.float32)
        if modality == "state":
            return self._state().astype(np.float32)
        if modality == "robot_points":
            if self._known is None:
                self._known = KnownHand(self.robot.links)
            return self._known.points(self.base_pose)
        return self._point_cloud()

    def _proprio(self) -> np.ndarray:
        """Upstream's state vector."""
        palm = self.robot.palm
        up = [palm.pose.rotation[2, 0]] if self.card.task == "bucket" else []
        share = len(self._actions) / self.goal.horizon
        return np.concatenate([self.robot.qpos, palm.velocity, palm.pose.position, up, [share]])

    def _state(self) -> np.ndarray:
        thing, reading = self.thing, self.reading
        root = next(iter(thing.articulation.links.values())).pose
        handle, hinge = thing.handle.pose, thing.hinge
        return np.concatenate(
            [
                [*root.position, *root.quaternion, *handle.position, *handle.quaternion],
                thing.box.ravel(),
                [*thing.handle_point, *hinge.position, *hinge.rotation[:, 0]],
                [thing.angle, reading.progress, reading.lift],
                [*self.robot.palm.pose.quaternion, *reading.fingers, reading.palm],
            ]
        )

    def _point_cloud(self) -> np.ndarray:
        """float32 (N, 6) of what upstream's camera sees, in the frame of the robot's base; the same
        whenever, and however often, it is asked for."""
        cloud = self._camera_cloud(CAMERA, SIZES[self.cloud])
        cloud[:, :3] -= self.base_pose.position
        rng = np.random.default_rng([self.seed_used, _CLOUD, len(self._actions)])
        return sample(cloud, self.num_points, self.cloud, rng).astype(np.float32)

    def _workspace(self) -> Box:
        return within(self.setting.low, self.setting.high, self.base_pose.position)


def _index(instance: int | None, count: int) -> int | None:
    if instance is None or (type(instance) is int and 0 <= instance < count):
        return instance
    raise ManigymError(f"instance is a number from 0 to {count - 1}, or nothing; got {instance!r}")
