"""Averages over the tasks of a run."""

from __future__ import annotations

import pytest

from benchmark.comparison.averages import averages, averages_table
from benchmark.statistics.intervals import wilson


def row(env, successes, episodes=50, run="a"):
    return {
        "env": env,
        "policy": f"policy {run}",
        "run": run,
        "successes": str(successes),
        "episodes": str(episodes),
    }


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
