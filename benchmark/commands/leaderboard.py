"""Print leaderboard.csv, best first within task and protocol; write it as HTML, Markdown or CSV.

--html writes one self-contained page: intervals, paired comparisons, learning curves, films and
the provenance of every row. Of each run and task only the newest row is shown, unless --all.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from benchmark.commands.arguments import DEFAULT_OUT
from benchmark.comparison.averages import averages, averages_table
from benchmark.report.page import write_page
from benchmark.report.published import Published, published
from benchmark.report.published import table as published_table
from benchmark.report.rows import Row, best_first, newest
from benchmark.results.leaderboard import csv_text, read_rows, table
from envs import card
from envs.schema import ManigymError

PAGE = "leaderboard.html"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--out", type=Path, default=DEFAULT_OUT, metavar="DIR", help="default: runs/"
    )
    parser.add_argument("--env", nargs="+", metavar="ID", help="only these tasks")
    parser.add_argument("--all", action="store_true", help="older rows of a run and task too")
    parser.add_argument(
        "--published", action="store_true", help="beside ours, what others report on these tasks"
    )
    parser.add_argument("--markdown", action="store_true", help="print a GitHub table")
    parser.add_argument("--csv", type=Path, metavar="FILE", help="write these rows (ours alone)")
    parser.add_argument(
        "--html",
        nargs="?",
        type=Path,
        const=Path(),
        metavar="FILE",
        help="write the page (default: DIR/leaderboard.html)",
    )
    parser.add_argument(
        "--max-mb",
        type=_megabytes,
        default=25,
        metavar="MB",
        help="films beyond this size of the page are linked, not embedded (default 25)",
    )


def main(args: argparse.Namespace) -> int:
    board = args.out / "leaderboard.csv"
    rows: Sequence[Row] = read_rows(board)
    if args.csv is not None and args.csv.resolve() == board.resolve():
        raise ManigymError(f"--csv {args.csv} is the leaderboard itself; name another file")
    if args.env:
        asked = _known(args.env, rows)
        rows = [row for row in rows if row["env"] in asked]
    rows = best_first(rows if args.all else newest(rows))
    envs = dict.fromkeys([row["env"] for row in rows] + (asked if args.env else []))
    results = [result for env in envs for result in published(env)] if args.published else []
    _print(rows, results, args.markdown)
    if args.csv is not None:
        _write_csv(args.csv, rows)
        print(f"\n{args.csv}")
    if args.html is not None:
        page = args.out / PAGE if args.html == Path() else args.html
        page = page / PAGE if page.is_dir() else page
        write_page(rows, args.out, page, args.published, args.max_mb)
        print(f"\n{page}")
    return 0


def _known(env_ids: Sequence[str], rows: Sequence[Row]) -> list[str]:
    """Ids of tasks that have rows or are registered; others raise."""
    ran = {row["env"] for row in rows}
    return [env_id if env_id in ran else card(env_id).id for env_id in dict.fromkeys(env_ids)]


def _print(rows: Sequence[Row], results: Sequence[Published], markdown: bool) -> None:
    style = "github" if markdown else "simple"
    shown = [{k: v.replace("|", "\\|") for k, v in r.items()} for r in rows] if markdown else rows
    print(table(shown, style))
    if suites := averages(newest(rows)):
        print(f"\n{averages_table(suites, style)}")
    if results:
        print(f"\nPublished, not run here:\n\n{published_table(results, style)}")


def _write_csv(path: Path, rows: Sequence[Row]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(csv_text(rows), newline="")


def _megabytes(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected a number, got {text!r}") from None
    if not 0 <= value < float("inf"):
        raise argparse.ArgumentTypeError(f"expected 0 or more megabytes, got {text}")
    return value
