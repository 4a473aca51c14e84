"""Which simulators exist, and how an id becomes an environment. Imports no simulator.

A simulator is one line of :data:`SIMULATORS`: where its task cards are (plain data), which class
runs them, which import proves that its packages are installed, and which extra installs them.
"""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import gymnasium as gym

from envs.gl import select_backend
from envs.schema import ManigymError, TaskCard


@dataclass(frozen=True)
class Simulator:
    """``cards``: module with ``CARDS: tuple[TaskCard, ...]``; ``entry_point``: ``module:Class``."""

    name: str
    cards: str
    entry_point: str
    requires: str
    extra: str


SIMULATORS: tuple[Simulator, ...] = (
    Simulator("Toy", "envs.toy.tasks", "envs.toy.env:ToyEnv", "mujoco", ""),
    Simulator(
        "Adroit", "envs.adroit.tasks", "envs.adroit.env:AdroitEnv", "gymnasium_robotics", "adroit"
    ),
    Simulator(
        "Robomimic",
        "envs.robomimic.tasks",
        "envs.robomimic.env:RobomimicEnv",
        "robosuite",
        "robomimic",
    ),
)
CARDS: dict[str, TaskCard] = {}
_SIMULATOR_OF: dict[str, Simulator] = {}


def register_all() -> None:
    """Register every card of every simulator with Gymnasium. Called once, by ``import envs``."""
    for simulator in SIMULATORS:
        for card in import_module(simulator.cards).CARDS:
            CARDS[card.id] = card
            _SIMULATOR_OF[card.id] = simulator
            gym.register(
                card.id,
                entry_point="envs.registry:launch",
                kwargs={"env_id": card.id},
                order_enforce=False,
                disable_env_checker=True,
            )


def card(env_id: str) -> TaskCard:
    """The task card of an id; an unknown id names the nearest ones."""
    if env_id in CARDS:
        return CARDS[env_id]
    near = difflib.get_close_matches(env_id, CARDS, n=3, cutoff=0.4) or sorted(CARDS)
    raise ManigymError(
        f"unknown environment {env_id!r}; nearest: {', '.join(near)}. All: python -m benchmark list"
    )


def installed(env_id: str) -> bool:
    """Whether the simulator of this id can be imported by this interpreter."""
    return find_spec(_SIMULATOR_OF[card(env_id).id].requires) is not None


def install_hint(env_id: str) -> str:
    """The command that installs what this id needs."""
    extra = _SIMULATOR_OF[env_id].extra
    return f'pip install -c constraints.txt -e ".[{extra}]"'


def runnable(env_id: str) -> TaskCard:
    """:func:`card` of an id whose simulator is installed; else raises with what installs it."""
    task = card(env_id)
    if not installed(env_id):
        simulator = _SIMULATOR_OF[env_id]
        raise ManigymError(
            f"{env_id} needs the package {simulator.requires!r}, which this Python does not have.\n"
            f"  Install it: {install_hint(env_id)}"
        )
    return task


def launch(env_id: str, **options: Any) -> gym.Env[Any, Any]:
    """Make an environment in this interpreter (Gymnasium's entry point for every id)."""
    task = runnable(env_id)
    select_backend()
    module, _, name = _SIMULATOR_OF[env_id].entry_point.partition(":")
    kind = getattr(import_module(module), name)
    _check_options(env_id, kind, options)
    return kind(task, **options)


def _check_options(env_id: str, kind: type[Any], options: Mapping[str, Any]) -> None:
    """Raise for an option that neither the class nor the classes it builds on have."""
    signatures = [inspect.signature(i) for c in kind.__mro__ if (i := vars(c).get("__init__"))]
    parameters = [p for s in signatures for p in s.parameters.values()]
    known = sorted({p.name for p in parameters if p.kind is p.KEYWORD_ONLY})
    wrong = [name for name in options if name not in known]
    if wrong:
        raise ManigymError(f"{env_id} has no option {wrong[0]!r}; it takes: {', '.join(known)}")
