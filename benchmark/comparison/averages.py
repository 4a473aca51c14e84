"""Averages of a run over its tasks: for these tasks, and for tasks like these."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tabulate import tabulate

from benchmark.statistics.suite import Estimate, average, average_over_tasks

HEADERS = ("policy", "run", "tasks", "mean rate", "these tasks", "tasks like these")


@dataclass(frozen=True)
class SuiteAverage:
    """Every task with the same weight; see :mod:`benchmark.statistics.suite`."""

    policy: str
    run: str
    tasks: int
    these: Estimate
    like_these: Estimate

    @property
    def cells(self) -> tuple[str, ...]:
        """As :data:`HEADERS`, in per cent."""
        mean = f"{100 * self.these.value:.1f} %"
        spans = [f"{100 * e.low:.1f} - {100 * e.high:.1f}" for e in (self.these, self.like_these)]
        return (self.policy, self.run, str(self.tasks), mean, *spans)


def averages(rows: Sequence[Mapping[str, str]], confidence: float = 0.95) -> list[SuiteAverage]:
    """Of each run with at least two tasks in ``rows`` (one row for each), the best first."""
    by_run: dict[str, list[Mapping[str, str]]] = defaultdict(list)
    for row in rows:
        if int(row["episodes"]):
            by_run[row["run"]].append(row)
    found = []
    for run, members in by_run.items():
        if len({row["env"] for row in members}) == len(members) > 1:
            counts = [(int(row["successes"]), int(row["episodes"])) for row in members]
            these, like_these = (f(counts, confidence) for f in (average, average_over_tasks))
            found.append(SuiteAverage(members[0]["policy"], run, len(members), these, like_these))
    return sorted(found, key=lambda suite: -suite.these.value)


def averages_table(found: Sequence[SuiteAverage], style: str = "simple") -> str:
    """A readable table."""
    rows = [suite.cells for suite in found]
    return tabulate(rows, headers=HEADERS, tablefmt=style, disable_numparse=True)
