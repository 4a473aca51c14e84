"""Off-screen MuJoCo rendering that is cheap and right with several environments in one process.

Shadows, reflections and multisampling cost up to fourteen times the rest of a small picture on a
CPU, so they belong to a named :class:`RenderProfile` that is recorded with every dataset and
result. What is cheaper without changing a pixel is always done: geoms out of view are left out
(:mod:`envs.culling`), colours and depth come from one drawing, and all renderers of a thread share
one OpenGL context, because a new one compiles its shaders anew. It must be current not only when a
picture is drawn but also when objects are freed: simulators' own viewers leave theirs behind.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

import mujoco
import numpy as np

from envs.culling import out_of_view
from envs.schema import ManigymError


@dataclass(frozen=True)
class RenderProfile:
    """Settings that change pixels. ``multisample=None`` keeps the model's own."""

    name: str
    shadows: bool
    reflections: bool
    multisample: int | None

    @property
    def plain(self) -> bool:
        """Whether a geom shows nowhere but where it is, in whole pixels."""
        return not self.shadows and not self.reflections and self.multisample == 0


RENDER_PROFILES: Mapping[str, RenderProfile] = {
    p.name: p
    for p in (
        RenderProfile("fast", shadows=False, reflections=False, multisample=0),
        RenderProfile("upstream", shadows=True, reflections=True, multisample=None),
    )
}
_OFFSCREEN = mujoco.mjtFramebuffer.mjFB_OFFSCREEN
_FLAGS = mujoco.mjtRndFlag
_IDS = [_FLAGS.mjRND_SEGMENT.value, _FLAGS.mjRND_IDCOLOR.value]
# Share of the far plane's distance within which there is no sky: MuJoCo draws it as a cube, at 0.7
# straight ahead [measured], 0.2 at the corners of a view 146 degrees wide from corner to corner.
_BELOW_SKY = 0.2
# Why this process has no OpenGL. MuJoCo 3.9 aborts the process that asks a second time.
_broken: list[str] = []
_NEVER = "platform library has not been loaded"  # MuJoCo's words for it
_NO_GL = """no off-screen OpenGL: {error}
  Install one:   apt-get install libosmesa6
  and select it: export MUJOCO_GL=osmesa   (before Python starts; MUJOCO_GL=egl with a GPU driver)
  Without pictures: gymnasium.make(id, observations=("proprio", "state"))"""


@cache
def _gl_context(process: int, thread: int) -> Any:
    """The OpenGL context of a thread, kept until the end. Its own size is of no importance."""
    if not hasattr(mujoco, "GLContext"):
        raise RuntimeError("it is switched off")
    return mujoco.GLContext(64, 64)


class OffscreenRenderer:
    """Pictures of one model with a render profile, of any size, (height, width) in pixels.

    ``scene_option`` selects visible geom groups.
    """

    def __init__(
        self,
        model: mujoco.MjModel,
        profile: str = "fast",
        scene_option: mujoco.MjvOption | None = None,
    ) -> None:
        self._gl: Any = None
        self._context: Any = None
        self._rect = mujoco.MjrRect(0, 0, 0, 0)
        self._profile = RENDER_PROFILES[profile]
        self._options = scene_option or mujoco.MjvOption()
        self._hidden_group = int(np.argmin(self._options.geomgroup))
        self.model = model
        room = 100 + model.ngeom + model.nsite + 32 * model.nwrap + model.nskin + model.nflex
        self.scene = mujoco.MjvScene(model, maxgeom=room)
        self.scene.flags[_FLAGS.mjRND_SHADOW] &= self._profile.shadows
        self.scene.flags[_FLAGS.mjRND_REFLECTION] &= self._profile.reflections
        self._start()

    def _start(self) -> None:
        if _broken:
            raise ManigymError(_broken[0])
        try:
            self._gl = _gl_context(os.getpid(), threading.get_ident())
            self._gl.make_current()
            self._context = self._upload(self.model)
        except (mujoco.FatalError, AttributeError, RuntimeError) as error:
            backend = os.environ.get("MUJOCO_GL", "unset")
            problem = _NO_GL.format(error=f"{error} (MUJOCO_GL={backend})")
            if _NEVER in str(error):
                _broken.append(problem)
            raise ManigymError(problem) from error

    def _upload(self, model: mujoco.MjModel) -> mujoco.MjrContext:
        quality, frame = model.vis.quality, model.vis.global_
        saved = quality.offsamples, quality.shadowsize, frame.offheight, frame.offwidth
        frame.offheight = frame.offwidth = 1  # until a picture is asked for
        if self._profile.multisample is not None:
            quality.offsamples = self._profile.multisample
        if not self._profile.shadows:
            quality.shadowsize = 0  # nor the memory for them
        try:
            context = mujoco.MjrContext(model, mujoco.mjtFontScale.mjFONTSCALE_150.value)
        finally:
            quality.offsamples, quality.shadowsize, frame.offheight, frame.offwidth = saved
        context.readDepthMap = mujoco.mjtDepthMap.mjDEPTH_ZEROFAR
        return context

    # ---------------------------------------------------------------------- pictures
    def rgb(self, data: mujoco.MjData, camera: str, size: tuple[int, int]) -> np.ndarray:
        """uint8 (H, W, 3), upright."""
        self._draw(data, camera, size)
        return self._colours()

    def depth(self, data: mujoco.MjData, camera: str, size: tuple[int, int]) -> np.ndarray:
        """float32 (H, W), metres along the optical axis; clear things count as solid."""
        with self._as_ids():
            self._draw(data, camera, size)
        return self._metres(self._depths())

    def rgbd(
        self, data: mujoco.MjData, camera: str, size: tuple[int, int]
    ) -> tuple[np.ndarray, np.ndarray]:
        """:meth:`rgb` and :meth:`depth`, at little more than the price of the first.

        Drawn in colour, clear things leave no depth: they are drawn once more, alone. The sky
        leaves some, so where it may be in sight the depth is drawn for itself after all.
        """
        if not self._profile.plain:
            return self.rgb(data, camera, size), self.depth(data, camera, size)
        self._draw(data, camera, size)
        rgb, solid = self._colours(), self._depths()
        with self._as_ids():
            self._draw(data, camera, size, leave_out=_solid(self.model))
        depth = self._metres(np.maximum(solid, self._depths()))
        sky = (self.model.tex_type == mujoco.mjtTexture.mjTEXTURE_SKYBOX).any()
        reach = _BELOW_SKY * self.model.vis.map.zfar * self.model.stat.extent
        if sky and (depth.max() > reach or self.scene.camera[0].orthographic):
            depth = self.depth(data, camera, size)
        return rgb, depth

    def segmentation(self, data: mujoco.MjData, camera: str, size: tuple[int, int]) -> np.ndarray:
        """int32 (H, W): MuJoCo geom id, -1 where nothing was hit."""
        with self._as_ids():
            self._draw(data, camera, size)
        found = np.full(self.scene.ngeom + 1, -1, np.int32)
        for drawn in self.scene.geoms[: self.scene.ngeom]:
            if drawn.objtype == mujoco.mjtObj.mjOBJ_GEOM:
                found[drawn.segid + 1] = drawn.objid
        found[0] = -1  # nothing; also the number of what is not numbered
        red, green, blue = np.moveaxis(self._colours().astype(np.int32), 2, 0)
        return found[red + 256 * green + 65536 * blue]

    def _draw(
        self,
        data: mujoco.MjData,
        camera: str,
        size: tuple[int, int],
        leave_out: np.ndarray | bool = False,
    ) -> None:
        """``leave_out`` is bool (ngeom,); where it cannot matter, what is out of view is, too."""
        if self._context is None:
            raise RuntimeError("this renderer was closed")
        view = mujoco.MjvCamera()
        view.type, view.fixedcamid = mujoco.mjtCamera.mjCAMERA_FIXED, self.model.camera(camera).id
        if self._profile.plain:
            mujoco.mjv_updateCamera(self.model, data, view, self.scene)
            leave_out |= out_of_view(self.model, data, self.scene, size[1] / size[0])
        with self._hidden(leave_out):
            mujoco.mjv_updateScene(
                *(self.model, data, self._options, None, view),
                *(mujoco.mjtCatBit.mjCAT_ALL.value, self.scene),
            )
        if self.scene.status:
            raise RuntimeError(
                f"this model draws more than the {self.scene.maxgeom} things foreseen"
            )
        self._aim(size)
        mujoco.mjr_render(self._rect, self.scene, self._context)

    def _aim(self, size: tuple[int, int]) -> None:
        """Make our own buffer the target, and it of this size."""
        height, width = size
        self._gl.make_current()
        if (self._rect.height, self._rect.width) != size:
            mujoco.mjr_resizeOffscreen(width, height, self._context)
            self._rect = mujoco.MjrRect(0, 0, width, height)
        mujoco.mjr_setBuffer(_OFFSCREEN, self._context)

    @contextmanager
    def _hidden(self, geoms: np.ndarray | bool) -> Iterator[None]:
        """Put these geoms in a group that is not drawn; other readers of groups never see it."""
        groups = self.model.geom_group.copy()
        self.model.geom_group[geoms] = self._hidden_group
        try:
            yield
        finally:
            self.model.geom_group[:] = groups

    @contextmanager
    def _as_ids(self) -> Iterator[None]:
        """Draw numbers for colours, and clear things as solid ones."""
        self.scene.flags[_IDS] = 1
        try:
            yield
        finally:
            self.scene.flags[_IDS] = 0

    def _colours(self) -> np.ndarray:
        rgb = np.empty((self._rect.height, self._rect.width, 3), np.uint8)
        mujoco.mjr_readPixels(rgb, None, self._rect, self._context)
        return np.ascontiguousarray(rgb[::-1])

    def _depths(self) -> np.ndarray:
        """float32 (H, W), upside down, in OpenGL's measure: 1 near, 0 far."""
        depth = np.empty((self._rect.height, self._rect.width), np.float32)
        mujoco.mjr_readPixels(None, depth, self._rect, self._context)
        return depth

    def _metres(self, depth: np.ndarray) -> np.ndarray:
        """Undo the projection, whose coefficients OpenGL has in single precision."""
        planes, extent = self.model.vis.map, self.model.stat.extent
        near, far = np.float32(planes.znear * extent), np.float32(planes.zfar * extent)
        half = np.float32(0.5)
        offset, scale = half * ((far + near) / (far - near)) - half, far * near / (far - near)
        return (scale / (depth[::-1].astype(np.float64) + offset)).astype(np.float32)

    # ------------------------------------------------------------------------ OpenGL
    def device(self) -> str:
        """OpenGL's words for what draws, e.g. ``llvmpipe (LLVM 15.0.6, 256 bits), 4.5 Mesa``."""
        from OpenGL import GL  # MuJoCo has chosen its platform by now

        self._gl.make_current()
        return ", ".join(GL.glGetString(name).decode() for name in (GL.GL_RENDERER, GL.GL_VERSION))

    def close(self) -> None:
        """Free GL objects in their own context, not in whichever happens to be current."""
        if self._context is not None:
            self._gl.make_current()
            self._context.free()
            self._context = None

    def __del__(self) -> None:
        self.close()


def _solid(model: mujoco.MjModel) -> np.ndarray:
    """bool (ngeom,): geoms that surely hide what is behind them."""
    clear = np.append(model.mat_rgba[:, 3] < 1, False)  # the last is for geoms without material
    return (model.geom_rgba[:, 3] == 1) & ~clear[model.geom_matid]
