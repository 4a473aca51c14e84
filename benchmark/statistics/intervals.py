"""Confidence intervals of one success rate.

All are two-sided and symmetric under swapping success and failure. Without episodes they are
(0, 1): nothing is known. Comparison of the three: Brown, Cai, DasGupta 2001, "Interval estimation
for a binomial proportion", Statistical Science 16.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from scipy.special import betaincinv, ndtri

Interval = tuple[float, float]
IntervalOfRate = Callable[[int, int, float], Interval]


def wilson(successes: int, episodes: int, confidence: float = 0.95) -> Interval:
    """All rates that a two-sided score test does not reject (Wilson 1927).

    Coverage is close to ``confidence`` on average over rates, a little below it at some.
    """
    _check(successes, episodes, confidence)
    if episodes == 0:
        return 0.0, 1.0
    z = critical_value(confidence)
    rate, z2n = successes / episodes, z * z / episodes
    centre = (rate + z2n / 2) / (1 + z2n)
    half = z / (1 + z2n) * math.sqrt(rate * (1 - rate) / episodes + z2n / (4 * episodes))
    low = 0.0 if successes == 0 else centre - half
    high = 1.0 if successes == episodes else centre + half
    return low, high


def jeffreys(successes: int, episodes: int, confidence: float = 0.95) -> Interval:
    """Equal-tailed posterior interval under the prior Beta(1/2, 1/2).

    The ends are 0 without a success and 1 without a failure, as Brown, Cai, DasGupta (2001) set
    them: otherwise coverage goes to zero at the boundary.
    """
    _check(successes, episodes, confidence)
    tail, failures = (1 - confidence) / 2, episodes - successes
    low = betaincinv(successes + 0.5, failures + 0.5, tail) if successes else 0.0
    high = betaincinv(successes + 0.5, failures + 0.5, 1 - tail) if failures else 1.0
    return float(low), float(high)


def exact(successes: int, episodes: int, confidence: float = 0.95) -> Interval:
    """Clopper-Pearson (1934): covers at least as often as ``confidence`` at every rate."""
    _check(successes, episodes, confidence)
    tail, failures = (1 - confidence) / 2, episodes - successes
    low = betaincinv(successes, failures + 1, tail) if successes else 0.0
    high = betaincinv(successes + 1, failures, 1 - tail) if failures else 1.0
    return float(low), float(high)


INTERVALS: dict[str, IntervalOfRate] = {"wilson": wilson, "jeffreys": jeffreys, "exact": exact}


def critical_value(confidence: float) -> float:
    """Two-sided quantile of the normal distribution, e.g. 1.96 for 0.95."""
    return float(ndtri(0.5 + confidence / 2))


def _check(successes: int, episodes: int, confidence: float) -> None:
    if not 0 <= successes <= episodes:
        raise ValueError(f"need 0 <= successes <= episodes, got {successes} of {episodes}")
    if not 0 < confidence < 1:
        raise ValueError(f"need 0 < confidence < 1, got {confidence}")
