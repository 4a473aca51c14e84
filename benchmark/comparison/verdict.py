"""What two runs say about two policies: figures per task and over tasks, and one plain sentence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from benchmark.comparison.runs import RunComparison, TaskComparison
from benchmark.statistics.intervals import Interval, IntervalOfRate
from benchmark.statistics.paired import (
    PairedTable,
    difference,
    difference_interval,
    holm,
    mcnemar,
    pooled,
)
from benchmark.statistics.power import Comparison, detectable_difference, paired_episodes
from benchmark.statistics.sequential import evidence
from benchmark.statistics.suite import (
    Estimate,
    average_difference,
    average_difference_over_tasks,
)
from envs.schema import ManigymError

POWER = 0.8
WISHED = 0.1  # the difference for which a plan is proposed where none was shown


@dataclass(frozen=True)
class TaskFigures:
    """A line of the table. ``p``: exact McNemar; ``p_holm``: adjusted for the number of tasks."""

    env: str
    table: PairedTable
    interval_a: Interval
    interval_b: Interval
    difference: float
    interval: Interval
    p: float
    p_holm: float


@dataclass(frozen=True)
class Verdict:
    """``these``: mean difference B - A over these tasks; ``like_these``: over tasks like these.

    ``p``: exact McNemar test over the episodes of all tasks; ``evidence``: e-value for the same
    question, valid however often the runs were looked at. ``sentence`` concludes a difference
    only where ``these`` excludes zero and ``p`` is below ``1 - confidence``: both, so either may
    veto.
    """

    tasks: Sequence[TaskFigures]
    these: Estimate
    like_these: Estimate | None
    p: float
    evidence: float
    confidence: float
    sentence: str

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def judge(comparison: RunComparison, confidence: float, interval: IntervalOfRate) -> Verdict:
    """All figures of a comparison."""
    tables = [task.table for task in comparison.paired]
    adjusted = holm([mcnemar(table) for table in tables])
    tasks = [
        _figures(task, p, confidence, interval)
        for task, p in zip(comparison.paired, adjusted, strict=True)
    ]
    these, whole = average_difference(tables, confidence), pooled(tables)
    p, different = mcnemar(whole), whole.only_a + whole.only_b
    several = len(tables) > 1
    return Verdict(
        tasks,
        these,
        average_difference_over_tasks(tables, confidence) if several else None,
        p,
        evidence(whole.only_b, different, 0.5),
        confidence,
        _under(comparison.rules) + _sentence(tables, these, p, confidence),
    )


def _figures(
    task: TaskComparison, adjusted: float, confidence: float, interval: IntervalOfRate
) -> TaskFigures:
    table = task.table
    return TaskFigures(
        env=task.env,
        table=table,
        interval_a=interval(table.successes_a, table.episodes, confidence),
        interval_b=interval(table.successes_b, table.episodes, confidence),
        difference=difference(table) or 0.0,
        interval=difference_interval(table, confidence),
        p=mcnemar(table),
        p_holm=adjusted,
    )


def _under(rules: Sequence[str]) -> str:
    if not rules:
        return ""
    return "The runs were made by different rules, so a difference may come from them. "


def _sentence(tables: Sequence[PairedTable], these: Estimate, p: float, confidence: float) -> str:
    where = "this task" if len(tables) == 1 else f"these {len(tables)} tasks"
    figures = f"{points(these.value)} points ({100 * confidence:g} %: {span(these)}), {p_text(p)}"
    if p < 1 - confidence and (these.low > 0 or these.high < 0):
        better, worse = ("B", "A") if these.value > 0 else ("A", "B")
        return f"{better} succeeds more often than {worse} on {where}: B - A is {figures}."
    return (
        f"No difference shown on {where}: B - A is {figures}. {_what_it_takes(tables, confidence)}"
    )


def _what_it_takes(tables: Sequence[PairedTable], confidence: float) -> str:
    """What so many episodes can find, and how many a wished difference needs."""
    table = pooled(tables)
    rate = table.successes_a / table.episodes
    found = detectable_difference(rate, table.episodes, POWER, 1 - confidence)
    can = f"differences of about {100 * found:.0f} points" if found else "no difference at all"
    sign = 1 if rate <= 0.5 else -1
    try:
        needed = paired_episodes(Comparison(rate, sign * WISHED), POWER, 1 - confidence)
    except ManigymError:
        return ""
    command = f"python -m benchmark plan --difference {sign * WISHED:g} --rate {rate:.2g}"
    return (
        f"{table.episodes} shared episodes can find {can} with {POWER:.0%} power; for "
        f"{100 * WISHED:g} points plan {needed} ({command})."
    )


def points(value: float) -> str:
    """A difference of rates in percentage points, with its sign."""
    return f"{100 * value:+.1f}"


def span(interval: Estimate | Interval) -> str:
    """The ends of an interval of a difference, in points."""
    low, high = interval[-2:]
    return f"{points(low)} to {points(high)}"


def p_text(p: float) -> str:
    """``p = 0.012``, or ``p < 0.001``."""
    return f"p = {p:.3f}" if p >= 0.001 else "p < 0.001"
