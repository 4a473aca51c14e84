"""Pictures as ``mujoco.Renderer`` makes them, with nothing spared: what ours must equal."""

from __future__ import annotations

from typing import Any

import mujoco
import numpy as np

from envs.rendering import RENDER_PROFILES

KINDS = ("rgb", "depth", "segmentation")


class PlainRenderer(mujoco.Renderer):
    """One size, one OpenGL context, one drawing per picture. ``size`` is (height, width)."""

    def __init__(
        self,
        model: mujoco.MjModel,
        size: tuple[int, int],
        profile: str = "fast",
        option: Any = None,
    ) -> None:
        settings = RENDER_PROFILES[profile]
        quality, frame = model.vis.quality, model.vis.global_
        saved = quality.offsamples, frame.offheight, frame.offwidth
        frame.offheight, frame.offwidth = size
        if settings.multisample is not None:
            quality.offsamples = settings.multisample
        super().__init__(model, *size)
        quality.offsamples, frame.offheight, frame.offwidth = saved
        self.scene.flags[mujoco.mjtRndFlag.mjRND_SHADOW] &= settings.shadows
        self.scene.flags[mujoco.mjtRndFlag.mjRND_REFLECTION] &= settings.reflections
        self._option = option

    def picture(self, kind: str, data: mujoco.MjData, camera: str) -> np.ndarray:
        """As :meth:`envs.base.ManipEnv.picture`."""
        self._depth_rendering = kind == "depth"
        self._segmentation_rendering = kind == "segmentation"
        self.update_scene(data, camera, self._option)
        seen = self.render()
        if kind != "segmentation":
            return seen
        return np.where(seen[..., 1] == mujoco.mjtObj.mjOBJ_GEOM, seen[..., 0], -1)

    def close(self) -> None:
        if self._mjr_context:
            self._gl_context.make_current()
            self._mjr_context.free()
            self._mjr_context = None
        super().close()
