"""Behaviour cloning from demonstrations.

Without --data the task's expert is recorded first (cached below --out). An interrupted training
continues with the same command and ends with the same weights.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import policies
from benchmark.commands.arguments import add_common, add_settings, positive, workers
from benchmark.config import DataSettings, TrainingSettings
from benchmark.pipeline import Recipe, trained
from envs import card
from envs.schema import ManigymError
from policies.base import TrainablePolicy


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--policy", required=True, metavar="NAME", help="a trainable policy, e.g. maniflow"
    )
    parser.add_argument("--env", required=True, metavar="ID", help="e.g. Robomimic/lift-v0")
    parser.add_argument(
        "--data",
        type=Path,
        metavar="PATH",
        help="trajectory store or robomimic HDF5; default: the expert's",
    )
    parser.add_argument(
        "--demonstrations",
        type=positive,
        metavar="N",
        help="episodes to record, or to take of --data",
    )
    parser.add_argument("--overwrite", action="store_true", help="train again from scratch")
    add_common(parser)
    add_settings(
        parser, {"policy": None, "training": TrainingSettings, "data": DataSettings, "env": None}
    )


def main(args: argparse.Namespace) -> int:
    card(args.env)
    policy_class = policies.get(args.policy)
    if not issubclass(policy_class, TrainablePolicy):
        raise ManigymError(f"policy {args.policy!r} has nothing to train; run it as it is")
    recipe = Recipe(
        policy=args.policy,
        policy_class=policy_class,
        env=args.env,
        out=args.out,
        seed=args.seed,
        workers=workers(args),
        demonstrations=args.demonstrations,
        data=args.data,
        config_file=args.config,
        overrides=args.settings,
    )
    checkpoint, existed = trained(recipe, args.overwrite)
    if existed:
        raise ManigymError(f"{checkpoint} is trained already; --overwrite trains it again")
    print(f"checkpoint: {checkpoint}")
    command = f"python -m benchmark run --policy {args.policy} --env {args.env}"
    print(f"evaluate:   {command} --checkpoint {checkpoint}")
    return 0
