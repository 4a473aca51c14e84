"""What two runs say about two policies: figures per task and over tasks, and one plain sentence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from benchmark.comparison.runs import RunComparison, TaskComparison
from benchmark.statistics.intervals import Interval, IntervalOfRate, wilson
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
    only where ``these`` excludes zero, the test agrees (``p``; ``evidence`` where a run was
    stopped early), and both point the same way.
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
    several = len(tables) > 1
    whole = pooled(tables)
    found = Overall(
        these=average_difference(tables, confidence),
        table=whole,
        p=mcnemar(whole),
        evidence=evidence(whole.only_b, whole.only_a + whole.only_b, 0.5),
        watched=bool(comparison.a.stopped | comparison.b.stopped),
        confidence=confidence,
    )
    return Verdict(
        tasks,
        found.these,
        average_difference_over_tasks(tables, confidence) if several else None,
        found.p,
        found.evidence,
        confidence,
        _under(comparison.rules) + found.sentence(len(tables)),
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


@dataclass(frozen=True)
class Overall:
    """What all tasks say together. ``watched``: a run was stopped by looking at its results, so
    that ``evidence`` decides, not ``p``."""

    these: Estimate
    table: PairedTable
    p: float
    evidence: float
    watched: bool
    confidence: float

    def sentence(self, tasks: int) -> str:
        """The conclusion, in plain words."""
        where = "this task" if tasks == 1 else f"these {tasks} tasks"
        tested = f"evidence {self.evidence:.3g}" if self.watched else p_text(self.p)
        level = f"{100 * self.confidence:g} %"
        figures = f"{points(self.these.value)} points ({level}: {span(self.these)}), {tested}"
        if self._disagree:
            return (
                f"No conclusion over {where}: B - A is {figures}, but most episodes with different "
                "outcomes point the other way. The tasks disagree; look at each of them."
            )
        if self._shown:
            better, worse = ("B", "A") if self.these.value > 0 else ("A", "B")
            return (
                f"{better} succeeds more often than {worse} on {where}: B - A is {figures}. "
                f"{self._proviso}"
            )
        return (
            f"No difference shown on {where}: B - A is {figures}. "
            f"{_what_it_takes(self.table, self.confidence)}"
        )

    @property
    def _disagree(self) -> bool:
        """Tasks weigh the same in the mean, episodes in the test: they may point opposite ways."""
        return (self.table.only_b - self.table.only_a) * self.these.value < 0

    @property
    def _shown(self) -> bool:
        alpha = 1 - self.confidence
        tested = self.evidence >= 1 / alpha if self.watched else self.p < alpha
        return tested and (self.these.low > 0 or self.these.high < 0)

    @property
    def _proviso(self) -> str:
        if self.watched:
            return "A run was stopped early, so evidence decides; the interval is approximate."
        return "Valid where the number of episodes was fixed beforehand."


def _what_it_takes(table: PairedTable, confidence: float) -> str:
    """What so many episodes can find, and how many a wished difference needs.

    A's rate is not known either: of its interval the end nearest to one half is taken, where most
    episodes are needed.
    """
    low, high = wilson(table.successes_a, table.episodes, confidence)
    rate = min(max(0.5, low), high)
    found = detectable_difference(rate, table.episodes, POWER, 1 - confidence)
    can = f"differences of about {100 * found:.0f} points" if found else "no difference at all"
    sign = 1 if rate <= 0.5 else -1
    try:
        needed = paired_episodes(Comparison(rate, sign * WISHED), POWER, 1 - confidence)
    except ManigymError:
        return ""
    command = f"python -m benchmark plan --difference {sign * WISHED:g} --rate {rate:.2g}"
    return (
        f"{table.episodes} shared episodes can find {can} with {POWER:.0%} power, if A's rate is "
        f"{rate:.0%} and the outcomes are uncorrelated; for {100 * WISHED:g} points plan {needed} "
        f"({command})."
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
