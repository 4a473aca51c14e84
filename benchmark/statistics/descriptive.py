"""Means and percentiles that say ``None`` where there is nothing to describe."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np


def mean(values: Sequence[float]) -> float | None:
    """Arithmetic mean; ``None`` without values, never zero."""
    return math.fsum(values) / len(values) if values else None


def percentile(values: Sequence[float], q: float) -> float | None:
    """Linear-interpolation percentile, ``q`` in 0..100; ``None`` without values."""
    return float(np.percentile(values, q)) if values else None
