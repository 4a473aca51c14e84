"""``leaderboard``: which rows and columns it shows, where it writes, what it refuses."""

from __future__ import annotations

import csv
import io
import re

import pytest
from boards import TASK, add_run
from test_report import Page
from toy import bench

from benchmark.report.rows import best_first
from benchmark.results.leaderboard import COLUMNS, csv_text, read_rows
from benchmark.results.table import table

LEFT_OUT = "2 rows on validation episodes left out; --split validation shows them"


@pytest.fixture
def board(out):
    """Two test rows, two validation rows that look better."""
    add_run(out, "a", "0111")
    add_run(out, "b", "0011")
    for name in "ab":
        add_run(out, name, "1111", split="validation", run=f"{name}-tuned")
    return out


def shown(capsys, *arguments):
    """Policies and splits of the rows of a Markdown table, and all the text."""
    assert bench("leaderboard", "--markdown", *arguments) == 0
    text = capsys.readouterr().out
    head, _, *rows = [
        [cell.strip() for cell in line.split("|")[1:-1]]
        for line in text.split("\n\n")[0].strip().splitlines()
    ]
    named = [dict(zip(head, row, strict=True)) for row in rows]
    return [(row["policy"], row.get("split")) for row in named], text


def test_validation_rows_stand_apart(board, capsys):
    rows, text = shown(capsys, "--out", board)
    assert rows == [("a", None), ("b", None)]
    assert LEFT_OUT in text
    tuned = [("a", "validation"), ("b", "validation")]
    rows, text = shown(capsys, "--out", board, "--split", "validation")
    assert rows == tuned
    assert "left out" not in text
    rows, text = shown(capsys, "--out", board, "--split", "all")
    assert rows == [("a", "test"), ("b", "test"), *tuned]
    assert "left out" not in text


def test_validation_rows_stay_out_of_files_too(board):
    target = board / "rows.csv"
    assert bench("leaderboard", "--out", board, "--csv", target, "--html") == 0
    with target.open(newline="") as file:
        assert [(r["policy"], r["split"]) for r in csv.DictReader(file)] == [
            ("a", "test"),
            ("b", "test"),
        ]
    page = Page((board / "leaderboard.html").read_text())
    assert LEFT_OUT in page.visible
    assert "validation split" not in page.visible
    assert bench("leaderboard", "--out", board, "--html", "--split", "all") == 0
    page = Page((board / "leaderboard.html").read_text())
    assert "left out;" not in page.visible
    assert "a, validation split" in page.visible


def test_nothing_but_validation_rows(out, capsys):
    add_run(out, "a", "1", split="validation")
    assert bench("leaderboard", "--out", out) == 0
    text = capsys.readouterr().out
    assert "No rows to show." in text
    assert "1 row on validation episodes left out" in text


def test_the_longer_row_is_shown_whenever_it_was_written(out, capsys):
    add_run(out, "uniform", "1110000000")
    row = read_rows(out / "leaderboard.csv")[0]
    first = row | {"episodes": "3", "successes": "3", "success_rate": "1.0", "date": "2027"}
    (out / "leaderboard.csv").write_text(csv_text([row, first]))
    assert bench("leaderboard", "--out", out, "--csv", "-") == 0
    (kept,) = csv.DictReader(io.StringIO(capsys.readouterr().out))
    assert kept["episodes"] == "10"


def test_a_dash_prints_the_csv_and_nothing_else(board, capsys):
    target = board / "page.html"
    assert bench("leaderboard", "--out", board, "--csv", "-", "--html", target) == 0
    printed = capsys.readouterr()
    tests = [r for r in read_rows(board / "leaderboard.csv") if r["split"] == "test"]
    assert printed.out == csv_text(best_first(tests))
    assert str(target) in printed.err
    assert target.exists()


def test_the_unusual_has_a_column_and_the_usual_has_none():
    usual = {"env": TASK, "split": "test", "selection": "given", "inference": "batched 2 4 8"}
    rare = {"split", "stopping", "selection", "inference", "latency", "errors"}

    def heads(row):
        return rare & set(re.split(r"\s{2,}", table([usual, usual | row]).splitlines()[0]))

    assert heads({}) == set()
    assert heads({"split": "validation"}) == {"split"}
    assert heads({"stopping": "rate against 0.5 at 95 %: undecided in 9"}) == {"stopping"}
    assert heads({"selection": "best of 2 on 5 validation episodes"}) == {"selection"}
    assert heads({"inference": "alone | unrepeatable"}) == {"inference"}
    assert heads({"errors": "10"}) == {"errors"}
    assert heads({"errors": "0", "selection": "last of training"}) == set()


def test_long_cells_are_shortened():
    row = {
        "latency": "overlap(lead=4) profile:a-b c median=3 most=12 sha256=01234567",
        "stopping": "against expert-0123456789ab at 95 %: decided after 23 of 100",
        "selection": "best of 3 on 20 validation episodes",
    }
    text = table([row])
    assert "overlap(lead=4) profile median=3 " in text
    assert "  decided after 23 of 100  best of 3" in text
    assert not re.search("sha256|expert|validation", text)
    assert "hold lognormal:2:0.5:8" in table([{"latency": "hold lognormal:2:0.5:8"}])


def test_the_page_remarks_on_the_unusual(out):
    rule = "rate against 0.5 at 95 %: decided after 4 of 9"
    add_run(out, "a", "1111", stopping=rule, interval="sequence 95 %")
    add_run(out, "b", "0101", inference="unrepeatable")
    add_run(out, "c", "0111")
    assert bench("leaderboard", "--out", out, "--html") == 0
    text = Page((out / "leaderboard.html").read_text()).visible
    assert "a: decided after 4 of 9" in text
    assert "b: unrepeatable" in text
    assert "Rows with a stopping rule are left out" in text
    assert "adjusted p" not in text  # one pair is left


@pytest.mark.parametrize("content", ["", ",".join(COLUMNS) + "\n"])
def test_an_empty_leaderboard_says_how_to_fill_it(out, capsys, content):
    out.mkdir()
    (out / "leaderboard.csv").write_text(content)
    for more in ([], ["--html"], ["--csv", "-"]):
        assert bench("leaderboard", "--out", out, *more) == 2
        printed = capsys.readouterr()
        assert "has no rows yet; add one with: python -m benchmark run" in printed.err
        assert printed.out == ""
    assert not (out / "leaderboard.html").exists()


def test_what_is_no_folder_of_runs_is_named(board, capsys):
    file = board / "leaderboard.csv"
    assert bench("leaderboard", "--out", file) == 2
    said = capsys.readouterr().err
    assert f"--out {file} is a file; name the folder that holds leaderboard.csv: {board}" in said
    assert bench("leaderboard", "--out", board / "absent") == 2
    assert f"no leaderboard at {board / 'absent' / 'leaderboard.csv'}" in capsys.readouterr().err


def test_help_names_every_form(capsys):
    assert bench("--help") == 0
    line = re.search(r"^    leaderboard\s+(.*)$", capsys.readouterr().out, re.MULTILINE)[1]
    for form in ("table", "Markdown", "CSV", "HTML"):
        assert form in line
