"""Numbers of episodes: brute force over outcomes, simulation with the test itself, statsmodels."""

from __future__ import annotations

from math import comb

import numpy as np
import pytest
from scipy.stats import binomtest

from benchmark.statistics.intervals import exact, wilson
from benchmark.statistics.paired import PairedTable, mcnemar
from benchmark.statistics.power import (
    Comparison,
    detectable_difference,
    paired_episodes,
    paired_power,
    rate_episodes,
    rate_power,
    width_episodes,
)
from envs.schema import ManigymError


def test_outcomes_have_the_rates_and_the_correlation_asked_for():
    only_a, only_b = Comparison(0.6, -0.2, 0.3).discordant
    both = 0.6 - only_a
    assert both + only_b == pytest.approx(0.4)
    phi = (both - 0.6 * 0.4) / (0.6 * 0.4 * 0.4 * 0.6) ** 0.5
    assert phi == pytest.approx(0.3)


@pytest.mark.parametrize("comparison", [Comparison(0.3, 0.4), Comparison(0.9, -0.5, 0.2)])
def test_power_is_the_probability_that_mcnemar_rejects(comparison):
    """All tables of 12 episodes, weighed and tested one by one."""
    n, (only_a, only_b) = 12, comparison.discordant
    expected = sum(
        comb(n, i) * comb(n - i, j) * only_a**i * only_b**j * (1 - only_a - only_b) ** (n - i - j)
        for i in range(n + 1)
        for j in range(n - i + 1)
        if mcnemar(PairedTable(0, i, j, n - i - j)) <= 0.05
    )
    assert expected > 0.1
    assert paired_power(comparison, n) == pytest.approx(expected, abs=1e-12)


def test_planned_episodes_have_the_power_by_simulation():
    comparison = Comparison(0.5, 0.15, 0.2)
    n, rng = paired_episodes(comparison, 0.8), np.random.default_rng(0)
    only_a, only_b = comparison.discordant
    cells = rng.multinomial(n, [only_a, only_b, 1 - only_a - only_b], size=20_000)
    rejected = np.mean([mcnemar(PairedTable(0, *row)) < 0.05 for row in cells.tolist()])
    low, high = wilson(round(rejected * 20_000), 20_000, 0.9999)
    assert low < paired_power(comparison, n) < high
    assert paired_power(comparison, n - 1) < 0.8 <= paired_power(comparison, n)


@pytest.mark.parametrize("rate", [0, 0.1, 0.5, 0.8])
def test_more_episodes_never_have_less_power(rate):
    """What allows the plan to be found by bisection."""
    for step in (0.05, 0.2):
        found = [paired_power(Comparison(rate, step, 0), n) for n in range(1, 150)]
        assert np.diff(found).min() > -1e-12


def test_plans_are_near_the_textbook_formula():
    """Miettinen 1968 for McNemar's chi-square, which the exact test must exceed a little."""
    only_a, only_b = Comparison(0.5, 0.1).discordant
    pairs, gap = only_a + only_b, 0.1
    approximate = (1.959964 * pairs**0.5 + 0.841621 * (pairs - gap**2) ** 0.5) ** 2 / gap**2
    assert approximate < paired_episodes(Comparison(0.5, 0.1)) < 1.07 * approximate


def test_correlation_saves_episodes():
    plans = [paired_episodes(Comparison(0.5, 0.1, phi)) for phi in (0, 0.3, 0.6)]
    assert plans == sorted(plans, reverse=True)
    assert plans[2] < 0.5 * plans[0]


def test_the_detectable_difference_is_the_plan_read_backwards():
    for rate, sign in ((0.5, 1), (0.9, -1), (0.2, 1)):
        found = detectable_difference(rate, 50)
        assert paired_episodes(Comparison(rate, sign * found)) <= 50
        assert paired_episodes(Comparison(rate, sign * (found - 0.001))) > 50
    assert detectable_difference(0.5, 5) is None  # 5 pairs cannot reach p < 0.05


def test_rate_power_counts_the_outcomes_that_exclude_the_rate():
    for n in (10, 37):
        rejected = [k for k in range(n + 1) if not _inside(exact(k, n), 0.5)]
        expected = sum(comb(n, k) * 0.7**k * 0.3 ** (n - k) for k in rejected)
        assert rate_power(0.7, 0.5, n) == pytest.approx(expected, abs=1e-12)
    assert binomtest(8, 10, 0.5).pvalue > 0.05 > binomtest(9, 10, 0.5).pvalue


def _inside(interval, rate):
    return interval[0] <= rate <= interval[1]


def test_power_stays_from_the_planned_number_on():
    n = rate_episodes(0.7, 0.5)
    assert n == 54
    assert rate_power(0.7, 0.5, n - 1) < 0.8
    assert min(rate_power(0.7, 0.5, m) for m in range(n, 6 * n)) >= 0.8
    assert any(rate_power(0.7, 0.5, m) >= 0.8 for m in range(1, n - 1))  # the saw-tooth is real


def test_width_episodes_are_the_first_that_are_narrow_enough():
    for rate in (0.5, 0.9):
        n = width_episodes(0.05, rate)
        widths = [np.subtract(*wilson(round(m * rate), m)[::-1]) for m in (n - 1, n)]
        assert widths[1] <= 0.1 < widths[0]
    assert width_episodes(0.05) == pytest.approx(1.96**2 * (0.25 / 0.05**2 - 1), abs=2)


def test_impossible_questions_say_why():
    with pytest.raises(ManigymError, match="other sign"):
        Comparison(0.95, 0.1)
    with pytest.raises(ManigymError, match="zero"):
        Comparison(0.5, 0.0)
    with pytest.raises(ManigymError, match="nearer to 0"):
        Comparison(0.5, 0.3, 0.9)
    with pytest.raises(ManigymError, match="1,000,000"):
        paired_episodes(Comparison(0.5, 0.0005))
    with pytest.raises(ManigymError, match="half-width"):
        width_episodes(0.6)
    with pytest.raises(ManigymError, match="two different rates"):
        rate_episodes(0.5, 0.5)
