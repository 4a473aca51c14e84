"""``python -m benchmark``: the command line.

Exit status: 0 done, 1 an operating system problem (disk full), episodes that ended in an error or a
check that failed, 2 a problem with what was asked, 130 interrupted.
"""

from __future__ import annotations

import argparse
import errno
import re
import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

# One module per command in benchmark/commands, each with add_arguments(parser) and main(args), and
# with a RESUME of its own where the one below is not true.
COMMANDS = {
    "run": "evaluate policies, write the leaderboard (trains first where there is no checkpoint)",
    "collect": "record expert demonstrations",
    "train": "behaviour cloning from demonstrations, or Stable-Baselines3 from scratch",
    "finetune": "make a trained policy better by reinforcement learning",
    "compare": "two runs, episode by episode: which policy is better, and how sure is that",
    "replay": "execute recorded actions again: the same states, bit for bit? Film them, too",
    "verify": "is the leaderboard what was measured? Files, figures, and a sample executed again",
    "plan": "how many episodes a question needs",
    "invariance": "the same episodes in many ways: does a result depend on how it was made?",
    "throughput": "how fast: steps, episodes, policies, loaders; against other ways to run them",
    "leaderboard": "leaderboard.csv as a table, Markdown, CSV or one HTML page",
    "data": "recorded episodes of any format: inspect, validate, convert",
    "list": "environments and policies",
    "setup": "Python environments for simulators that this Python does not hold",
    "doctor": "what works on this machine, and how to mend what does not",
}

RESUME = "what was finished is kept, the same command continues"
SETTING = re.compile(r"[a-z]+\.[A-Za-z0-9_./]+=")
EPILOG = """examples:
  python -m benchmark run --policy maniflow
  python -m benchmark run --policy expert --env Robomimic/lift-v0 --episodes 20 --workers 2
  python -m benchmark collect --env Robomimic/can-v0 --episodes 200 --workers 2
  python -m benchmark train --policy maniflow --env Robomimic/can-v0 training.steps=8000"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status."""
    arguments = sys.argv[1:] if arguments is None else arguments
    # Settings may stand anywhere, also right after a list of ids, so they are taken out first.
    settings = [a for a, before in pairs(arguments) if SETTING.match(a) and before != "--sweep"]
    rest = [a for a, before in pairs(arguments) if not SETTING.match(a) or before == "--sweep"]
    if problem := _foreign_sibling():
        print(f"error: {problem}", file=sys.stderr)
        return 2
    from envs.schema import ManigymError  # only now known to be ours

    command: ModuleType | None = None
    try:
        args = _parser(rest[0] if rest else "").parse_args(rest)
        args.settings = settings
        command = import_module(f"benchmark.commands.{args.command}")
        return command.main(args)
    except ManigymError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"\ninterrupted; {getattr(command, 'RESUME', RESUME)}", file=sys.stderr)
        return 130
    except BrokenPipeError:
        return 0
    except OSError as error:
        full = f"; {getattr(command, 'RESUME', RESUME)}" if error.errno == errno.ENOSPC else ""
        print(f"error: {error}{full}", file=sys.stderr)
        return 1


def pairs(arguments: Sequence[str]) -> list[tuple[str, str]]:
    """Every argument with the one before it."""
    return list(zip(arguments, ["", *arguments], strict=False))


def _foreign_sibling() -> str:
    """Our top-level names are common ones: what hides one of them, and what to do; else empty."""
    home = Path(__file__).resolve().parent.parent
    for name in ("assets", "envs", "policies"):
        spec = find_spec(name)
        places = spec.submodule_search_locations if spec is not None else None
        found = Path(next(iter(places or ["nowhere"]))).resolve()
        if spec is not None and spec.origin is None:  # a folder without __init__.py
            return (
                f"the folder {found} hides Manigym's package {name!r}. Rename it, or run this "
                "command in another folder"
            )
        if found != home / name:
            return (
                f"the package {name!r} comes from {found.parent}, but benchmark from {home}: "
                f"another distribution has that name. Remove it (pip uninstall {name}) and install "
                "again"
            )
    return ""


def _parser(chosen: str) -> argparse.ArgumentParser:
    """The parser; only the chosen command's module is imported, so that help is quick."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmark",
        description="How good is a manipulation policy really?",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, summary in COMMANDS.items():
        formatter = argparse.RawDescriptionHelpFormatter
        sub = commands.add_parser(
            name, help=summary, description=summary, formatter_class=formatter
        )
        if name == chosen:
            module = import_module(f"benchmark.commands.{name}")
            sub.description = module.__doc__
            module.add_arguments(sub)
    return parser


if __name__ == "__main__":
    sys.exit(main())
