"""Success against the policy's delay."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from benchmark.report.charts import LineChart, Series, line_chart
from benchmark.report.entries import Entry
from benchmark.report.rows import Row, number

# Rows that agree in these differ in their latency alone, as far as outcomes are concerned.
CONDITIONS = (
    "policy",
    "protocol",
    "split",
    "perturbation",
    "nfe",
    "checkpoint_sha256",
    "seed",
    "seed_rule",
    "render_profile",
    "stopping",
)


def delay_chart(entries: Sequence[Entry]) -> LineChart | None:
    """Success against the policy's delay, a curve for rows that agree in all but their latency."""
    groups: dict[tuple[str, ...], list[Entry]] = defaultdict(list)
    for entry in entries:
        if entry.bar is not None and delay(entry.row) is not None:
            groups[tuple(entry.row.get(c, "") for c in CONDITIONS)].append(entry)
    found = []
    for group in groups.values():
        modes = sorted({mode(e.row) for e in group if mode(e.row)})
        for named in modes:
            # Without a delay all modes are the same, so that row belongs to each.
            found.append((named, [e for e in group if mode(e.row) in ("", named)]))
    curves = [_series(named, members) for named, members in found if len(members) > 1]
    if not curves:
        return None
    return line_chart(curves, "delay of the policy, control ticks", "success rate", y_span=(0, 1))


def _series(named: str, members: Sequence[Entry]) -> Series:
    ordered = sorted(members, key=lambda e: delay(e.row) or 0.0)
    points = [(delay(e.row) or 0.0, number(e.row["success_rate"]) or 0.0) for e in ordered]
    spans = [(number(e.row["low"]) or 0.0, number(e.row["high"]) or 0.0) for e in ordered]
    nfe = ordered[0].row.get("nfe")
    name = ", ".join([ordered[0].row["policy"], named, *([f"{nfe} NFE"] if nfe else [])])
    return Series(name, points, spans)


def mode(row: Row) -> str:
    """Latency but for its delay: ``overlap(lead=4) uniform:1:4`` -> ``overlap(lead=4)``."""
    return row.get("latency", "").rpartition(" ")[0]


def delay(row: Row) -> float | None:
    """Ticks: the delay, the middle of a uniform one, the median of a log-normal one; else none."""
    text = row.get("latency", "").rpartition(" ")[2]
    kind, _, rest = text.partition(":")
    values = [number(part) for part in rest.split(":")]
    if kind == "uniform" and len(values) == 2 and None not in values:
        return sum(v or 0.0 for v in values) / 2
    if kind == "lognormal":
        return values[0]
    return number(text) if text else 0.0
