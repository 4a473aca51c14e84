"""A leaderboard that was not touched verifies; whatever is changed is found and named."""

from __future__ import annotations

import re
import shutil

import numpy as np
import pytest
from ledger import make_rows_fit, rewrite_json, rewrite_record, rewrite_rows
from toy import TOY, bench

from benchmark.results.leaderboard import COLUMNS, read_rows
from benchmark.results.records import read_records
from benchmark.results.traces import Trace, read_trace, write_trace
from benchmark.verification.checks import verify
from benchmark.verification.evidence import DAMAGED

RUN = ("run", "--policy", "uniform", "--env", TOY, "run.videos=0", "env.horizon=20")
SEALED_ONLY = {  # nothing else in the run's folder verified them
    "episodes_per_hour",
    "workers",
    "checkpoint",
    "selection",
    "date",
    "nfe",
    "train_episodes",
}


@pytest.fixture(scope="module")
def honest(tmp_path_factory):
    out = tmp_path_factory.mktemp("verify") / "runs"
    assert bench(*RUN, "--episodes", 4, "--out", out) == 0
    return out


@pytest.fixture
def board(honest, out):
    """A copy that a test may damage."""
    shutil.copytree(honest, out)
    return out / "leaderboard.csv"


@pytest.fixture
def run(board):
    (folder,) = board.parent.glob("uniform-*")
    return folder


def damages(out):
    """What is found without executing anything."""
    found = verify(out)
    rows = [f.text for row in found.rows for f in row.findings if f.kind == DAMAGED]
    return [*found.board, *found.runs, *rows]


@pytest.mark.parametrize("column", COLUMNS)
def test_every_cell_is_sealed(board, out, column):
    (row,) = read_rows(board)
    rewrite_rows(board, sealed=False, **{column: "7" if row[column] != "7" else "8"})
    assert any("the row was changed after it was written" in text for text in damages(out))


@pytest.mark.parametrize("column", sorted({*COLUMNS} - SEALED_ONLY - {"row_sha256"}))
def test_a_forged_cell_with_a_seal_that_fits_does_not_follow_from_the_run(board, out, column):
    rewrite_rows(board, sealed=True, **{column: "7"})
    found = damages(out)
    assert found
    assert not any("the row was changed" in text for text in found)


def test_one_byte_changed_anywhere_in_the_table_is_found(board, out):
    content, rng = board.read_bytes(), np.random.default_rng(0)
    for position in rng.integers(len(content), size=200):
        byte = (content[position] + int(rng.integers(1, 256))) % 256
        board.write_bytes(content[:position] + bytes([byte]) + content[position + 1 :])
        assert damages(out), f"byte {position} changed to {byte} was not found"
    board.write_bytes(content)
    assert not damages(out)


def test_one_byte_changed_anywhere_in_a_run_is_found(run, out):
    files = [run / "config.yaml", run / "episodes.jsonl"]
    files += [*sorted((run / "traces").iterdir()), *(run / "conditions").iterdir()]
    rng = np.random.default_rng(1)
    for number in range(200):
        file = files[number % len(files)]
        content = file.read_bytes()
        position = int(rng.integers(len(content)))
        byte = (content[position] + int(rng.integers(1, 256))) % 256
        file.write_bytes(content[:position] + bytes([byte]) + content[position + 1 :])
        found = damages(out)
        assert any(file.name in text for text in found), f"{file}: {position} changed to {byte}"
        file.write_bytes(content)
    assert not damages(out)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (b"env,", b"task,", "line 1 is not the header that is written: column 1 is 'task', exp"),
        (b"\n", b"\r\n", f"column {len(COLUMNS)} is 'row_sha256\\r', expected"),
        (b"wilson", b'"wilson', "cells, expected"),
        (b",uniform", b",uni\xffform", "the line cannot be read"),
        (b",test,", b',"test",', "the line is not written as rows are (quotes or line end)"),
        (b"uniform,", b"uniform,,", f"the line has {len(COLUMNS) + 1} cells, expected"),
    ],
)
def test_a_damaged_line_is_named_and_the_others_are_checked(board, verified, old, new, message):
    assert bench(*RUN, "--episodes", 5, "--out", board.parent) == 0
    content = board.read_bytes()
    last = content.rindex(b"\n", 0, -1) + 1
    board.write_bytes(content[:last].replace(old, new, 1) + content[last:])
    status, text = verified("--sample", 0)
    assert status == 1
    assert message in text
    assert re.search(r"^OK +line 3 ", text, re.MULTILINE)


def test_a_cut_last_line(board, verified):
    board.write_bytes(board.read_bytes()[:-1])
    status, text = verified()
    assert (status, "line 2\n" in text, "no line end" in text) == (1, True, True)


def test_a_missing_run_and_a_missing_file_are_named(run, out, board):
    config = run / "config.yaml"
    content = config.read_bytes()
    config.unlink()
    assert any(text.startswith(f"{config} is missing") for text in damages(out))
    config.write_bytes(content)
    next((run / "conditions").iterdir()).unlink()
    assert any("conditions" in text and "cannot be read" in text for text in damages(out))
    shutil.rmtree(run)
    assert damages(out) == [f"the run's folder {run} is missing; restore it from a copy"]


def test_other_settings_do_not_have_the_folder_s_hash(run, out):
    config = run / "config.yaml"
    config.write_text(config.read_text().replace("horizon: 20", "horizon: 21"))
    (found,) = damages(out)
    assert f"{config} was changed: its content has the hash " in found


def test_records_that_were_removed_or_reordered(run, out):
    file = run / "episodes.jsonl"
    lines = file.read_text().splitlines(keepends=True)
    file.write_text("".join(lines[:2] + lines[3:]))
    found = damages(out)
    assert any("something was removed" in text for text in found)
    assert any("the row counts 4 episodes and 0 errors, its records are of 3" in t for t in found)
    file.write_text("".join([lines[1], lines[0], *lines[2:]]))
    (found,) = damages(out)
    assert f"{file} was changed: its first " in found


def test_an_edited_record_is_found_by_its_digest_or_by_the_row(run, out, board):
    file = run / "episodes.jsonl"
    honest = file.read_text()
    file.write_text(honest.replace('"success": false', '"success": true', 1))
    assert any("line 1: not what was written (its content does not" in t for t in damages(out))
    file.write_text(honest)
    rewrite_record(run, 0, success=not read_records(run)[0].success)
    found = damages(out)
    assert any("was changed: its first" in t or "something was removed" in t for t in found)
    assert any(re.match("successes is '.'; the run gives '.'", text) for text in found)


def test_traces_that_are_cut_swapped_or_missing(run, out):
    first, second, third, _ = sorted((run / "traces").iterdir())
    a, b = first.read_bytes(), second.read_bytes()
    first.write_bytes(b)
    second.write_bytes(a)
    third.unlink()
    found = damages(out)
    assert len(found) == 3
    for file, episode in ((first, 0), (second, 1)):
        assert any(f"{file} is not the trace of {TOY} episode {episode}" in t for t in found)
    assert any(f"{third} is missing" in text for text in found)
    first.write_bytes(a[:-1])
    assert any(f"{first} is not the trace" in text for text in damages(out))


def test_a_trace_that_only_its_hash_fits_does_not_fit_the_record(run, board, out):
    record = read_records(run)[0]
    trace = read_trace(run / record.trace)
    cases = {
        "action_hash": Trace(-trace.actions, trace.state_chain),
        "state_hash": Trace(trace.actions, trace.state_chain[::-1]),
        "actions": Trace(trace.actions[:-1], trace.state_chain),
        "state_chain": Trace(trace.actions, trace.state_chain[1:]),
    }
    for name, other in cases.items():
        rewrite_record(run, 0, trace_sha256=write_trace(run / record.trace, other))
        make_rows_fit(board, run)
        (found,) = damages(out)
        assert f"differ: {name} " in found


def test_episodes_of_other_seeds_are_not_the_plan(run, board, out):
    rewrite_record(run, 3, seed=read_records(run)[3].seed + 1)
    make_rows_fit(board, run)
    (found,) = damages(out)
    assert "episode 3 started from the seeds " in found
    assert "the plan gives " in found


def test_conditions_that_were_changed(run, out):
    (file,) = (run / "conditions").iterdir()
    rewrite_json(file, {"machine": "Pentium, 1 cores"})
    assert damages(out) == [f"{file} was changed after it was written; restore it from a copy"]


def test_other_code_is_no_damage(board, verified, monkeypatch):
    monkeypatch.setattr("benchmark.results.conditions.code_hash", lambda: "0" * 32)
    status, text = verified()
    assert status == 0
    assert re.search(r"^OTHER CODE +line 2 ", text, re.MULTILINE)
    assert "results may differ here" in text


def test_where_a_run_stopped_is_computed_again(out, verified):
    asked = ("run", "--policy", "expert", "--env", TOY, "run.videos=0", "run.stop_rate=0.5")
    assert bench(*asked, "--episodes", 40, "--out", out) == 0
    (row,) = read_rows(out / "leaderboard.csv")
    other = row["stopping"].replace(f"after {row['episodes']} of", "after 40 of")
    assert other != row["stopping"]
    rewrite_rows(out / "leaderboard.csv", sealed=True, stopping=other)
    (found,) = damages(out)
    assert found.startswith("stopping is ")


def test_runs_without_a_row_are_listed(board, verified):
    board.write_bytes(board.read_bytes().split(b"\n")[0] + b"\n")
    status, text = verified()
    assert status == 0
    assert re.search(
        rf"^NOT REPORTED +.*uniform-\w+ {TOY}: 4 episodes that no row counts$", text, re.M
    )
    assert "1 tasks with episodes that no row counts" in text


def test_a_removed_row_leaves_episodes_that_no_row_counts(board, verified):
    assert bench(*RUN, "--episodes", 6, "--out", board.parent) == 0
    assert "no row counts" not in verified("--sample", 0)[1]
    board.write_bytes(b"\n".join(board.read_bytes().split(b"\n")[:2]) + b"\n")
    status, text = verified("--sample", 0)
    assert (status, f"{TOY}: 2 episodes that no row counts" in text) == (0, True)


def test_damage_to_an_episode_that_no_row_counts_is_shown(board, run, verified):
    assert bench(*RUN, "--episodes", 6, "--out", board.parent) == 0
    board.write_bytes(b"\n".join(board.read_bytes().split(b"\n")[:2]) + b"\n")
    (run / "traces" / "Toy-reach-v0-0005.npz").write_bytes(b"")
    status, text = verified("--sample", 0)
    assert status == 1
    assert re.search(r"^OK +line 2 ", text, re.MULTILINE)
    assert re.search(r"^DAMAGED +.*0005.npz is not the trace", text, re.MULTILINE)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(("--sample", "few"), "whole number"), (("--run", "expert"), "no run 'expert'")],
)
def test_what_was_asked_wrongly(board, capsys, arguments, message):
    assert bench("verify", "--out", board.parent, *arguments) == 2
    assert message in capsys.readouterr().err


def test_without_a_leaderboard_there_is_nothing_to_verify(tmp_path, capsys):
    assert bench("verify", "--out", tmp_path) == 2
    assert "no leaderboard at" in capsys.readouterr().err
