"""Check leaderboard.csv against the runs it was made from, and a sample of these by execution.

Nothing may have changed since it was written: no byte of the table, of configurations, records,
traces and conditions. Every figure is computed again, every seed planned again. The recorded
actions of a sample are executed again and must lead through the same states, bit for bit; with
--with-policy the policy is run again on it and must choose the same actions. Which episodes are in
the sample follows from --seed: take a number that nobody could know beforehand.

Verdicts: OK; DAMAGED, changed after it was written; DIFFERENT, executed again it comes out
otherwise; NOT CHECKABLE, something is not here; OTHER CODE, made with other code than this, which
is no damage. Exit status 1 where a row is damaged or different.
"""

from __future__ import annotations

import argparse
import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmark.commands.arguments import add_places, natural, workers
from benchmark.progress import progress
from benchmark.results.records import EpisodeRecord
from benchmark.verification.board import CheckedRow
from benchmark.verification.checks import Verification, verify
from benchmark.verification.evidence import DAMAGED, DIFFERENT, KINDS, OK, UNCHECKED
from benchmark.verification.reexecution import RecordedTask, Replayed, likely_causes, replay, stage
from benchmark.verification.rerun import other_words, recorded_job, rerun
from envs.make import Workers
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
    add_places(parser)


def _sample(text: str) -> int | None:
    return None if text == "all" else natural(text)


def main(args: argparse.Namespace) -> int:
    found = verify(args.out, args.run)
    executed = 0
    for row in found.rows:
        records = sampled(row, args.sample, args.seed)
        if not records or row.evidence is None:
            continue
        try:
            executed += _execute(row, records, workers(args))
            if args.with_policy:
                _run_policy(row, records, args.out, workers(args))
        except (ManigymError, ImportError) as problem:  # a simulator or a policy is not here
            row.found(UNCHECKED, f"it cannot be executed again: {problem}")
    print(report(args.out / "leaderboard.csv", found, executed))
    return 1 if found.board or found.runs or any(r.verdict in BAD for r in found.rows) else 0


def sampled(row: CheckedRow, count: int | None, seed: int) -> list[EpisodeRecord]:
    """``count`` (``None``: all) of the row's episodes, chosen by seed, run and task."""
    records = row.executable
    if count is None or count >= len(records):
        return records
    key = zlib.crc32(f"{row.cells['run']}/{row.cells['env']}".encode())
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(key,)))
    return [records[i] for i in sorted(rng.choice(len(records), count, replace=False))]


def _execute(row: CheckedRow, records: Sequence[EpisodeRecord], workers: Workers) -> int:
    """Execute the recorded actions again; how many episodes that were."""
    assert row.evidence is not None
    task = RecordedTask.read(row.evidence.path, row.cells["env"])
    workers = replace(workers, count=min(workers.count, len(records)))
    with stage(task, workers) as pool, _bar(row, records, "actions") as bar:
        different = []
        for one in replay(pool, task, records):
            bar.update()
            different += [] if one.identical else [one]
        _report(row, different, "executed again")
        row.found(DIFFERENT, *likely_causes(pool, task, [one.record for one in different]))
    return len(records)


def _run_policy(
    row: CheckedRow, records: Sequence[EpisodeRecord], out: Path, workers: Workers
) -> None:
    """Run the policy again on the same episodes."""
    assert row.evidence is not None
    job = recorded_job(row, out, workers)
    row.found(DIFFERENT, *(f"run again with the policy: {text}" for text in other_words(job, row)))
    with _bar(row, records, "policy") as bar:
        done = rerun(job, row.evidence.path, records, bar.update)
    _report(row, [one for one in done if not one.identical], "run again with the policy")


def _bar(row: CheckedRow, records: Sequence[EpisodeRecord], what: str) -> Any:
    return progress(len(records), 0, f"line {row.number} {row.cells['env']} {what}", "ep")


def _report(row: CheckedRow, different: Sequence[Replayed], how: str) -> None:
    for one in sorted(different, key=lambda one: one.record.episode):
        row.found(DIFFERENT, f"episode {one.record.episode}, {how}: {'; '.join(one.differences)}")


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
