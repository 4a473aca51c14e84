"""robosuite as robomimic and Diffusion Policy build it: every camera at every step, its defaults.

As robomimic 0.3.0 ``envs/env_robosuite.py`` passes them: camera observables on, off-screen renderer
on, object observations, sparse reward, ``ignore_done``; everything else is robosuite's own default,
the 640 x 480 off-screen buffer with reflections and multisampling among it. Only resets are soft,
as in Diffusion Policy's runner (``robomimic_image_runner.py``): a hard one with pictures takes as
long as a dozen steps. The cube of Lift therefore keeps its size. The controller is that of the
datasets, as everywhere here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from envs.bare import BareEnv
from envs.robomimic.env import make_robosuite, seed_robosuite
from envs.robomimic.tasks import SCENES
from envs.schema import TaskCard


class BareRobosuite(BareEnv):
    """The same observations as :class:`envs.robomimic.env.RobomimicEnv`, from robosuite's own."""

    def __init__(self, card: TaskCard, options: Mapping[str, Any]) -> None:
        super().__init__(card, options)
        pictures: dict[str, Any] = {}
        if self.draws:
            height, width = self.image_size
            pictures = {
                "has_offscreen_renderer": True,
                "use_camera_obs": True,
                "camera_names": list(self.cameras),
                "camera_heights": height,
                "camera_widths": width,
            }
        self.simulator = make_robosuite(card.task, hard_reset=False, **pictures)
        self._arms = range(SCENES[card.task].robots)
        self._observed: Mapping[str, Any] = {}

    def _own_context(self) -> None:
        """robosuite draws into whichever OpenGL context is current, another environment's too."""
        if self.draws:
            self.simulator.sim._render_context_offscreen.gl_ctx.make_current()

    def _reset(self, seed: int | None) -> None:
        self._own_context()
        if seed is not None:
            seed_robosuite(self.simulator, seed)
        self._observed = self.simulator.reset()

    def _step(self, action: np.ndarray) -> float:
        self._own_context()
        self._observed, reward, _, _ = self.simulator.step(action)
        return float(reward)

    def _succeeded(self) -> bool:
        return bool(self.simulator._check_success())

    def _observe(self, modality: str) -> Any:
        if modality == "rgb":  # robosuite's pictures are upside down
            return {name: self._observed[f"{name}_image"][::-1] for name in self.cameras}
        if modality == "state":
            return self._observed["object-state"].astype(np.float32)
        values: list[np.ndarray] = []
        for i in self._arms:
            quaternion = self._observed[f"robot{i}_eef_quat"]
            parts = (self._observed[f"robot{i}_{name}"] for name in ("eef_pos", "gripper_qpos"))
            position, fingers = parts
            values += [position, quaternion[3:], quaternion[:3], fingers]
        return np.concatenate(values).astype(np.float32)

    def close(self) -> None:
        """Ends robosuite's environment and its OpenGL context."""
        self._own_context()
        self.simulator.close()
