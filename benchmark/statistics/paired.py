"""Two policies on the same episodes: which of them succeeded where the other did not.

Episodes that start from the same seed share their difficulty. Comparing them pair by pair removes
it from the noise; only the pairs where the outcomes differ say which policy is better.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from scipy.special import bdtr

from benchmark.statistics.intervals import Interval, wilson


@dataclass(frozen=True)
class PairedTable:
    """Number of shared episodes where both, only A, only B or neither succeeded."""

    both: int
    only_a: int
    only_b: int
    neither: int

    def __post_init__(self) -> None:
        if min(self.both, self.only_a, self.only_b, self.neither) < 0:
            raise ValueError(f"counts cannot be negative, got {self}")

    @classmethod
    def of(cls, a: Sequence[bool], b: Sequence[bool]) -> PairedTable:
        """The table of outcomes in the same order of episodes."""
        pairs = [(bool(x), bool(y)) for x, y in zip(a, b, strict=True)]
        cells = ((True, True), (True, False), (False, True), (False, False))
        return cls(*(pairs.count(cell) for cell in cells))

    @property
    def episodes(self) -> int:
        return self.both + self.only_a + self.only_b + self.neither

    @property
    def successes_a(self) -> int:
        return self.both + self.only_a

    @property
    def successes_b(self) -> int:
        return self.both + self.only_b

    def swapped(self) -> PairedTable:
        """The same episodes with A and B exchanged."""
        return PairedTable(self.both, self.only_b, self.only_a, self.neither)


def pooled(tables: Iterable[PairedTable]) -> PairedTable:
    """All episodes in one table; its McNemar test is the sign test over all discordant pairs."""
    cells = [(t.both, t.only_a, t.only_b, t.neither) for t in tables]
    return PairedTable(*(sum(column) for column in zip(*cells, strict=True)))


def mcnemar(table: PairedTable) -> float:
    """Exact two-sided p-value of equal success rates (McNemar 1947): a sign test.

    Where the policies are equally good, each discordant pair is a fair coin. 1 without any.
    """
    fewer, pairs = min(table.only_a, table.only_b), table.only_a + table.only_b
    return min(1.0, 2 * float(bdtr(fewer, pairs, 0.5)))


def difference(table: PairedTable) -> float | None:
    """Success rate of B minus that of A; ``None`` without episodes."""
    return (table.only_b - table.only_a) / table.episodes if table.episodes else None


def difference_interval(table: PairedTable, confidence: float = 0.95) -> Interval:
    """Interval of ``rate_b - rate_a``: Newcombe 1998, method 10, for paired proportions.

    Wilson intervals of the two rates, combined with their estimated correlation. (-1, 1) without
    episodes. Source: Statistics in Medicine 17:2635. Why this one: docs/statistics.md.
    """
    n = table.episodes
    if n == 0:
        return -1.0, 1.0
    a, b = table.successes_a / n, table.successes_b / n
    low_a, high_a = wilson(table.successes_a, n, confidence)
    low_b, high_b = wilson(table.successes_b, n, confidence)
    phi = _correlation(table)
    below = _combined(b - low_b, high_a - a, phi)
    above = _combined(high_b - b, a - low_a, phi)
    return b - a - below, b - a + above


def holm(p_values: Sequence[float]) -> list[float]:
    """p-values adjusted for testing all of them (Holm 1979), in the given order."""
    count, adjusted, highest = len(p_values), [0.0] * len(p_values), 0.0
    for rank, i in enumerate(sorted(range(count), key=lambda i: p_values[i])):
        highest = max(highest, min(1.0, (count - rank) * p_values[i]))
        adjusted[i] = highest
    return adjusted


def _combined(first: float, second: float, correlation: float) -> float:
    square = first**2 - 2 * correlation * first * second + second**2
    return math.sqrt(max(square, 0.0))


def _correlation(table: PairedTable) -> float:
    """Phi coefficient, moved towards zero by Newcombe's continuity correction."""
    n, a, b = table.episodes, table.successes_a, table.successes_b
    margins = a * (n - a) * b * (n - b)
    if margins == 0:
        return 0.0
    agreement = table.both * table.neither - table.only_a * table.only_b
    corrected = max(agreement - n / 2, 0.0) if agreement > 0 else agreement
    return corrected / math.sqrt(margins)
