"""Show that a result does not depend on how it was made, on this machine, with this policy.

The same episodes are run with 1, 2 and 4 workers, with the simulator in this process and in others,
in other orders, with the policy asked for one episode and for several at a time, interrupted and
continued, and by a fresh Python with another hash seed, two threads and films. Every state, action
and return is compared.
Exit status 1 where anything differs.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

import policies
from benchmark.commands.arguments import DEFAULT_OUT, add_settings, natural, positive
from benchmark.commands.run import SECTIONS, quick_suite
from benchmark.config import parse, resolved
from benchmark.evaluate import Evaluation
from benchmark.jobs import Request, evaluation
from benchmark.verification.invariance import (
    Difference,
    covering,
    differences,
    every_way,
    places,
    play,
)
from envs import card
from envs.isolation.interpreter import host
from envs.schema import ManigymError
from policies.base import inference_options

RESUME = "nothing is kept, the same command starts again"
# What a second day brings: other orders of sets and dictionaries, another clock, more threads.
ELSEWHERE = {"PYTHONHASHSEED": "20250711", "TZ": "Pacific/Auckland", "OMP_NUM_THREADS": "2"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--policy", required=True, metavar="NAME")
    parser.add_argument("--env", nargs="+", metavar="ID", help="tasks (default: the quick suite)")
    parser.add_argument("--checkpoint", type=Path, metavar="FILE", help="trained weights")
    parser.add_argument(
        "--episodes", type=positive, default=4, metavar="N", help="per task and way (default 4)"
    )
    parser.add_argument(
        "--demonstrations", type=positive, metavar="N", help="expert episodes, when training first"
    )
    parser.add_argument(
        "--full", action="store_true", help="every combination, not only every pair of values"
    )
    parser.add_argument(
        "--out", type=Path, default=DEFAULT_OUT, metavar="DIR", help="for what is trained first"
    )
    parser.add_argument("--seed", type=natural, default=0, help="root of every random stream")
    add_settings(parser, SECTIONS)


def main(args: argparse.Namespace) -> int:
    request = _request(args)
    found = [d for env_id in request.envs for d in _task(request, env_id, args.full)]
    return 1 if found else 0


def _request(args: argparse.Namespace) -> Request:
    if args.checkpoint is not None and not args.checkpoint.is_file():
        raise ManigymError(f"--checkpoint {args.checkpoint}: no such file")
    return Request(
        policy=args.policy,
        policy_class=policies.get(args.policy),
        envs=tuple(card(env_id).id for env_id in dict.fromkeys(args.env or quick_suite())),
        settings=parse(SECTIONS, args.settings, args.config),
        out=args.out,
        episodes=args.episodes,
        seed=args.seed,
        checkpoints=(args.checkpoint,) if args.checkpoint else (),
        demonstrations=args.demonstrations,
        overrides=tuple(args.settings),
        config_file=args.config,
    )


def _task(request: Request, env_id: str, full: bool) -> list[Difference]:
    """Run one task in all ways, say what was found as it comes, and return the differences."""
    job = evaluation(request, env_id)
    isolations = places(env_id)
    everything = every_way(isolations)
    first, *others = everything if full else covering(everything)
    print(f"{env_id}, {request.policy}, {len(job.plan())} episodes a way", flush=True)
    found: list[Difference] = []
    with tempfile.TemporaryDirectory(prefix="manigym-") as temporary:
        folders = Path(temporary)
        print(f"  reference  {first} ({play(job, first, folders / 'reference')})", flush=True)
        for number, way in enumerate(others):
            called = play(job, way, folders / str(number))
            found += _compared(f"{way} ({called})", folders / "reference", folders / str(number))
        again = _fresh_process(request, job, isolations[-1], folders / "again")
        other_day = f"workers 2, {isolations[-1]}, run by a fresh Python, OMP_NUM_THREADS=2, filmed"
        found += _compared(other_day, folders / "reference", again)
    count = len(job.plan()) * (len(others) + 1)
    print(f"{env_id}, {request.policy}: {len(found)} differences in {count} episodes compared\n")
    return found


def _compared(way: str, reference: Path, folder: Path) -> list[Difference]:
    found = differences(way, reference, folder)
    print(f"  {'DIFFERENT' if found else 'same':9}  {way}", flush=True)
    for difference in found:
        print(f"             {difference}", flush=True)
    return found


def _fresh_process(request: Request, job: Evaluation, isolation: str, out: Path) -> Path:
    """``run`` as another process on another day: the folder of its records."""
    command = [sys.executable, "-m", "benchmark", "run", "--policy", request.policy]
    command += ["--env", job.env, "--workers", "2", "--isolation", isolation, "--out", str(out)]
    command += ["--episodes", str(request.episodes), "--seed", str(request.seed)]
    command += ["--config", str(_settings_file(request, out))]
    command += ["--checkpoint", str(job.checkpoint)] if job.checkpoint else []
    variables = {**os.environ, **host().variables, **ELSEWHERE}
    ended = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)
    runs = list(out.glob("*/config.yaml"))
    if ended.returncode not in (0, 1) or not runs:
        raise ManigymError(
            f"{' '.join(command[1:])} ended with exit status {ended.returncode}:\n{ended.stderr}"
        )
    return runs[0].parent


def _settings_file(request: Request, folder: Path) -> Path:
    """The settings that a run with a checkpoint takes, as ``--config``."""
    sections: dict[str, Any] = resolved(request.settings)
    for training in ("training", "data"):
        del sections[training]
    sections["policy"] = inference_options(request.policy_class, sections["policy"])
    sections["run"] |= {"videos": 1, "stop_rate": None, "stop_against": None}
    folder.mkdir()
    file = folder / "settings.yaml"
    OmegaConf.save(OmegaConf.create(sections), file)
    return file
