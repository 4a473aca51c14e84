"""``leaderboard.csv``: one row per run and task, appended under a lock."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from filelock import FileLock

from benchmark.results.files import append_whole, drop_cut_line, write_whole
from benchmark.results.records import EpisodeRecord
from benchmark.statistics.descriptive import mean, percentile
from benchmark.statistics.intervals import INTERVALS
from benchmark.statistics.sequential import confidence_sequence
from envs.schema import ManigymError


@dataclass(frozen=True)
class Row:
    """A line of the leaderboard. Rates are of episodes that ran; ``errors`` are counted apart.

    ``low``, ``high``: ends of the ``interval`` of ``success_rate`` (``wilson 95 %``; after a
    sequential stop a confidence sequence). ``rate_errors_fail``, ``rate_errors_succeed``: the rate
    if every error had been a failure, or a success. ``stopping``: the rule that ended the run
    early, if there was one. ``measures``: means over episodes of what the environment measures
    beside success, as JSON. ``selection``: how the checkpoint was chosen. ``conditions``: names of
    files in the run's folder. ``records_sha256``: of the first ``records_bytes`` of
    ``episodes.jsonl``; ``row_sha256``: of all other cells. Empty cells: not measured.
    """

    env: str
    policy: str
    protocol: str
    split: str
    latency: str
    perturbation: str
    episodes: int
    successes: int
    errors: int
    success_rate: float | None
    low: float
    high: float
    interval: str
    rate_errors_fail: float | None
    rate_errors_succeed: float | None
    stopping: str
    mean_return: float | None
    mean_steps: float | None
    measures: str
    episodes_per_hour: float | None
    env_steps_per_second: float | None
    policy_ms_p50: float | None
    policy_ms_p95: float | None
    nfe: int | None
    seed: int
    seed_rule: str
    workers: int
    isolation: str
    inference: str
    checkpoint: str
    checkpoint_sha256: str
    selection: str
    train_episodes: int | None
    simulator: str
    simulator_version: str
    simulator_files: str
    asset_source: str
    render_profile: str
    config_hash: str
    code_version: str
    code_hash: str
    conditions: str
    machine: str
    date: str
    run: str
    records_bytes: int
    records_sha256: str
    row_sha256: str = ""

    def cells(self) -> dict[str, str]:
        """The line as text, sealed."""
        texts = {name: "" if value is None else str(value) for name, value in asdict(self).items()}
        return texts | {"row_sha256": seal(texts)}


# Cells that say when and where a row was written, not what: two rows alike but for these are one.
INCIDENTAL = {
    *("episodes_per_hour", "workers", "date", "records_bytes", "records_sha256", "row_sha256"),
}
COLUMNS = tuple(f.name for f in fields(Row))


def seal(cells: Mapping[str, str]) -> str:
    """sha256 over every cell but ``row_sha256`` itself."""
    others = [[name, cells[name]] for name in COLUMNS if name != "row_sha256"]
    return hashlib.sha256(json.dumps(others).encode()).hexdigest()


def outcome_figures(
    records: Sequence[EpisodeRecord], interval: str = "wilson", confidence: float = 0.95
) -> dict[str, Any]:
    """The columns that follow from episode records alone.

    ``interval``: a name of :data:`benchmark.statistics.intervals.INTERVALS`, or ``sequence``.
    """
    good = [r for r in records if r.status == "ok"]
    successes, tried = sum(bool(r.success) for r in good), len(records)
    errors = tried - len(good)
    estimate = confidence_sequence if interval == "sequence" else INTERVALS[interval]
    low, high = estimate(successes, len(good), confidence)
    policy_ms = [ms for r in good for ms in r.policy_ms]
    sim_seconds = sum(r.sim_seconds for r in good)
    steps = [r.steps or 0 for r in good]
    return {
        "episodes": len(good),
        "successes": successes,
        "errors": errors,
        "success_rate": _rounded(successes / len(good), 4) if good else None,
        "low": _rounded(low, 4),
        "high": _rounded(high, 4),
        "interval": f"{interval} {100 * confidence:g} %",
        "rate_errors_fail": _rounded(successes / tried, 4) if tried else None,
        "rate_errors_succeed": _rounded((successes + errors) / tried, 4) if tried else None,
        "mean_return": _rounded(mean([r.total_reward or 0.0 for r in good]), 4),
        "mean_steps": _rounded(mean(steps), 1),
        "measures": _mean_measures(good),
        "env_steps_per_second": _rounded(sum(steps) / sim_seconds, 1) if sim_seconds else None,
        "policy_ms_p50": _rounded(percentile(policy_ms, 50), 3),
        "policy_ms_p95": _rounded(percentile(policy_ms, 95), 3),
    }


def _mean_measures(records: Sequence[EpisodeRecord]) -> str:
    """Means by name, as JSON; of each over the episodes that have it. Empty without any."""
    names = sorted({name for record in records for name in record.measures})
    means = {
        name: _rounded(mean([r.measures[name] for r in records if name in r.measures]), 4)
        for name in names
    }
    return json.dumps(means) if means else ""


def append_row(path: Path, row: Row) -> None:
    """Add a row; two runs that write at once both keep theirs."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{path}.lock"):
        drop_cut_line(path)
        there = path.exists() and path.stat().st_size
        if there:
            read_rows(path)  # refuses other columns
        append_whole(path, csv_text([row.cells()], header=not there).encode())


def drop_rows(path: Path, run: str) -> None:
    """Remove the rows of a run whose records are about to go, as nothing could check them."""
    if path.exists():
        with FileLock(f"{path}.lock"):
            kept = [row for row in read_rows(path) if row["run"] != run]
            write_whole(path, csv_text(kept).encode())


def written(path: Path, row: Row) -> dict[str, str]:
    """The newest row there is that says the same as this one; empty where there is none."""
    wanted, rows = row.cells(), read_rows(path) if path.exists() else []
    for other in reversed(rows):
        if all(other[name] == wanted[name] for name in COLUMNS if name not in INCIDENTAL):
            return other
    return {}


def csv_text(rows: Sequence[Mapping[str, str]], header: bool = True) -> str:
    """Rows as they stand in the file."""
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, COLUMNS, lineterminator="\n")
    if header:
        writer.writeheader()
    writer.writerows(rows)
    return buffer.getvalue()


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
        counts = {name: row[name] for name in ("episodes", "successes", "errors")}
        if not all(text.isdecimal() for text in counts.values()):
            said = ", ".join(f"{name} {text!r}" for name, text in counts.items())
            raise ManigymError(
                f"{path} line {number}: {said} must be whole numbers; restore the line"
            )
    return rows


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)
