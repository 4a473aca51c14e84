"""Train a policy: from demonstrations or by reinforcement learning, as its kind asks for.

Behaviour cloning (maniflow) without --data records the task's expert first (cached below --out),
continues after an interruption with the same command, and ends with the same weights.
Stable-Baselines3 (sb3-ppo, sb3-sac) learns from its own episodes and keeps the weights with most
successes on validation episodes; with --workers above 1 every environment has its own process.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import policies
from benchmark.commands.arguments import (
    add_common,
    add_settings,
    add_sweep,
    positive,
    settings_help,
    variants,
    workers,
)
from benchmark.config import DataSettings, TrainingSettings, parse
from benchmark.pipeline import Recipe, trained
from benchmark.sb3.settings import SB3Settings
from envs import card
from envs.schema import ManigymError
from policies.base import TrainablePolicy
from policies.sb3 import SB3TrainedPolicy, library

RESUME = "what was saved is kept; the same command continues (Stable-Baselines3: begins anew)"
Training = Callable[[bool], tuple[Path, bool]]  # overwrite -> the checkpoint, was it there already


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--policy", required=True, metavar="NAME", help="e.g. maniflow, sb3-ppo, sb3-sac"
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
    add_sweep(parser, "training.learning_rate=1e-4,3e-4")
    add_common(parser)
    add_settings(parser, {})
    parser.epilog = "\n\n".join(f"{kind.title}, {settings_help(kind.sections)}" for kind in KINDS)


def main(args: argparse.Namespace) -> int:
    card(args.env)
    policy_class = policies.get(args.policy)
    kind = next((kind for kind in KINDS if issubclass(policy_class, kind.policies)), None)
    if kind is None:
        raise ManigymError(f"policy {args.policy!r} has nothing to train; run it as it is")
    choices = variants(args.sweep)
    trainings = [kind.prepare(args, policy_class, [*args.settings, *more]) for more in choices]
    new = False
    for training in trainings:
        checkpoint, existed = training(args.overwrite)
        new = new or not existed
        print(f"checkpoint: {checkpoint}{' (trained before)' if existed else ''}")
        command = f"python -m benchmark run --policy {args.policy} --env {args.env}"
        print(f"evaluate:   {command} --checkpoint {checkpoint}")
    if not new:
        raise ManigymError(f"{checkpoint} is trained already; --overwrite trains it again")
    return 0


def _cloning(
    args: argparse.Namespace, policy_class: type[TrainablePolicy], settings: Sequence[str]
) -> Training:
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
        overrides=settings,
    )
    recipe.settings()  # all are checked before the first one trains
    return partial(trained, recipe)


def _reinforcement(
    args: argparse.Namespace, policy_class: type[SB3TrainedPolicy], settings: Sequence[str]
) -> Training:
    for option, given in (("--data", args.data), ("--demonstrations", args.demonstrations)):
        if given is not None:
            raise ManigymError(
                f"{option} is for behaviour cloning; {args.policy} learns from its own episodes"
            )
    parsed = parse(REINFORCEMENT, settings, args.config)
    library(f"policy {args.policy!r}")  # says what to install, where it is not there
    from benchmark.sb3 import train as sb3

    job = sb3.SB3Job(
        policy=args.policy,
        policy_class=policy_class,
        env=args.env,
        out=args.out,
        settings=parsed["training"],
        options=parsed["policy"],
        env_options=parsed["env"],
        seed=args.seed,
        workers=workers(args),
    )
    return partial(sb3.trained, job)


CLONING = {"policy": None, "training": TrainingSettings, "data": DataSettings, "env": None}
REINFORCEMENT = {"policy": None, "training": SB3Settings, "env": None}


@dataclass(frozen=True)
class Kind:
    """How policies of a class are trained: ``sections`` of its settings, and ``prepare``, which
    checks them and gives the training itself."""

    policies: type[Any]
    title: str
    sections: Mapping[str, type[Any] | None]
    prepare: Callable[[argparse.Namespace, Any, Sequence[str]], Training]


KINDS = (
    Kind(TrainablePolicy, "behaviour cloning (maniflow)", CLONING, _cloning),
    Kind(SB3TrainedPolicy, "Stable-Baselines3 (sb3-ppo, sb3-sac)", REINFORCEMENT, _reinforcement),
)
