"""Evaluate a policy, append one row per task to leaderboard.csv, print the table.

Without --env: a quick suite, one task per simulator that is installed. Without --checkpoint, a
trainable policy is trained first from (cached) expert demonstrations. Interrupted, the same command
continues where it stopped; results do not depend on --workers.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import policies
from benchmark.claim import claimed
from benchmark.commands.arguments import add_common, add_settings, positive, workers
from benchmark.config import DataSettings, RunSettings, TrainingSettings, parse
from benchmark.engine.latency import LatencySettings
from benchmark.engine.perturbations import PerturbationSettings
from benchmark.evaluate import Evaluation, counted, evaluate, missing_episodes
from benchmark.pipeline import Recipe, trained
from benchmark.results.leaderboard import append_row, read_rows, table
from benchmark.results.provenance import config_hash
from benchmark.results.records import RunFolder
from benchmark.rows import row_of
from envs import CARDS, card
from envs.isolation.interpreter import available, choose
from envs.schema import ManigymError
from policies.base import Policy, TrainablePolicy


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--policy", required=True, metavar="NAME", help="see: python -m benchmark list"
    )
    parser.add_argument("--env", nargs="+", metavar="ID", help="tasks (default: the quick suite)")
    parser.add_argument(
        "--episodes", type=positive, default=50, metavar="N", help="per task (default 50)"
    )
    parser.add_argument("--checkpoint", type=Path, metavar="FILE", help="trained weights")
    parser.add_argument(
        "--demonstrations", type=positive, metavar="N", help="expert episodes, when training first"
    )
    parser.add_argument(
        "--split",
        choices=("test", "validation"),
        default="test",
        help="which start states; tune on validation, report test (default)",
    )
    parser.add_argument("--overwrite", action="store_true", help="run finished episodes again")
    add_common(parser)
    add_settings(
        parser,
        "policy (the policy's own), env (options of gymnasium.make), "
        "run (execute, ensemble, videos, interval, stop_rate, ...), latency (delay, mode, lead), "
        "perturb (drop_frames, camera_noise, ...), training and data (when training first)",
    )


def main(args: argparse.Namespace) -> int:
    policy_class = policies.get(args.policy)
    env_ids = [card(env_id).id for env_id in dict.fromkeys(args.env or quick_suite())]
    if args.checkpoint is not None and not args.checkpoint.is_file():
        raise ManigymError(f"--checkpoint {args.checkpoint}: no such file")
    ignored = [s for s in args.settings if s.startswith(("training.", "data."))]
    if args.checkpoint is not None and (args.demonstrations or ignored):
        extra = ignored[0] if ignored else "--demonstrations"
        raise ManigymError(f"{extra} is for training first; with --checkpoint nothing is trained")
    kinds = {
        "run": RunSettings,
        "latency": LatencySettings,
        "perturb": PerturbationSettings,
        "env": None,
        "policy": None,
        "training": TrainingSettings,
        "data": DataSettings,
    }
    settings = parse(kinds, args.settings, args.config)
    for env_id in env_ids:  # what must be set up is set up before anything runs
        choose(env_id, args.isolation, pictures=settings["run"].videos > 0)
    jobs = [_job(args, policy_class, settings, env_id) for env_id in env_ids]
    config = _resolved(args, settings, jobs)
    path = args.out / f"{args.policy}-{config_hash(config)}"
    with claimed(path):
        if args.overwrite and path.exists():
            shutil.rmtree(path)
        return _evaluate_all(args, jobs, RunFolder(path, config))


def _evaluate_all(args: argparse.Namespace, jobs: list[Evaluation], folder: RunFolder) -> int:
    board = args.out / "leaderboard.csv"
    unfinished = [
        job for job in jobs if missing_episodes(job, folder) or not _row_of(board, job, folder)
    ]
    if not unfinished:
        raise ManigymError(
            f"{folder.path} already holds this run ({args.episodes} episodes per task); "
            "--episodes adds more, --overwrite runs it again, --out writes elsewhere"
        )
    if folder.mended:
        print(f"the last record was damaged and is run again: {folder.path / 'damaged.jsonl'}")
    for job in unfinished:
        per_hour = evaluate(job, folder)
        append_row(board, row_of(job, folder, per_hour))
    rows = [_row_of(board, job, folder) for job in jobs]
    print(f"\n{table(rows)}\n\n{board}   records and films: {folder.path}")
    errors = sum(int(row["errors"]) for row in rows)
    if errors:
        print(
            f"{errors} episodes ended in an error, see {folder.path / 'errors.log'}; the same "
            "command tries them again",
            file=sys.stderr,
        )
    return 1 if errors else 0


def quick_suite() -> list[str]:
    """One task per simulator that can run: those whose card says so, else the toy."""
    quick = [c.id for c in CARDS.values() if c.quick and available(c.id)]
    return quick or [next(iter(CARDS))]


def _row_of(board: Path, job: Evaluation, folder: RunFolder) -> dict[str, str]:
    """The newest row of this run, task and number of episodes; empty where there is none."""
    rows = read_rows(board) if board.exists() else []
    key = (folder.path.name, job.env, str(len(counted(job, folder.records()))))
    stops = job.stopping is not None
    found = [
        row
        for row in rows
        if (row["run"], row["env"], str(int(row["episodes"]) + int(row["errors"]))) == key
        and bool(row["stopping"]) == stops
    ]
    return found[-1] if found else {}


def _job(
    args: argparse.Namespace, policy_class: type[Policy], settings: Mapping[str, Any], env_id: str
) -> Evaluation:
    checkpoint, selection = args.checkpoint, "given" if args.checkpoint else ""
    options = settings["policy"]
    if checkpoint is None and issubclass(policy_class, TrainablePolicy):
        checkpoint, selection = _train_first(args, policy_class, env_id), "last of training"
        options = {k: v for k, v in options.items() if k in policy_class.inference_keys}
    return Evaluation(
        env=env_id,
        policy=policy_class.from_options(checkpoint, options),
        policy_name=args.policy,
        episodes=args.episodes,
        seed=args.seed,
        workers=workers(args),
        settings=settings["run"],
        env_options=settings["env"],
        checkpoint=checkpoint,
        selection=selection,
        split=args.split,
        latency=settings["latency"],
        perturb=settings["perturb"],
    )


def _train_first(
    args: argparse.Namespace, policy_class: type[TrainablePolicy], env_id: str
) -> Path:
    print(f"no --checkpoint: {args.policy} is trained on {env_id} from expert demonstrations")
    # The same weights serve every way of running them.
    inference = tuple(f"policy.{key}=" for key in policy_class.inference_keys)
    recipe = Recipe(
        policy=args.policy,
        policy_class=policy_class,
        env=env_id,
        out=args.out,
        seed=args.seed,
        workers=workers(args),
        demonstrations=args.demonstrations,
        config_file=args.config,
        overrides=[s for s in args.settings if not s.startswith(inference)],
    )
    checkpoint, existed = trained(recipe)
    print(f"{'found, trained before' if existed else 'trained'}: {checkpoint}")
    return checkpoint


def _resolved(
    args: argparse.Namespace, settings: Mapping[str, Any], jobs: list[Evaluation]
) -> dict[str, Any]:
    """What determines the results of a run; its folder is named after the hash."""
    return {
        "policy": args.policy,
        "policy_options": settings["policy"],
        "seed": args.seed,
        "split": args.split,
        "execute": settings["run"].execute,
        "ensemble": settings["run"].ensemble,
        "latency": {**asdict(settings["latency"]), **jobs[0].delays.identity},
        "perturb": asdict(settings["perturb"]),
        "tasks": {job.env: job.resolved() for job in jobs},
    }
