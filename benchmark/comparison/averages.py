"""Averages of a run over its tasks: for these tasks, and for tasks like these."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tabulate import tabulate

from benchmark.statistics.suite import Estimate, average_of, average_of_over_tasks

Row = Mapping[str, str]
HEADERS = ("policy", "run", "tasks", "mean rate", "these tasks", "tasks like these")
LEVEL = re.compile(r"\w+ ([\d.]+) %")  # of the cell ``interval``: its kind and confidence


@dataclass(frozen=True)
class SuiteAverage:
    """Every task with the same weight; see :mod:`benchmark.statistics.suite`.

    ``level``: confidence of both intervals, in per cent.
    """

    policy: str
    run: str
    tasks: int
    level: float
    these: Estimate
    like_these: Estimate


def averages(rows: Sequence[Row]) -> list[SuiteAverage]:
    """Of each run with at least two tasks in ``rows`` (one row for each), the best first.

    From the rows' own intervals, so a run that stopped early keeps its wider ones; a run whose rows
    have intervals of several kinds or confidences has no average.
    """
    by_run: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in rows:
        if int(row["episodes"] or 0):
            by_run[row["run"], stopping_rule(row)].append(row)
    found = [_average(members) for members in by_run.values()]
    return sorted((s for s in found if s is not None), key=lambda suite: -suite.these.value)


def stopping_rule(row: Row) -> str:
    """Of the cell ``stopping``, the rule without what came of it; empty where there was none."""
    return row["stopping"].rpartition(": ")[0]


def _average(members: Sequence[Row]) -> SuiteAverage | None:
    named = LEVEL.fullmatch(members[0]["interval"])
    alike = len({row["interval"] for row in members}) == 1
    if not named or not alike or not len({row["env"] for row in members}) == len(members) > 1:
        return None
    rates = [int(row["successes"]) / int(row["episodes"]) for row in members]
    ends = [(float(row["low"]), float(row["high"])) for row in members]
    level, first = float(named[1]), members[0]
    these = average_of(rates, ends)
    like_these = average_of_over_tasks(rates, ends, level / 100)
    return SuiteAverage(first["policy"], first["run"], len(members), level, these, like_these)


def averages_grid(found: Sequence[SuiteAverage]) -> tuple[list[str], list[list[str]]]:
    """Headers and cells, in per cent; the level stands in the header where there is only one."""
    levels = {suite.level for suite in found}
    one = f", {min(levels):g} %" if len(levels) == 1 else ""
    headers = [*HEADERS[:4], *(name + one for name in HEADERS[4:])]
    return headers, [_cells(suite, "" if one else f" ({suite.level:g} %)") for suite in found]


def _cells(suite: SuiteAverage, level: str) -> list[str]:
    spans = [
        f"{100 * estimate.low:.1f} - {100 * estimate.high:.1f}{level}"
        for estimate in (suite.these, suite.like_these)
    ]
    mean = f"{100 * suite.these.value:.1f} %"
    return [suite.policy, suite.run, str(suite.tasks), mean, *spans]


def averages_table(found: Sequence[SuiteAverage], style: str = "simple") -> str:
    """A readable table."""
    headers, cells = averages_grid(found)
    return tabulate(cells, headers=headers, tablefmt=style, disable_numparse=True)
