"""How many episodes a question needs, from the exact power of the test that will answer it."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.stats import binom

from benchmark.statistics.intervals import IntervalOfRate, wilson
from envs.schema import ManigymError

LARGEST = 1_000_000  # episodes; beyond it a plan is an error


@dataclass(frozen=True)
class Comparison:
    """Two policies on shared episodes: A succeeds with ``rate``, B with ``rate + difference``.

    ``correlation`` (phi coefficient) of the two outcomes of an episode. Shared seeds usually make
    it positive, which needs fewer episodes; zero is the conservative assumption.
    """

    rate: float
    difference: float
    correlation: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.rate <= 1 or not 0 <= self.rate + self.difference <= 1:
            raise ManigymError(
                f"rates {self.rate:g} and {self.rate + self.difference:g} must both lie in 0..1; "
                "choose another rate, or a difference of the other sign"
            )
        if self.difference == 0:
            raise ManigymError("no number of episodes finds a difference of zero")
        if min(self.discordant) < 0 or self._both > min(self.rate, self.rate + self.difference):
            raise ManigymError(
                f"outcomes with rates {self.rate:g} and {self.rate + self.difference:g} cannot be "
                f"correlated by {self.correlation:g}; choose a correlation nearer to 0"
            )

    @property
    def discordant(self) -> tuple[float, float]:
        """Probabilities that only A and that only B succeeds in an episode."""
        return self.rate - self._both, self.rate + self.difference - self._both

    @property
    def _both(self) -> float:
        a, b = self.rate, self.rate + self.difference
        spread = math.sqrt(max(a * (1 - a) * b * (1 - b), 0.0))
        return a * b + self.correlation * spread


def paired_power(comparison: Comparison, episodes: int, alpha: float = 0.05) -> float:
    """Probability that the exact McNemar test rejects, after ``episodes`` shared episodes."""
    only_a, only_b = comparison.discordant
    share = only_b / (only_a + only_b)
    spread = 10 * math.sqrt(episodes) + 10  # the mass beyond is below 1e-40
    middle = episodes * (only_a + only_b)
    pairs = np.arange(max(0, int(middle - spread)), min(episodes, int(middle + spread)) + 1)
    limit = _rejected_below(pairs, 0.5, alpha / 2)
    found = binom.cdf(limit, pairs, share) + binom.cdf(limit, pairs, 1 - share)
    return float(binom.pmf(pairs, episodes, only_a + only_b) @ found)


def paired_episodes(comparison: Comparison, power: float = 0.8, alpha: float = 0.05) -> int:
    """Shared episodes with which the exact McNemar test rejects with probability ``power``."""
    return _smallest(lambda n: paired_power(comparison, n, alpha) >= power)


def detectable_difference(
    rate: float, episodes: int, power: float = 0.8, alpha: float = 0.05, correlation: float = 0.0
) -> float | None:
    """Smallest difference from ``rate`` found with ``power``, in the direction with more room.

    To 0.001; ``None`` where even the largest would be missed.
    """
    sign = 1 if rate <= 0.5 else -1
    steps = int(1000 * max(rate, 1 - rate))

    def found(step: int) -> bool:
        comparison = Comparison(rate, sign * step / 1000, correlation)
        return paired_power(comparison, episodes, alpha) >= power

    return _bisected(found, steps) / 1000 if found(steps) else None


def rate_power(rate: float, against: float, episodes: int, alpha: float = 0.05) -> float:
    """Probability that the exact binomial test of the rate ``against`` rejects at true ``rate``.

    Two-sided with alpha / 2 in each tail: rejects where the exact interval excludes ``against``.
    """
    low = _rejected_below(episodes, against, alpha / 2)
    high = _rejected_below(episodes, 1 - against, alpha / 2)
    return float(binom.cdf(low, episodes, rate) + binom.cdf(high, episodes, 1 - rate))


def rate_episodes(rate: float, against: float, power: float = 0.8, alpha: float = 0.05) -> int:
    """Episodes from which on the exact test tells ``rate`` from ``against`` with ``power``.

    Power is a saw-tooth in the number of episodes; this is the last tooth.
    """
    if not 0 <= rate <= 1 or not 0 < against < 1 or rate == against:
        raise ManigymError(
            f"need two different rates, 0 < against < 1, got {rate:g} against {against:g}"
        )
    enough = _smallest(lambda n: rate_power(rate, against, n, alpha) >= power)
    beyond = range(enough, 2 * enough + 20)  # teeth shrink as 1/sqrt(n), power grows by far more
    return max(
        (n + 1 for n in beyond if rate_power(rate, against, n, alpha) < power), default=enough
    )


def width_episodes(
    half_width: float,
    rate: float = 0.5,
    confidence: float = 0.95,
    interval: IntervalOfRate = wilson,
) -> int:
    """Episodes for an interval of at most ``rate`` +- ``half_width``; 0.5 is the worst rate."""
    if not 0 < half_width < 0.5 or not 0 <= rate <= 1:
        raise ManigymError(
            f"need 0 < half-width < 0.5 and 0 <= rate <= 1, got {half_width:g} and {rate:g}"
        )

    def narrow(episodes: int) -> bool:
        low, high = interval(round(episodes * rate), episodes, confidence)
        return high - low <= 2 * half_width

    return _smallest(narrow)


def _rejected_below(trials: np.ndarray | int, rate: float, tail: float) -> np.ndarray:
    """Largest k with P(X <= k) <= tail for X ~ Binomial(trials, rate); -1 where there is none."""
    k = binom.ppf(tail, trials, rate)  # smallest k with P(X <= k) >= tail
    return np.where(binom.cdf(k, trials, rate) <= tail, k, k - 1)


def _smallest(enough: Callable[[int], bool]) -> int:
    """Smallest number of episodes that is enough, for a condition that stays true."""
    bound = 1
    while not enough(bound):
        bound *= 2
        if bound > LARGEST:
            raise ManigymError(
                f"that needs more than {LARGEST:,} episodes; ask for a larger difference or width"
            )
    return _bisected(enough, bound)


def _bisected(enough: Callable[[int], bool], bound: int) -> int:
    """Smallest value in 1..bound that is enough, where ``bound`` is."""
    return 1 + bisect_left(range(1, bound), True, key=enough)
