"""Results of a contest as rows: for a table, a file and a picture."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from tabulate import tabulate

from benchmark.results.provenance import code_version, machine, now
from benchmark.throughput.contest import Contest, Result

UNITS = {
    "steps": "env steps/s",
    "episodes": "episodes/h",
    "policy": "calls/s",
    "loader": "windows/s",
    "training": "samples/s",
}
SINGLE = {
    "steps": "step",
    "episodes": "episode",
    "policy": "call",
    "loader": "window",
    "training": "sample",
}
PER_HOUR = ("episodes",)
READING = "first / this: how many times as fast the first row is; median (lowest to highest round)"


@dataclass(frozen=True)
class Figure:
    """One contender in one contest.

    ``median``, ``low`` and ``high`` are in ``unit``; ``cpu_ms``: milliseconds of CPU in all
    processes for one step, episode, call, window or sample; ``observed``: observations per second,
    where steps are counted; ``times``: how many times as fast the contest's first contender is,
    median over the rounds, with the lowest and highest round.
    """

    measure: str
    subject: str
    looks: str
    contender: str
    detail: str
    workers: int
    unit: str
    median: float
    low: float
    high: float
    cpu_ms: float
    observed: float | None
    times: float
    times_low: float
    times_high: float
    repeats: int
    load: float
    machine: str
    code: str
    date: str


def figures(measure: str, subject: str, looks: str, found: Contest) -> list[Figure]:
    """``subject``: the task, policy or data; ``looks``: what is seen of it."""
    reference = found.results[0]
    scale = 3600.0 if measure in PER_HOUR else 1.0
    return [
        _figure(result, reference, scale, measure, (subject, looks), found.load)
        for result in found.results
    ]


def _figure(
    result: Result,
    reference: Result,
    scale: float,
    measure: str,
    about: tuple[str, str],
    load: float,
) -> Figure:
    low, high = result.spread
    times, least, most = reference.against(result)
    return Figure(
        measure,
        *about,
        contender=result.contender.name,
        detail=result.contender.detail,
        workers=result.contender.workers,
        unit=UNITS[measure],
        median=_short(scale * result.rate),
        low=_short(scale * low),
        high=_short(scale * high),
        cpu_ms=_short(1e3 * result.cpu_seconds),
        observed=_short(result.rate * result.contender.observed) if measure == "steps" else None,
        times=_short(times),
        times_low=_short(least),
        times_high=_short(most),
        repeats=len(result.samples),
        load=round(load, 2),
        machine=machine(),
        code=code_version(),
        date=now(),
    )


def _short(value: float) -> float:
    return float(f"{value:.4g}")


def table(rows: Sequence[Figure]) -> str:
    """To read: one block per contest."""
    blocks = []
    for (measure, subject, looks), block in grouped(rows).items():
        body = [
            [
                " ".join(filter(None, (row.contender, row.detail and f"({row.detail})"))),
                row.workers,
                number(row.median),
                f"{number(row.low)} to {number(row.high)}",
                *([number(row.observed)] if row.observed is not None else []),
                number(row.cpu_ms),
                _ratio(row),
            ]
            for row in block
        ]
        first = block[0]
        seen = ["observations/s"] if first.observed is not None else []
        cpu = f"CPU ms per {SINGLE[measure]}"
        heads = ["", "workers", first.unit, "spread", *seen, cpu, "first / this"]
        title = f"{measure}: {subject}{f', {looks}' if looks else ''}"
        title += f" ({first.repeats} repeats in turn, load up to {max(r.load for r in block):g})"
        blocks.append(f"{title}\n{tabulate(body, heads, disable_numparse=True)}\n{READING}")
    return "\n\n".join(blocks)


def number(value: float) -> str:
    """Four digits that say something."""
    return f"{value:,.0f}" if value >= 1000 else f"{value:.4g}"


def _ratio(row: Figure) -> str:
    return f"{row.times:.2f} ({row.times_low:.2f} to {row.times_high:.2f})"


def grouped(rows: Sequence[Figure]) -> Mapping[tuple[str, str, str], list[Figure]]:
    """Rows by contest, in their order."""
    found: dict[tuple[str, str, str], list[Figure]] = {}
    for row in rows:
        found.setdefault((row.measure, row.subject, row.looks), []).append(row)
    return found


def append_csv(path: Path, rows: Sequence[Figure]) -> None:
    """Add rows below what the file has."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = not path.exists()
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(Figure)])
        if new:
            writer.writeheader()
        writer.writerows(asdict(row) for row in rows)
