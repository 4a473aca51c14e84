"""Intervals of a rate: published values, scipy's own, exact coverage; means and percentiles.

``pytest tests/test_statistics_intervals.py -s -k coverage`` prints the table of docs/statistics.md.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import binomtest
from tabulate import tabulate

from benchmark.statistics.coverage import coverage
from benchmark.statistics.descriptive import mean, percentile
from benchmark.statistics.intervals import INTERVALS, exact, jeffreys, wilson

GRID = np.linspace(0.01, 0.99, 981)  # steps of 0.001


# Newcombe (1998), Statistics in Medicine 17:857, table I: methods 3 (score) and 5 (exact).
@pytest.mark.parametrize(
    ("interval", "successes", "episodes", "low", "high"),
    [
        (wilson, 81, 263, 0.2553, 0.3662),
        (wilson, 15, 148, 0.0624, 0.1605),
        (wilson, 0, 20, 0.0, 0.1611),
        (wilson, 1, 29, 0.0061, 0.1718),
        (exact, 81, 263, 0.2527, 0.3676),
        (exact, 15, 148, 0.0578, 0.1617),
        (exact, 0, 20, 0.0, 0.1684),
        (exact, 1, 29, 0.0009, 0.1776),
    ],
)
def test_published_intervals(interval, successes, episodes, low, high):
    assert interval(successes, episodes) == pytest.approx((low, high), abs=5e-5)


@pytest.mark.parametrize("confidence", [0.8, 0.95, 0.999])
@pytest.mark.parametrize("name", ["wilson", "exact"])
def test_intervals_equal_scipys(name, confidence):
    for n in (1, 2, 7, 50, 1000):
        for k in {0, 1, n // 3, n // 2, n - 1, n}:
            theirs = binomtest(k, n).proportion_ci(confidence, method=name)
            assert INTERVALS[name](k, n, confidence) == pytest.approx(theirs, abs=1e-12)


@pytest.mark.parametrize("confidence", [0.8, 0.95, 0.999])
def test_jeffreys_holds_the_posterior_mass_it_says(confidence):
    """The density of Beta(k + 1/2, n - k + 1/2), integrated without scipy's beta functions."""
    for k, n in ((1, 2), (3, 20), (37, 50)):
        a, b = k + 0.5, n - k + 0.5
        norm = math.exp(math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b))
        low, high = jeffreys(k, n, confidence)
        for left, right, mass in ((0, low, (1 - confidence) / 2), (low, high, confidence)):
            edges = np.linspace(math.sqrt(left), math.sqrt(right), 200_001)  # rate = x**2
            x = (edges[1:] + edges[:-1]) / 2
            density = norm * x ** (2 * a - 1) * 2 * (1 - x**2) ** (b - 1)
            assert density.sum() * (edges[1] - edges[0]) == pytest.approx(mass, abs=1e-6)


def test_wilson_ends_solve_the_score_equation():
    low, high = wilson(37, 50)
    for p in (low, high):
        assert abs(0.74 - p) / math.sqrt(p * (1 - p) / 50) == pytest.approx(1.959964, abs=1e-6)


@pytest.mark.parametrize("interval", INTERVALS.values(), ids=INTERVALS)
def test_intervals_are_symmetric_and_know_nothing_without_episodes(interval):
    low, high = interval(3, 20)
    assert interval(17, 20) == pytest.approx((1 - high, 1 - low))
    assert interval(0, 0) == (0.0, 1.0)
    assert interval(0, 5)[0] == 0.0
    assert interval(5, 5)[1] == 1.0
    assert 0 < interval(0, 5)[1] < 1


@pytest.mark.parametrize("interval", INTERVALS.values(), ids=INTERVALS)
@pytest.mark.parametrize(("successes", "episodes"), [(-1, 5), (6, 5)])
def test_impossible_counts_are_refused(interval, successes, episodes):
    with pytest.raises(ValueError, match="successes"):
        interval(successes, episodes)
    with pytest.raises(ValueError, match="confidence"):
        interval(1, 5, 95)


def test_coverage_is_a_binomial_sum():
    def always_low(k, n, confidence):
        return 0.0, 0.3

    assert coverage(always_low, 4, np.array([0.2, 0.4])) == pytest.approx([1, 0])

    def only_two(k, n, confidence):
        return (0.0, 1.0) if k == 2 else (2.0, 2.0)

    assert coverage(only_two, 4, np.array([0.5])) == pytest.approx([6 / 16])


def test_coverage_of_all_intervals():
    counts = range(10, 101)
    found = {
        name: np.array([coverage(f, n, GRID) for n in counts])  # (91, 981)
        for name, f in INTERVALS.items()
    }
    wald = np.array([coverage(_wald, n, GRID) for n in counts])
    assert found["wilson"].mean(axis=1).min() >= 0.945
    assert found["wilson"].min() > 0.83
    assert found["jeffreys"].mean(axis=1).min() >= 0.94
    assert found["exact"].min() >= 0.95
    # The textbook interval is the counterexample that gives this test its power.
    assert wald.min() < 0.1
    assert wald.mean(axis=1).max() < 0.945
    print("\n" + _table(list(counts), found | {"textbook (Wald)": wald}))


def _table(counts, found):
    rows = []
    for name, values in found.items():
        at_n, at_p = np.unravel_index(values.argmin(), values.shape)
        middle = values[:, (GRID >= 0.1) & (GRID <= 0.9)]
        by_n = values.mean(axis=1)
        rows.append(
            [
                name,
                f"{100 * by_n[counts.index(50)]:.2f} %",
                f"{100 * by_n.min():.2f} % (n = {counts[by_n.argmin()]})",
                f"{100 * values.min():.2f} % (n = {counts[at_n]}, rate {GRID[at_p]:.3f})",
                f"{100 * middle.min():.2f} %",
                f"{100 * (values < 0.95).mean():.0f} %",
            ]
        )
    headers = ["interval", "mean at n = 50", "lowest mean", "lowest point"]
    headers += ["lowest, rates 0.1 to 0.9", "points below 95 %"]
    return tabulate(rows, headers, tablefmt="github")


def test_percentile_is_numpys():
    values = list(np.random.default_rng(0).normal(size=17))
    for q in (0, 12.5, 50, 95, 100):
        assert percentile(values, q) == pytest.approx(np.percentile(values, q), abs=1e-15)
    assert percentile([1.0, 2.0], 25) == 1.25


def test_no_values_are_not_zero():
    assert mean([]) is None
    assert percentile([], 50) is None
    assert mean([1.0, 2.0, 6.0]) == 3.0


def _wald(k, n, confidence):
    half = 1.959964 * math.sqrt(k / n * (1 - k / n) / n)
    return k / n - half, k / n + half
