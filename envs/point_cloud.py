"""Point clouds from depth pictures: back-projection and farthest point sampling, in numpy."""

from __future__ import annotations

import numpy as np


def camera_points(
    rgb: np.ndarray, depth: np.ndarray, fovy: float, position: np.ndarray, axes: np.ndarray
) -> np.ndarray:
    """Back-project one picture to float64 (H*W, 6): xyz metres in the world frame, rgb in 0..1.

    ``rgb`` uint8 (H, W, 3), ``depth`` float32 (H, W) metres along the optical axis, ``fovy``
    vertical field of view in degrees, ``position`` (3,) and ``axes`` (3, 3) of the camera in the
    OpenGL convention (columns right, up, backwards), as MuJoCo's ``cam_xpos`` and ``cam_xmat``.
    """
    height, width = depth.shape
    focal = 0.5 * height / np.tan(np.radians(fovy) / 2)
    rows, columns = np.mgrid[:height, :width]
    x = (columns + 0.5 - width / 2) * depth / focal
    y = -(rows + 0.5 - height / 2) * depth / focal
    local = np.stack([x, y, -depth], axis=-1).reshape(-1, 3)
    return np.concatenate([local @ axes.T + position, rgb.reshape(-1, 3) / 255.0], axis=1)


def farthest_points(cloud: np.ndarray, count: int) -> np.ndarray:
    """Pick ``count`` of (M, C) points, each the farthest in xyz from those before; row 0 first.

    Fewer than ``count`` points are padded with zero rows, as ManiFlow's Adroit data does.
    """
    if len(cloud) <= count:
        return np.concatenate([cloud, np.zeros((count - len(cloud), cloud.shape[1]))])
    xyz = np.ascontiguousarray(cloud[:, :3].T, np.float32)
    nearest = np.full(xyz.shape[1], np.inf, np.float32)
    chosen = np.zeros(count, np.int64)
    for i in range(1, count):
        delta = xyz - xyz[:, chosen[i - 1], None]
        np.minimum(nearest, (delta * delta).sum(0), out=nearest)
        chosen[i] = nearest.argmax()
    return cloud[chosen]
