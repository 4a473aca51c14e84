"""What every MuJoCo task shares: pictures, point clouds and the state vector."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import mujoco
import numpy as np

from envs.base import ManipEnv
from envs.point_cloud import camera_points, farthest_points
from envs.rendering import RENDER_PROFILES, OffscreenRenderer
from envs.schema import ManigymError

_STATE = mujoco.mjtState.mjSTATE_INTEGRATION
# What MuJoCo derives from the state. After a step it may be one substep older than the state (who
# steps without a final ``mj_forward``, as upstream's tasks do), and observations read it.
_KINEMATICS = (
    *("xpos", "xquat", "xmat", "xipos", "ximat", "geom_xpos", "geom_xmat"),
    *("site_xpos", "site_xmat", "cam_xpos", "cam_xmat", "light_xpos", "light_xdir"),
)


class MujocoEnv(ManipEnv):
    """A task whose simulator keeps a ``mujoco.MjModel`` and ``mujoco.MjData``.

    Subclasses provide ``model``, ``data`` (may be replaced at reset) and the remaining hooks;
    ``base_body`` names the body whose frame point clouds are given in. ``_task_arrays()`` lists
    model arrays that a reset changes (part of the state: snapshots and hashes include them).
    """

    base_body: str | None = None
    model: mujoco.MjModel
    data: mujoco.MjData

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.render_profile not in RENDER_PROFILES:
            raise ManigymError(
                f"{self.card.id} has no render_profile {self.render_profile!r}; "
                f"it offers: {', '.join(RENDER_PROFILES)}"
            )
        self._renderer: OffscreenRenderer | None = None

    def render_device(self) -> str:
        """MuJoCo's backend, and once a picture was drawn what OpenGL says of itself."""
        drawn = [self._renderer.device()] if self._renderer else []
        return ", ".join([os.environ.get("MUJOCO_GL", "glfw"), *drawn])

    def object_names(self) -> tuple[str, ...]:
        """Of the geoms; one without a name has that of its body."""
        geoms = [self.model.geom(i) for i in range(self.model.ngeom)]
        return tuple(geom.name or self.model.body(geom.bodyid[0]).name for geom in geoms)

    def _task_arrays(self) -> list[np.ndarray]:
        return []

    def _scene_option(self) -> mujoco.MjvOption:
        return mujoco.MjvOption()

    def _physics(self) -> np.ndarray:
        size = mujoco.mj_stateSize(self.model, _STATE)
        extra = self._task_arrays()
        state = np.empty(size + sum(a.size for a in extra))
        mujoco.mj_getState(self.model, self.data, state[:size], _STATE)
        offset = size
        for array in extra:
            state[offset : offset + array.size] = array.ravel()
            offset += array.size
        return state

    def _set_physics(self, state: np.ndarray) -> None:
        size = mujoco.mj_stateSize(self.model, _STATE)
        offset = size
        for array in self._task_arrays():
            array[...] = state[offset : offset + array.size].reshape(array.shape)
            offset += array.size
        mujoco.mj_setState(self.model, self.data, state[:size], _STATE)
        mujoco.mj_forward(self.model, self.data)

    def snapshot(self) -> dict[str, Any]:
        kinematics = {name: getattr(self.data, name).copy() for name in _KINEMATICS}
        return super().snapshot() | {"kinematics": kinematics}

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        super().restore(snapshot)
        for name, value in snapshot["kinematics"].items():
            getattr(self.data, name)[...] = value

    def sim_state(self) -> np.ndarray:
        """float64 ``[time, qpos, qvel]``, the layout of robomimic and D4RL files."""
        return np.concatenate([[self.data.time], self.data.qpos, self.data.qvel])

    def _picture(self, kind: str, camera: str, size: tuple[int, int]) -> np.ndarray:
        return getattr(self._drawing(), kind)(self.data, camera, size)

    def rgbd(self, camera: str) -> tuple[np.ndarray, np.ndarray]:
        """The pictures ``rgb`` and ``depth`` of the present state, cheaper than one by one."""
        with self.stopwatch("render"):
            return self._drawing().rgbd(self.data, camera, self.image_size)

    def _drawing(self) -> OffscreenRenderer:
        """The renderer of the present model; simulators replace theirs at a reset."""
        if self._renderer is None or self._renderer.model is not self.model:
            self.close()
            options = self.render_profile, self._scene_option()
            self._renderer = OffscreenRenderer(self.model, *options)
        return self._renderer

    def _point_cloud(self) -> np.ndarray:
        """float32 (N, 6) from all chosen cameras, in the frame of ``base_body``."""
        origin, axes = self._base_frame()
        clouds = []
        for name in self.cameras:
            rgb, depth = self.rgbd(name)
            cam = self.data.camera(name)
            fovy = float(self.model.cam_fovy[cam.id])
            clouds.append(camera_points(rgb, depth, fovy, cam.xpos, cam.xmat.reshape(3, 3)))
        cloud = self._crop(np.concatenate(clouds))
        cloud[:, :3] = (cloud[:, :3] - origin) @ axes
        return farthest_points(cloud, self.num_points).astype(np.float32)

    def _crop(self, cloud: np.ndarray) -> np.ndarray:
        """Points (M, 6) in the world frame that belong to the workspace; all by default."""
        return cloud

    def _base_frame(self) -> tuple[np.ndarray, np.ndarray]:
        if self.base_body is None:
            return np.zeros(3), np.eye(3)
        body = self.data.body(self.base_body)
        return body.xpos.copy(), body.xmat.reshape(3, 3).copy()

    def close(self) -> None:
        if self._renderer is not None:
            self._renderer.close()
        self._renderer = None
