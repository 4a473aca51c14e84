"""Paired comparisons between the rows of a task that ran the same episodes.

Which row is the best follows from the same outcomes that are then tested. So where only pairs with
the best are shown, p-values are adjusted for all pairs: any of them might have been the one shown.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path

from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from benchmark.comparison.runs import Run, circumstance_differences, rule_differences
from benchmark.report.charts import Interval, Span, interval
from benchmark.report.entries import Entry
from benchmark.statistics.paired import (
    PairedTable,
    difference,
    difference_interval,
    holm,
    mcnemar,
)
from envs.schema import ManigymError

ALL_PAIRS = 5  # with more rows that can be compared, each is shown against the best only
SAME = ("protocol", "split", "seed", "seed_rule")  # of rows that met the same episodes


@dataclass(frozen=True)
class Comparison:
    """Two entries on the episodes that both ran; ``difference`` is rate of ``b`` - rate of ``a``.

    ``adjusted``: ``p`` for testing ``tests`` pairs, shown or not (Holm). ``rules``: in what the
    runs differ besides the policy, A first; ``circumstances``: machine and code, if they differ.
    """

    a: Entry
    b: Entry
    table: PairedTable
    difference: float
    interval: Span
    p: float
    bar: Interval
    adjusted: float = 1.0
    tests: int = 0
    rules: tuple[str, ...] = ()
    circumstances: tuple[str, ...] = ()

    @property
    def circumstance_names(self) -> str:
        """``code, machine``."""
        return ", ".join(line.partition(":")[0] for line in self.circumstances)


def comparisons(entries: Sequence[Entry]) -> list[Comparison]:
    """Pairs of one task, entries given best first: the better one is ``b``.

    Of more than ``ALL_PAIRS`` entries that can be compared, only pairs with the best.
    """
    shown, tested = list[Comparison](), list[Comparison]()
    for group in _comparable(entries):
        found = [_comparison(worse, better) for better, worse in combinations(group, 2)]
        pairs = [pair for pair in found if pair is not None]
        tested += pairs
        shown += [p for p in pairs if len(group) <= ALL_PAIRS or p.b is group[0]]
    adjusted = dict(zip(map(id, tested), holm([pair.p for pair in tested]), strict=True))
    return [_explained(replace(c, adjusted=adjusted[id(c)], tests=len(tested))) for c in shown]


def _comparable(entries: Sequence[Entry]) -> list[list[Entry]]:
    """Entries that met the same episodes, each run once; none that stopped by its outcomes."""
    groups: dict[tuple[str, ...], dict[Path, Entry]] = defaultdict(dict)
    for entry in entries:
        if not entry.row["stopping"]:
            groups[tuple(entry.row[c] for c in SAME)].setdefault(entry.behind.folder, entry)
    return [list(group.values()) for group in groups.values()]


def _comparison(a: Entry, b: Entry) -> Comparison | None:
    """``None`` where no episode was run by both."""
    first, second = _outcomes(a), _outcomes(b)
    shared = sorted(first.keys() & second.keys())
    table = PairedTable.of([first[s] for s in shared], [second[s] for s in shared])
    gain, ends = difference(table), difference_interval(table)
    if gain is None:
        return None
    return Comparison(a, b, table, gain, ends, mcnemar(table), interval(gain, *ends, span=(-1, 1)))


def _outcomes(entry: Entry) -> dict[int, bool]:
    """Seed -> success, of the episodes that ran."""
    return {r.seed: bool(r.success) for r in entry.behind.records if r.status == "ok"}


def _explained(pair: Comparison) -> Comparison:
    """With the differences between the runs besides the policy, or why they cannot be told."""
    env = [pair.a.row["env"]]
    try:
        runs = Run.read(pair.a.behind.folder), Run.read(pair.b.behind.folder)
        rules = rule_differences(*runs, env)
        circumstances = circumstance_differences(*runs, env)
    except (ManigymError, OSError, UnicodeDecodeError, OmegaConfBaseException, YAMLError) as error:
        return replace(pair, rules=(f"not known whether they ran under the same rules: {error}",))
    return replace(pair, rules=tuple(rules), circumstances=tuple(circumstances))
