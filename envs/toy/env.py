"""The toy task: physics at 200 Hz, control at 20 Hz, joint-delta actions."""

from __future__ import annotations

from typing import Any

import mujoco
import numpy as np

import assets
from envs.base import Expert
from envs.mujoco_env import MujocoEnv
from envs.schema import TaskCard
from envs.toy.tasks import JOINT_RANGE, REACH_RADIUS

_SUBSTEPS = 10
_LINKS = (0.12, 0.10)  # metres


class ToyEnv(MujocoEnv):
    """Planar reaching; reward is minus the fingertip's distance to the target in metres."""

    base_body = "upper"

    def __init__(self, card: TaskCard, **options: Any) -> None:
        super().__init__(card, **options)
        self.model = mujoco.MjModel.from_xml_path(str(assets.path("toy_reach.xml")))
        self.data = mujoco.MjData(self.model)

    def _reset(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        mujoco.mj_resetData(self.model, self.data)
        self.data.qpos[:] = self.data.ctrl[:] = rng.uniform(-1.0, 1.0, 2)
        radius, angle = rng.uniform(0.08, 0.2), rng.uniform(-2.0, 2.0)
        self.data.mocap_pos[0, :2] = radius * np.cos(angle), radius * np.sin(angle)
        mujoco.mj_forward(self.model, self.data)

    def _advance(self, native: np.ndarray) -> float:
        self.data.ctrl[:] = np.clip(self.data.qpos + native, -JOINT_RANGE, JOINT_RANGE)
        mujoco.mj_step(self.model, self.data, _SUBSTEPS)
        mujoco.mj_forward(self.model, self.data)
        return -self._distance()

    def _distance(self) -> float:
        return float(np.linalg.norm(self._fingertip() - self.data.mocap_pos[0, :2]))

    def _fingertip(self) -> np.ndarray:
        return self.data.site_xpos[0, :2]

    def _goal_reached(self) -> bool:
        return self._distance() < REACH_RADIUS

    def _sense(self, modality: str) -> np.ndarray:
        if modality == "proprio":
            return np.concatenate([self.data.qpos, self._fingertip()]).astype(np.float32)
        if modality == "state":
            return self.data.mocap_pos[0, :2].astype(np.float32)
        return self._point_cloud()

    def expert(self) -> Expert:
        return ReachExpert(self)


class ReachExpert:
    """Closed-form inverse kinematics of the two-link arm, elbow on the side of the present bend.

    Fails where the short way round meets a joint limit, in about 3 % of the starts: enough to keep
    the harness honest about demonstrations that do not succeed.
    """

    def __init__(self, env: ToyEnv) -> None:
        self._env = env
        self._bend = 1.0 if env.data.qpos[1] >= 0 else -1.0

    def act(self) -> np.ndarray:
        goal = self._joints(self._env.data.mocap_pos[0, :2])
        delta = (goal - self._env.data.qpos + np.pi) % (2 * np.pi) - np.pi
        return np.clip(delta / 0.1, -1.0, 1.0).astype(np.float32)

    def _joints(self, target: np.ndarray) -> np.ndarray:
        a, b = _LINKS
        cosine = (target @ target - a * a - b * b) / (2 * a * b)
        elbow = self._bend * np.arccos(np.clip(cosine, -1.0, 1.0))
        reach = np.arctan2(b * np.sin(elbow), a + b * np.cos(elbow))
        return np.array([np.arctan2(target[1], target[0]) - reach, elbow])
