"""Compare two runs episode by episode: which policy succeeds more often, and how sure is that?

Episodes are paired by task and seed, so make both runs with the same --env and --seed. A run is
named by its folder, or by the beginning or end of its name below --out.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from tabulate import tabulate

from benchmark.commands.arguments import DEFAULT_OUT, folder
from benchmark.commands.plan import share
from benchmark.comparison.runs import Run, RunComparison, TaskComparison, compare_runs
from benchmark.comparison.verdict import TaskFigures, Verdict, judge, p_text, points, span
from benchmark.results.records import find_run
from benchmark.statistics.intervals import INTERVALS, Interval
from envs.schema import ManigymError

HEADERS = ("task", "episodes", "A", "B", "both", "only A", "only B", "neither", "B - A")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run_a", metavar="RUN_A", help="e.g. runs/expert-0123456789ab")
    parser.add_argument("run_b", metavar="RUN_B")
    parser.add_argument(
        "--out", type=folder, default=DEFAULT_OUT, metavar="DIR", help="default: runs/"
    )
    parser.add_argument(
        "--confidence", type=share, default=0.95, metavar="C", help="of intervals (default 0.95)"
    )
    parser.add_argument(
        "--interval", choices=INTERVALS, default="wilson", help="of A's and B's rate"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")


def main(args: argparse.Namespace) -> int:
    paths = [find_run(args.out, name) for name in (args.run_a, args.run_b)]
    if paths[0].resolve() == paths[1].resolve():
        raise ManigymError(f"both runs are {paths[0]}; name two")
    comparison = compare_runs(*map(Run.read, paths))
    verdict = judge(comparison, args.confidence, INTERVALS[args.interval])
    print(report(comparison, verdict))
    if args.json:
        names = {"a": str(paths[0]), "b": str(paths[1]), "rules": list(comparison.rules)}
        args.json.write_text(json.dumps(names | verdict.to_json(), indent=2) + "\n")
    return 0


def report(comparison: RunComparison, verdict: Verdict) -> str:
    """All that is printed."""
    parts = [
        f"A: {comparison.a.path}\nB: {comparison.b.path}",
        *_rules(comparison),
        *_left_out(comparison),
        _table(verdict),
        *_over_tasks(verdict),
        *_lengths(comparison),
        *(_identical(comparison.tasks) if comparison.same_name else []),
        verdict.sentence,
        f"Evidence that holds however often the runs were looked at: {verdict.evidence:.3g} "
        f"({1 / (1 - verdict.confidence):.3g} and more: a difference at "
        f"{100 * (1 - verdict.confidence):.3g} %; below 1: none).",
    ]
    return "\n\n".join(parts)


def _rules(comparison: RunComparison) -> list[str]:
    parts = ["Comparable: the same protocols, options, seeds and simulators."]
    if comparison.rules:
        head = "Not comparable without care; other than the policies differ:"
        parts = [_listed(head, comparison.rules)]
    if comparison.circumstances:
        parts.append(_listed("Made under other circumstances:", comparison.circumstances))
    return parts


def _listed(head: str, lines: Sequence[str]) -> str:
    return "\n".join([head, *(f"  {line}" for line in lines)])


def _left_out(comparison: RunComparison) -> list[str]:
    lines = [
        f"{task.env}: left out " + ", ".join(f"{n} {why}" for why, n in task.left_out.items())
        for task in comparison.tasks
        if task.left_out
    ]
    for name, only in (("A", comparison.only_a), ("B", comparison.only_b)):
        lines += [f"only in {name}: {', '.join(only)}"] if only else []
    return ["\n".join(lines)] if lines else []


def _table(verdict: Verdict) -> str:
    level, several = f"{100 * verdict.confidence:g} %", len(verdict.tasks) > 1
    headers = [*HEADERS, level, "p", *(["p (Holm)"] if several else [])]
    rows = [_row(task)[: len(headers)] for task in verdict.tasks]
    return tabulate(rows, headers=headers, disable_numparse=True)


def _row(task: TaskFigures) -> list[str]:
    t = task.table
    return [
        task.env,
        str(t.episodes),
        _rate(t.successes_a, t.episodes, task.interval_a),
        _rate(t.successes_b, t.episodes, task.interval_b),
        *map(str, (t.both, t.only_a, t.only_b, t.neither)),
        points(task.difference),
        span(task.interval),
        p_text(task.p).removeprefix("p ").removeprefix("= "),
        p_text(task.p_holm).removeprefix("p ").removeprefix("= "),
    ]


def _rate(successes: int, episodes: int, interval: Interval) -> str:
    low, high = interval
    return f"{100 * successes / episodes:.1f} % ({100 * low:.1f} - {100 * high:.1f})"


def _over_tasks(verdict: Verdict) -> list[str]:
    if verdict.like_these is None:
        return []
    level = f"{100 * verdict.confidence:g} %"
    return [
        f"average over tasks, B - A: {points(verdict.these.value)} points; "
        f"{span(verdict.these)} for these tasks, {span(verdict.like_these)} for tasks like these "
        f"({level})\nall discordant episodes together: {p_text(verdict.p)}\n"
        f"p (Holm): adjusted for testing {len(verdict.tasks)} tasks; read it where no task was "
        "chosen beforehand"
    ]


def _lengths(comparison: RunComparison) -> list[str]:
    """Success weighted by episode length, where one of the runs is an expert's."""
    lines = []
    for name, other, run in (("A", "B", comparison.b), ("B", "A", comparison.a)):
        for task in comparison.paired if run.config.get("policy") == "expert" else ():
            value = task.sel(reference_is_a=other == "A")
            if value is not None:
                lines.append(f"{task.env}: SEL of {name} by the lengths of {other}: {value:.3f}")
    return ["\n".join(lines)] if lines else []


def _identical(tasks: Sequence[TaskComparison]) -> list[str]:
    """Both runs have the same name, so every bit should be the same."""
    pairs = [(task.env, pair) for task in tasks for pair in task.pairs]
    actions = sum(pair.same_actions for _, pair in pairs)
    states = sum(pair.same_states for _, pair in pairs)
    line = (
        f"the same policy and settings: actions identical in {actions} and states in {states} of "
        f"{len(pairs)} shared episodes"
    )
    other = [(e, p) for e, p in pairs if not (p.same_actions and p.same_states)]
    if not other:
        return [f"{line}: the runs are bit-identical"]
    env, pair = other[0]
    return [f"{line}; the first that differs: {env} episode {pair.a.episode} seed {pair.a.seed}"]
