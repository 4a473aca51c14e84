"""Point clouds from a camera's picture, in few passes: clouds are most of a look on a CPU.

Column by column, as numpy takes several times as long over rows of three, and what is outside of
the workspace is left out as soon as one coordinate shows it. Bits are those of whole arrays.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from envs.sapien.camera import as_bytes
from envs.sapien.geometry import Pose, Vector

# SAPIEN's camera axes (forward, left, up) as columns of OpenGL's (right, up, backwards).
_OPENGL = np.array([[0.0, 0.0, -1.0], [-1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
_ORDER = (2, 0, 1)  # axes, the one first that leaves most out: table and floor are below


@dataclass(frozen=True)
class Box:
    """A part of the world, faces included: corners (3,) metres from ``origin``; by default all."""

    low: Vector = (-np.inf, -np.inf, -np.inf)
    high: Vector = (np.inf, np.inf, np.inf)
    origin: Vector = (0.0, 0.0, 0.0)


def world_points(points: np.ndarray, colours: np.ndarray, camera: Pose, box: Box) -> np.ndarray:
    """float64 (K, 6) xyz metres in the world and rgb in 0..1: what a camera sees of a workspace.

    ``points`` and ``colours`` float32 (H, W, 4) as cameras read them; row by row of the picture.
    """
    local, colours = points.reshape(-1, 4), colours.reshape(-1, 4)
    pixels = np.flatnonzero(local[:, 2] < 0)
    whole = len(pixels) == len(local)  # mostly so, and then a copy is cheaper
    seen = np.empty((len(pixels), 3))
    for axis in range(3):
        seen[:, axis] = local[:, axis] if whole else local[:, axis].take(pixels)
    world = seen @ (camera.rotation @ _OPENGL).T
    for axis in _ORDER:
        column = world[:, axis]
        column += camera.position[axis]
        apart = column - box.origin[axis]
        kept = np.flatnonzero((apart >= box.low[axis]) & (apart <= box.high[axis]))
        if len(kept) < len(world):
            world, pixels = world.take(kept, axis=0), pixels.take(kept)
    rgb = as_bytes(colours.take(pixels, axis=0))[:, :3]
    return np.concatenate([world, rgb / 255.0], axis=1)


def seen_from(base: Pose, cloud: np.ndarray) -> np.ndarray:
    """A cloud (M, 6) of the world, its points in the frame ``base``; in place."""
    points = np.empty((len(cloud), 3))
    for axis in range(3):
        points[:, axis] = cloud[:, axis] - base.position[axis]
    cloud[:, :3] = points @ base.rotation
    return cloud
