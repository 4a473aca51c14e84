"""Success weighted by how long it took."""

from __future__ import annotations

from collections.abc import Iterable

from benchmark.statistics.descriptive import mean


def weighted_success(success: bool, length: float, reference: float) -> float:
    """Success times ``reference / max(length, reference)``: SEL with an expert's episode length
    (SPOC, arXiv 2312.02976), SPL with the shortest way (arXiv 1807.06757).

    A reference of 0 (nothing to do) gives 1 only for a length of 0.
    """
    if length < 0 or reference < 0:
        raise ValueError(f"lengths are at least 0, got {length} and reference {reference}")
    if not success:
        return 0.0
    return reference / max(length, reference) if reference or length else 1.0


def mean_weighted_success(episodes: Iterable[tuple[bool, float, float]]) -> float | None:
    """Mean over episodes of (success, length, reference); ``None`` without any."""
    return mean([weighted_success(*episode) for episode in episodes])
