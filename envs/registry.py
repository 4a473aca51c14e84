"""Which simulators exist and what each of them needs. Plain data: imports no simulator.

A simulator is one line of :data:`SIMULATORS`: where its task cards are, which class runs them, and
which extra of ``setup.cfg`` installs it. What it needs is written once, in
``envs/<extra>/requirements.txt``: the extra, the tox environment and the simulator's own virtual
environment (``envs.provision``) all read that file. Its first line pins the simulator itself.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import gymnasium as gym

from envs.schema import ManigymError, TaskCard


@dataclass(frozen=True)
class Simulator:
    """``cards``: module with ``CARDS: tuple[TaskCard, ...]`` and, where upstream has tasks that are
    not written yet, ``PLANNED``, their ids and goals; ``entry_point``: ``module:Class``;
    ``extra``: empty when the core requirements are enough; ``newest_python``: the last minor
    version that its packages have wheels for; ``vulkan``: draws its pictures with Vulkan; ``bare``:
    ``module:function`` of the simulator's own environment, see ``envs.bare``."""

    name: str
    cards: str
    entry_point: str
    extra: str = ""
    newest_python: tuple[int, int] = (3, 12)
    vulkan: bool = False
    bare: str = ""

    @property
    def requirements(self) -> Path | None:
        """The file that lists what it needs; the first line is ``distribution==version``."""
        return Path(__file__).parent / self.extra / "requirements.txt" if self.extra else None


SIMULATORS: tuple[Simulator, ...] = (
    Simulator("Toy", "envs.toy.tasks", "envs.toy.env:ToyEnv"),
    Simulator("MJThor", "envs.mjthor.tasks", "envs.mjthor.env:MJThorEnv"),
    Simulator(
        "Adroit",
        "envs.adroit.tasks",
        "envs.adroit.env:AdroitEnv",
        "adroit",
        bare="envs.adroit.bare:BareAdroit",
    ),
    Simulator(
        "Robomimic",
        "envs.robomimic.tasks",
        "envs.robomimic.env:RobomimicEnv",
        "robomimic",
        bare="envs.robomimic.bare:BareRobosuite",
    ),
    Simulator(
        "RoboTwin",
        "envs.robotwin.tasks.cards",
        "envs.robotwin.env:RoboTwinEnv",
        "robotwin",
        vulkan=True,
    ),
    Simulator(
        "DexArt", "envs.dexart.tasks", "envs.dexart.env:DexArtEnv", "dexart", (3, 11), vulkan=True
    ),
    Simulator("AI2THOR", "envs.ai2thor.tasks", "envs.ai2thor.env:AI2ThorEnv", "ai2thor"),
)
CARDS: dict[str, TaskCard] = {}
PLANNED: dict[str, str] = {}
_SIMULATOR_OF: dict[str, Simulator] = {}


def register_all() -> None:
    """Register every id of every simulator with Gymnasium. Called once, by ``import envs``."""
    for simulator in SIMULATORS:
        module = import_module(simulator.cards)
        for card in module.CARDS:
            CARDS[card.id] = card
            _SIMULATOR_OF[card.id] = simulator
            _register(card.id)
        for env_id, goal in getattr(module, "PLANNED", {}).items():
            PLANNED[env_id] = goal
            _register(env_id)


def _register(env_id: str) -> None:
    gym.register(
        env_id,
        entry_point="envs.make:launch",
        kwargs={"env_id": env_id},
        order_enforce=False,
        disable_env_checker=True,
    )


def card(env_id: str) -> TaskCard:
    """The task card of an id; an unknown id names the nearest ones."""
    if env_id in CARDS:
        return CARDS[env_id]
    if env_id in PLANNED:
        family = env_id.partition("/")[0]
        written = ", ".join(i for i in CARDS if i.startswith(f"{family}/"))
        raise ManigymError(
            f"{env_id} ({PLANNED[env_id].lower()}) is not written yet; written are: {written}"
        )
    near = difflib.get_close_matches(env_id, CARDS, n=3, cutoff=0.4) or sorted(CARDS)
    raise ManigymError(
        f"unknown environment {env_id!r}; nearest: {', '.join(near)}. All: python -m benchmark list"
    )


def simulator_of(env_id: str) -> Simulator:
    """The simulator that runs an id."""
    return _SIMULATOR_OF[card(env_id).id]


def installed(env_id: str) -> bool:
    """Whether this interpreter holds the simulator of this id, in the version that is pinned."""
    pin = pinned(simulator_of(env_id))
    return pin is None or _version(pin[0]) == pin[1]


@cache
def pinned(simulator: Simulator) -> tuple[str, str] | None:
    """Distribution and version of the simulator itself; ``None`` where the core is enough."""
    if simulator.requirements is None:
        return None
    first = simulator.requirements.read_text().splitlines()[0]
    distribution, _, exact = first.partition("==")
    return distribution, exact


def _version(distribution: str) -> str | None:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None


def install_hint(env_id: str) -> str:
    """The command that installs what this id needs into this interpreter."""
    return f'pip install -c constraints.txt -e ".[{simulator_of(env_id).extra}]"'


def card_of(simulator: Simulator, env_id: str) -> TaskCard:
    """The card in the simulator's own table, registered with Gymnasium or not."""
    return next(c for c in import_module(simulator.cards).CARDS if c.id == env_id)
