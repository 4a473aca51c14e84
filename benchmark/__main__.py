"""``python -m benchmark``: the command line.

Exit status: 0 done, 1 an operating system problem (disk full) or episodes that ended in an error,
2 a problem with what was asked, 130 interrupted.
"""

from __future__ import annotations

import argparse
import errno
import re
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from envs.schema import ManigymError

# One module per command in benchmark/commands, each with add_arguments(parser) and main(args).
COMMANDS = {
    "run": "evaluate policies, write the leaderboard (trains first where there is no checkpoint)",
    "collect": "record expert demonstrations",
    "train": "behaviour cloning from demonstrations",
    "leaderboard": "print leaderboard.csv as a table or Markdown",
    "convert": "robomimic HDF5 to a trajectory store and back",
    "list": "environments and policies",
    "setup": "Python environments for simulators that this Python does not hold",
    "doctor": "what works on this machine, and how to mend what does not",
}

SETTING = re.compile(r"[a-z]+\.[A-Za-z0-9_.]+=")
EPILOG = """examples:
  python -m benchmark run --policy maniflow
  python -m benchmark run --policy expert --env Robomimic/lift-v0 --episodes 20 --workers 2
  python -m benchmark collect --env Robomimic/can-v0 --episodes 200 --workers 2
  python -m benchmark train --policy maniflow --env Robomimic/can-v0 training.steps=8000"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status."""
    arguments = sys.argv[1:] if arguments is None else arguments
    # Settings may stand anywhere, also right after a list of ids, so they are taken out first.
    settings = [a for a in arguments if SETTING.match(a)]
    rest = [a for a in arguments if not SETTING.match(a)]
    try:
        _check_siblings()
        args = _parser(rest[0] if rest else "").parse_args(rest)
        args.settings = settings
        return import_module(f"benchmark.commands.{args.command}").main(args)
    except ManigymError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(
            "\ninterrupted; finished episodes are kept, the same command continues", file=sys.stderr
        )
        return 130
    except BrokenPipeError:
        return 0
    except OSError as error:
        full = "; what was finished is kept, the same command continues"
        print(f"error: {error}{full if error.errno == errno.ENOSPC else ''}", file=sys.stderr)
        return 1


def _check_siblings() -> None:
    """Our top-level names are common ones: another distribution may have overwritten one."""
    home = Path(__file__).resolve().parent.parent
    for name in ("assets", "envs", "policies"):
        found = Path(str(import_module(name).__file__)).resolve().parent.parent
        if found != home:
            raise ManigymError(
                f"the package {name!r} comes from {found}, but benchmark from {home}: another "
                f"distribution has that name. Remove it (pip uninstall {name}) and install again"
            )


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
