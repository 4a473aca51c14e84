"""How the page writes numbers and sources."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from benchmark.report.rows import number

if TYPE_CHECKING:
    from benchmark.report.sections import Reference


def percent(rate: float | None) -> str:
    """0.9333 -> ``93.3``; whole numbers stay whole; nothing is an en dash."""
    return "\N{EN DASH}" if rate is None else f"{100 * rate:.1f}".removesuffix(".0")


def signed(difference: float) -> str:
    """A difference of rates in percentage points, with its sign: ``+12.5``, ``−3``, ``0``."""
    text = percent(abs(difference))
    sign = "+" if difference > 0 else "\N{MINUS SIGN}"
    return text if text == "0" else sign + text


def p_value(p: float) -> str:
    """Two significant digits; small ones as a bound."""
    return "< 0.001" if p < 0.001 else f"= {p:.2g}"


def key(cell: str | None) -> str:
    """A numeric sort key; empty where nothing was measured."""
    value = number(cell)
    return "" if value is None else f"{value:.12g}"


def arxiv(source: str) -> str:
    """The address of the paper that a source names, or nothing."""
    words = [word.strip("(),;") for word in source.split()]
    paper = dict(pairwise(words)).get("arXiv", "")
    return f"https://arxiv.org/abs/{paper}" if paper else ""


def sources(references: Sequence[Reference]) -> list[tuple[str, str]]:
    """Each source once, with the number of episodes that it states."""
    return list(dict.fromkeys((r.result.source, r.result.episodes) for r in references))


FILTERS: dict[str, Callable[..., Any]] = {
    "arxiv": arxiv,
    "figure": number,
    "key": key,
    "p_value": p_value,
    "percent": percent,
    "signed": signed,
    "sources": sources,
}
