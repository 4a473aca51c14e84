"""How many episodes does a question need?

python -m benchmark plan --difference 0.1              two policies, 10 points apart
python -m benchmark plan --half-width 0.05             one policy's rate, +- 5 points
python -m benchmark plan --against 0.5 --rate 0.7      is one policy's rate another than 50 %?
"""

from __future__ import annotations

import argparse

import numpy as np
from tabulate import tabulate

from benchmark.statistics.intervals import INTERVALS
from benchmark.statistics.power import Comparison, paired_episodes, rate_episodes, width_episodes
from benchmark.statistics.sequential import Stopping
from envs.schema import ManigymError

DIFFERENCES = (0.05, 0.1, 0.15, 0.2, 0.3, 0.4)
POWERS = (0.5, 0.8, 0.9, 0.95)
WIDTHS = (0.02, 0.05, 0.1, 0.15)
LONGEST = 6000  # episodes up to which the sequential plan is computed: its cost is quadratic
RUN = "python -m benchmark run --policy NAME --env ID --episodes {episodes}"


def share(text: str) -> float:
    """A number between 0 and 1, both excluded."""
    try:
        value = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected a number, got {text!r}") from None
    if not 0 < value < 1:
        raise argparse.ArgumentTypeError(f"expected more than 0 and less than 1, got {text}")
    return value


def add_arguments(parser: argparse.ArgumentParser) -> None:
    question = parser.add_mutually_exclusive_group(required=True)
    question.add_argument(
        "--difference", type=float, metavar="D", help="rate of B minus rate of A, e.g. 0.1"
    )
    question.add_argument(
        "--half-width", type=share, metavar="W", help="half of the interval of one rate"
    )
    question.add_argument("--against", type=share, metavar="P", help="a fixed rate to tell from")
    parser.add_argument(
        "--rate",
        type=float,
        metavar="R",
        help="expected success rate (of A); default 0.5, where most episodes are needed",
    )
    parser.add_argument("--power", type=share, metavar="P", help="to find it (default 0.8)")
    parser.add_argument("--confidence", type=share, default=0.95, metavar="C", help="default 0.95")
    parser.add_argument(
        "--correlation",
        type=float,
        default=0.0,
        metavar="PHI",
        help="of A's and B's outcomes on shared seeds (default 0: conservative)",
    )


def main(args: argparse.Namespace) -> int:
    if args.half_width is not None and args.power is not None:
        raise ManigymError(
            "--power is for --difference and --against; an interval has a width alone"
        )
    args.power = args.power or 0.8
    if args.difference is not None:
        print(_two_policies(args))
    elif args.half_width is not None:
        print(_one_rate(args))
    else:
        print(_against(args))
    return 0


def _two_policies(args: argparse.Namespace) -> str:
    rate, alpha = _rate(args), 1 - args.confidence
    asked = Comparison(rate, args.difference, args.correlation)
    episodes = paired_episodes(asked, args.power, alpha)
    differences = sorted({abs(args.difference), *DIFFERENCES})
    sign = 1 if args.difference > 0 else -1
    rows = [
        [f"{100 * sign * d:+g} points", *_cells(args, sign * d)]
        for d in differences
        if 0 <= rate + sign * d <= 1
    ]
    return (
        f"{episodes} episodes per policy on shared seeds find a difference of "
        f"{100 * args.difference:+g} points from {rate:.0%}\nwith {args.power:.0%} power "
        f"(exact McNemar test, {args.confidence:.0%} confidence, correlation "
        f"{args.correlation:g}).\n\n"
        + tabulate(rows, headers=["power", *(f"{p:.0%}" for p in POWERS)])
        + f"\n\nNext, for both policies with the same --seed:\n  {RUN.format(episodes=episodes)}\n"
        "  python -m benchmark compare RUN_A RUN_B"
    )


def _cells(args: argparse.Namespace, difference: float) -> list[int | str]:
    """Episodes per power; empty where the asked correlation is impossible."""
    try:
        asked = Comparison(_rate(args), difference, args.correlation)
        return [paired_episodes(asked, power, 1 - args.confidence) for power in POWERS]
    except ManigymError:
        return [""] * len(POWERS)


def _one_rate(args: argparse.Namespace) -> str:
    rate = _rate(args)
    widths = sorted({args.half_width, *WIDTHS})
    rows = [
        [
            f"+- {100 * width:g} points",
            *(width_episodes(width, rate, args.confidence, f) for f in INTERVALS.values()),
        ]
        for width in widths
    ]
    episodes = width_episodes(args.half_width, rate, args.confidence)
    return (
        f"{episodes} episodes give a {args.confidence:.0%} Wilson interval of +- "
        f"{100 * args.half_width:g} points around {rate:.0%}.\n\n"
        + tabulate(rows, headers=["interval", *INTERVALS])
        + f"\n\nNext:\n  {RUN.format(episodes=episodes)}"
    )


def _against(args: argparse.Namespace) -> str:
    if args.rate is None:
        raise ManigymError("--against P needs the expected rate too, e.g. --rate 0.7")
    fixed = rate_episodes(args.rate, args.against, args.power, 1 - args.confidence)
    return (
        f"{fixed} episodes, looked at once, tell {args.rate:.0%} from {args.against:.0%} with "
        f"{args.power:.0%} power (exact test,\n{args.confidence:.0%} confidence):\n"
        f"  {RUN.format(episodes=fixed)}\n\n"
        f"{_sequential(args, fixed)}"
    )


def _sequential(args: argparse.Namespace, fixed: int) -> str:
    limit = min(3 * fixed, LONGEST)
    law = Stopping(args.against, args.confidence).law(args.rate, limit)
    stopped = law.cumsum()
    head = "Looked at after every episode (anytime-valid), the same power needs"
    if stopped[-1] < args.power:
        return f"{head}\nmore than {limit} episodes at most."
    most = int(np.argmax(stopped >= args.power))
    expected = float((1 - stopped[:most]).sum())  # E[min(T, most)] = sum of P(T > n)
    return (
        f"{head}\nat most {most} episodes, {expected:.0f} on average:\n"
        f"  {RUN.format(episodes=most)} run.stop_rate={args.against:g}"
    )


def _rate(args: argparse.Namespace) -> float:
    return 0.5 if args.rate is None else args.rate
