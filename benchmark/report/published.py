"""Success rates that others have published, for comparison: facts, not run here.

``published.csv`` has one row per task, setting and policy, with its source; ``env`` is the id of
the task here. A rate over a stated number of episodes gets a Wilson interval; a mean over seeds or
checkpoints has none that could be computed from what was published.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tabulate import tabulate

from benchmark.statistics.intervals import wilson

FILE = Path(__file__).with_name("published.csv")
HEADERS = (
    "environment",
    "policy",
    "rate",
    "low 95 %",
    "high 95 %",
    "episodes",
    "setting",
    "source",
)


@dataclass(frozen=True)
class Published:
    """``rate`` in 0..1; ``episodes`` as the source states them; ``setting`` is its protocol."""

    env: str
    benchmark: str
    task: str
    setting: str
    policy: str
    rate: float
    episodes: str
    source: str

    @property
    def interval(self) -> tuple[float, float] | None:
        """95 % Wilson interval; none unless the rate is a whole number of stated episodes."""
        if not self.episodes.isdigit():
            return None
        successes = self.rate * int(self.episodes)
        if abs(successes - round(successes)) > 1e-6:
            return None
        return wilson(round(successes), int(self.episodes))


def published(env_id: str) -> list[Published]:
    """What others report on a task, in the order of the file: by their task's name and setting."""
    return [result for result in _all() if result.env == env_id]


@cache
def _all() -> tuple[Published, ...]:
    with FILE.open(newline="") as file:
        return tuple(
            Published(rate=float(row.pop("success_rate")) / 100, **row)
            for row in csv.DictReader(file)
        )


def table(results: Sequence[Published], style: str = "simple") -> str:
    """A readable table, rates in 0..1 as in the leaderboard; ``style``: any of tabulate's."""
    body = [_cells(result) for result in results]
    return tabulate(body, headers=HEADERS, tablefmt=style, disable_numparse=True)


def _cells(result: Published) -> list[str]:
    bounds = [f"{bound:.4f}" for bound in result.interval or ()] or ["", ""]
    setting = f"{result.task}: {result.setting}"
    rate = f"{result.rate:.4g}"
    return [result.env, result.policy, rate, *bounds, result.episodes, setting, result.source]
