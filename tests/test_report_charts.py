"""Geometry of the charts, and the short names of what they show."""

from __future__ import annotations

from benchmark.report.charts import Series, interval, line_chart, log_ticks, thinned, ticks
from benchmark.report.rows import best_first, labels, longest, remarks


def test_the_interval_is_drawn_where_it_lies():
    bar = interval(0.6, 0.3127, 0.8318, bounds=(0.5, 0.75))
    assert (bar.rate, bar.low, bar.high, bar.bounds) == (60, 31.27, 83.18, (50, 75))
    gain = interval(-0.5, -1, 0.25, span=(-1, 1))
    assert (gain.rate, gain.low, gain.high) == (25, 0, 62.5)


def test_names_say_what_tells_rows_apart():
    rows = [
        {"policy": "expert", "run": "x", "env": "E"},
        {"policy": "flow", "nfe": "2", "run": "y", "env": "E"},
        {"policy": "flow", "nfe": "4", "run": "z", "env": "E"},
        {"policy": "flow", "nfe": "4", "run": "w", "env": "E", "split": "ood"},
    ]
    assert labels(rows) == ["expert", "flow, 2 NFE", "flow, 4 NFE", "flow, ood split"]
    twice = [{"policy": "p", "run": r, "env": "E", "split": "test"} for r in "ab"]
    assert labels(twice) == ["p, a", "p, b"]
    late = {"policy": "p", "run": "r", "latency": "hold profile:x median=3 most=9 sha256=01"}
    assert labels([late, late | {"run": "s", "latency": "hold 2"}]) == [
        "p, latency hold profile median=3",
        "p, latency hold 2",
    ]
    one_run = [{"policy": "p", "run": "r", "episodes": n} for n in ("5", "9")]
    assert labels(one_run) == ["p, 5 episodes", "p, 9 episodes"]


def tried(run, episodes, errors=0, stopping="", **cells):
    counts = {"episodes": str(episodes), "errors": str(errors), "stopping": stopping}
    return {"run": run, "env": "E"} | counts | cells


def test_fewer_episodes_of_a_run_never_stand_in_for_more():
    rows = [tried("a", 10, date="1"), tried("b", 3), tried("a", 5, date="2")]
    assert longest(rows) == rows[:2]
    mended = tried("a", 10, date="3")
    assert longest([tried("a", 8, 2), mended]) == [mended]  # an error that was tried again
    stopped = tried("a", 7, stopping="rate against 0.5 at 95 %: decided after 7 of 9")
    sooner = tried("a", 6, stopping="rate against 0.5 at 95 %: decided after 6 of 9")
    assert longest([*rows, stopped, sooner]) == [*rows[:2], stopped]


def test_test_rows_come_before_others_and_no_rate_comes_last():
    given = [("validation", "1.0"), ("test", ""), ("test", "0.0"), ("test", "0.5")]
    rows = [{"env": "E", "protocol": "p", "split": s, "success_rate": r} for s, r in given]
    assert best_first(rows) == [rows[3], rows[2], rows[1], rows[0]]


def test_only_the_unusual_is_remarked():
    usual = {"stopping": "", "selection": "last of training", "inference": "batched 2 4 8"}
    assert remarks(usual) == []
    rule = "rate against 0.5 at 95 %: decided after 23 of 100"
    chosen = "best of 3 on 20 validation episodes"
    found = remarks({"stopping": rule, "selection": chosen, "inference": "unrepeatable"})
    assert found == ["decided after 23 of 100", "best of 3 checkpoints", "unrepeatable"]


def test_axes_have_round_marks_and_curves_fit_them():
    assert ticks(0, 300) == [0, 100, 200, 300]
    assert ticks(-0.12, 0.31, about=4) == [0, 0.2]
    assert [text for _, text in log_ticks(-1, 1)] == ["0.1", "0.2", "0.5", "1", "2", "5", "10"]
    many = [(float(i), 1.0) for i in range(10_001)]
    assert (len(thinned(many)), thinned(many)[0], thinned(many)[-1]) == (400, many[0], many[-1])
    chart = line_chart([Series("x", [(0, 1), (4, 3)])], "step", "loss")
    assert chart.lines[0].points == ((0, 100), (100, 0))
    flat = line_chart([Series("x", [(2, 5)])], "step", "loss")
    assert flat.lines[0].points == ((100, 50),)
