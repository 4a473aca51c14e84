"""Show leaderboard.csv, best first within task and protocol: table, Markdown, CSV or HTML page.

--html writes one self-contained page: intervals, paired comparisons, learning curves, films and
the provenance of every row. Of each run, task and stopping rule the row with most episodes is
shown (of equals the newest), unless --all; rows on validation episodes only with --split.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmark.commands.arguments import DEFAULT_OUT
from benchmark.comparison.averages import averages, averages_table
from benchmark.report.page import write_page
from benchmark.report.published import Published, published
from benchmark.report.published import table as published_table
from benchmark.report.rows import Row, best_first, longest
from benchmark.results.leaderboard import csv_text, read_rows
from benchmark.results.table import table
from envs import card
from envs.schema import ManigymError

PAGE = "leaderboard.html"
STANDARD_OUTPUT = Path("-")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--out", type=Path, default=DEFAULT_OUT, metavar="DIR", help="default: runs/"
    )
    parser.add_argument("--env", nargs="+", metavar="ID", help="only these tasks")
    parser.add_argument(
        "--split",
        choices=("test", "validation", "all"),
        default="test",
        help="rows on which episodes (default test)",
    )
    parser.add_argument(
        "--all",
        action="store_true",
        help="every row of a run and task, not only the newest of those with most episodes",
    )
    parser.add_argument(
        "--published", action="store_true", help="beside ours, what others report on these tasks"
    )
    parser.add_argument("--markdown", action="store_true", help="print a GitHub table")
    parser.add_argument(
        "--csv",
        type=Path,
        metavar="FILE",
        help="write these rows (ours alone), all columns; - prints them and nothing else",
    )
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
    if args.csv is not None and args.csv.resolve() == board.resolve():
        raise ManigymError(f"--csv {args.csv} is the leaderboard itself; name another file")
    rows = _read(args.out, board)
    asked = _known(args.env or [], rows)
    if args.env:
        rows = [row for row in rows if row["env"] in asked]
    chosen = best_first(rows if args.all else longest(rows))
    shown = [row for row in chosen if args.split in ("all", row["split"])]
    missing = _left_out(chosen, args.split)
    piped = args.csv == STANDARD_OUTPUT
    if piped:
        sys.stdout.write(csv_text(shown))
    else:
        _print(shown, _published(shown, asked) if args.published else [], args.markdown, missing)
    for file in _write(args, shown, missing):
        print(f"\n{file}", file=sys.stderr if piped else sys.stdout)
    return 0


def _write(args: argparse.Namespace, rows: Sequence[Row], missing: str) -> list[Path]:
    """The files that were asked for."""
    files = []
    if args.csv not in (None, STANDARD_OUTPUT):
        _write_csv(args.csv, rows)
        files.append(args.csv)
    if args.html is not None:
        page = args.out / PAGE if args.html == Path() else args.html
        page = page / PAGE if page.is_dir() else page
        write_page(rows, args.out, page, args.published, args.max_mb, missing)
        files.append(page)
    return files


def _published(rows: Sequence[Row], asked: Sequence[str]) -> list[Published]:
    """What others report on the tasks that are shown or asked for."""
    envs = dict.fromkeys([row["env"] for row in rows] + list(asked))
    return [result for env in envs for result in published(env)]


def _read(out: Path, board: Path) -> Sequence[Row]:
    if out.is_file():
        raise ManigymError(
            f"--out {out} is a file; name the folder that holds leaderboard.csv: {out.parent}"
        )
    rows = read_rows(board)
    if not rows:
        raise ManigymError(
            f"{board} has no rows yet; add one with: python -m benchmark run --policy uniform"
        )
    return rows


def _left_out(rows: Sequence[Row], split: str) -> str:
    """How many rows on validation episodes are not shown, and how to see them."""
    count = sum(row["split"] != "test" for row in rows)
    if split != "test" or not count:
        return ""
    return (
        f"{count} {'row' if count == 1 else 'rows'} on validation episodes left out; "
        "--split validation shows them, --split all shows both kinds"
    )


def _known(env_ids: Sequence[str], rows: Sequence[Row]) -> list[str]:
    """Ids of tasks that have rows or are registered; others raise."""
    ran = {row["env"] for row in rows}
    return [env_id if env_id in ran else card(env_id).id for env_id in dict.fromkeys(env_ids)]


def _print(rows: Sequence[Row], results: Sequence[Published], markdown: bool, missing: str) -> None:
    style = "github" if markdown else "simple"
    shown = [{k: v.replace("|", "\\|") for k, v in r.items()} for r in rows] if markdown else rows
    parts = [table(shown, style) if shown else "No rows to show.", *([missing] if missing else [])]
    if suites := averages(longest(rows)):
        parts.append(averages_table(suites, style))
    if results:
        parts.append(f"Published, not run here:\n\n{published_table(results, style)}")
    print("\n\n".join(parts))


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
