"""Recorded episodes: look at them, check them, convert them.

Formats: our trajectory stores, robomimic HDF5, RoboTwin and MolmoSpaces (MJThor) folders both ways,
SPOC folders to read. Which one a path is follows from its content.

python -m benchmark data inspect demos
python -m benchmark data validate mjthor_data --json
python -m benchmark data convert demo.hdf5 my_store --env Robomimic/lift-v0
python -m benchmark data convert my_store demo.hdf5
python -m benchmark data convert data/click_bell/demo_clean my_store --env RoboTwin/click_bell-v0
python -m benchmark data convert houses my_store --env MJThor/pick-v0 --pictures

validate ends with status 1 where something is wrong.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from tabulate import tabulate

from benchmark.data.checks import Finding, check, joined
from benchmark.data.conversion import Conversion, convert
from benchmark.data.formats import FORMATS, describe, detect
from benchmark.data.recordings import Recording
from envs.schema import ManigymError

RESUME = "nothing half-written is left; the same command starts over"
SENTENCES = 5  # instructions that are printed


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    for name, summary in (
        ("inspect", "format, episodes, keys, instructions, ranges of the actions"),
        ("validate", "what is wrong with it; status 1 where something is"),
    ):
        sub = actions.add_parser(name, help=summary, description=summary)
        sub.add_argument("path", type=Path)
        sub.add_argument("--json", action="store_true", help="for programs")
    _conversion(actions.add_parser("convert", help="from one format to another"))


def _conversion(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("source", type=Path)
    parser.add_argument("target", type=Path)
    parser.add_argument("--env", metavar="ID", help="task of the files, e.g. Robomimic/lift-v0")
    parser.add_argument("--pictures", action="store_true", help="also read the task's cameras")
    parser.add_argument("--filter-key", metavar="NAME", help="robomimic: the demos of mask/NAME")
    parser.add_argument("--next-obs", action="store_true", help="robomimic: write next_obs")
    parser.add_argument("--flat", action="store_true", help="MolmoSpaces: write the older layout")
    parser.add_argument(
        "--modes",
        nargs="+",
        default=[],
        type=_mode,
        metavar="GROUP=MODE",
        help="MolmoSpaces: what the numbers mean, e.g. base=world_absolute right_gripper=force",
    )
    parser.add_argument(
        "--clip", action="store_true", help="MolmoSpaces: cut actions that the task cannot express"
    )
    parser.add_argument(
        "--task-type",
        metavar="NAME",
        help="MolmoSpaces: episodes of this task count as those of --env, too",
    )


def _mode(text: str) -> tuple[str, str]:
    group, sign, mode = text.partition("=")
    if not (group and sign and mode):
        raise argparse.ArgumentTypeError(f"{text!r}: expected GROUP=MODE")
    return group, mode


def main(args: argparse.Namespace) -> int:
    return ACTIONS[args.action](args)


def _convert(args: argparse.Namespace) -> int:
    asked = {name: getattr(args, name) for name in Conversion.__dataclass_fields__}
    convert(Conversion(**{**asked, "modes": dict(args.modes)}))
    print(args.target)
    return 0


def _inspect(args: argparse.Namespace) -> int:
    name = detect(args.path)
    facts = summary(describe(args.path, name), list(FORMATS[name].recordings(args.path)))
    print(json.dumps(facts, indent=2) if args.json else _page(facts))
    return 0


def _validate(args: argparse.Namespace) -> int:
    name = detect(args.path)
    recordings = list(FORMATS[name].recordings(args.path))
    findings = check(recordings)
    problems = [finding for finding in findings if finding.problem]
    if args.json:
        lines = [asdict(finding) for finding in findings]
        print(
            json.dumps({"format": name, "episodes": len(recordings), "findings": lines}, indent=2)
        )
    else:
        print(f"{args.path}: {name}, {len(recordings)} episodes, {len(problems)} problem(s)")
        for finding in findings:
            print(_line(finding))
    return 1 if problems else 0


def _line(finding: Finding) -> str:
    kind = finding.kind if finding.problem else f"note, {finding.kind}".removesuffix(", note")
    return f"  [{kind}] {finding.where}: {finding.text}"


def summary(kind: str, recordings: Sequence[Recording]) -> dict[str, Any]:
    """What ``inspect`` says, as plain data."""
    if not recordings:
        raise ManigymError("it holds no episodes")
    steps = [one.steps for one in recordings]
    spoken = Counter(one.instruction for one in recordings if one.instruction)
    known = [one.success for one in recordings if one.success is not None]
    return {
        "format": kind,
        "episodes": len(recordings),
        "steps": {"all": sum(steps), "shortest": min(steps), "longest": max(steps)},
        "fps": recordings[0].fps or None,
        "groups": len({one.group for one in recordings}),
        "successes": sum(known) if known else None,
        "keys": {k: [d, list(shape)] for k, (d, shape) in sorted(recordings[0].shapes.items())},
        "films": {c: f.frames for c, f in recordings[0].films.items()},
        "instructions": dict(spoken.most_common()),
        "actions": [
            row for name, values in joined(recordings).items() for row in _rows(name, values)
        ],
    }


def _rows(name: str, values: np.ndarray) -> list[dict[str, Any]]:
    """One row per dimension of a group."""
    facts = zip(
        *(f(axis=0) for f in (values.min, values.max, values.mean, values.std)), strict=True
    )
    return [
        {
            "group": name,
            "dimension": i,
            **dict(zip(("min", "max", "mean", "std"), row, strict=True)),
        }
        for i, row in enumerate([[float(v) for v in column] for column in facts])
    ]


def _page(facts: Mapping[str, Any]) -> str:
    steps = facts["steps"]
    rate = f"{facts['fps']:g} steps/s" if facts["fps"] else "rate unknown"
    successes = "unknown" if facts["successes"] is None else facts["successes"]
    lines = [
        f"{facts['format']}: {facts['episodes']} episodes in {facts['groups']} group(s), "
        f"{steps['all']} steps ({steps['shortest']} to {steps['longest']}), {rate}, "
        f"successes: {successes}",
        "",
        tabulate(
            [(k, d, tuple(s)) for k, (d, s) in facts["keys"].items()], ("key", "dtype", "shape")
        ),
    ]
    if facts["films"]:
        lines.append("films of the first episode: " + _counts(facts["films"], " frames"))
    if facts["instructions"]:
        shown = dict(list(facts["instructions"].items())[:SENTENCES])
        more = len(facts["instructions"]) - len(shown)
        lines += ["", *(f"  {count} x {text!r}" for text, count in shown.items())]
        lines += [f"  and {more} other instructions"] * (more > 0)
    lines += ["", tabulate(facts["actions"], headers="keys", floatfmt=".4g")]
    return "\n".join(lines)


def _counts(counts: Mapping[str, int], unit: str) -> str:
    return ", ".join(f"{name} {count}{unit}" for name, count in counts.items())


ACTIONS: Mapping[str, Callable[[argparse.Namespace], int]] = {
    "inspect": _inspect,
    "validate": _validate,
    "convert": _convert,
}
