"""kill -9 at any moment: nothing that was recorded is lost, repeated or changed.

``MANIGYM_KILLS=200 pytest tests/test_crashes.py -s`` for the long form.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from toy import TOY, bench

from benchmark.results.leaderboard import read_rows
from benchmark.results.records import read_records

KILLS = int(os.environ.get("MANIGYM_KILLS", "6"))
COMMAND = ("run", "--policy", "uniform", "--env", TOY, "run.videos=0")
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="finds children in /proc")


def start(out: Path, episodes: int) -> subprocess.Popen[bytes]:
    arguments = (*COMMAND, "--episodes", str(episodes), "--workers", "2", "--out", str(out))
    return subprocess.Popen(
        [sys.executable, "-m", "benchmark", *arguments],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )


def children(pid: int) -> list[int]:
    try:
        return [int(p) for p in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except FileNotFoundError:
        return []


def content(out: Path) -> bytes:
    files = list(out.glob("*/episodes.jsonl"))
    return files[0].read_bytes() if files else b""


def kill_once(run: subprocess.Popen[bytes], out: Path, dice: random.Random, parent: bool) -> bool:
    """Wait until a random number of records has been added, then kill at a random moment."""
    before = content(out).count(b"\n")
    wanted = before + dice.randrange(12)
    while run.poll() is None and content(out).count(b"\n") < wanted:
        time.sleep(0.001)
    time.sleep(dice.random() * 0.02)
    victims = [run.pid] if parent else children(run.pid)
    if run.poll() is not None or not victims:
        return False
    try:
        os.kill(dice.choice(victims), signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


def whole_lines(data: bytes) -> bytes:
    return data[: data.rfind(b"\n") + 1]


def test_killed_at_random_moments_a_run_ends_as_if_nothing_had_happened(tmp_path, out):
    episodes = 40 + 8 * KILLS
    assert bench(*COMMAND, "--episodes", episodes, "--out", tmp_path / "calm") == 0
    (calm,) = (tmp_path / "calm").glob("*/config.yaml")
    expected = [r.outcome for r in read_records(calm.parent)]

    dice, kills, starts, last = random.Random(0), 0, 0, b""
    while kills < KILLS:
        run = start(out, episodes)
        starts += 1
        parent = False
        while not parent and kills < KILLS and run.poll() is None:
            parent = dice.random() < 0.6
            kills += kill_once(run, out, dice, parent)
        if kills == KILLS and not parent:
            assert run.wait(120) == 0, run.stderr.read().decode()
        run.kill()
        run.communicate()
        now = content(out)
        assert now.startswith(whole_lines(last)), "records of before were changed or lost"
        last = now
        if len(read_rows_or_none(out)) and kills < KILLS:
            episodes_done = whole_lines(now).count(b"\n")
            pytest.fail(f"finished after {kills} kills with {episodes_done} records: use more")
    finish = start(out, episodes)
    _, errors = finish.communicate(timeout=300)
    assert finish.returncode in (0, 2), errors.decode()  # 2: it was complete already

    (folder,) = (path.parent for path in out.glob("*/config.yaml"))
    assert [r.outcome for r in read_records(folder)] == expected
    lines = [line for line in content(out).split(b"\n") if b'"status": "ok"' in line]
    assert len(lines) == episodes  # none was run twice
    (row,) = read_rows(out / "leaderboard.csv")
    assert int(row["episodes"]) == episodes
    print(f"\n{kills} kills, {starts + 1} starts, {episodes} episodes: none lost, none repeated")


def read_rows_or_none(out: Path) -> list[dict[str, str]]:
    return read_rows(out / "leaderboard.csv") if (out / "leaderboard.csv").exists() else []
