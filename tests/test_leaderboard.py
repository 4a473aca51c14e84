"""leaderboard.csv: columns, concurrent writers, files of others."""

from __future__ import annotations

import csv
import multiprocessing
import threading
from pathlib import Path

import pytest
from filelock import FileLock
from test_records import record

from benchmark.results.leaderboard import (
    COLUMNS,
    Row,
    append_row,
    outcome_figures,
    read_rows,
)
from benchmark.results.table import table
from envs.schema import ManigymError


def row(policy="uniform", **fields):
    given = {"env": "A/b-v0", "policy": policy, "episodes": 1, "successes": 0, "errors": 0}
    values = dict.fromkeys(COLUMNS, None) | given | fields
    return Row(**values)


def append_many(path: Path, policy: str) -> None:
    for number in range(25):
        append_row(path, row(policy, seed=number))


def test_columns_hold_what_others_read(tmp_path):
    append_row(tmp_path / "new" / "board.csv", row(episodes=5, successes=4))
    with (tmp_path / "new" / "board.csv").open(newline="") as file:
        (line,) = csv.DictReader(file)
    published = "env policy episodes successes success_rate low high"
    assert set(published.split()) <= set(line)
    assert (line["env"], line["episodes"], line["successes"]) == ("A/b-v0", "5", "4")


def test_two_processes_at_once_keep_all_rows(tmp_path):
    path = tmp_path / "board.csv"
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=append_many, args=(path, name)) for name in "ab"]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
    rows = read_rows(path)
    for name in "ab":
        seeds = [int(r["seed"]) for r in rows if r["policy"] == name]
        assert seeds == list(range(25))


def test_a_writer_waits_for_the_lock(tmp_path):
    path = tmp_path / "board.csv"
    writer = threading.Thread(target=append_row, args=(path, row()))
    with FileLock(f"{path}.lock"):
        writer.start()
        writer.join(0.2)
        assert writer.is_alive()
        assert not path.exists()
    writer.join(10)
    assert len(read_rows(path)) == 1


def test_a_row_cut_by_a_full_disk_is_dropped(tmp_path):
    path = tmp_path / "board.csv"
    append_row(path, row("first"))
    append_row(path, row("second"))
    path.write_bytes(path.read_bytes()[:-9])
    append_row(path, row("third"))
    assert [r["policy"] for r in read_rows(path)] == ["first", "third"]


@pytest.mark.parametrize("content", [b"a,b\n1,2\n", b"\xff\xfe\x00\n", b"env,policy\n"])
def test_a_file_with_other_columns_is_left_alone(tmp_path, content):
    path = tmp_path / "board.csv"
    path.write_bytes(content)
    for attempt in (lambda: read_rows(path), lambda: append_row(path, row())):
        with pytest.raises(ManigymError, match="other columns"):
            attempt()
    assert path.read_bytes() == content


def test_a_row_with_too_many_cells_is_noticed(tmp_path):
    path = tmp_path / "board.csv"
    append_row(path, row())
    with path.open("a") as file:
        file.write("," * len(COLUMNS) + "\n")
    with pytest.raises(ManigymError, match="other columns"):
        read_rows(path)


def test_no_leaderboard_says_how_to_make_one(tmp_path):
    with pytest.raises(ManigymError, match="python -m benchmark run"):
        read_rows(tmp_path / "board.csv")


def test_figures_count_errors_apart():
    fast = {"simulate": 0.2, "render": 0.3, "act": 7.0, "film": 9.0}  # the last two do not count
    slow = {"reset": 0.5, "simulate": 1.0}
    records = [
        record(0, success=True, steps=10, total_reward=2.0, policy_ms=[1.0, 3.0], stages=fast),
        record(1, success=False, steps=30, total_reward=-1.0, policy_ms=[2.0], stages=slow),
        record(2, "error", success=None, steps=None, total_reward=None, stages={}),
    ]
    figures = outcome_figures(records)
    assert (figures["episodes"], figures["successes"], figures["errors"]) == (2, 1, 1)
    assert (figures["success_rate"], figures["mean_return"], figures["mean_steps"]) == (
        0.5,
        0.5,
        20,
    )
    assert figures["env_steps_per_second"] == 20.0
    assert figures["policy_ms_p50"] == 2.0
    assert (figures["low"], figures["high"]) == (0.0945, 0.9055)


def test_nothing_measured_is_an_empty_cell():
    figures = outcome_figures([])
    assert figures["success_rate"] is figures["mean_return"] is figures["policy_ms_p50"] is None
    assert "None" not in table([figures])


def test_markdown_is_a_table():
    lines = table([{"env": "A/b-v0", "policy": "uniform"}], "github").splitlines()
    assert lines[0].startswith("| environment")
    assert set(lines[1]) == set("|-")
    assert "A/b-v0" in lines[2]


def test_a_number_changed_by_hand_is_named(tmp_path):
    path = tmp_path / "leaderboard.csv"
    cells = dict.fromkeys(COLUMNS, "1") | {"episodes": "many"}
    path.write_text(",".join(COLUMNS) + "\n" + ",".join(cells.values()) + "\n")
    with pytest.raises(ManigymError, match="line 2: episodes 'many'"):
        read_rows(path)
