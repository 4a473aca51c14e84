"""Paired outcomes: statsmodels' McNemar and Holm, published intervals, exact coverage.

``pytest tests/test_statistics_paired.py -s -k coverage`` prints the figures of docs/statistics.md.
"""

from __future__ import annotations

import math

import numpy as np
import pytest

from benchmark.statistics.coverage import paired_coverage
from benchmark.statistics.paired import (
    PairedTable,
    difference,
    difference_interval,
    holm,
    mcnemar,
    pooled,
)


def test_a_table_counts_pairs():
    table = PairedTable.of([1, 1, 0, 0, 1, 0], [1, 0, 1, 0, 0, 0])
    assert table == PairedTable(both=1, only_a=2, only_b=1, neither=2)
    assert (table.episodes, table.successes_a, table.successes_b) == (6, 3, 2)
    assert difference(table) == pytest.approx(-1 / 6)
    assert table.swapped() == PairedTable(1, 1, 2, 2)
    assert pooled([table, table.swapped()]) == PairedTable(2, 3, 3, 4)


def test_tables_that_cannot_be_are_refused():
    with pytest.raises(ValueError, match="argument 2 is longer"):
        PairedTable.of([True], [True, False])
    with pytest.raises(ValueError, match="negative"):
        PairedTable(1, -1, 0, 0)


def test_mcnemar_equals_statsmodels():
    theirs = pytest.importorskip("statsmodels.stats.contingency_tables")
    rng = np.random.default_rng(0)
    scales = 10.0 ** rng.uniform(0, 4, size=(10_000, 4))
    cells = (rng.random((10_000, 4)) * scales).astype(int)
    cells[::7, 1] = 0
    cells[::11, 2] = 0
    cells[::13, 1] = cells[::13, 2]
    worst = max(
        abs(mcnemar(PairedTable(a, b, c, d)) - theirs.mcnemar([[a, b], [c, d]], exact=True).pvalue)
        for a, b, c, d in cells.tolist()
        if b + c
    )
    assert worst < 1e-9


def test_mcnemar_by_hand():
    assert mcnemar(PairedTable(5, 0, 0, 5)) == 1.0
    assert mcnemar(PairedTable(5, 0, 6, 5)) == pytest.approx(2 / 64)
    assert mcnemar(PairedTable(5, 1, 6, 5)) == pytest.approx(2 * 8 / 128)
    assert mcnemar(PairedTable(9, 4, 4, 9)) == 1.0


def test_a_published_paired_interval():
    """Fagerland, Lydersen, Laake 2014, Statistics in Medicine 33:2850: cells 1, 1, 7, 12."""
    table = PairedTable(1, 1, 7, 12).swapped()  # there: first minus second
    assert difference_interval(table) == pytest.approx((-0.507, -0.026), abs=5.1e-4)


def test_difference_intervals_are_antisymmetric_and_stay_in_range():
    rng = np.random.default_rng(1)
    for cells in rng.integers(0, 12, size=(300, 4)) * (rng.random((300, 4)) < 0.7):
        table = PairedTable(*cells.tolist())
        low, high = difference_interval(table)
        assert -1 <= low <= high <= 1
        assert difference_interval(table.swapped()) == pytest.approx((-high, -low))
    assert difference_interval(PairedTable(0, 0, 0, 0)) == (-1, 1)
    assert difference(PairedTable(0, 0, 0, 0)) is None


def test_shared_seeds_narrow_the_interval():
    low, high = difference_interval(PairedTable(30, 0, 5, 15))
    wide_low, wide_high = difference_interval(PairedTable(21, 9, 14, 6))  # the same two rates
    assert (wide_high - wide_low) > 1.5 * (high - low)


def test_coverage_of_the_difference():
    found = {n: paired_coverage(n, _truths()) for n in (20, 30, 50)}
    together = np.concatenate(list(found.values()))
    assert 0.95 < together.mean() < 0.975
    assert together.min() > 0.93
    assert (together < 0.94).mean() < 0.01
    for n, values in found.items():
        print(f"\nn = {n}: mean {values.mean():.4f}, lowest {values.min():.4f}", end="")
    print(f"\n{len(together)} points, {(together < 0.95).mean():.1%} below 95 %")


def _truths():
    """float64 (R, 4): cell probabilities over rates, differences and correlations."""
    found = []
    for a in (0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9, 0.95):
        for b in (a, a - 0.05, a - 0.1, a - 0.2, a - 0.3, a - 0.5):
            for phi in (0, 0.25, 0.5, 0.75):
                both = a * b + phi * math.sqrt(max(a * (1 - a) * b * (1 - b), 0))
                cells = [both, a - both, b - both, 1 - a - b + both]
                if b > 0.02 and min(cells) > 1e-9:
                    found.append(cells)
    return np.array(found)


def test_holm_equals_statsmodels():
    theirs = pytest.importorskip("statsmodels.stats.multitest")
    rng = np.random.default_rng(2)
    for size in (1, 2, 5, 20):
        p = rng.random(size) ** 3
        assert holm(p.tolist()) == pytest.approx(theirs.multipletests(p, method="holm")[1])
    assert holm([]) == []
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
