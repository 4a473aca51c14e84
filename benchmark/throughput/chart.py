"""Contests as one picture: a bar for every contender, a whisker for its spread."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from benchmark.throughput.figures import Figure, grouped, number

WIDTH, BAR, LETTER = 560, 22, 6.8  # pixels: of the longest bar, of a line, of a letter


def write_chart(path: Path, rows: Sequence[Figure]) -> None:
    """An SVG with a block of bars for each contest; the first contender's stand out."""
    templates = FileSystemLoader(Path(__file__).parent)
    page = Environment(loader=templates, autoescape=True, undefined=StrictUndefined)
    path.write_text(page.get_template("chart.svg").render(**_layout(rows)))


def _layout(rows: Sequence[Figure]) -> dict[str, Any]:
    blocks: list[dict[str, Any]] = []
    top = 0
    for (_, subject, looks), block in grouped(rows).items():
        longest = max(row.high for row in block)
        bars = [
            _bar(row, (3 + i) * BAR, longest, row.contender == block[0].contender)
            for i, row in enumerate(block)
        ]
        repeats = f"{block[0].repeats} repeats, load up to {max(r.load for r in block):g}"
        title, below = f"{subject}: {block[0].unit}", "; ".join(filter(None, (looks, repeats)))
        blocks.append({"top": top, "title": title, "below": below, "bars": bars})
        top += (len(block) + 4) * BAR
    names = 16 + round(LETTER * max(len(bar["name"]) for block in blocks for bar in block["bars"]))
    width = max(names + WIDTH + 140, *(16 + round(LETTER * len(b["below"])) for b in blocks))
    return {"blocks": blocks, "height": top, "width": width, "names": names}


def _bar(row: Figure, top: int, longest: float, ours: bool) -> dict[str, Any]:
    def length(value: float) -> float:
        return round(WIDTH * value / longest, 1)

    workers = f", {row.workers} workers" if row.workers > 1 else ""
    detail = f" ({row.detail})" if row.detail else ""
    return {
        "top": top,
        "name": f"{row.contender}{detail}{workers}",
        "length": length(row.median),
        "low": length(row.low),
        "high": length(row.high),
        "ours": ours,
        "value": number(row.median) if ours else f"{number(row.median)}, 1 / {row.times:.3g}",
    }
