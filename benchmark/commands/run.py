"""Evaluate a policy, append one row per task to leaderboard.csv, print the table.

Without --env: a quick suite, one task per simulator that is installed. Without --checkpoint, a
trainable policy is trained first from (cached) expert demonstrations; of several checkpoints the
best on validation episodes is taken. Interrupted, the same command continues where it stopped;
results do not depend on --workers.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import policies
from benchmark.commands.arguments import (
    add_common,
    add_settings,
    add_sweep,
    positive,
    variants,
    workers,
)
from benchmark.comparison.averages import averages, averages_table
from benchmark.config import DataSettings, RunSettings, TrainingSettings, parse
from benchmark.engine.latency import LatencySettings
from benchmark.engine.perturbations import PerturbationSettings
from benchmark.jobs import Finished, Request, run
from benchmark.results.records import read_records
from benchmark.results.stages import time_spent
from benchmark.results.table import measures_table, table
from envs import CARDS, card
from envs.isolation.interpreter import available, choose
from envs.make import Workers
from envs.schema import ManigymError

SECTIONS = {
    "run": RunSettings,
    "latency": LatencySettings,
    "perturb": PerturbationSettings,
    "env": None,
    "policy": None,
    "training": TrainingSettings,
    "data": DataSettings,
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--policy", required=True, metavar="NAME", help="see: python -m benchmark list"
    )
    parser.add_argument("--env", nargs="+", metavar="ID", help="tasks (default: the quick suite)")
    parser.add_argument(
        "--episodes", type=positive, default=50, metavar="N", help="per task (default 50)"
    )
    parser.add_argument(
        "--checkpoint",
        type=Path,
        nargs="+",
        default=[],
        metavar="FILE",
        help="trained weights; of several the best on validation episodes is taken",
    )
    parser.add_argument(
        "--validation-episodes",
        type=positive,
        default=20,
        metavar="N",
        help="to choose among checkpoints (default 20)",
    )
    parser.add_argument(
        "--demonstrations", type=positive, metavar="N", help="expert episodes, when training first"
    )
    parser.add_argument(
        "--split",
        choices=("test", "validation"),
        default="test",
        help="which start states; tune on validation, report test (default)",
    )
    parser.add_argument(
        "--overwrite", action="store_true", help="drop what this run has and begin anew"
    )
    add_sweep(parser, "latency.delay=0,1,2,4")
    add_common(parser)
    add_settings(parser, SECTIONS)


def main(args: argparse.Namespace) -> int:
    places = workers(args, policies.get(args.policy))
    requests = [
        _request(args, places, [*args.settings, *variant]) for variant in variants(args.sweep)
    ]
    for request in requests:  # what must be set up is set up before anything runs
        for env_id in request.envs:
            if request.policy == "expert" and card(env_id).expert is None:
                raise ManigymError(
                    f"{env_id} has no expert; tasks with one: python -m benchmark list"
                )
            choose(env_id, args.isolation, pictures=request.settings["run"].videos > 0)
    finished = [run(request, args.overwrite) for request in requests]
    if not any(one.new for one in finished):
        raise ManigymError(
            f"{finished[0].folder} already holds this run ({args.episodes} episodes per task); "
            "--episodes adds more, --overwrite runs it again, --out writes elsewhere"
        )
    return _report(finished, args.out / "leaderboard.csv")


def _report(finished: Sequence[Finished], board: Path) -> int:
    rows = [row for one in finished for row in one.rows]
    folders = " ".join(str(one.folder) for one in finished)
    print(f"\n{table(rows)}")
    if measured := measures_table(rows):
        print(f"\n{measured}")
    if suites := averages(rows):
        print(f"\n{averages_table(suites)}")
    for one in finished:
        for env_id, words in time_spent(read_records(one.folder)).items():
            print(f"\n{env_id}: {words}", end="")
    print(f"\n\n{board}   records and films: {folders}")
    errors = sum(int(row["errors"]) for row in rows)
    if errors:
        print(
            f"{errors} episodes ended in an error, see errors.log in {folders}; the same command "
            "tries them again",
            file=sys.stderr,
        )
    return 1 if errors else 0


def _request(args: argparse.Namespace, places: Workers, settings: Sequence[str]) -> Request:
    policy_class = policies.get(args.policy)
    missing = [file for file in args.checkpoint if not file.is_file()]
    if missing:
        raise ManigymError(f"--checkpoint {missing[0]}: no such file")
    ignored = [s for s in settings if s.startswith(("training.", "data."))]
    if args.checkpoint and (args.demonstrations or ignored):
        extra = ignored[0] if ignored else "--demonstrations"
        raise ManigymError(f"{extra} is for training first; with --checkpoint nothing is trained")
    return Request(
        policy=args.policy,
        policy_class=policy_class,
        envs=tuple(card(env_id).id for env_id in dict.fromkeys(args.env or quick_suite())),
        settings=parse(SECTIONS, settings, args.config),
        out=args.out,
        episodes=args.episodes,
        seed=args.seed,
        split=args.split,
        workers=places,
        checkpoints=tuple(dict.fromkeys(args.checkpoint)),
        validation_episodes=args.validation_episodes,
        demonstrations=args.demonstrations,
        overrides=tuple(settings),
        config_file=args.config,
    )


def quick_suite() -> list[str]:
    """One task per simulator that can run: those whose card says so, else the toy."""
    quick = [c.id for c in CARDS.values() if c.quick and available(c.id)]
    return quick or [next(iter(CARDS))]
