"""How fast: env steps, episodes, policy calls, windows and training samples, ours and others'.

  steps      control steps per second, every frame observed and in chunks
  episodes   episodes per hour in closed loop; predicts other machines, too
  policy     calls per second on real observations, for every --batch-sizes
  loader     training windows per second
  training   samples per second through behaviour cloning

All contenders take turns, --repeats times; the table shows medians, spread, and how many times as
fast the first one is in the same round. Without --policy a stand-in answers at once, so that
simulator, pictures and transport remain; without --checkpoint a policy has random weights (its
speed is the same). Without --data, demonstrations are noise of the usual sizes.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import policies
from benchmark.commands.arguments import (
    DEFAULT_OUT,
    add_settings,
    folder,
    layout,
    natural,
    positive,
    worker_count,
)
from benchmark.commands.run import quick_suite
from benchmark.config import TrainingSettings, parse
from benchmark.progress import progress
from benchmark.throughput.chart import write_chart
from benchmark.throughput.contest import contest
from benchmark.throughput.entries import MEASURES, Asked, Entry, check_measures, entries
from benchmark.throughput.figures import Figure, append_csv, figures, table
from benchmark.throughput.peers import PEERS, check
from benchmark.throughput.scaling import forecast
from envs import card
from envs.isolation.interpreter import ISOLATION
from envs.make import Workers
from envs.schema import ManigymError
from policies.base import TrainablePolicy

RESUME = "contests that had ended are in throughput.csv; the same command runs all again"
SECTIONS = {"policy": None, "env": None, "training": TrainingSettings}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "measures", nargs="*", metavar="WHAT", help=f"{', '.join(MEASURES)} (default: steps)"
    )
    parser.add_argument("--env", nargs="+", metavar="ID", help="tasks (default: the quick suite)")
    parser.add_argument("--policy", metavar="NAME", help="see: python -m benchmark list")
    parser.add_argument("--checkpoint", type=Path, metavar="FILE", help="trained weights")
    parser.add_argument("--data", type=Path, metavar="DIR", help="demonstrations, see collect")
    parser.add_argument(
        "--observations", nargs="+", metavar="NAME", help="of the stand-in: proprio state rgb ..."
    )
    parser.add_argument(
        "--chunk", type=positive, metavar="K", help="of the stand-in: actions per call (default 8)"
    )
    parser.add_argument(
        "--n-obs", type=positive, metavar="O", help="of the stand-in: frames it sees (default 2)"
    )
    parser.add_argument(
        "--workers", nargs="+", type=worker_count, default=["auto"], metavar="N", help="as of run"
    )
    parser.add_argument(
        "--scenes", nargs="+", type=positive, default=[None], metavar="N", help="as of run"
    )
    parser.add_argument(
        "--batch-sizes", nargs="+", type=positive, default=[1, 8], metavar="B", help="default: 1 8"
    )
    parser.add_argument(
        "--against", nargs="+", default=[], metavar="PEER", help="other ways (listed below)"
    )
    parser.add_argument(
        "--repeats", type=positive, default=5, metavar="N", help="turns of each (default 5)"
    )
    parser.add_argument(
        "--seconds", type=seconds, default=2.0, metavar="S", help="of a turn (default 2)"
    )
    parser.add_argument(
        "--episodes", type=positive, metavar="N", help="of a turn (default: at least --seconds)"
    )
    parser.add_argument("--seed", type=natural, default=0, help="of the first episode (default 0)")
    parser.add_argument("--isolation", choices=ISOLATION, default="auto", help="see run --help")
    parser.add_argument(
        "--out", type=folder, default=DEFAULT_OUT, metavar="DIR", help="default: runs/"
    )
    add_settings(parser, SECTIONS)
    parser.epilog = f"{parser.epilog}\n\npeers:\n{_peers()}"


def main(args: argparse.Namespace) -> int:
    measures = tuple(dict.fromkeys(args.measures or ["steps"]))
    check_measures(measures)
    check(args.against, measures)
    args.out.mkdir(parents=True, exist_ok=True)  # a wrong --out is known before anything runs
    with TemporaryDirectory() as scratch:
        return _measure(args, entries(_asked(args, Path(scratch)), measures))


def _measure(args: argparse.Namespace, found: Sequence[Entry]) -> int:
    rows: list[Figure] = []
    for entry in found:
        new = _held(entry, args.repeats)
        append_csv(args.out / "throughput.csv", new)
        rows += new
        write_chart(args.out / "throughput.svg", rows)
        print(f"\n{table(new)}")
        if entry.loop is not None:
            print(entry.loop.time_spent())
    costs = [(entry.subject, cost) for entry in found if (cost := entry.cost()) is not None]
    if costs:
        kind = policies.get(args.policy) if args.policy else None
        print(f"\n{forecast(costs, kind is not None and issubclass(kind, TrainablePolicy))}")
    print(f"\n{args.out / 'throughput.csv'}   {args.out / 'throughput.svg'}")
    return 0


def _asked(args: argparse.Namespace, scratch: Path) -> Asked:
    if args.checkpoint is not None and not args.checkpoint.is_file():
        raise ManigymError(f"--checkpoint {args.checkpoint}: no such file")
    if args.checkpoint is not None and args.policy is None:
        raise ManigymError("--checkpoint without --policy NAME: whose weights are these?")
    if args.policy is not None and (args.observations or args.chunk or args.n_obs):
        raise ManigymError(
            "--observations, --chunk and --n-obs are for the stand-in; a policy has its own "
            "(policy.observations=[...], policy.n_action=8, policy.n_obs=2)"
        )
    sections: dict[str, Any] = dict(SECTIONS)
    kind = policies.get(args.policy) if args.policy is not None else None
    if kind is not None and issubclass(kind, TrainablePolicy) and args.checkpoint is None:
        sections["policy"] = kind.Config
    layouts = {layout(n, scenes, kind): None for n in args.workers for scenes in args.scenes}
    most_first = sorted(layouts, key=lambda pair: -pair[0])
    return Asked(
        envs=[card(env_id).id for env_id in args.env or quick_suite()],
        policy=args.policy,
        checkpoint=args.checkpoint,
        data=args.data,
        observations=args.observations,
        chunk=args.chunk or 8,
        n_obs=args.n_obs or 2,
        workers=[Workers(n, args.isolation, scenes=scenes) for n, scenes in most_first],
        batch_sizes=args.batch_sizes,
        against=args.against,
        seconds=args.seconds,
        episodes=args.episodes,
        seed=args.seed,
        settings=parse(sections, args.settings, args.config),
        scratch=scratch,
    )


def seconds(text: str) -> float:
    """A positive number."""
    value = float(text)
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"expected a positive number, got {text}")
    return value


def _held(entry: Entry, repeats: int) -> list[Figure]:
    turns = len(entry.contenders) * (repeats + 1)
    with progress(turns, 0, f"{entry.measure} {entry.subject}", "turn") as bar:
        entry.result = contest(entry.contenders, repeats, bar.update)
    return figures(entry.measure, entry.subject, entry.looks, entry.result)


def _peers() -> str:
    return "\n".join(
        f"  {name:12} {peer.about}{'' if peer.installed else f' [{peer.install}]'}"
        for name, peer in PEERS.items()
    )
