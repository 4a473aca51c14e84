"""A row of the leaderboard as the page shows it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmark.report.charts import Interval, Span, interval
from benchmark.report.rows import Row, error_bounds, labels, number, remarks
from benchmark.report.runs import Behind, behind
from benchmark.results.provenance import slug


@dataclass(frozen=True)
class Entry:
    """A row, its name among the rows of its task, its interval and what lies behind it.

    ``remarks``: what is unusual about how it came about.
    """

    row: Row
    label: str
    anchor: str
    bar: Interval | None
    bounds: Span | None
    behind: Behind
    remarks: tuple[str, ...]


def entries_of(env: str, rows: Sequence[Row], out: Path) -> list[Entry]:
    """The rows of one task, whose runs lie below ``out``, in the given order."""
    anchors = [f"{row['run']}-{slug(env)}-{place}" for place, row in enumerate(rows, 1)]
    return [_entry(*described, out) for described in zip(rows, labels(rows), anchors, strict=True)]


def _entry(row: Row, label: str, anchor: str, out: Path) -> Entry:
    rate, low, high = (number(row[column]) for column in ("success_rate", "low", "high"))
    bounds, known = error_bounds(row), low is not None and high is not None
    bar = interval(rate, low or 0.0, high or 0.0, bounds) if known and rate is not None else None
    return Entry(row, label, anchor, bar, bounds, behind(row, out), tuple(remarks(row)))
