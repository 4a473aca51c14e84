"""Intervals against published values and exact coverage; percentiles against NumPy."""

from __future__ import annotations

import math

import numpy as np
import pytest

from benchmark.metrics import mean, percentile, wilson_interval


# Newcombe (1998), Statistics in Medicine 17:857, table I, method 3 (score interval).
@pytest.mark.parametrize(
    ("successes", "episodes", "low", "high"),
    [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_equals_published_intervals(successes, episodes, low, high):
    assert wilson_interval(successes, episodes) == pytest.approx((low, high), abs=5e-5)


def test_wilson_ends_solve_the_score_equation():
    low, high = wilson_interval(37, 50)
    for p in (low, high):
        assert abs(0.74 - p) / math.sqrt(p * (1 - p) / 50) == pytest.approx(1.959964, abs=1e-6)


def test_wilson_is_symmetric_and_knows_nothing_without_episodes():
    low, high = wilson_interval(3, 20)
    assert wilson_interval(17, 20) == pytest.approx((1 - high, 1 - low))
    assert wilson_interval(0, 0) == (0.0, 1.0)
    assert wilson_interval(0, 5)[0] == 0.0
    assert wilson_interval(5, 5)[1] == 1.0


def test_wilson_covers_the_truth_about_as_often_as_it_says():
    coverage = [_coverage(50, p) for p in np.linspace(0.05, 0.95, 91)]
    assert np.mean(coverage) == pytest.approx(0.95, abs=0.005)
    assert min(coverage) > 0.91
    # The textbook interval is the counterexample that gives this test its power.
    assert min(_coverage(50, p, _wald) for p in (0.05, 0.95)) < 0.93


@pytest.mark.parametrize(("successes", "episodes"), [(-1, 5), (6, 5)])
def test_wilson_refuses_impossible_counts(successes, episodes):
    with pytest.raises(ValueError, match="successes"):
        wilson_interval(successes, episodes)


def test_percentile_is_numpys():
    values = list(np.random.default_rng(0).normal(size=17))
    for q in (0, 12.5, 50, 95, 100):
        assert percentile(values, q) == pytest.approx(np.percentile(values, q), abs=1e-15)


def test_no_values_are_not_zero():
    assert mean([]) is None
    assert percentile([], 50) is None
    assert mean([1.0, 2.0, 6.0]) == 3.0


def _coverage(n, p, interval=wilson_interval):
    """Exact probability that the interval contains p."""
    masses = [math.comb(n, k) * p**k * (1 - p) ** (n - k) for k in range(n + 1)]
    return sum(m for k, m in enumerate(masses) if interval(k, n)[0] <= p <= interval(k, n)[1])


def _wald(k, n):
    half = 1.96 * math.sqrt(k / n * (1 - k / n) / n)
    return k / n - half, k / n + half
