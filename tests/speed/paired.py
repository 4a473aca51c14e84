"""Paired timing: two ways of doing the same, in turn, on the same input."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

Step = Callable[[np.ndarray], Any]


def cpu_ratio(ours: Step, theirs: Step, actions: np.ndarray, ours_first: bool) -> float:
    """CPU time of ``ours`` over ``theirs`` for executing all of ``actions`` (T, A)."""
    seconds = {}
    for step in (ours, theirs) if ours_first else (theirs, ours):
        start = time.process_time()
        for action in actions:
            step(action)
        seconds[step] = time.process_time() - start
    return seconds[ours] / seconds[theirs]
