"""Print leaderboard.csv as a readable table, or as Markdown with --markdown."""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmark.commands.arguments import DEFAULT_OUT
from benchmark.results.leaderboard import read_rows, table


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--out", type=Path, default=DEFAULT_OUT, metavar="DIR", help="default: runs/"
    )
    parser.add_argument("--markdown", action="store_true", help="a GitHub table")


def main(args: argparse.Namespace) -> int:
    rows = read_rows(args.out / "leaderboard.csv")
    best_first = sorted(
        rows, key=lambda r: (r["env"], r["protocol"], -float(r["success_rate"] or -1))
    )
    print(table(best_first, "github" if args.markdown else "simple"))
    return 0
