"""The virtual environments of simulators: find, set up, list, remove.

``<cache>/environments/<extra>-<hash>`` holds a simulator and what it needs, nothing of Manigym. The
hash is over what determines its contents, so a changed pin is a new environment. A folder is
complete if it holds ``ready.json``; it appears under its name only then.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
import sysconfig
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from envs.cache import cache_folder
from envs.provision.build import PARTIAL, READY, build, megabytes
from envs.provision.consent import obtain
from envs.provision.installers import python_of, python_version
from envs.provision.lock import alone
from envs.provision.problems import unwritable
from envs.provision.process import ticker
from envs.registry import SIMULATORS, Simulator
from envs.schema import ManigymError

CONSTRAINTS = Path(__file__).parent.parent / "constraints.txt"
# Measured, in units of 10^6 bytes: for the question and for the check of free space.
_MEGABYTES = {"adroit": 200, "ai2thor": 300, "dexart": 540, "robomimic": 1250, "robotwin": 410}
_UNKNOWN_MEGABYTES = 50


@dataclass(frozen=True)
class Environment:
    """A complete one. ``name``: the simulator's extra; ``python``: its interpreter;
    ``megabytes``: 10^6 bytes when it was made; ``versions``: of all it holds, and of ``python``."""

    name: str
    folder: Path
    python: Path
    megabytes: int
    versions: Mapping[str, str]


@dataclass(frozen=True)
class Entry:
    """A line of :func:`listing`. ``state``: ready, not set up, outdated (other pins) or incomplete
    (an interrupted set-up); ``environment`` where it is complete."""

    extra: str
    state: str
    folder: Path
    environment: Environment | None = None

    @property
    def megabytes(self) -> int:
        """What it occupies now, in units of 10^6 bytes."""
        return megabytes(self.folder) if self.folder.exists() else 0


def find(simulator: Simulator) -> Environment | None:
    """The complete environment with the current pins. Reads three small files, runs nothing."""
    return _read(_folder(simulator)) if simulator.extra else None


def ensure(simulator: Simulator, ask: bool | None = None) -> Environment:
    """:func:`find`, else set it up. Whether to ``ask``: see :func:`envs.provision.consent.obtain`.

    Of several processes at once, one sets up and the others wait for it.
    """
    found = find(simulator)
    if found is not None:
        return found
    folder, size = _folder(simulator), estimate(simulator)
    obtain(
        f"{simulator.name} needs a Python environment of its own (about {size} MB) in {folder}.",
        f"python -m benchmark setup {simulator.extra}",
        ask,
    )
    with alone(folder, simulator.name):
        found = find(simulator)  # another process may have been first
        return found or _set_up(simulator, folder, size)


def _set_up(simulator: Simulator, folder: Path, size: int) -> Environment:
    free = shutil.disk_usage(folder.parent).free / 1e6
    if free < size:
        raise ManigymError(
            f"{simulator.name}'s environment needs about {size} MB, but {folder.parent} has "
            f"{free:.0f} MB left. Make room, or let MANIGYM_CACHE name a folder on another disk"
        )
    print(f"{simulator.name}: setting up {folder} (about {size} MB)", file=sys.stderr)
    log = cache_folder() / "logs" / f"{folder.name}.log"
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        with ticker(simulator.name) as show:
            build(simulator, _requirements(simulator), CONSTRAINTS, folder, log, show)
    except OSError as error:
        raise unwritable(folder.parent, error) from error
    made = _read(folder)
    assert made is not None
    return made


def estimate(simulator: Simulator) -> int:
    """About how much disk its environment takes, in units of 10^6 bytes."""
    return _MEGABYTES.get(simulator.extra, _UNKNOWN_MEGABYTES)


def listing() -> list[Entry]:
    """Every simulator that needs an environment, then folders that are of no use any more."""
    current = {_folder(s): s.extra for s in SIMULATORS if s.extra}
    entries = []
    for folder, extra in current.items():
        made, otherwise = _read(folder), "incomplete" if folder.exists() else "not set up"
        entries.append(Entry(extra, "ready" if made else otherwise, folder, made))
    for folder in sorted(p for p in _home().glob("*") if p.is_dir() and p not in current):
        made = None if PARTIAL in folder.name else _read(folder)
        extra = folder.name.split(PARTIAL)[0].rpartition("-")[0]
        entries.append(Entry(extra, "outdated" if made else "incomplete", folder, made))
    return entries


def remove(entry: Entry) -> None:
    """Delete the folder of an entry; waits for a set-up of it that is under way."""
    target = entry.folder.with_name(entry.folder.name.split(PARTIAL)[0])
    with alone(target, entry.extra):
        try:
            (entry.folder / READY).unlink(missing_ok=True)  # from here on nobody finds it
            if entry.folder.exists():
                shutil.rmtree(entry.folder)
        except OSError as error:
            raise unwritable(entry.folder, error) from error


def _home() -> Path:
    return cache_folder() / "environments"


def _folder(simulator: Simulator) -> Path:
    """Where it is, or would be: named after everything that determines its contents."""
    python = ".".join(map(str, python_version(simulator)))
    parts = [python, sysconfig.get_platform(), _pins(_requirements(simulator)), _pins(CONSTRAINTS)]
    digest = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:12]
    return _home() / f"{simulator.extra}-{digest}"


def _requirements(simulator: Simulator) -> Path:
    if simulator.requirements is None:
        raise ManigymError(f"{simulator.name} needs no environment of its own")
    return simulator.requirements


def _pins(file: Path) -> str:
    """The lines that pip reads: a reworded comment makes no new environment."""
    return "\n".join(line for line in file.read_text().splitlines() if not line.startswith("#"))


def _read(folder: Path) -> Environment | None:
    python, name = python_of(folder), folder.name.rpartition("-")[0]
    try:
        record = json.loads((folder / READY).read_text())
        size, versions = int(record["megabytes"]), dict(record["versions"])
    except (OSError, ValueError, TypeError, KeyError):  # not there, or not as it was written
        return None
    if "python" not in versions or not python.exists():  # the Python that made it may be gone
        return None
    return Environment(name, folder, python, size, versions)
