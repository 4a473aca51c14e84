"""Vectors and angles of the floor."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Angle = TypeVar("Angle", float, NDArray[np.float64])


def turned(vector: Sequence[float] | NDArray[np.float64], angle: float) -> tuple[float, float]:
    """A vector (x, y) turned by ``angle`` radians about +z."""
    c, s = math.cos(angle), math.sin(angle)
    return c * vector[0] - s * vector[1], s * vector[0] + c * vector[1]


def wrapped(angle: Angle) -> Angle:
    """The same angle, or angles, in [-pi, pi)."""
    return (angle + math.pi) % (2 * math.pi) - math.pi
