"""SEL and SPL: success weighted by a length against a reference."""

from __future__ import annotations

import pytest

from benchmark.statistics.lengths import mean_weighted_success, weighted_success


@pytest.mark.parametrize(
    ("success", "length", "reference", "expected"),
    [
        (True, 10.0, 10.0, 1.0),
        (True, 20.0, 10.0, 0.5),
        (True, 5.0, 10.0, 1.0),  # faster than the reference is not better than 1
        (False, 5.0, 10.0, 0.0),
        (True, 0.0, 0.0, 1.0),
        (True, 3.0, 0.0, 0.0),
    ],
)
def test_success_is_weighted_by_reference_over_length(
    success: bool, length: float, reference: float, expected: float
) -> None:
    assert weighted_success(success, length, reference) == expected


def test_the_mean_counts_failures_as_zero() -> None:
    episodes = [(True, 20.0, 10.0), (False, 10.0, 10.0), (True, 10.0, 10.0)]
    assert mean_weighted_success(episodes) == pytest.approx(0.5)
    assert mean_weighted_success([]) is None


def test_negative_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 0"):
        weighted_success(True, -1.0, 2.0)
