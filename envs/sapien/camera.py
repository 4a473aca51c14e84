"""Cameras of a scene and what they read, the same for both SAPIEN lines."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np

from envs.sapien.geometry import Pose


@dataclass(frozen=True)
class CameraSpec:
    """``fovy`` vertical degrees; ``pose`` in the world, or in the link ``mount``; metres."""

    pose: Pose
    fovy: float
    mount: str | None = None
    near: float = 0.01
    far: float = 10.0


class Camera(ABC):
    """One camera at one size. :meth:`take` first, then read."""

    def __init__(self, native: Any, far: float, world: Any) -> None:
        self.native, self._far = native, far
        self._world = world  # as in a body

    def take(self) -> None:
        self.native.take_picture()

    @abstractmethod
    def _read(self, name: str) -> np.ndarray: ...

    def rgb(self) -> np.ndarray:
        """uint8 (H, W, 3)."""
        colours = as_bytes(self.colours())
        rgb = np.empty((*colours.shape[:2], 3), np.uint8)
        for channel in range(3):
            rgb[..., channel] = colours[..., channel]
        return rgb

    def colours(self) -> np.ndarray:
        """float32 (H, W, 4) red, green, blue and opacity, 0 to 1."""
        return self._read("Color")

    def points(self) -> np.ndarray:
        """float32 (H, W, 4) metres from the camera: right, up, backwards, zeros where nothing was
        hit; then the line's own use."""
        return self._read("Position")

    def depth(self) -> np.ndarray:
        """float32 (H, W), metres along the optical axis; ``far`` where nothing was hit."""
        depth = -self.points()[..., 2]
        return np.where(depth > 0, depth, np.float32(self._far))

    def picture_ids(self) -> np.ndarray:
        """int64 (H, W), the line's own object numbers, 0 where nothing was hit."""
        return self._read("Segmentation")[..., 1].astype(np.int64)


def as_bytes(colours: np.ndarray) -> np.ndarray:
    """uint8 of 0 to 1, rounded down; of all four channels, which are faster than three."""
    return (colours * 255).clip(0, 255).astype(np.uint8)
