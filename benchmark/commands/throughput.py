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
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import policies
from benchmark.commands.arguments import DEFAULT_OUT, add_settings, folder, natural, positive
from benchmark.commands.run import quick_suite
from benchmark.config import TrainingSettings, parse
from benchmark.machine import available_cores
from benchmark.progress import progress
from benchmark.throughput.chart import write_chart
from benchmark.throughput.contest import contest
from benchmark.throughput.entries import MEASURES, Asked, Entry, entries
from benchmark.throughput.figures import Figure, append_csv, figures, table
from benchmark.throughput.peers import PEERS, check
from benchmark.throughput.scaling import forecast
from envs import card
from envs.isolation.interpreter import ISOLATION
from envs.make import Workers
from envs.schema import ManigymError
from policies.base import TrainablePolicy

RESUME = "the contests that ended are in throughput.csv; the same command runs all again"
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
        "--workers", nargs="+", type=positive, metavar="N", help="processes (default: all cores)"
    )
    parser.add_argument(
        "--scenes", nargs="+", type=positive, default=[1], metavar="N", help="in each process"
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
        "--seconds", type=positive, default=2, metavar="S", help="of a turn that counts time"
    )
    parser.add_argument(
        "--episodes", type=positive, metavar="N", help="of a turn (default: one per worker)"
    )
    parser.add_argument("--seed", type=natural, default=0, help="of the first episode (default 0)")
    parser.add_argument("--isolation", choices=ISOLATION, default="auto", help="see run --help")
    parser.add_argument(
        "--out", type=folder, default=DEFAULT_OUT, metavar="DIR", help="default: runs/"
    )
    add_settings(parser, SECTIONS)
    parser.epilog = f"{parser.epilog}\n\npeers:\n{_peers()}"


def main(args: argparse.Namespace) -> int:
    check(args.against)
    with TemporaryDirectory() as scratch:
        return _measure(args, _asked(args, Path(scratch)))


def _measure(args: argparse.Namespace, asked: Asked) -> int:
    found = entries(asked, tuple(dict.fromkeys(args.measures or ["steps"])))
    rows: list[Figure] = []
    for entry in found:
        rows += _held(entry, args.repeats)
        append_csv(args.out / "throughput.csv", rows[-len(entry.contenders) :])
    write_chart(args.out / "throughput.svg", rows)
    print(f"\n{table(rows)}")
    costs = [(entry.subject, cost) for entry in found if (cost := entry.cost()) is not None]
    if costs:
        print(f"\n{forecast(costs)}")
    print(f"\n{args.out / 'throughput.csv'}   {args.out / 'throughput.svg'}")
    return 0


def _asked(args: argparse.Namespace, scratch: Path) -> Asked:
    if args.checkpoint is not None and not args.checkpoint.is_file():
        raise ManigymError(f"--checkpoint {args.checkpoint}: no such file")
    if args.policy is not None and (args.observations or args.chunk or args.n_obs):
        raise ManigymError(
            "--observations, --chunk and --n-obs are for the stand-in; a policy has its own "
            "(policy.observations=[...], policy.n_action=8, policy.n_obs=2)"
        )
    sections: dict[str, Any] = dict(SECTIONS)
    if args.policy is not None and args.checkpoint is None:
        kind = policies.get(args.policy)
        sections["policy"] = kind.Config if issubclass(kind, TrainablePolicy) else None
    counts = sorted(set(args.workers or [available_cores()]), reverse=True)
    return Asked(
        envs=[card(env_id).id for env_id in args.env or quick_suite()],
        policy=args.policy,
        checkpoint=args.checkpoint,
        data=args.data,
        observations=args.observations,
        chunk=args.chunk or 8,
        n_obs=args.n_obs or 2,
        workers=[Workers(n, args.isolation, scenes=s) for n in counts for s in args.scenes],
        batch_sizes=args.batch_sizes,
        against=args.against,
        seconds=args.seconds,
        episodes=args.episodes,
        seed=args.seed,
        settings=parse(sections, args.settings, args.config),
        scratch=scratch,
    )


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
