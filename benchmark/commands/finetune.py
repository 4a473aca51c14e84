"""Make a trained policy better by reinforcement learning (PPO on the chain from noise to actions).

The result is an ordinary checkpoint: the best one on validation episodes, which the policy plays
deterministically, as `run` does. Interrupted, the same command continues and ends with the same
weights; with the back end "manigym" they do not depend on training.num_envs either. With --workers
above 1 every simulator has a process of its own.
What the options do, and what to look at when it does not learn: docs/finetuning.md.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tabulate import tabulate

import benchmark.finetuning
import policies
from benchmark.commands.arguments import add_common, add_settings, add_sweep, variants, workers
from benchmark.config import parse
from benchmark.finetuning.job import Finetuned, FinetuneJob, finetune
from benchmark.finetuning.settings import AdvantageSettings, FinetuneSettings
from envs import card
from envs.schema import ManigymError
from policies.base import FinetunablePolicy

CONFIGS = Path(benchmark.finetuning.__file__).parent / "configs"
SECTIONS: dict[str, type[Any] | None] = {
    "policy": None,
    "training": FinetuneSettings,
    "advantage": AdvantageSettings,
    "env": None,
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--policy", required=True, metavar="NAME", help="one whose actions have a density: maniflow"
    )
    parser.add_argument(
        "--checkpoint", required=True, type=Path, metavar="FILE", help="trained weights to improve"
    )
    parser.add_argument("--env", required=True, metavar="ID", help="e.g. Robomimic/lift-v0")
    parser.add_argument("--overwrite", action="store_true", help="begin anew")
    add_sweep(parser, "training.seed=0,1,2")
    add_common(parser)
    add_settings(parser, {**SECTIONS, "policy": _policy_class("maniflow").ChainConfig})
    names = ", ".join(sorted(file.stem for file in CONFIGS.glob("*.yaml")))
    parser.epilog = (
        f"{parser.epilog}\n\n--config also takes the name of one that comes along: {names}"
    )


def main(args: argparse.Namespace) -> int:
    jobs = [_job(args, [*args.settings, *variant]) for variant in variants(args.sweep)]
    results = [finetune(job, args.overwrite) for job in jobs]
    if all(result.existed for result in results):
        raise ManigymError(
            f"{results[0].checkpoint} is fine-tuned already; --overwrite begins anew, "
            "training.seed=N makes another"
        )
    print(_table(results))
    command = f"python -m benchmark run --policy {args.policy} --env {args.env}"
    for result in results:
        print(f"evaluate: {command} --checkpoint {result.checkpoint}")
    return 0


def _table(results: Sequence[Finetuned]) -> str:
    """Validation success before and after, one line per run."""
    rows = []
    for result in results:
        history = result.history
        best = max(history, key=lambda v: (v["successes"], v["env_steps"]), default=None)
        rows.append(
            {
                "run": result.checkpoint.parent.name,
                "before": _score(history[0]) if history else "made before",
                "best": _score(best) if best else "",
                "after steps": best["env_steps"] if best else "",
                "last": _score(history[-1]) if history else "",
            }
        )
    return tabulate(rows, headers="keys")


def _score(validation: dict[str, int]) -> str:
    return f"{validation['successes']}/{validation['episodes']}"


def _policy_class(name: str) -> type[FinetunablePolicy]:
    policy_class = policies.get(name)
    if not issubclass(policy_class, FinetunablePolicy):
        raise ManigymError(
            f"policy {name!r} cannot be fine-tuned: its actions come without a density. PPO from "
            "scratch: python -m benchmark train --policy sb3-ppo"
        )
    return policy_class


def _job(args: argparse.Namespace, settings: Sequence[str]) -> FinetuneJob:
    policy_class = _policy_class(args.policy)
    sections = {**SECTIONS, "policy": policy_class.ChainConfig}
    parsed = parse(sections, settings, _config_file(args.config))
    return FinetuneJob(
        policy=policy_class.load(args.checkpoint),
        checkpoint=args.checkpoint,
        env=card(args.env).id,
        out=args.out,
        chain=parsed["policy"].resolved(),
        settings=parsed["training"],
        advantage=parsed["advantage"],
        env_options=parsed["env"],
        seed=args.seed,
        workers=workers(args),
    )


def _config_file(given: Path | None) -> Path | None:
    """A file, or the name of one of ``CONFIGS``."""
    named = CONFIGS / f"{given}.yaml"
    return named if given is not None and not given.exists() and named.exists() else given
