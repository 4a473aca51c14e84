"""Where a simulator runs: this process, a worker with this interpreter, or one with its own."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from envs.registry import install_hint, installed, pinned, simulator_of
from envs.schema import ManigymError

if TYPE_CHECKING:
    from envs.provision.environments import Environment

ISOLATION = ("auto", "in_process", "process")
# One simulator per process: libraries that start a thread per core only fight each other.
THREADS = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "LP_NUM_THREADS": "0"}


@dataclass(frozen=True)
class Interpreter:
    """A Python that holds a simulator. ``name``: ``host``, or that of its own environment."""

    name: str
    python: Path
    flags: tuple[str, ...]
    variables: dict[str, str] = field(default_factory=dict)

    def environment(self) -> dict[str, str]:
        """The worker's environment variables: the caller's, and what differs."""
        return {**os.environ, **THREADS, **self.variables}


def host() -> Interpreter:
    """This interpreter, with everything that can be imported here."""
    path = os.pathsep.join(entry or str(Path.cwd()) for entry in sys.path)
    return Interpreter("host", Path(sys.executable), ("-P",), {"PYTHONPATH": path})


def own(env_id: str, pictures: bool) -> Interpreter:
    """The simulator's own virtual environment, set up first where there is none."""
    # Needs packages that workers do without.
    from envs.provision.environments import ensure
    from envs.provision.rendering import ensure_pictures

    environment = ensure(simulator_of(env_id))
    if simulator_of(env_id).vulkan:
        ensure_pictures(environment, pictures)
    return _isolated(environment)


def _isolated(environment: Environment) -> Interpreter:
    return Interpreter(environment.name, environment.python, ("-I",))


def available(env_id: str) -> list[Interpreter]:
    """Every interpreter that can run an id without setting anything up, this one first."""
    from envs.provision.environments import find

    here = [host()] if installed(env_id) else []
    environment = find(simulator_of(env_id)) if simulator_of(env_id).extra else None
    return here + ([_isolated(environment)] if environment is not None else [])


def choose(env_id: str, isolation: str, pictures: bool) -> Interpreter | None:
    """``None`` for this process.

    ``auto``: this process if it holds the simulator in the pinned version, else the simulator's
    own environment. ``in_process``: this process or an error. ``process``: the own environment
    (of a simulator that needs none: a worker with this interpreter). ``pictures``: they will be
    wanted, so what draws them is set up as well.
    """
    if isolation not in ISOLATION:
        raise ManigymError(f"isolation={isolation!r}: choose one of {', '.join(ISOLATION)}")
    here = installed(env_id)
    if isolation == "in_process" and not here:
        raise ManigymError(
            f"{env_id} needs {'=='.join(pinned(simulator_of(env_id)) or ())}, which this Python "
            f"does not hold.\n  Install it here: {install_hint(env_id)}\n"
            '  or let it run in an environment of its own: isolation="auto"'
        )
    if isolation == "process":
        return own(env_id, pictures) if simulator_of(env_id).extra else host()
    return None if here else own(env_id, pictures)
