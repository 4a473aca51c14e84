"""The robomimic tasks on robosuite 1.5: robosuite's own physics, observations and rewards."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from importlib import import_module
from typing import Any

import mujoco
import numpy as np

from envs.base import Expert
from envs.mujoco_env import MujocoEnv
from envs.robomimic.economy import FastStep
from envs.robomimic.experts import SCRIPTS, WaypointExpert
from envs.robomimic.redraw import REDRAW
from envs.robomimic.tasks import SCENES
from envs.schema import ManigymError, TaskCard

# What robosuite's cameras and sensors read. After a step it is one 2 ms substep older than qpos
# (robosuite does not call mj_forward), so a snapshot must carry it to give the same pictures.
_PROPRIO = ("eef_pos", "eef_quat", "gripper_qpos")


def import_robosuite() -> Any:
    """robosuite, without its import warnings and without its change of ``MUJOCO_GL``."""
    logger, backend = logging.getLogger("robosuite_logs"), os.environ.get("MUJOCO_GL")
    logger.disabled = True
    try:
        robosuite = import_module("robosuite")
    finally:
        logger.disabled = False
        os.environ.pop("MUJOCO_GL", None)
        if backend is not None:
            os.environ["MUJOCO_GL"] = backend
    return robosuite


def controller_config() -> dict[str, Any]:
    """OSC_POSE of the robomimic datasets in robosuite 1.5's composite form, one dict per robot.

    Deltas are in the *world* frame: robosuite 1.4, with which the v141 data were collected, added
    them to the world pose of the hand. 1.5's default ("base") means the same for the single-arm
    tasks, whose bases are not rotated, but turns Transport's actions by +-90 degrees.
    """
    arm = {
        "type": "OSC_POSE",
        "input_max": 1,
        "input_min": -1,
        "output_max": [0.05] * 3 + [0.5] * 3,
        "output_min": [-0.05] * 3 + [-0.5] * 3,
        "kp": 150,
        "damping_ratio": 1,
        "impedance_mode": "fixed",
        "kp_limits": [0, 300],
        "damping_ratio_limits": [0, 10],
        "position_limits": None,
        "orientation_limits": None,
        "uncouple_pos_ori": True,
        "input_type": "delta",
        "input_ref_frame": "world",
        "interpolation": None,
        "ramp_ratio": 0.2,
        "gripper": {"type": "GRIP"},
    }
    return {"type": "BASIC", "body_parts": {"right": arm}}


def make_robosuite(task: str, **changes: Any) -> Any:
    """The bare robosuite environment of a task as :class:`RobomimicEnv` uses it, without GL."""
    scene = SCENES[task]
    options: dict[str, Any] = {
        "robots": ["Panda"] * scene.robots,
        "controller_configs": [controller_config() for _ in range(scene.robots)],
        "control_freq": 20,
        "use_object_obs": True,
        "use_camera_obs": False,
        "has_renderer": False,
        "has_offscreen_renderer": False,
        "renderer": "mujoco",
        "ignore_done": True,
        "reward_shaping": False,
        "hard_reset": False,  # see envs/robomimic/redraw.py
    }
    if scene.robots == 2:
        options["env_configuration"] = "opposed"
    return import_robosuite().make(scene.robosuite, **(options | changes))


def seed_robosuite(simulator: Any, seed: int) -> None:
    """Re-seed in place: samplers and objects hold references to this very generator."""
    simulator.rng.bit_generator.state = np.random.default_rng(seed).bit_generator.state


class RobomimicEnv(MujocoEnv):
    """A robomimic task. ``reward_shaping=True`` gives robosuite's dense reward where it has one."""

    base_body = "robot0_base"

    def __init__(self, card: TaskCard, *, reward_shaping: bool = False, **options: Any) -> None:
        super().__init__(card, **options)
        self._scene = SCENES[card.task]
        if reward_shaping and not self._scene.dense_reward:
            raise ManigymError(f"{card.id}: robosuite has no dense reward for this task")
        self.simulator = make_robosuite(card.task, reward_shaping=reward_shaping)
        self._observed: Mapping[str, Any] = {}
        self._reached = False
        self._arms = range(self._scene.robots)
        self._keep_observables()
        self._bind()

    def _keep_observables(self) -> None:
        """Switch off the robot sensors nobody asks for; the others keep their exact values."""
        used = {f"robot{i}_{name}" for i in self._arms for name in _PROPRIO}
        for name, observable in self.simulator._observables.items():
            if observable.modality.endswith("proprio") and name not in used:
                observable.set_enabled(False)

    def _bind(self) -> None:
        self.model: mujoco.MjModel = self.simulator.sim.model._model
        self.data: mujoco.MjData = self.simulator.sim.data._data
        self._step = FastStep(self.simulator)

    def _reset(self, seed: int) -> None:
        seed_robosuite(self.simulator, seed)
        if self.card.task in REDRAW:
            REDRAW[self.card.task](self.simulator)
        self.simulator.reset()
        self._bind()
        self._observed, self._reached = self._step.sensors.read(), False

    def _advance(self, native: np.ndarray) -> float:
        reward, self._reached = self._step(native)
        self._observed = self._step.sensors.read()
        return reward

    def _goal_reached(self) -> bool:
        return self._reached  # after the last step, which is when it is asked for

    def _sense(self, modality: str) -> np.ndarray:
        if modality == "proprio":
            return self._proprio()
        if modality == "state":
            return self._observed["object-state"].astype(np.float32)
        return self._point_cloud()

    def _proprio(self) -> np.ndarray:
        values: list[float] = []
        for i in self._arms:
            position, quaternion, fingers = (self._observed[f"robot{i}_{k}"] for k in _PROPRIO)
            values += [*position, quaternion[3], *quaternion[:3], *fingers]
        return np.array(values, np.float32)

    def observed(self) -> Mapping[str, Any]:
        """robosuite's own observations of the present state: those of :data:`_PROPRIO` and of the
        objects, by name, and ``object-state``."""
        return self._observed

    def _scene_option(self) -> mujoco.MjvOption:
        option = mujoco.MjvOption()
        option.geomgroup[0] = 0  # collision meshes, which robosuite's cameras do not show either
        return option

    def _crop(self, cloud: np.ndarray) -> np.ndarray:
        low, high = self._scene.workspace
        return cloud[((cloud[:, :3] >= low) & (cloud[:, :3] <= high)).all(1)]

    def expert(self, noise: float = 0.0) -> Expert:
        """Scripted expert; ``noise`` is the standard deviation added to its actions."""
        if self.card.task not in SCRIPTS:
            return super().expert()
        return WaypointExpert(self.observed, SCRIPTS[self.card.task], self.expert_rng(), noise)

    # ---------------------------------------------------------- state as data
    def snapshot(self) -> dict[str, Any]:
        sensors = self.simulator._observables.values()
        return super().snapshot() | {
            "seed": self.seed_used,
            "grippers": [r.gripper["right"].current_action.copy() for r in self.simulator.robots],
            "sensors": [
                (np.copy(s._current_observed_value), s._time_since_last_sample, s._sampled)
                for s in sensors
            ],
            "sensor_cache": {k: np.copy(v) for k, v in self.simulator._obs_cache.items()},
        }

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        stepped = bool(snapshot["goals"])
        if snapshot["seed"] != self.seed_used or not stepped:
            # Model and controllers belong to an episode's seed, and until the first step the
            # controllers hold what they measured in the middle of the reset.
            self.seed_used = snapshot["seed"]
            self._reset(self.seed_used)
        super().restore(snapshot)
        for robot, action in zip(self.simulator.robots, snapshot["grippers"], strict=True):
            robot.gripper["right"].current_action = action.copy()
            for controller in robot.part_controllers.values():
                controller.new_update = stepped  # measure anew
        sensors = self.simulator._observables.values()
        for sensor, (value, elapsed, sampled) in zip(sensors, snapshot["sensors"], strict=True):
            sensor._current_observed_value = value.copy()
            sensor._time_since_last_sample, sensor._sampled = elapsed, sampled
        self.simulator._obs_cache = {k: v.copy() for k, v in snapshot["sensor_cache"].items()}
        self._observed = self._step.sensors.read()
