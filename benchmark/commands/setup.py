"""Give simulators Python environments of their own: once, in the cache folder, without root.

A simulator that this Python does not hold runs in an environment of its own; gym.make sets it up
at first use, this command beforehand. Without names it lists what there is.

python -m benchmark setup robotwin dexart    (or: all)
python -m benchmark setup rendering          pictures of SAPIEN tasks on a machine without a GPU
python -m benchmark setup --list
python -m benchmark setup --remove dexart    without names: what is outdated or incomplete

Settings, as environment variables:
  MANIGYM_CACHE      the folder (default ~/.cache/manigym)
  MANIGYM_SETUP      at first use: ask (default), always or never
  MANIGYM_INSTALLER  pip or uv (default: uv where it is installed)
"""

from __future__ import annotations

import argparse
import difflib

from tabulate import tabulate

from envs import SIMULATORS
from envs.cache import cache_folder
from envs.provision import rendering
from envs.provision.build import megabytes
from envs.provision.environments import Entry, ensure, listing, remove
from envs.registry import Simulator
from envs.schema import ManigymError
from envs.vulkan import lavapipe

RENDERING = "rendering"
RESUME = "nothing half made is kept, the same command starts over"
_STALE = ("outdated", "incomplete")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    known = ", ".join([*_simulators(), RENDERING, "all"])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one or more of: {known}")
    action = parser.add_mutually_exclusive_group()
    action.add_argument("--list", action="store_true", help="what there is, and its size on disk")
    action.add_argument("--remove", action="store_true", help="delete, also what is outdated")
    action.add_argument("--force", action="store_true", help="delete first, then set up again")


def main(args: argparse.Namespace) -> int:
    names = _resolve(args.names)
    if args.remove:
        removed = _remove(names)
        for name in names:
            if name not in removed:
                print(f"{name}: nothing to remove")
    elif args.list or not names:
        _print_table(names)
    else:
        for name in names:
            _set_up(name, args.force)
    return 0


def _simulators() -> dict[str, Simulator]:
    return {simulator.extra: simulator for simulator in SIMULATORS if simulator.extra}


def _resolve(names: list[str]) -> list[str]:
    """Lower case, ``all`` spelt out, each once; an unknown name gives the nearest ones."""
    known = [*_simulators(), RENDERING]
    wanted = [name.lower() for name in names]
    for name in wanted:
        if name not in (*known, "all"):
            near = difflib.get_close_matches(name, known, n=2, cutoff=0.4) or known
            raise ManigymError(
                f"nothing to set up is called {name!r}; nearest: {', '.join(near)}. "
                f"All: {', '.join(known)}"
            )
    return known if "all" in wanted else list(dict.fromkeys(wanted))


def _set_up(name: str, force: bool) -> None:
    if force:
        _remove([name])
    if name == RENDERING:
        print(f"{RENDERING}: {rendering.install()}{_layer_hint()}")
    else:
        environment = ensure(_simulators()[name], ask=False)
        print(f"{name}: {environment.folder} ({environment.megabytes} MB)")


def _remove(names: list[str]) -> set[str]:
    """Everything of these names, without names what is of no use any more; what there was."""
    chosen = [e for e in listing() if (e.extra in names if names else e.state in _STALE)]
    there = [entry for entry in chosen if entry.folder.exists()]
    for entry in there:
        print(f"removing {entry.folder} ({entry.megabytes} MB)")
        remove(entry)
    removed = {entry.extra for entry in there}
    folder = lavapipe.rendering_folder(cache_folder())
    if RENDERING in names and folder.exists():
        print(f"removing {folder} ({megabytes(folder)} MB)")
        rendering.remove()
        removed.add(RENDERING)
    return removed


def _print_table(names: list[str]) -> None:
    rows = [_row(entry) for entry in listing()] + [_rendering_row()]
    headers = ["name", "state", "simulator", "Python", "MB", "folder"]
    chosen = [row for row in rows if not names or row[0] in names]
    print(tabulate(chosen, headers=headers) + (_layer_hint() if rows[-1] in chosen else ""))


def _row(entry: Entry) -> list[object]:
    simulator, made = _simulators().get(entry.extra), entry.environment
    python = made.versions["python"] if made else ""
    shown = simulator.name if simulator else ""
    return [entry.extra, entry.state, shown, python, entry.megabytes or "", entry.folder]


def _layer_hint() -> str:
    made = lavapipe.installed(cache_folder())
    missing = made is not None and not made.has_layer
    return f"\nno C compiler was there; pictures of SAPIEN 2: {lavapipe.COMPILE}" if missing else ""


def _rendering_row() -> list[object]:
    folder = lavapipe.rendering_folder(cache_folder())
    made = lavapipe.installed(cache_folder())
    state = "not set up" if made is None else "ready" if made.has_layer else "ready for SAPIEN 3"
    size = megabytes(folder) if folder.exists() else ""
    return [RENDERING, state, "software Vulkan", "", size, folder]
