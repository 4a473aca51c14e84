"""The page's content: one section per task with its entries, comparisons and charts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmark.report.charts import Interval, LineChart, interval, line_chart
from benchmark.report.delays import delay_chart
from benchmark.report.entries import Entry, entries_of
from benchmark.report.pairs import Comparison, comparisons
from benchmark.report.published import Published, published
from benchmark.report.rows import Row, best_first
from benchmark.results.provenance import slug
from envs import CARDS
from envs.schema import Protocol, TaskCard


@dataclass(frozen=True)
class Reference:
    """A published result and where it lies on the axis of rates."""

    result: Published
    bar: Interval

    @property
    def heading(self) -> str:
        """Its task as its source calls it, and the setting."""
        return f"{self.result.task}: {self.result.setting}"


@dataclass(frozen=True)
class Section:
    """All that the page says about a task; ``card`` is ``None`` for a task unknown here."""

    env: str
    anchor: str
    card: TaskCard | None
    protocols: tuple[Protocol, ...]
    entries: tuple[Entry, ...]
    references: tuple[Reference, ...]
    comparisons: tuple[Comparison, ...]
    latency: LineChart | None
    curves: tuple[tuple[str, LineChart], ...]

    @property
    def interval(self) -> str:
        """How the rows' intervals were made."""
        named = {entry.row.get("interval", "") for entry in self.entries}
        return ", ".join(sorted(named - {""})) or "95 %"

    @property
    def stopped(self) -> bool:
        """Whether a row has a stopping rule."""
        return any(entry.row["stopping"] for entry in self.entries)


def sections(rows: Sequence[Row], out: Path, with_published: bool) -> list[Section]:
    """One section per task, in the order of the task's name, its best row first."""
    by_task: dict[str, list[Row]] = defaultdict(list)
    for row in best_first(rows):
        by_task[row["env"]].append(row)
    return [_section(env, task_rows, out, with_published) for env, task_rows in by_task.items()]


def _section(env: str, rows: Sequence[Row], out: Path, with_published: bool) -> Section:
    card, named = CARDS.get(env), {row["protocol"] for row in rows}
    entries = entries_of(env, rows, out)
    return Section(
        env=env,
        anchor=f"task-{slug(env)}",
        card=card,
        protocols=tuple(p for p in card.protocols if p.name in named) if card else (),
        entries=tuple(entries),
        references=tuple(_reference(p) for p in published(env)) if with_published else (),
        comparisons=tuple(comparisons(entries)),
        latency=delay_chart(entries),
        curves=tuple(_curves(entries)),
    )


def _reference(result: Published) -> Reference:
    low, high = result.interval or (result.rate, result.rate)
    return Reference(result, interval(result.rate, low, high))


def _curves(entries: Sequence[Entry]) -> list[tuple[str, LineChart]]:
    """A chart per checkpoint that has a training history, however many rows used it."""
    charts = {}
    for entry in entries:
        series, checkpoint = entry.behind.curve, entry.row["checkpoint"]
        if series and checkpoint not in charts:
            positive = all(y > 0 for s in series for _, y in s.points)
            axis = "loss (logarithmic)" if positive else "loss"
            name = Path(checkpoint).parent.name
            charts[checkpoint] = (name, line_chart(series, "step", axis, log_y=positive))
    return list(charts.values())
