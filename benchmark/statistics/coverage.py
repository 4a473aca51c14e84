"""How often an interval contains the truth: exact sums over all outcomes, no simulation."""

from __future__ import annotations

from functools import cache

import numpy as np
from scipy.stats import binom, multinomial

from benchmark.statistics.intervals import IntervalOfRate
from benchmark.statistics.paired import PairedTable, difference_interval

_ROUNDING = 1e-12  # an end that equals the truth up to rounding contains it


def coverage(
    interval: IntervalOfRate, episodes: int, rates: np.ndarray, confidence: float = 0.95
) -> np.ndarray:
    """Probability that ``interval`` contains the true rate, float64 (R,) for ``rates`` (R,)."""
    ends = _all_intervals(interval, episodes, confidence)
    masses = binom.pmf(np.arange(episodes + 1)[:, None], episodes, rates)
    return (masses * _inside(ends[:, :1], ends[:, 1:], rates)).sum(axis=0)


def paired_coverage(
    episodes: int, probabilities: np.ndarray, confidence: float = 0.95
) -> np.ndarray:
    """Probability that ``paired.difference_interval`` contains the true difference.

    ``probabilities`` float (R, 4): of both, only A, only B, neither; returns float64 (R,).
    """
    cells, ends = _all_paired(episodes, confidence)
    truth = probabilities[:, 2] - probabilities[:, 1]
    return np.array(
        [
            multinomial.pmf(cells, episodes, p)[_inside(ends[:, 0], ends[:, 1], t)].sum()
            for p, t in zip(probabilities, truth, strict=True)
        ]
    )


def _inside(low: np.ndarray, high: np.ndarray, truth: np.ndarray) -> np.ndarray:
    return (low - _ROUNDING <= truth) & (truth <= high + _ROUNDING)


@cache
def _all_intervals(interval: IntervalOfRate, episodes: int, confidence: float) -> np.ndarray:
    return np.array([interval(k, episodes, confidence) for k in range(episodes + 1)])


@cache
def _all_paired(episodes: int, confidence: float) -> tuple[np.ndarray, np.ndarray]:
    """Every table of so many episodes, int64 (T, 4), and its interval, float64 (T, 2)."""
    n = range(episodes + 1)
    cells = [
        (a, b, c, episodes - a - b - c)
        for a in n
        for b in n[: episodes - a + 1]
        for c in n[: episodes - a - b + 1]
    ]
    ends = [difference_interval(PairedTable(*cell), confidence) for cell in cells]
    return np.array(cells), np.array(ends)
