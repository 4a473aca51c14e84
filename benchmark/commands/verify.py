"""Check leaderboard.csv against the runs it was made from, and a sample of these by execution.

Nothing may have changed since it was written: no byte of the table, of configurations, records,
traces and conditions. Every figure is computed again, every seed planned again. The recorded
actions of a sample are executed again and must lead through the same states, bit for bit; with
--with-policy the policy is run again on it and must choose the same actions. Which episodes are in
the sample follows from --seed: take a number that nobody could know beforehand.

Verdicts: OK; DAMAGED, changed after it was written; DIFFERENT, executed again it comes out
otherwise; NOT CHECKABLE, something is not here; OTHER CODE, made with other code than this, and
SUPERSEDED, its run was made anew, which are no damage. Exit status 1 where a row is damaged or
different.
"""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path

from benchmark.commands.arguments import add_places, natural, workers
from benchmark.verification.board import CheckedRow
from benchmark.verification.checks import Verification, verify
from benchmark.verification.evidence import DAMAGED, DIFFERENT, KINDS, OK
from benchmark.verification.sample import Execution, sampled
from envs.schema import ManigymError

RESUME = "nothing was written; the same command starts over"
BAD = (DAMAGED, DIFFERENT)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--run", nargs="+", default=[], metavar="NAME", help="only these runs")
    parser.add_argument(
        "--sample",
        type=_sample,
        default=2,
        metavar="N",
        help="episodes of every row to execute again; 0 or all (default 2)",
    )
    parser.add_argument("--seed", type=natural, default=0, help="which ones those are (default 0)")
    parser.add_argument(
        "--with-policy", action="store_true", help="run the policy on the sample, too"
    )
    parser.add_argument(
        "--checkpoint",
        nargs="+",
        type=Path,
        default=[],
        metavar="FILE",
        help="weights that are not where a row says; found by their content",
    )
    add_places(parser)


def _sample(text: str) -> int | None:
    return None if text == "all" else natural(text)


def main(args: argparse.Namespace) -> int:
    for file in args.checkpoint:
        if not file.is_file():
            raise ManigymError(f"--checkpoint {file}: no such file")
    found = verify(args.out, args.run, args.checkpoint)
    execution = Execution(workers(args))
    for row in found.rows:
        if records := sampled(row, args.sample, args.seed):
            execution.check(row, records, args.with_policy)
    print(report(args.out / "leaderboard.csv", found, execution.episodes))
    return 1 if found.board or found.runs or any(r.verdict in BAD for r in found.rows) else 0


def report(board: Path, found: Verification, executed: int) -> str:
    """All that is printed."""
    lines = [str(board)]
    lines += [f"{DAMAGED:13}  {text}" for text in (*found.board, *found.runs)]
    for row in found.rows:
        lines.append(f"{row.verdict:13}  {_title(row)}")
        lines += [f"{'':13}    {_tagged(row, f.kind)}{f.text}" for f in row.findings]
    for run, env, episodes in found.unreported:
        lines.append(f"{'NOT REPORTED':13}  {run} {env}: {episodes} episodes that no row counts")
    return "\n".join([*lines, "", _summary(found, executed)])


def _title(row: CheckedRow) -> str:
    if not row.cells:
        return f"line {row.number}"
    return f"line {row.number}  {row.cells['run']}  {row.cells['env']}  {len(row.records)} episodes"


def _tagged(row: CheckedRow, kind: str) -> str:
    """Only what is less grave than the row's verdict needs a word of its own."""
    return "" if kind == row.verdict else f"({kind.lower()}) "


def _summary(found: Verification, executed: int) -> str:
    counts = Counter(row.verdict for row in found.rows)
    verdicts = ", ".join(f"{counts[k]} {k if k == OK else k.lower()}" for k in KINDS if counts[k])
    parts = [f"{len(found.rows)} rows: {verdicts or 'none'}"]
    same = all(row.verdict != DIFFERENT for row in found.rows)
    parts.append(f"{executed} episodes executed again{', all identical' * (same and executed > 0)}")
    if found.board or found.runs:
        parts.append(f"{len(found.board) + len(found.runs)} other damages")
    if found.unreported:
        parts.append(f"{len(found.unreported)} tasks with episodes that no row counts")
    return "; ".join(parts) + "."
