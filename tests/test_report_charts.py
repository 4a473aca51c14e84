"""Geometry of the charts, and the short names of what they show."""

from __future__ import annotations

from benchmark.report.charts import Series, interval, line_chart, log_ticks, thinned, ticks
from benchmark.report.rows import labels, newest


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
    assert [r["run"] for r in newest([*rows, rows[0]])] == ["x", "y", "z", "w"]


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
