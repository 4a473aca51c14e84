"""Stopping early: evidence by integration, false positives by 20,000 simulated runs and exactly.

``pytest tests/test_statistics_sequential.py -s -k "positives or plan"`` prints the figures of
docs/statistics.md.
"""

from __future__ import annotations

import math

import numpy as np
import pytest

from benchmark.statistics.intervals import wilson
from benchmark.statistics.power import rate_episodes
from benchmark.statistics.sequential import (
    Stopping,
    confidence_sequence,
    evidence,
    simulate,
    stopping_law,
)

RUNS = 20_000
HALF = Stopping(0.5)


@pytest.mark.parametrize(("k", "n", "rate"), [(0, 1, 0.5), (7, 10, 0.5), (3, 40, 0.3)])
def test_evidence_is_the_average_likelihood_ratio(k, n, rate):
    p = (np.arange(200_000) + 0.5) / 200_000
    ratios = (p / rate) ** k * ((1 - p) / (1 - rate)) ** (n - k)
    assert evidence(k, n, rate) == pytest.approx(ratios.mean(), rel=1e-8)


def test_evidence_by_hand_and_at_the_ends():
    assert evidence(0, 0, 0.5) == 1.0
    assert evidence(3, 3, 0.5) == pytest.approx(8 / 4)
    assert evidence(0, 9, 0.0) == pytest.approx(1 / 10)
    assert evidence(1, 9, 0.0) > 1e300
    assert evidence(500_000, 500_000, 0.5) > 1e300
    with pytest.raises(ValueError, match="6 of 5"):
        evidence(6, 5, 0.5)


def test_expected_evidence_is_one_under_the_true_rate():
    for rate in (0.1, 0.5):
        expected = sum(
            math.comb(20, k) * rate**k * (1 - rate) ** (20 - k) * evidence(k, 20, rate)
            for k in range(21)
        )
        assert expected == pytest.approx(1)


@pytest.mark.parametrize(
    ("k", "n"), [(0, 5), (5, 5), (1, 1), (37, 50), (1, 1000), (400_000, 10**6)]
)
def test_the_confidence_sequence_ends_where_the_evidence_suffices(k, n):
    low, high = confidence_sequence(k, n, 0.95)
    assert (low == 0) == (k == 0)
    assert (high == 1) == (k == n)
    for end in {low, high} - {0.0, 1.0}:
        assert evidence(k, n, end) == pytest.approx(20, rel=1e-4)
    for inside in np.linspace(low, high, 9)[1:-1]:
        assert evidence(k, n, float(inside)) < 20


def test_a_confidence_sequence_is_wider_than_an_interval_for_one_look():
    assert confidence_sequence(0, 0) == (0.0, 1.0)
    low, high = confidence_sequence(30, 50)
    once = wilson(30, 50)
    assert low < once[0] < once[1] < high
    assert confidence_sequence(20, 50) == pytest.approx((1 - high, 1 - low))


def test_it_stops_at_the_first_episode_that_decides():
    assert HALF.stop_at([True] * 30) == 8  # 2**8 / 9 = 28.4, 2**7 / 8 = 16
    assert HALF.stop_at([False] * 30) == 8
    assert HALF.stop_at([True] * 7) is None
    assert HALF.stop_at([]) is None
    assert HALF.stop_at([True, False] * 200) is None
    outcomes = [True, True, False, *[True] * 12]
    stop = HALF.stop_at(outcomes)
    assert evidence(sum(outcomes[:stop]), stop, 0.5) >= 20
    assert all(evidence(sum(outcomes[:n]), n, 0.5) < 20 for n in range(stop))
    assert HALF.stop_at(outcomes + [False] * 50) == stop  # what comes later changes nothing
    with pytest.raises(ValueError, match="between 0 and 1"):
        Stopping(1.0)


def test_simulated_runs_stop_where_stop_at_does():
    rng = np.random.default_rng(0)
    outcomes = [np.random.default_rng(0).random((60, 200)) < 0.7][0].T  # (runs, episodes)
    stops = simulate(HALF.table(60), 0.7, 200, rng)
    assert stops.tolist() == [HALF.stop_at(list(run)) or 0 for run in outcomes]
    assert 0 < (stops == 0).sum() < 200


def test_the_law_of_stopping_by_hand():
    """Stop at the first success, looked for in 3 episodes."""
    stops = np.zeros((4, 4), dtype=bool)
    stops[1:, 1:] = True
    assert stopping_law(stops, 0.3) == pytest.approx([0, 0.3, 0.21, 0.147])


@pytest.mark.parametrize("episodes", [200, 1000])
def test_false_positives_stay_below_what_was_promised(episodes):
    """True rate 0.5, a look after every episode; peeking at a Wilson interval is the contrast."""
    for name, table, most in (
        ("confidence sequence", HALF.table(episodes), 0.05),
        ("peeking at Wilson", _peeking(episodes), 1.0),
    ):
        wrong = int((simulate(table, 0.5, RUNS, np.random.default_rng(0)) > 0).sum())
        low, high = wilson(wrong, RUNS, 0.999)
        truth = stopping_law(table, 0.5).sum()
        assert low < truth < high
        assert truth < most
        low, high = wilson(wrong, RUNS)
        print(
            f"\n{name}, up to {episodes} episodes: {wrong / RUNS:.2%} false positives "
            f"({low:.2%} to {high:.2%}), exactly {truth:.2%}",
            end="",
        )
    assert truth > 6 * 0.05  # peeking


@pytest.mark.parametrize("rate", [0.02, 0.1, 0.3, 0.9])
def test_false_positives_at_other_rates(rate):
    assert 0.005 < Stopping(rate).law(rate, 1000).sum() < 0.05
    assert Stopping(rate, 0.8).law(rate, 1000).sum() < 0.2


def test_episodes_saved_against_the_fixed_plan():
    """True rate 0.7 against 0.5."""
    fixed, law = rate_episodes(0.7, 0.5), HALF.law(0.7, 1000)
    stopped = law.cumsum()
    median, most = (int(np.argmax(stopped >= share)) for share in (0.5, 0.8))
    expected, unlimited = (float((1 - stopped[:n]).sum()) for n in (most, 1000))
    sample = simulate(HALF.table(1000), 0.7, RUNS, np.random.default_rng(1))
    assert sample.mean() == pytest.approx(unlimited, abs=1)
    assert np.median(sample) == pytest.approx(median, abs=2)
    assert np.mean((sample > 0) & (sample <= 100)) == pytest.approx(stopped[100], abs=0.01)
    assert stopped[-1] > 0.999
    assert expected < fixed < most
    print(
        f"\nfixed plan {fixed}; median {median}, mean {unlimited:.1f}, decided by 100: "
        f"{stopped[100]:.1%}; 80 % power: at most {most}, mean {expected:.1f}"
    )


def _peeking(episodes):
    """Stop as soon as the Wilson interval of the moment excludes 0.5."""
    table = np.zeros((episodes + 1, episodes + 1), dtype=bool)
    for n in range(1, episodes + 1):
        for k in range(n + 1):
            low, high = wilson(k, n)
            table[n, k] = not low <= 0.5 <= high
    return table
