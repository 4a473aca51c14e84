"""Averages over the tasks of a run."""

from __future__ import annotations

import pytest

from benchmark.comparison.averages import averages, averages_table
from benchmark.statistics.intervals import exact, wilson


def row(env, successes, episodes=50, run="a", **cells):
    low, high = wilson(successes, episodes)
    return {
        "env": env,
        "policy": f"policy {run}",
        "run": run,
        "successes": str(successes),
        "episodes": str(episodes),
        "low": str(low),
        "high": str(high),
        "interval": "wilson 95 %",
        "stopping": "",
    } | cells


def test_every_task_has_the_same_weight():
    (suite,) = averages([row("X", 50), row("Y", 5, 10)])
    assert suite.these.value == pytest.approx(0.75)
    assert suite.tasks == 2


def test_two_equal_tasks_are_known_better_than_one():
    (suite,) = averages([row("X", 25), row("Y", 25)])
    low, high = wilson(25, 50)
    assert suite.these.low == pytest.approx(0.5 - (0.5 - low) / 2**0.5)
    assert suite.these.high == pytest.approx(0.5 + (high - 0.5) / 2**0.5)


def test_tasks_that_disagree_say_little_about_others():
    (suite,) = averages([row("X", 50), row("Y", 0)])
    assert suite.these.high - suite.these.low < 0.15
    assert (suite.like_these.low, suite.like_these.high) == (0.0, 1.0)


def test_only_runs_of_several_tasks_have_one_the_best_first():
    rows = [row("X", 1, run="a"), row("Y", 1, run="a"), row("X", 9, run="b"), row("Y", 9, run="b")]
    rows += [row("X", 9, run="alone"), row("X", 0, run="empty"), row("Y", 0, 0, run="empty")]
    found = averages(rows)
    assert [suite.run for suite in found] == ["b", "a"]
    assert "policy b" in averages_table(found).splitlines()[2]


def test_the_rows_own_intervals_are_averaged():
    """Two tasks stopped after 10 successes of 10: 52 - 100 % each, not Wilson's 72 - 100 %."""
    stopped = {"low": "0.52", "high": "1.0", "interval": "sequence 90 %"}
    rule = "rate against 0.5 at 90 %: decided after {} of 50"
    rows = [row(e, 10, 10, stopping=rule.format(10), **stopped) for e in "XY"]
    (suite,) = averages(rows)
    assert suite.these == pytest.approx((1.0, 1 - 0.48 / 2**0.5, 1.0))
    assert suite.like_these == suite.these  # the tasks agree
    assert suite.level == 90
    low, high = exact(25, 50)
    ends = {"low": str(low), "high": str(high), "interval": "exact 95 %"}
    (suite,) = averages([row("X", 25, **ends), row("Y", 25, **ends)])
    assert suite.these.high == pytest.approx(0.5 + (high - 0.5) / 2**0.5)


def test_tasks_like_these_have_the_confidence_of_the_rows():
    rows = [row(e, k, interval="wilson 80 %") for e, k in (("X", 10), ("Y", 40))]
    (suite,) = averages(rows)
    # Rates 0.2 and 0.8, mean 0.5, standard error 0.3; t(1 degree of freedom, 90 %) = 3.078.
    assert suite.like_these == pytest.approx((0.5, 0.0, 1.0))
    rows = [row(e, k, interval="wilson 80 %") for e, k in (("X", 20), ("Y", 24))]
    assert averages(rows)[0].like_these.high == pytest.approx(0.44 + 3.07768 * 0.04, abs=1e-5)


@pytest.mark.parametrize("other", ["wilson 90 %", "exact 95 %", ""])
def test_intervals_of_two_kinds_have_no_average(other):
    assert averages([row("X", 1), row("Y", 1, interval=other)]) == []


def test_a_run_and_its_early_stop_are_averaged_apart():
    cells = {"stopping": "rate against 0.5 at 95 %: undecided in 50", "interval": "sequence 95 %"}
    rows = [row("X", 5), row("Y", 6), row("X", 7, **cells), row("Y", 8, **cells)]
    assert [suite.these.value for suite in averages(rows)] == pytest.approx([0.15, 0.11])


def test_the_level_is_named():
    rows = [row("X", 1), row("Y", 1)]
    assert "these tasks, 95 %" in averages_table(averages(rows))
    rows += [row(e, 2, run="b", interval="wilson 90 %") for e in "XY"]
    head, _, best, last = averages_table(averages(rows)).splitlines()
    assert "%" not in head
    assert best.count("(90 %)") == last.count("(95 %)") == 2
