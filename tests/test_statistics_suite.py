"""Averages over tasks: closed forms, limits, coverage by simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import ttest_1samp

from benchmark.statistics.intervals import INTERVALS, exact, wilson
from benchmark.statistics.paired import PairedTable, difference_interval
from benchmark.statistics.suite import (
    average,
    average_difference,
    average_difference_over_tasks,
    average_of,
    average_of_over_tasks,
    average_over_tasks,
)


def test_one_task_has_the_interval_of_its_rate():
    for name, interval in INTERVALS.items():
        assert average([(37, 50)], interval=interval)[1:] == pytest.approx(interval(37, 50)), name


def test_equal_tasks_narrow_by_the_root_of_their_number():
    low, high = wilson(30, 40)
    value, below, above = average([(30, 40)] * 9)
    assert value == 0.75
    assert (value - below, above - value) == pytest.approx(((0.75 - low) / 3, (high - 0.75) / 3))


def test_tasks_weigh_the_same_whatever_their_episodes():
    assert average([(1, 1), (0, 99)]).value == 0.5


def test_an_average_of_extremes_stays_in_range_and_keeps_its_doubt():
    assert average([(50, 50)] * 4)[0::2] == (1.0, 1.0)
    assert average([(50, 50)] * 4).low == pytest.approx(1 - (1 - wilson(50, 50)[0]) / 2)
    assert average([(0, 50)] * 4)[:2] == (0.0, 0.0)
    assert average([(0, 3), (1, 1)], interval=exact).low >= 0
    assert average_over_tasks([(50, 50)] * 4) == average([(50, 50)] * 4)
    assert average_over_tasks([(0, 50), (50, 50)])[1:] == (0.0, 1.0)


def test_any_intervals_of_single_tasks_are_combined():
    value, low, high = average_of([0.25, 0.75], [(0.1, 0.65), (0.55, 0.9)])
    assert (value, low, high) == pytest.approx(
        (0.5, 0.5 - 0.25 / 2, 0.5 + math.hypot(0.4, 0.15) / 2)
    )
    counts = [(10, 100), (50, 100), (90, 100), (70, 100)]
    ends = [wilson(k, n, 0.9) for k, n in counts]
    assert average_of_over_tasks([k / n for k, n in counts], ends, 0.9) == pytest.approx(
        average_over_tasks(counts, 0.9)
    )


def test_tasks_like_these_is_the_t_interval_over_tasks():
    counts = [(10, 100), (50, 100), (90, 100), (70, 100)]
    rates = [k / n for k, n in counts]
    theirs = ttest_1samp(rates, 0).confidence_interval(0.9)
    assert average_over_tasks(counts, 0.9)[1:] == pytest.approx(theirs)
    these = average(counts, 0.9)
    assert theirs.low < these.low < these.high < theirs.high


def test_differences_average_like_rates():
    tables = [PairedTable(10, 2, 8, 30), PairedTable(40, 0, 6, 4)]
    ends = [difference_interval(table) for table in tables]
    value, low, high = average_difference(tables)
    assert value == pytest.approx((6 / 50 + 6 / 50) / 2)
    assert value - low == pytest.approx(math.hypot(*(0.12 - end[0] for end in ends)) / 2)
    assert high - value == pytest.approx(math.hypot(*(end[1] - 0.12 for end in ends)) / 2)
    assert average_difference_over_tasks(tables) == (value, low, high)  # the tasks agree


def test_the_average_covers_the_truth_about_as_often_as_it_says():
    rng = np.random.default_rng(0)
    rates = np.array([0.02, 0.5, 0.9, 1.0])
    inside = []
    for successes in rng.binomial(50, rates, size=(4000, 4)):
        _, low, high = average([(int(k), 50) for k in successes])
        inside.append(low <= rates.mean() <= high)
    assert 0.94 < np.mean(inside) < 0.985


def test_new_tasks_are_covered_only_by_the_wider_interval():
    """Task rates vary (Beta(2, 2), mean 0.5): the interval for these tasks misses that."""
    rng = np.random.default_rng(1)
    these, like_these = [], []
    for rates in rng.beta(2, 2, size=(1500, 6)):
        counts = [(int(k), 50) for k in rng.binomial(50, rates)]
        for inside, f in ((these, average), (like_these, average_over_tasks)):
            _, low, high = f(counts)
            inside.append(low <= 0.5 <= high)
    assert np.mean(these) < 0.6
    assert 0.93 < np.mean(like_these) < 0.97


def test_what_has_no_answer_is_refused():
    with pytest.raises(ValueError, match="2 tasks"):
        average_over_tasks([(3, 5)])
    with pytest.raises(ValueError, match="without episodes"):
        average([(3, 5), (0, 0)])
    with pytest.raises(ValueError, match="at least one"):
        average([])
    with pytest.raises(ValueError, match="shared"):
        average_difference([PairedTable(0, 0, 0, 0)])
