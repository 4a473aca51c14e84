"""Arguments that mean the same in every command."""

from __future__ import annotations

import argparse
import re
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

from benchmark.machine import default_workers
from benchmark.progress import note
from envs.isolation.child import DEADLINE
from envs.isolation.interpreter import ISOLATION
from envs.make import Workers
from envs.schema import ManigymError
from policies.base import Policy, TrainablePolicy

DEFAULT_OUT = Path("runs")


def positive(text: str) -> int:
    """An integer of at least 1."""
    return _at_least(1, text)


def natural(text: str) -> int:
    """An integer of at least 0."""
    return _at_least(0, text)


def _at_least(lowest: int, text: str) -> int:
    try:
        value = int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected a whole number, got {text!r}") from None
    if value < lowest:
        raise argparse.ArgumentTypeError(f"expected at least {lowest}, got {value}")
    return value


def add_common(parser: argparse.ArgumentParser) -> None:
    """``--seed``, and what :func:`add_places` adds."""
    parser.add_argument(
        "--seed", type=natural, default=0, help="root of every random stream (default 0)"
    )
    add_places(parser)


def folder(text: str) -> Path:
    """A folder that is there or can be made."""
    path = Path(text)
    if path.exists() and not path.is_dir():
        raise argparse.ArgumentTypeError(f"{text} is a file; name a folder")
    return path


def add_places(parser: argparse.ArgumentParser) -> None:
    """``--out``, ``--workers``, ``--scenes``, ``--isolation``, ``--deadline``."""
    parser.add_argument(
        "--out", type=folder, default=DEFAULT_OUT, metavar="DIR", help="default: runs/"
    )
    parser.add_argument(
        "--workers",
        type=worker_count,
        default="auto",
        metavar="N",
        help="simulator processes (default auto: one for each core, if memory suffices); results "
        "do not depend on it",
    )
    parser.add_argument(
        "--scenes",
        type=positive,
        metavar="N",
        help="environments in each process, which steps one while the policy thinks about another "
        "(default: 2 for several workers and a policy with a network, else 1)",
    )
    parser.add_argument(
        "--isolation",
        choices=ISOLATION,
        default="auto",
        help="where simulators run: here if installed, else each in its own environment (auto); "
        "only here (in_process); only in their own environments (process)",
    )
    parser.add_argument(
        "--deadline",
        type=positive,
        default=DEADLINE,
        metavar="SECONDS",
        help=f"end a worker that makes no step for so long (default {DEADLINE:.0f})",
    )


def worker_count(text: str) -> int | str:
    """A number of processes, or ``auto``."""
    return text if text == "auto" else positive(text)


def workers(args: argparse.Namespace, policy: type[Policy] | None = None) -> Workers:
    """What ``--workers``, ``--scenes``, ``--isolation`` and ``--deadline`` ask for.

    What suits the machine is said. ``policy``: who acts; while a network thinks, its worker has
    another environment to step.
    """
    count, scenes = layout(args.workers, args.scenes, policy)
    return Workers(count, args.isolation, args.deadline, scenes=scenes)


def layout(count: int | str, scenes: int | None, policy: type[Policy] | None) -> tuple[int, int]:
    """Workers and environments in each, given what was asked for (``auto``, ``None``: nothing)."""
    number, why = default_workers() if isinstance(count, str) else (count, "")
    thinks = policy is not None and issubclass(policy, TrainablePolicy)
    each = scenes or (2 if thinks and number > 1 else 1)
    if why and (number > 1 or "memory" in why):
        more = f", {each} environments each" if each > 1 else ""
        _say(f"{number} workers ({why}){more}; --workers and --scenes change that")
    return number, each


@cache
def _say(text: str) -> None:
    """Once, also where a sweep asks several times."""
    note(text)


def add_sweep(parser: argparse.ArgumentParser, example: str) -> None:
    """``--sweep section.key=V1,V2``, which may be given several times."""
    parser.add_argument(
        "--sweep",
        action="append",
        default=[],
        metavar="KEY=V1,V2",
        help=f"once for each value, e.g. --sweep {example}; several: every combination",
    )


def variants(sweeps: Sequence[str]) -> list[list[str]]:
    """The settings of each combination; one without any where nothing is swept."""
    choices = []
    for sweep in sweeps:
        key, sign, values = sweep.partition("=")
        if not sign or "." not in key or not all(_split(values)):
            raise ManigymError(
                f"--sweep {sweep!r}: write section.key=V1,V2, e.g. latency.delay=0,1,2"
            )
        choices.append([f"{key}={value}" for value in dict.fromkeys(_split(values))])
    return [list(combination) for combination in product(*choices)]


def _split(values: str) -> list[str]:
    """At commas outside of brackets: ``[a,b],[c]`` is two lists."""
    return re.split(r",(?![^\[]*\])", values)


FREE = {  # sections whose keys belong to what is run
    "policy": "the policy's own settings",
    "env": "options of gymnasium.make, e.g. env.image_size=[84,84]",
}


def add_settings(parser: argparse.ArgumentParser, sections: Mapping[str, type[Any] | None]) -> None:
    """``--config FILE``, and help on every ``section.key=value`` with its default."""
    parser.add_argument("--config", type=Path, metavar="FILE", help="YAML settings by section")
    parser.epilog = settings_help(sections)


def settings_help(sections: Mapping[str, type[Any] | None]) -> str:
    """The keys of sections and their defaults, for the end of a help text."""
    lines = [
        textwrap.fill(
            _keys(section, kind), 78, initial_indent=f"  {section:9} ", subsequent_indent=" " * 12
        )
        for section, kind in sections.items()
    ]
    return "\n".join(["settings, given as section.key=value:", *lines])


def _keys(section: str, kind: type[Any] | None) -> str:
    """The keys of a section and their defaults; an empty one means none."""
    if kind is None:
        return FREE[section]
    defaults = asdict(kind())
    return " ".join(
        f"{key}={'' if v is None else v}".replace(" ", "") for key, v in defaults.items()
    )
