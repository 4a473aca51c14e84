"""Which geoms a camera cannot see, so that nobody pays for drawing them.

A software renderer spends its time on vertices, in the picture or not, and most of a robot is
outside a hand camera's picture, most of a house outside any. Leaving those geoms out changes no
pixel as long as geoms neither cast shadows nor show in mirrors.
"""

from __future__ import annotations

import mujoco
import numpy as np


def out_of_view(
    model: mujoco.MjModel, data: mujoco.MjData, scene: mujoco.MjvScene, aspect: float
) -> np.ndarray:
    """bool (ngeom,): True where a geom's bounding box lies outside one side of the view.

    The view is the one that ``mjv_updateCamera`` left in ``scene``; ``aspect`` is the picture's
    width by its height. Geoms without bounds (planes) are never out of view.
    """
    if scene.camera[0].orthographic:
        return np.zeros(model.ngeom, bool)
    position, normals = _sides(scene, aspect)
    axes = data.geom_xmat.reshape(-1, 3, 3)
    centre, half = model.geom_aabb[:, :3], model.geom_aabb[:, 3:]
    middle = data.geom_xpos + (axes @ centre[:, :, None])[:, :, 0]
    reach = (np.abs(normals @ axes) @ half[:, :, None])[:, :, 0]  # (ngeom, 4) along the normals
    outside = (middle - position) @ normals.T + reach < 0
    return outside.any(axis=1) & (model.geom_rbound > 0)


def _sides(scene: mujoco.MjvScene, aspect: float) -> tuple[np.ndarray, np.ndarray]:
    """Where the eye is, (3,), and normals (4, 3) into the view of its four sides, of any length.

    MuJoCo keeps two parallel eyes and draws a single picture from the middle between them.
    """
    left, right = scene.camera[:2]
    near, middle = left.frustum_near, left.frustum_center
    bottom, top = left.frustum_bottom, left.frustum_top
    half = left.frustum_width or aspect * (top - bottom) / 2
    sides = np.array(
        [
            [near, 0.0, half - middle],
            [-near, 0.0, half + middle],
            [0.0, near, -bottom],
            [0.0, -near, top],
        ]
    )
    forward, up = left.forward.astype(np.float64), left.up.astype(np.float64)
    across = forward[[1, 2, 0]] * up[[2, 0, 1]] - forward[[2, 0, 1]] * up[[1, 2, 0]]
    return (left.pos + right.pos) / 2.0, sides @ np.array([across, up, forward])
