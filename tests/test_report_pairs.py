"""Which rows are compared on the page, and what their p-values allow for."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from boards import add_run
from test_records import record
from test_report import Page
from toy import bench

from benchmark.report.entries import Entry, entries_of
from benchmark.report.pairs import comparisons
from benchmark.report.rows import best_first
from benchmark.report.runs import Behind
from benchmark.results.leaderboard import read_rows

ROW = {"env": "E", "protocol": "p", "split": "test", "seed": "0", "seed_rule": "r", "stopping": ""}


def entry(name, outcomes, **cells):
    """An entry with these outcomes of seeds 10, 11, ... and no files behind it."""
    records = tuple(record(i, env="E", success=bool(x)) for i, x in enumerate(outcomes))
    behind = Behind(Path("nowhere") / name, {}, records, (), (), ())
    return Entry(ROW | cells, name, name, None, None, behind, ())


def names(pairs):
    return [(pair.b.label, pair.a.label) for pair in pairs]


def on_the_page(out):
    assert bench("leaderboard", "--out", out, "--html") == 0
    return Page((out / "leaderboard.html").read_text()).visible


def test_pairs_with_the_best_are_adjusted_for_all_pairs(out):
    add_run(out, "best", "1" * 12)
    for name in "bcdef":
        add_run(out, name, "0" * 12)
    found = comparisons(entries_of("E", best_first(read_rows(out / "leaderboard.csv")), out))
    assert names(found) == [("best", name) for name in "bcdef"]
    assert {pair.tests for pair in found} == {15}
    # p = 2 / 2^12; Holm multiplies the smallest of 15 by 15 and the others follow it.
    assert [pair.adjusted for pair in found] == pytest.approx([15 * 2 / 2**12] * 5)
    text = on_the_page(out)
    assert text.count("adjusted p = 0.0073") == 5
    assert "adjusted for testing all 15 pairs (Holm). Shown are those with the best" in text


def test_twenty_equal_policies_seldom_look_different():
    """Adjusted for the 19 pairs shown alone this would happen on several times as many pages."""
    rng, pages, wrong = np.random.default_rng(0), 120, 0
    for _ in range(pages):
        outcomes = rng.random((20, 100)) < 0.5
        ranked = sorted(outcomes, key=lambda row: -row.sum())
        found = comparisons([entry(f"p{i}", row) for i, row in enumerate(ranked)])
        assert len(found) == 19
        wrong += any(pair.adjusted < 0.05 for pair in found)
    assert wrong / pages < 0.06


def test_only_rows_that_met_the_same_episodes_are_compared():
    other = {"protocol": "q"}
    entries = [
        entry("v", "11", split="validation"),
        *(entry(name, [1, 0]) for name in "ab"),
        *(entry(name, [1, 0], **other) for name in "cd"),
        entry("e", [1, 0], **other, seed="1"),
        entry("f", [1, 0], **other, seed_rule="recorded"),
    ]
    assert names(comparisons(entries)) == [("a", "b"), ("c", "d")]


def test_a_perfect_validation_row_hides_no_comparison(out):
    add_run(out, "tuned", "1111", split="validation", run="tuned-v")
    for name in "abcdef":
        add_run(out, name, "0110")
    found = comparisons(entries_of("E", best_first(read_rows(out / "leaderboard.csv")), out))
    assert names(found) == [("a", name) for name in "bcdef"]


def test_a_run_counts_once_and_a_stopped_one_not_at_all():
    rule = "rate against 0.5 at 95 %: decided after 9 of 50"
    entries = [entry("a", [1, 1]), entry("a", [1, 1]), entry("b", [1, 0])]
    found = comparisons([*entries, entry("s", [0, 0], stopping=rule)])
    assert names(found) == [("a", "b")]
    assert found[0].tests == 1


def test_other_circumstances_are_no_other_rules(out):
    for name in "ab":
        folder = add_run(out, name, "10")
        (file,) = folder.glob("conditions/*.json")
        assert json.loads(file.read_text()) == {"simulator": "mujoco=3.9.0"}
    assert "Not only the policy" not in on_the_page(out)
    add_run(out, "c", "10", circumstances={"simulator": "mujoco=3.9.0", "code": "f00"})
    text = on_the_page(out)
    assert text.count("Other circumstances: code") == 2
    assert "code: f00 in A, not given in B" in text
    assert "Not only the policy" not in text
    shutil.rmtree(out / "c-abc" / "conditions")
    assert on_the_page(out).count("Not only the policy") == 2
