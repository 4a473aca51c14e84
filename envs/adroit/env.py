"""The four Adroit tasks of Gymnasium-Robotics, with its own physics, observations and resets."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from contextlib import redirect_stderr
from importlib import import_module
from io import StringIO
from typing import Any

import mujoco
import numpy as np

from envs.adroit.measures import APPROACHED, MEASURES
from envs.adroit.scenes import GOALS, PEN_DROPPED, SCENES, AddedCamera
from envs.base import Expert
from envs.mujoco_env import MujocoEnv
from envs.point_cloud import camera_points, farthest_points
from envs.schema import ManigymError, TaskCard
from envs.task_env import one_of

_PEN_LENGTHS = ("pen_length", "tar_length")  # measured by upstream at reset
REWARDS = ("corrected", "upstream", "sparse")
CLOUDS = ("world", "maniflow")
# What a reset changes in the model: array and body or site.
_RANDOMISED: Mapping[str, tuple[tuple[str, str, str], ...]] = {
    "door": (("body_pos", "body", "frame"),),
    "hammer": (("body_pos", "body", "nail_board"),),
    "pen": (("body_quat", "body", "target"),),
    "relocate": (("body_pos", "body", "Object"), ("site_pos", "site", "target")),
}


def make_simulator(task: str, camera: AddedCamera | None = None, **options: Any) -> Any:
    """Gymnasium-Robotics' environment, unwrapped; ``camera`` is added to its model.

    The class's own name stays; only how it loads its model changes, and only by the camera.
    """
    name = f"AdroitHand{task.capitalize()}Env"
    with redirect_stderr(StringIO()):  # its import prints a notice about the dense rewards
        module = import_module(f"gymnasium_robotics.envs.adroit_hand.adroit_{task}")
    base = getattr(module, name)
    if camera is None:
        return base(**options)

    def load(self: Any) -> tuple[mujoco.MjModel, mujoco.MjData]:
        spec = mujoco.MjSpec.from_file(self.fullpath)
        spec.worldbody.add_camera(name=camera.name, pos=camera.position, quat=camera.quaternion)
        model = spec.compile()
        return model, mujoco.MjData(model)

    return type(name, (base,), {"_initialize_simulation": load})(**options)


class AdroitEnv(MujocoEnv):
    """An Adroit task.

    ``reward``: "corrected" is the dense reward with the sign of its first term as DAPG has it;
    "upstream" is Gymnasium-Robotics 1.4.2's dense reward, which *adds* 0.1 times the distance of
    the palm to the handle (Door), hammer or ball and so rewards staying away; "sparse" is 10 when
    upstream's goal is reached, else -0.1.
    ``point_cloud``: "world" (world frame, all chosen cameras, cropped to the workspace) or
    "maniflow" (its camera, axes, offset and crop: :class:`envs.adroit.scenes.ManiFlowCloud`).
    """

    def __init__(
        self,
        card: TaskCard,
        *,
        reward: str = "corrected",
        point_cloud: str = "world",
        **options: Any,
    ) -> None:
        super().__init__(card, **options)
        task = card.task
        self.reward = one_of("Adroit", "reward", reward, REWARDS)
        self.scene = SCENES[task]
        self.cloud_frame = one_of("Adroit", "point_cloud", point_cloud, CLOUDS)
        if point_cloud == "maniflow" and self.scene.cloud is None:
            raise ManigymError(f"{card.id}: ManiFlow defines no point cloud for this task")
        kind = "sparse" if reward == "sparse" else "dense"
        self.simulator = make_simulator(task, self.scene.added_camera, reward_type=kind)
        self.model: mujoco.MjModel = self.simulator.model
        self.data: mujoco.MjData = self.simulator.data
        self._randomised = [
            getattr(self.model, array)[getattr(self.model, kind)(name).id]
            for array, kind, name in _RANDOMISED[task]
        ]
        self._robot = slice(0, card.action.size)  # arm and hand come first in qpos, one joint each
        goal = GOALS[task][self.protocol.name]
        self._goal = [(condition, MEASURES[task][condition.quantity]) for condition in goal]
        self._approached = APPROACHED.get(task) if reward == "corrected" else None
        self._mark_drops = task == "pen" and self.protocol.name != "gymnasium"
        self._dropped = False
        # Its step computes an observation of 30 to 50 numbers, a tenth of the step, and returns it;
        # reward and goal do not use it. Here it is computed when somebody looks.
        self._look: Callable[[], np.ndarray] = self.simulator._get_obs
        self.simulator._get_obs = lambda: None
        self._observed: np.ndarray | None = None

    def _task_arrays(self) -> list[np.ndarray]:
        return self._randomised

    def _reset(self, seed: int) -> None:
        self.simulator.reset(seed=seed)
        self._observed = None
        self._dropped = False

    def _advance(self, native: np.ndarray) -> float:
        _, reward, _, _, _ = self.simulator.step(native)
        self._observed = None
        if self._mark_drops:
            height = self.data.xpos[self.simulator.obj_body_id, 2]
            self._dropped = self._dropped or bool(height < PEN_DROPPED)
        if self._approached is None:
            return float(reward)
        return float(reward) - 0.2 * math.dist(*self._approached(self.simulator))

    def _goal_reached(self) -> bool:
        if self._dropped:
            return False
        return all(condition.holds(measure(self.simulator)) for condition, measure in self._goal)

    def _sense(self, modality: str) -> np.ndarray:
        if modality == "proprio":
            return self.data.qpos[self._robot].astype(np.float32)
        if modality == "state":
            return self.observed().astype(np.float32)
        return self._point_cloud()

    def observed(self) -> np.ndarray:
        """float64 (S,) Gymnasium-Robotics' own observation of the present state."""
        if self._observed is None:
            self._observed = self._look()
        return self._observed

    # ------------------------------------------------------------ point cloud
    def _crop(self, cloud: np.ndarray) -> np.ndarray:
        low, high = self.scene.workspace
        return cloud[((cloud[:, :3] >= low) & (cloud[:, :3] <= high)).all(1)]

    def _point_cloud(self) -> np.ndarray:
        cloud = self.scene.cloud
        if self.cloud_frame == "world" or cloud is None:
            return super()._point_cloud()
        rgb, depth = self.rgbd(cloud.camera)
        fovy = float(self.model.camera(cloud.camera).fovy[0])
        points = camera_points(rgb, depth, fovy, np.array(cloud.offset), _about_x(cloud.tilt))
        return farthest_points(points[points[:, 2] > cloud.floor], self.num_points).astype(
            np.float32
        )

    def expert(self) -> Expert:
        if self.card.task != "door":
            return super().expert()
        from envs.adroit.expert import DoorExpert

        return DoorExpert(self)

    # ---------------------------------------------------------- state as data
    def snapshot(self) -> dict[str, Any]:
        lengths = {k: v for k, v in vars(self.simulator).items() if k in _PEN_LENGTHS}
        return super().snapshot() | {
            "observed": self.observed().copy(),
            "dropped": self._dropped,
            "lengths": lengths,
            "seed": self.seed_used,
        }

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        super().restore(snapshot)
        self._observed, self._dropped = snapshot["observed"].copy(), snapshot["dropped"]
        self.seed_used = snapshot["seed"]
        for name, value in snapshot["lengths"].items():
            setattr(self.simulator, name, value)


def _about_x(degrees: float) -> np.ndarray:
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return np.array([[1.0, 0.0, 0.0], [0.0, c, -s], [0.0, s, c]])
