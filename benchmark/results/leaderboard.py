"""``leaderboard.csv``: one row per run and task, appended under a lock."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from filelock import FileLock
from tabulate import tabulate

from benchmark.metrics import mean, percentile, wilson_interval
from benchmark.results.records import EpisodeRecord, drop_cut_line
from envs.schema import ManigymError


@dataclass(frozen=True)
class Row:
    """A line of the leaderboard. Rates are of episodes that ran; ``errors`` are counted apart.

    ``low``, ``high``: 95 % Wilson interval of ``success_rate``. Empty cells: not measured.
    """

    env: str
    policy: str
    protocol: str
    episodes: int
    successes: int
    errors: int
    success_rate: float | None
    low: float
    high: float
    mean_return: float | None
    mean_steps: float | None
    episodes_per_hour: float | None
    env_steps_per_second: float | None
    policy_ms_p50: float | None
    policy_ms_p95: float | None
    nfe: int | None
    seed: int
    seed_rule: str
    workers: int
    isolation: str
    checkpoint: str
    checkpoint_sha256: str
    train_episodes: int | None
    simulator: str
    simulator_version: str
    asset_source: str
    render_profile: str
    config_hash: str
    code_version: str
    machine: str
    date: str
    run: str


COLUMNS = tuple(f.name for f in fields(Row))
SHOWN = {
    "env": "environment",
    "policy": "policy",
    "protocol": "protocol",
    "successes": "successes",
    "episodes": "episodes",
    "errors": "errors",
    "success_rate": "rate",
    "low": "low 95 %",
    "high": "high 95 %",
    "mean_steps": "mean steps",
    "nfe": "NFE",
    "train_episodes": "demos",
    "policy_ms_p50": "policy ms",
    "run": "run",
}


def outcome_figures(records: Sequence[EpisodeRecord]) -> dict[str, Any]:
    """The columns that follow from episode records alone."""
    good = [r for r in records if r.status == "ok"]
    successes = sum(bool(r.success) for r in good)
    low, high = wilson_interval(successes, len(good))
    policy_ms = [ms for r in good for ms in r.policy_ms]
    sim_seconds = sum(r.sim_seconds or 0.0 for r in good)
    steps = [r.steps or 0 for r in good]
    return {
        "episodes": len(good),
        "successes": successes,
        "errors": len(records) - len(good),
        "success_rate": _rounded(successes / len(good), 4) if good else None,
        "low": _rounded(low, 4),
        "high": _rounded(high, 4),
        "mean_return": _rounded(mean([r.total_reward or 0.0 for r in good]), 4),
        "mean_steps": _rounded(mean(steps), 1),
        "env_steps_per_second": _rounded(sum(steps) / sim_seconds, 1) if sim_seconds else None,
        "policy_ms_p50": _rounded(percentile(policy_ms, 50), 3),
        "policy_ms_p95": _rounded(percentile(policy_ms, 95), 3),
    }


def append_row(path: Path, row: Row) -> None:
    """Add a row; two runs that write at once both keep theirs."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{path}.lock"):
        drop_cut_line(path)
        buffer = io.StringIO()
        writer = csv.DictWriter(buffer, COLUMNS, lineterminator="\n")
        if path.exists() and path.stat().st_size:
            read_rows(path)  # refuses other columns
        else:
            writer.writeheader()
        writer.writerow(asdict(row))
        with path.open("a", newline="") as file:
            file.write(buffer.getvalue())


def read_rows(path: Path) -> list[dict[str, str]]:
    """Rows as text; a file with other columns raises."""
    try:
        with path.open(newline="") as file:
            reader = csv.DictReader(file)
            rows, columns = list(reader), tuple(reader.fieldnames or COLUMNS)
    except FileNotFoundError:
        raise ManigymError(
            f"no leaderboard at {path}; make one with: python -m benchmark run --policy uniform"
        ) from None
    except (UnicodeDecodeError, csv.Error):
        rows, columns = [], ()
    if columns != COLUMNS or any(None in (*row, *row.values()) for row in rows):
        raise ManigymError(
            f"{path} has other columns than this version writes; move it away or choose "
            "another --out"
        )
    for number, row in enumerate(rows, 2):
        if not (row["episodes"] + row["errors"]).isdigit():
            raise ManigymError(
                f"{path} line {number}: episodes {row['episodes']!r} and errors {row['errors']!r} "
                "must be whole numbers; restore the line"
            )
    return rows


def table(rows: Sequence[Mapping[str, Any]], style: str = "simple") -> str:
    """A readable table; ``style`` is any of tabulate's, e.g. ``github`` for Markdown."""
    body = [[_cell(row.get(column)) for column in SHOWN] for row in rows]
    return tabulate(body, headers=list(SHOWN.values()), tablefmt=style, disable_numparse=True)


def _cell(value: Any) -> str:
    return "" if value is None else str(value)


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)
