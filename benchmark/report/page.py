"""Render the leaderboard as one HTML file that needs nothing else: no network, no other file."""

from __future__ import annotations

import base64
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined

import benchmark
from benchmark.comparison.averages import averages, averages_grid
from benchmark.report.formats import FILTERS
from benchmark.report.rows import Row, longest
from benchmark.report.runs import Film
from benchmark.report.sections import Section, sections

MEGABYTE = 1_000_000
COLUMNS = {  # of the table; numbers sort as such, the largest first
    "task": "text",
    "policy": "text",
    "protocol": "text",
    "success": "num rate",
    "episodes": "num",
    "steps": "num",
    "NFE": "num",
    "demos": "num",
    "policy ms": "num",
}


@dataclass(frozen=True)
class Shown:
    """How a film appears: embedded (``data``), as a link (``link``), or why not (``problem``)."""

    caption: str
    data: str | None = None
    link: str | None = None
    problem: str | None = None


def write_page(
    rows: Sequence[Row],
    out: Path,
    target: Path,
    with_published: bool = False,
    max_mb: float = 25,
    left_out: str = "",
) -> None:
    """Write the page of these rows, whose runs lie below ``out``, to ``target``.

    Films are embedded, in the order of the rows, while the page stays below ``max_mb`` megabytes
    (10**6 bytes); those beyond are linked by their path relative to the page.
    ``left_out``: which rows are not among these, in words.
    """
    found = sections(rows, out, with_published)
    films = [film for s in found for e in s.entries for film in e.behind.films]
    place = target.resolve().parent
    linked = {film: _linked(film, place) for film in films}
    bare = render(found, rows, linked, left_out)
    room = math.floor(max_mb * MEGABYTE) - len(bare.encode())
    target.parent.mkdir(parents=True, exist_ok=True)
    films_shown = linked | _embedded(films, room)
    target.write_text(render(found, rows, films_shown, left_out), encoding="utf-8")


def render(
    found: Sequence[Section], rows: Sequence[Row], films: dict[Film, Shown], left_out: str
) -> str:
    """The page's text."""
    loader = FileSystemLoader(Path(__file__).parent)
    jinja = Environment(
        loader=loader,
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    jinja.filters.update(FILTERS)
    headers, suites = averages_grid(averages(longest(rows)))
    return jinja.get_template("page.html").render(
        sections=found,
        films=films,
        rows=rows,
        suites=suites,
        suite_headers=headers,
        left_out=left_out,
        columns=COLUMNS,
        newest=max((row["date"] for row in rows), default=""),
        episodes=sum(int(row["episodes"] or 0) for row in rows),
        version=benchmark.__version__,
    )


def _linked(film: Film, place: Path) -> Shown:
    problem = film.problem
    if problem is not None:
        return Shown(film.caption, problem=problem)
    path = Path(os.path.relpath(film.path.resolve(), place)).as_posix()
    return Shown(film.caption, link=quote(path))


def _embedded(films: Sequence[Film], room: int) -> dict[Film, Shown]:
    """Films that fit, as data URIs, first come first served."""
    found = {}
    for film in dict.fromkeys(films):
        if film.problem is not None:
            continue
        uri_bytes = 4 * math.ceil(film.path.stat().st_size / 3) + 200  # and the element around it
        if uri_bytes <= room:
            data = base64.b64encode(film.path.read_bytes()).decode()
            found[film] = Shown(film.caption, data=f"data:video/mp4;base64,{data}")
            room -= uri_bytes
    return found
