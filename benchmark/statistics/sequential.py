"""Looking at the results after every episode without being fooled by it.

The evidence against a rate is a likelihood ratio: the outcomes under all rates, evenly weighted,
over the outcomes under that rate (Robbins 1970, "Statistical methods related to the law of the
iterated logarithm"). If the rate is the true one, evidence is a nonnegative martingale that starts
at 1, and by Ville's inequality it ever reaches 1 / alpha with probability at most alpha: however
often one looks, whenever one stops. Rates with less evidence against them than that form a
confidence sequence (Howard, Ramdas, McAuliffe, Sekhon 2021, Annals of Statistics 49).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from scipy.optimize import brentq
from scipy.special import betaln, xlog1py, xlogy

from benchmark.statistics.intervals import Interval

_TINY = 1e-300  # stands for a rate of zero, where the evidence is infinite


def log_evidence(successes: Any, episodes: Any, rate: Any) -> Any:
    """Natural logarithm of :func:`evidence`; numbers or arrays that broadcast."""
    failures = episodes - successes
    return betaln(successes + 1, failures + 1) - xlogy(successes, rate) - xlog1py(failures, -rate)


def evidence(successes: int, episodes: int, rate: float) -> float:
    """e-value against ``rate``: at least 20 rejects it at 5 %, at any time; 1 says nothing.

    Beta-binomial mixture with the uniform prior Beta(1, 1).
    """
    if not 0 <= successes <= episodes or not 0 <= rate <= 1:
        raise ValueError(f"impossible: {successes} of {episodes} episodes against rate {rate}")
    return float(np.exp(min(log_evidence(successes, episodes, rate), 700.0)))


def confidence_sequence(successes: int, episodes: int, confidence: float = 0.95) -> Interval:
    """All rates with evidence below 1 / (1 - confidence): (low, high), (0, 1) without episodes.

    With probability ``confidence`` the intervals after *every* number of episodes contain the true
    rate. Their running intersection is therefore valid too and never widens; taking it is left to
    the caller, who may only know the last counts.
    """
    if not 0 <= successes <= episodes:
        raise ValueError(f"need 0 <= successes <= episodes, got {successes} of {episodes}")
    low = _low_end(successes, episodes, confidence)
    return low, 1.0 - _low_end(episodes - successes, episodes, confidence)


def _low_end(successes: int, episodes: int, confidence: float) -> float:
    """Evidence falls from infinity at rate 0 to its minimum at successes / episodes."""
    if successes == 0:
        return 0.0
    threshold = -math.log1p(-confidence)
    return float(
        brentq(
            lambda rate: log_evidence(successes, episodes, rate) - threshold,
            _TINY,
            successes / episodes,
            xtol=1e-14,
        )
    )


@dataclass(frozen=True)
class Stopping:
    """Stop as soon as the success rate is known to differ from ``rate``.

    Wrong with probability at most ``1 - confidence`` where the true rate is ``rate``.
    """

    rate: float
    confidence: float = 0.95

    def __post_init__(self) -> None:
        if not 0 < self.rate < 1 or not 0 < self.confidence < 1:
            raise ValueError(f"rate and confidence must lie between 0 and 1, got {self}")

    def stop_at(self, outcomes: Sequence[bool]) -> int | None:
        """Episodes, in index order, after which the rate is decided; ``None`` while it is not."""
        successes = np.cumsum(np.asarray(outcomes, dtype=np.int64))
        decided = self.decided(successes, np.arange(1, len(outcomes) + 1))
        return int(decided.argmax()) + 1 if decided.any() else None

    def decided(self, successes: np.ndarray | int, episodes: np.ndarray | int) -> np.ndarray:
        """bool, broadcast: is there enough evidence against ``rate`` after these counts?"""
        return log_evidence(successes, episodes, self.rate) >= -math.log1p(-self.confidence)

    def law(self, true_rate: float, limit: int) -> np.ndarray:
        """float64 (limit + 1,): probability of stopping after n = 0..limit episodes, exactly."""
        return stopping_law(self.table(limit), true_rate)

    def table(self, limit: int) -> np.ndarray:
        """bool (limit + 1, limit + 1): stop after [episodes, successes]? For ``stopping_law``."""
        return _table(self, limit)


@cache
def _table(stopping: Stopping, limit: int) -> np.ndarray:
    stops = np.zeros((limit + 1, limit + 1), dtype=bool)
    for n in range(1, limit + 1):
        stops[n, : n + 1] = stopping.decided(np.arange(n + 1), n)
    return stops


def stopping_law(stops: np.ndarray, true_rate: float) -> np.ndarray:
    """Probability of stopping first after n = 0..N episodes; what is missing to 1 never stops.

    ``stops`` bool (N + 1, N + 1): stop after [episodes, successes]? Works for any rule, so also for
    rules that peek at an interval that is not made for it.
    """
    mass = np.zeros(len(stops))
    mass[0] = 1.0
    law = np.zeros(len(stops))
    for n in range(1, len(stops)):
        mass[1:] = mass[1:] * (1 - true_rate) + mass[:-1] * true_rate
        mass[0] *= 1 - true_rate
        law[n] = mass[stops[n]].sum()
        mass[stops[n]] = 0.0
    return law


def simulate(
    stops: np.ndarray, true_rate: float, runs: int, rng: np.random.Generator
) -> np.ndarray:
    """int64 (runs,): episodes after which simulated runs stop, 0 where none of N was enough.

    The same question as ``stopping_law``, answered by dice.
    """
    successes = np.zeros(runs, dtype=np.int64)
    stopped = np.zeros(runs, dtype=np.int64)
    for n in range(1, len(stops)):
        successes += rng.random(runs) < true_rate
        stopped[(stopped == 0) & stops[n, successes]] = n
    return stopped
