"""Record demonstrations of a task's expert into a trajectory store.

Only successful episodes are kept. Interrupted, the same command continues; a larger --episodes
adds.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

from benchmark.collect import CollectJob, collect, held
from benchmark.commands.arguments import add_common, add_settings, positive, workers
from benchmark.config import parse
from benchmark.pipeline import demonstrations_path
from envs import card
from envs.schema import ManigymError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--env", required=True, metavar="ID", help="e.g. Robomimic/lift-v0")
    parser.add_argument("--episodes", type=positive, default=100, metavar="N", help="default 100")
    parser.add_argument(
        "--observations",
        nargs="+",
        default=["proprio", "state"],
        metavar="MODALITY",
        help="what to record (default: proprio state)",
    )
    parser.add_argument("--data", type=Path, metavar="DIR", help="the store (default: below --out)")
    parser.add_argument("--overwrite", action="store_true", help="delete the store first")
    add_common(parser)
    add_settings(parser, {"env": None})


def main(args: argparse.Namespace) -> int:
    card(args.env)
    options = parse({"env": None}, args.settings, args.config)["env"]
    job = CollectJob(
        args.env, args.episodes, tuple(args.observations), options, args.seed, workers(args)
    )
    path = args.data or demonstrations_path(args.out, job)
    if path.exists():
        if args.overwrite:
            shutil.rmtree(path)
        elif (have := held(job, path)) >= job.episodes:
            raise ManigymError(
                f"{path} already holds {have} demonstrations; raise --episodes to add more, or "
                "--overwrite to record them again"
            )
    path.parent.mkdir(parents=True, exist_ok=True)
    store = collect(job, path)
    report = store.verify()
    print(f"{path}: {report.episodes} demonstrations, {report.steps} steps")
    for warning in report.warnings:
        print(f"warning: {warning}")
    return 0
