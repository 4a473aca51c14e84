"""Paired comparisons between the rows of a task that ran the same episodes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

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

ALL_PAIRS = 5  # with more rows on a task, each is compared with the best only


@dataclass(frozen=True)
class Comparison:
    """Two entries on the episodes that both ran; ``difference`` is rate of ``b`` - rate of ``a``.

    ``adjusted``: ``p`` for testing all comparisons of the task (Holm). ``rules``: in what the runs
    differ besides the policy, A first.
    """

    a: Entry
    b: Entry
    table: PairedTable
    difference: float
    interval: Span
    p: float
    adjusted: float
    bar: Interval
    rules: tuple[str, ...]


def comparisons(entries: Sequence[Entry]) -> list[Comparison]:
    """Every pair that ran some of the same seeds under the same protocol, the better one as ``b``.

    With more than ``ALL_PAIRS`` entries: the best against each of the others.
    """
    pairs = list(combinations(entries, 2))
    if len(entries) > ALL_PAIRS:
        pairs = [(entries[0], other) for other in entries[1:]]
    found = [_comparison(worse, better) for better, worse in pairs]
    known = [comparison for comparison in found if comparison is not None]
    adjusted = holm([comparison.p for comparison in known])
    return [replace(c, adjusted=p) for c, p in zip(known, adjusted, strict=True)]


def _comparison(a: Entry, b: Entry) -> Comparison | None:
    """``None`` where no episode was run by both, or both rows come from the same records."""
    if a.behind.folder == b.behind.folder or a.row["protocol"] != b.row["protocol"]:
        return None
    first, second = _outcomes(a), _outcomes(b)
    shared = sorted(first.keys() & second.keys())
    table = PairedTable.of([first[s] for s in shared], [second[s] for s in shared])
    gain, ends = difference(table), difference_interval(table)
    if gain is None:
        return None
    p, bar = mcnemar(table), interval(gain, *ends, span=(-1, 1))
    return Comparison(a, b, table, gain, ends, p, p, bar, tuple(_differences(a, b)))


def _outcomes(entry: Entry) -> dict[int, bool]:
    """Seed -> success, of the episodes that ran."""
    return {r.seed: bool(r.success) for r in entry.behind.records if r.status == "ok"}


def _differences(a: Entry, b: Entry) -> list[str]:
    """In what the runs differ besides the policy, or why that cannot be told."""
    try:
        first, second = Run.read(a.behind.folder), Run.read(b.behind.folder)
        env = a.row["env"]
        found = rule_differences(first, second, [env])
        return found + circumstance_differences(first, second, [env])
    except (ManigymError, OSError, UnicodeDecodeError, OmegaConfBaseException, YAMLError) as error:
        return [f"not known whether they ran under the same rules: {error}"]
