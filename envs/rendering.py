"""Off-screen MuJoCo rendering that is cheap and right with several environments in one process.

Two facts shape this file. Shadows, reflections and multisampling cost up to fourteen times the rest
of a small picture on a CPU, so they belong to a named :class:`RenderProfile` that is recorded with
every dataset and result. And an OpenGL context must be current not only when a picture is drawn but
also when its objects are freed, or another environment's pictures go silently wrong.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import mujoco
import numpy as np

from envs.schema import ManigymError


@dataclass(frozen=True)
class RenderProfile:
    """Settings that change pixels. ``multisample=None`` keeps the model's own."""

    name: str
    shadows: bool
    reflections: bool
    multisample: int | None


RENDER_PROFILES: Mapping[str, RenderProfile] = {
    p.name: p
    for p in (
        RenderProfile("fast", shadows=False, reflections=False, multisample=0),
        RenderProfile("upstream", shadows=True, reflections=True, multisample=None),
    )
}
_FLAGS = {
    "shadows": mujoco.mjtRndFlag.mjRND_SHADOW,
    "reflections": mujoco.mjtRndFlag.mjRND_REFLECTION,
}
# Why this process has no OpenGL. MuJoCo 3.9 aborts the process that asks a second time.
_broken: list[str] = []
_NEVER = "platform library has not been loaded"  # MuJoCo's words for it
_NO_GL = """no off-screen OpenGL: {error}
  Install one:   apt-get install libosmesa6
  and select it: export MUJOCO_GL=osmesa   (before Python starts; MUJOCO_GL=egl with a GPU driver)
  Without pictures: gymnasium.make(id, observations=("proprio", "state"))"""


class OffscreenRenderer(mujoco.Renderer):
    """``mujoco.Renderer`` with a render profile and context-safe freeing.

    ``image_size`` is (height, width) in pixels. ``scene_option`` selects visible geom groups.
    """

    def __init__(
        self,
        model: mujoco.MjModel,
        image_size: tuple[int, int],
        profile: str = "fast",
        scene_option: mujoco.MjvOption | None = None,
    ) -> None:
        self._gl_context: Any = None
        self._mjr_context: Any = None
        if _broken:
            raise ManigymError(_broken[0])
        settings = RENDER_PROFILES[profile]
        self._options = scene_option or mujoco.MjvOption()
        height, width = image_size
        quality, frame = model.vis.quality, model.vis.global_
        saved = quality.offsamples, frame.offheight, frame.offwidth
        frame.offheight, frame.offwidth = height, width
        if settings.multisample is not None:
            quality.offsamples = settings.multisample
        try:
            super().__init__(model, height, width)
        except (mujoco.FatalError, AttributeError, RuntimeError) as error:
            backend = os.environ.get("MUJOCO_GL", "unset")
            problem = _NO_GL.format(error=f"{error} (MUJOCO_GL={backend})")
            if _NEVER in str(error):
                _broken.append(problem)
            raise ManigymError(problem) from error
        finally:
            quality.offsamples, frame.offheight, frame.offwidth = saved
        for name, flag in _FLAGS.items():
            if not getattr(settings, name):
                self.scene.flags[flag] = 0

    def rgb(self, data: mujoco.MjData, camera: str | int) -> np.ndarray:
        """uint8 (H, W, 3), upright."""
        self.update_scene(data, camera, self._options)
        return np.ascontiguousarray(self.render())

    def depth(self, data: mujoco.MjData, camera: str | int) -> np.ndarray:
        """float32 (H, W), metres along the optical axis."""
        self.enable_depth_rendering()
        try:
            return self.rgb(data, camera)
        finally:
            self.disable_depth_rendering()

    def segmentation(self, data: mujoco.MjData, camera: str | int) -> np.ndarray:
        """int32 (H, W): MuJoCo geom id, -1 where nothing was hit."""
        self.enable_segmentation_rendering()
        try:
            ids: Any = self.rgb(data, camera)
        finally:
            self.disable_segmentation_rendering()
        return np.where(ids[..., 1] == mujoco.mjtObj.mjOBJ_GEOM, ids[..., 0], -1).astype(np.int32)

    def device(self) -> str:
        """OpenGL's words for what draws, e.g. ``llvmpipe (LLVM 15.0.6, 256 bits), 4.5 Mesa``."""
        from OpenGL import GL  # MuJoCo has chosen its platform by now

        self._gl_context.make_current()
        return ", ".join(GL.glGetString(name).decode() for name in (GL.GL_RENDERER, GL.GL_VERSION))

    def close(self) -> None:
        """Free GL objects in their own context, not in whichever happens to be current."""
        if self._gl_context:
            self._gl_context.make_current()
        if self._mjr_context:
            self._mjr_context.free()
        if self._gl_context:
            self._gl_context.free()
        self._mjr_context = self._gl_context = None
