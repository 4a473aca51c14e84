"""What every SAPIEN task shares: scenes, pictures, point clouds and the state vector."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from envs.base import ManipEnv
from envs.point_cloud import farthest_points
from envs.sapien.camera import Camera, CameraSpec
from envs.sapien.cloud import Box, seen_from, world_points
from envs.sapien.geometry import Pose
from envs.sapien.line import Line, line
from envs.sapien.scene import Scene
from envs.schema import ManigymError, SimulationError


class SapienEnv(ManipEnv):
    """A task in SAPIEN 2 or 3, whichever this Python has.

    Subclasses fill in ``_build(scene, rng)``, ``_drive(native)``, ``_reward()``,
    ``_goal_reached()`` and ``_sense(modality)``; ``camera_specs`` describes the card's cameras and
    ``timestep`` the physics. Every episode has a scene of its own.

    ``render_profile``: "fast" shows flat, unlit colours (thousands of small pictures per second on
    a CPU); "upstream" is the line's lit shader, whose first picture in a process takes some
    seconds. Depth, segmentation and the shape of point clouds are the same in both.
    """

    camera_specs: Mapping[str, CameraSpec]
    timestep = 1 / 250  # seconds
    base_pose = Pose()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._line: Line = line()
        if self.render_profile not in self._line.shaders:
            raise ManigymError(
                f"{self.card.id} has no render_profile {self.render_profile!r}; "
                f"it offers: {', '.join(self._line.shaders)}"
            )
        self._cameras: dict[tuple[str, tuple[int, int]], Camera] = {}
        self._taken: set[tuple[str, tuple[int, int]]] = set()
        self._actions: list[np.ndarray] = []
        self._shown = False  # whether pictures would see the present poses

    @abstractmethod
    def _build(self, scene: Scene, rng: np.random.Generator) -> None:
        """Fill an empty scene with the start state of an episode."""

    @abstractmethod
    def _drive(self, native: np.ndarray) -> Iterator[None]:
        """Command the robot for one physics step after the other, until the action is done."""

    def _done_early(self) -> bool:
        """Whether the control step ends after the physics step that was just made."""
        return False

    @abstractmethod
    def _reward(self) -> float:
        """Reward of the present state."""

    def _reset(self, seed: int) -> None:
        self._actions.clear()
        self._cameras.clear()
        self.scene = self._line.new_scene(self.timestep)
        self._build(self.scene, np.random.default_rng(seed))
        self._moved()

    def _advance(self, native: np.ndarray) -> float:
        self._actions.append(np.array(native))
        for _ in self._drive(native):
            self.scene.step()
            if self._done_early():
                break
        self._moved()
        return self._reward()

    def _moved(self) -> None:
        self._taken.clear()
        self._shown = False

    # ---------------------------------------------------------------- state as data
    def _physics(self) -> np.ndarray:
        """float64 (D,): joints (position, velocity, drive target), then bodies that can move
        (position, quaternion; dynamic ones also their velocity)."""
        parts: list[Any] = []
        for robot in self.scene.articulations:
            parts += [robot.qpos, robot.qvel, robot.drive_target]
            if not robot.fixed:
                root = next(iter(robot.links.values()))
                parts += [root.pose.position, root.pose.quaternion, root.velocity]
        for body in self.scene.bodies:
            if body.motion in ("kinematic", "dynamic"):
                parts += [body.pose.position, body.pose.quaternion]
            if body.motion == "dynamic":
                parts.append(body.velocity)
        return np.concatenate(parts)

    def _set_physics(self, state: np.ndarray) -> None:
        """Check that the state was reached: PhysX keeps contacts that nothing can write."""
        if self._physics().tobytes() != state.tobytes():
            raise SimulationError(
                f"{self.card.id}: repeating the actions of a snapshot led to another state; "
                "was it taken with other options, another version or on another machine?"
            )

    def snapshot(self) -> dict[str, Any]:
        """What is needed to live this episode again: its seed and its actions."""
        return super().snapshot() | {"seed": self.seed_used, "actions": list(self._actions)}

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        """Repeat the episode up to the snapshot; takes as long as its steps took."""
        self.seed_used = snapshot["seed"]
        self._reset(self.seed_used)
        for action in snapshot["actions"]:
            self._advance(action)
        super().restore(snapshot)

    # --------------------------------------------------------------------- pictures
    def render_device(self) -> str:
        return self._line.rendering.device

    def object_names(self) -> tuple[str, ...]:
        """What the numbers of a segmentation picture stand for, in order; links included."""
        return tuple(body.name for body in self.scene.bodies)

    def _picture(self, kind: str, camera: str, size: tuple[int, int]) -> np.ndarray:
        taken = self._taken_picture(camera, size)
        if kind == "segmentation":
            return self._object_numbers()[taken.picture_ids()]
        return getattr(taken, kind)()

    def _taken_picture(self, name: str, size: tuple[int, int]) -> Camera:
        """The camera, with a picture of the present state; drawn once for all kinds."""
        if not self._line.rendering.ok:
            raise ManigymError(
                f"{self.card.id} cannot draw pictures: {self._line.rendering.reason}\n"
                '  Without pictures: gymnasium.make(id, observations=("proprio", "state"))'
            )
        key = name, size
        if key not in self._cameras:
            shader = self._line.shaders[self.render_profile]
            self._cameras[key] = self.scene.add_camera(self.camera_specs[name], size, shader)
            self._moved()
        if not self._shown:
            self.scene.update_render()
            self._shown = True
        if key not in self._taken:
            self._cameras[key].take()
            self._taken.add(key)
        return self._cameras[key]

    def _object_numbers(self) -> np.ndarray:
        """int32 table: the line's own number of a body -> its index in ``object_names``."""
        own = [body.picture_id for body in self.scene.bodies]
        table = np.full(max(own) + 1, -1, np.int32)
        table[own] = np.arange(len(own))
        return table

    def _point_cloud(self) -> np.ndarray:
        """float32 (N, 6) of what the cloud's cameras see, in the frame of ``base_pose``."""
        cameras, size = self._cloud_cameras()
        clouds = [self._camera_cloud(name, size) for name in cameras]
        cloud = seen_from(self.base_pose, np.concatenate(clouds))
        return farthest_points(cloud, self.num_points).astype(np.float32)

    def _cloud_cameras(self) -> tuple[Sequence[str], tuple[int, int]]:
        """Which cameras point clouds are made from, and at what picture size."""
        return self.cameras, self.image_size

    def _camera_cloud(self, name: str, size: tuple[int, int]) -> np.ndarray:
        """float64 (M, 6) points of the workspace, in the world, that one camera sees."""
        with self.stopwatch("render"):  # SAPIEN draws when it is read
            taken = self._taken_picture(name, size)
            points, colours = taken.points(), taken.colours()
        pose = self.scene.camera_pose(self.camera_specs[name])
        return world_points(points, colours, pose, self._workspace())

    def _workspace(self) -> Box:
        """The part of the world that point clouds show; all of it by default."""
        return Box()
