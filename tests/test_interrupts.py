"""Ctrl-C in the middle: what was finished stays, and the same command ends as if undisturbed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from toy import TINY, TOY, bench

from benchmark.data.store import TrajectoryStore
from benchmark.results.leaderboard import read_rows
from benchmark.results.records import EpisodeRecord

RUN = ("run", "--policy", "uniform", "--env", TOY, "--episodes", 300, "policy.n_action=12")
TRAIN = ("train", "--policy", "maniflow", "--env", TOY, "--demonstrations", 4, *TINY)


def interrupted(arguments, is_time):
    """Start a command, press Ctrl-C once ``is_time(pid)``; return its status and messages."""
    command = [sys.executable, "-m", "benchmark", *map(str, arguments)]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # A test run started in the background of a script inherits an ignored SIGINT.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    try:
        limit = time.monotonic() + 60
        while not is_time(process.pid) and process.poll() is None and time.monotonic() < limit:
            time.sleep(0.005)
        os.killpg(process.pid, signal.SIGINT)  # a terminal signals the workers as well
        _, errors = process.communicate(timeout=60)
    finally:
        process.kill()
    return process.returncode, errors


def finished_lines(folder):
    return sum(path.read_bytes().count(b"\n") for path in folder.glob("*/episodes.jsonl"))


@pytest.mark.parametrize("workers", [1, 2])
def test_ctrl_c_in_a_run(tmp_path, workers):
    run = (*RUN, "--workers", workers, "run.videos=0", "--out")
    status, errors = interrupted(
        (*run, tmp_path / "cut"), lambda _: finished_lines(tmp_path / "cut") > 10
    )
    assert status == 130
    assert "the same command continues" in errors
    assert "Traceback" not in errors
    kept = finished_lines(tmp_path / "cut")
    assert 10 < kept < 300
    assert not (tmp_path / "cut" / "leaderboard.csv").exists()
    assert bench(*run, tmp_path / "cut") == 0
    assert finished_lines(tmp_path / "cut") == 300
    assert bench(*run, tmp_path / "whole") == 0
    cut, whole = (_outcomes(tmp_path / name) for name in ("cut", "whole"))
    assert cut == whole


def _outcomes(out):
    """Everything about a run that may not depend on how it was executed."""
    (row,) = read_rows(out / "leaderboard.csv")
    lines = (out / row["run"] / "episodes.jsonl").read_text().splitlines()
    records = sorted(map(EpisodeRecord.from_json, lines), key=lambda r: r.episode)
    steps = [(r.episode, r.seed, r.state_hash, r.action_hash, r.total_reward) for r in records]
    return steps, row["run"], row["successes"], row["mean_return"]


def _stored(folder):
    return sum(
        len(TrajectoryStore.open(p.parent)) for p in folder.glob("demonstrations/[!.]*/header.json")
    )


def test_ctrl_c_while_workers_start(tmp_path):
    """A terminal signals them too, long before their first line of Python."""
    run = (*RUN, "--workers", 2, "--out", tmp_path)
    status, errors = interrupted(
        run, lambda pid: len(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()) >= 2
    )
    assert (status, "Traceback" in errors) == (130, False), errors


def test_ctrl_c_in_a_collection(tmp_path):
    collect = ("collect", "--env", TOY, "--episodes", 80, "--out")
    status, errors = interrupted(
        (*collect, tmp_path / "cut"), lambda _: _stored(tmp_path / "cut") > 5
    )
    assert (status, "Traceback" in errors) == (130, False)
    assert 5 < _stored(tmp_path / "cut") < 80
    for name in ("cut", "whole"):
        assert bench(*collect, tmp_path / name) == 0
    hashes = [
        TrajectoryStore.open(path.parent).content_hash()
        for path in tmp_path.glob("*/demonstrations/[!.]*/header.json")
    ]
    assert len(hashes) == 2
    assert hashes[0] == hashes[1]


def test_ctrl_c_in_training(tmp_path):
    train = (*TRAIN, "training.steps=150", "training.save_every=10", "--out")
    status, errors = interrupted(
        (*train, tmp_path / "cut"), lambda _: any(tmp_path.glob("cut/training/*/resume.pt"))
    )
    assert (status, "Traceback" in errors) == (130, False)
    assert any(tmp_path.glob("cut/training/*/resume.pt"))
    for name in ("cut", "whole"):
        assert bench(*train, tmp_path / name) == 0
    cut, whole = (
        torch.load(next(tmp_path.glob(f"{name}/training/*/checkpoint.pt")), weights_only=True)
        for name in ("cut", "whole")
    )
    assert cut["step"] == whole["step"] == 150
    assert all(torch.equal(v, whole["weights"][k]) for k, v in cut["weights"].items())
