"""Gymnasium-Robotics' Adroit environments with their own renderer at its default quality.

The class behind ``AdroitHandDoor-v1`` and its like, as ``gymnasium.make`` constructs it (dense
reward), without the wrappers that ``gymnasium.make`` adds. Cameras that its model lacks are added,
or the pictures could not be of the same things.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from envs.adroit.env import make_simulator
from envs.adroit.measures import MEASURES
from envs.adroit.scenes import GOALS, SCENES
from envs.bare import BareEnv
from envs.schema import TaskCard


class BareAdroit(BareEnv):
    """The same observations as :class:`envs.adroit.env.AdroitEnv`, from upstream's own."""

    def __init__(self, card: TaskCard, options: Mapping[str, Any]) -> None:
        super().__init__(card, options)
        height, width = self.image_size
        added = SCENES[card.task].added_camera if self.draws else None
        self.simulator = make_simulator(
            card.task, added, render_mode="rgb_array", width=width, height=height
        )
        goal = GOALS[card.task][card.protocol(options.get("protocol")).name]
        self._goal = [(condition, MEASURES[card.task][condition.quantity]) for condition in goal]
        self._observed = np.zeros(0)

    def _reset(self, seed: int | None) -> None:
        self._observed, _ = self.simulator.reset(seed=seed)

    def _step(self, action: np.ndarray) -> float:
        self._observed, reward, _, _, _ = self.simulator.step(action)
        return float(reward)

    def _succeeded(self) -> bool:
        return all(condition.holds(measure(self.simulator)) for condition, measure in self._goal)

    def _observe(self, modality: str) -> Any:
        if modality == "rgb":
            return {name: self._picture(name) for name in self.cameras}
        if modality == "state":
            return self._observed.astype(np.float32)
        return self.simulator.data.qpos[: self.card.action.size].astype(np.float32)

    def _picture(self, camera: str) -> np.ndarray:
        renderer = self.simulator.mujoco_renderer
        renderer.camera_id = self.simulator.model.camera(camera).id
        if renderer.viewer is not None:  # or it draws into another environment's context
            renderer.viewer.make_context_current()
        picture: np.ndarray = renderer.render("rgb_array")
        return picture

    def close(self) -> None:
        """Ends upstream's environment and its OpenGL context."""
        self.simulator.close()
