"""One number for several tasks: averages over tasks, every task with the same weight.

Two different questions have two different intervals. *These tasks*: what would the average be with
infinitely many episodes of the very same tasks? *Tasks like these*: what would it be on other tasks
of the same kind? The second is wider, and few tasks say little about it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.special import stdtrit

from benchmark.statistics.intervals import Interval, IntervalOfRate, wilson
from benchmark.statistics.paired import PairedTable, difference, difference_interval


class Estimate(NamedTuple):
    """A figure and the ends of its confidence interval."""

    value: float
    low: float
    high: float


def average_of(values: Sequence[float], ends: Sequence[Interval]) -> Estimate:
    """Mean of independent estimates (rates, differences) and its interval from their own.

    MOVER, the method of variance estimates recovery (Zou, Donner 2008, Statistics in Medicine
    27:1693): distances to the ends add up in squares, each side for itself. It works where all
    rates are 0 or 1 and cannot leave the range of the single intervals.
    """
    if not values:
        raise ValueError("an average needs at least one task")
    count, centre = len(values), math.fsum(values) / len(values)
    below = math.hypot(*(v - low for v, (low, _) in zip(values, ends, strict=True))) / count
    above = math.hypot(*(high - v for v, (_, high) in zip(values, ends, strict=True))) / count
    return Estimate(centre, centre - below, centre + above)


def average_of_over_tasks(
    rates: Sequence[float], ends: Sequence[Interval], confidence: float = 0.95
) -> Estimate:
    """Mean rate over tasks like these; ``ends``: the interval of each rate, of any kind."""
    return _clustered(rates, average_of(rates, ends), confidence, (0.0, 1.0))


def average(
    counts: Sequence[tuple[int, int]], confidence: float = 0.95, interval: IntervalOfRate = wilson
) -> Estimate:
    """Mean success rate over these tasks; ``counts`` are (successes, episodes) per task."""
    rates, ends = _rates(counts), [interval(k, n, confidence) for k, n in counts]
    return average_of(rates, ends)


def average_over_tasks(counts: Sequence[tuple[int, int]], confidence: float = 0.95) -> Estimate:
    """Mean success rate over tasks like these: the task is the unit that was sampled."""
    return _clustered(_rates(counts), average(counts, confidence), confidence, (0.0, 1.0))


def average_difference(tables: Sequence[PairedTable], confidence: float = 0.95) -> Estimate:
    """Mean of ``rate_b - rate_a`` over these tasks, from the tables of shared episodes."""
    ends = [difference_interval(table, confidence) for table in tables]
    return average_of(_differences(tables), ends)


def average_difference_over_tasks(
    tables: Sequence[PairedTable], confidence: float = 0.95
) -> Estimate:
    """Mean of ``rate_b - rate_a`` over tasks like these."""
    these = average_difference(tables, confidence)
    return _clustered(_differences(tables), these, confidence, (-1.0, 1.0))


def _rates(counts: Sequence[tuple[int, int]]) -> list[float]:
    if any(n == 0 for _, n in counts):
        raise ValueError("a task without episodes has no rate; leave it out of the average")
    return [k / n for k, n in counts]


def _differences(tables: Sequence[PairedTable]) -> list[float]:
    found = [difference(table) for table in tables]
    if any(value is None for value in found):
        raise ValueError("a task without shared episodes has no difference; leave it out")
    return [value for value in found if value is not None]


def _clustered(
    values: Sequence[float], these: Estimate, confidence: float, limits: Interval
) -> Estimate:
    """t interval over one value per task.

    Never narrower than the interval for these tasks: tasks that happen to agree (all at 100 %)
    would otherwise pretend to leave no doubt at all.
    """
    count = len(values)
    if count < 2:
        raise ValueError("an interval for tasks like these needs at least 2 tasks")
    error = float(np.std(values, ddof=1)) / math.sqrt(count)
    half = float(stdtrit(count - 1, 0.5 + confidence / 2)) * error
    low = max(limits[0], min(these.low, these.value - half))
    high = min(limits[1], max(these.high, these.value + half))
    return Estimate(these.value, low, high)
