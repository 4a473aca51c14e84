"""Leaderboards with their runs' folders, written without running anything."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from test_records import record

from benchmark.results import conditions
from benchmark.results.leaderboard import COLUMNS, csv_text, outcome_figures, read_rows
from benchmark.results.records import RunFolder

TASK = "Robomimic/lift-v0"
FILM = b"\0\0\0\x18ftypisom" + bytes(range(200)) * 15  # what an MP4 begins with; 3012 bytes


def add_run(out: Path, policy: str, outcomes: str, env: str = TASK, **cells: Any) -> Path:
    """A run and its row: ``outcomes`` has ``1`` for a success, ``0``, ``e`` for an error.

    ``config``: more of its configuration; ``circumstances``: all its conditions; other keywords are
    cells of the row.
    Episode i has seed 10 + i. Every success and failure is filmed.
    """
    name = str(cells.pop("run", f"{policy}-abc"))
    tasks = {env: {"protocol": "ph", "checkpoint_sha256": policy}}
    config = {"policy": policy, "seed": 0, "tasks": tasks} | cells.pop("config", {})
    folder = RunFolder(out / name, config)
    named = cells.pop("circumstances", {"simulator": "mujoco=3.9.0"})
    circumstances = conditions.store(folder.path, named)
    records = [
        record(
            i,
            "error" if outcome == "e" else "ok",
            env=env,
            conditions=circumstances,
            success=None if outcome == "e" else outcome == "1",
            video=None if outcome == "e" else f"videos/{i}.mp4",
        )
        for i, outcome in enumerate(outcomes)
    ]
    (folder.path / "videos").mkdir(exist_ok=True)
    for entry in records:
        folder.append(entry)
        (folder.path / "videos" / f"{entry.episode}.mp4").write_bytes(FILM)
    described = {"env": env, "policy": policy, "protocol": "ph", "split": "test", "run": name}
    described |= {"date": "2026-11-21T08:00:00Z", "seed": 0, "conditions": circumstances}
    row = described | outcome_figures(records)
    append(out, row | cells)
    return folder.path


def append(out: Path, cells: dict[str, object]) -> None:
    """A row of ``leaderboard.csv``; cells that are not given are empty."""
    board = out / "leaderboard.csv"
    rows = read_rows(board) if board.exists() else []
    texts = {c: "" if cells.get(c) is None else str(cells[c]) for c in COLUMNS}
    board.write_text(csv_text([*rows, texts]))
