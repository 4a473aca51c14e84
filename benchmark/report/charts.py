"""Geometry of the page's charts: numbers become percentages of the drawing area.

The template draws them as SVG with percentages for coordinates, so a chart has any width and its
text keeps its size on a phone. Nothing here knows about HTML.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

Point = tuple[float, float]
Span = tuple[float, float]
SHOWN_POINTS = 400  # of a curve: more than a screen has pixels to tell apart


@dataclass(frozen=True)
class Interval:
    """A dot with whiskers on a horizontal axis; all in percent of its length."""

    rate: float | None
    low: float
    high: float
    bounds: Span | None = None
    """What the rate would be if all errored episodes had failed, or succeeded."""


@dataclass(frozen=True)
class Line:
    """A curve: ``points`` are (x, y) in percent, y from the top; ``path`` is the same for SVG."""

    name: str
    points: tuple[Point, ...]
    shape: int
    values: tuple[Point, ...] = ()
    whiskers: tuple[Span, ...] = ()

    @property
    def path(self) -> str:
        return " ".join(f"{x:g},{y:g}" for x, y in self.points)


@dataclass(frozen=True)
class LineChart:
    """Curves and their axes; a tick is (percent, text), that of y counts from the top."""

    lines: tuple[Line, ...]
    x_ticks: tuple[tuple[float, str], ...]
    y_ticks: tuple[tuple[float, str], ...]
    x_label: str
    y_label: str


@dataclass(frozen=True)
class Series:
    """What is drawn: (x, y) points and perhaps the interval of each y."""

    name: str
    points: Sequence[Point]
    intervals: Sequence[Span] = ()


def percent(value: float, span: Span) -> float:
    """Where ``value`` lies between the ends of an axis, in percent, two decimals."""
    low, high = span
    return round(100 * (value - low) / (high - low), 2) + 0.0  # never -0.0


def interval(
    rate: float | None, low: float, high: float, bounds: Span | None = None, span: Span = (0, 1)
) -> Interval:
    """A rate (or a difference, with ``span`` (-1, 1)) and its interval, placed on the axis."""
    drawn = None if bounds is None else (percent(bounds[0], span), percent(bounds[1], span))
    dot = None if rate is None else percent(rate, span)
    return Interval(dot, percent(low, span), percent(high, span), drawn)


def line_chart(
    series: Sequence[Series],
    x_label: str,
    y_label: str,
    y_span: Span | None = None,
    log_y: bool = False,
) -> LineChart:
    """Place curves on axes that hold all of them; ``log_y`` needs positive values.

    ``y_span``: a fixed vertical axis, labelled in percent (a rate's, for instance).
    """
    scale: Callable[[float], float] = math.log10 if log_y else float
    xs = [x for s in series for x, _ in s.points]
    ys = [scale(y) for s in series for _, y in s.points]
    x_axis = _padded(min(0.0, *xs), max(xs))
    y_axis = y_span or _padded(min(ys), max(ys))
    if log_y:
        marks = log_ticks(*y_axis)
    else:
        marks = [(y, f"{100 * y:g} %" if y_span else f"{y:g}") for y in ticks(*y_axis)]
    return LineChart(
        lines=tuple(_line(s, i, x_axis, y_axis, scale) for i, s in enumerate(series)),
        x_ticks=tuple((percent(x, x_axis), f"{x:,g}") for x in ticks(*x_axis)),
        y_ticks=tuple((_from_top(scale(y), y_axis), text) for y, text in marks),
        x_label=x_label,
        y_label=y_label,
    )


def _line(
    series: Series, number: int, x_axis: Span, y_axis: Span, scale: Callable[[float], float]
) -> Line:
    shown = thinned(series.points)
    placed = [(percent(x, x_axis), _from_top(scale(y), y_axis)) for x, y in shown]
    whiskers = [(_from_top(low, y_axis), _from_top(high, y_axis)) for low, high in series.intervals]
    return Line(series.name, tuple(placed), number, tuple(shown), tuple(whiskers))


def _from_top(y: float, span: Span) -> float:
    return percent(y, (span[1], span[0]))


def _padded(low: float, high: float) -> Span:
    """A span with room: none is empty."""
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def thinned(points: Sequence[Point], most: int = SHOWN_POINTS) -> list[Point]:
    """Evenly chosen points, the first and the last among them."""
    if len(points) <= most:
        return list(points)
    return [points[round(i * (len(points) - 1) / (most - 1))] for i in range(most)]


def ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Round numbers (1, 2 or 5 times a power of ten apart) within a span."""
    raw = (high - low) / about
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(m * power for m in (1, 2, 5, 10) if m * power >= raw * 0.999)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(i * step, 12) for i in range(first, last + 1)]


def log_ticks(low: float, high: float) -> list[tuple[float, str]]:
    """Values between 10**low and 10**high: decades, and 2 and 5 of them where they are few."""
    factors = (1,) if high - low > 3 else (1, 2, 5)
    decades = range(math.floor(low), math.ceil(high) + 1)
    values = [m * 10.0**d for d in decades for m in factors]
    return [(v, f"{v:g}") for v in values if low - 1e-9 <= math.log10(v) <= high + 1e-9]
