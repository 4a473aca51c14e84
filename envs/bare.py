"""A simulator's own environment of a task as its users build it: to be timed beside ours.

It draws its pictures with the simulator's own default settings and computes every observation at
every step. Actions, the sizes of the observations and the length of an episode are those of our
task, so that the work is the same; nothing here is ever scored.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from importlib import import_module
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces

from envs.gl import select_backend
from envs.registry import SIMULATORS, card, install_hint, installed, simulator_of
from envs.schema import ManigymError, TaskCard
from envs.spaces import observation_space

OFFERED = ("proprio", "state", "rgb")
# ``render_profile`` is understood and has no effect: the simulator's default is what this is for.
OPTIONS = (
    *("observations", "cameras", "image_size", "horizon"),
    *("protocol", "terminate_on_success", "render_profile"),
)


def make_bare(env_id: str, options: Mapping[str, Any]) -> gym.Env[Any, Any]:
    """The bare environment of an id; ``options`` are those of ``gymnasium.make``, :data:`OPTIONS`
    of them."""
    simulator = simulator_of(env_id)
    if not simulator.bare:
        known = ", ".join(s.name for s in SIMULATORS if s.bare)
        raise ManigymError(
            f"{env_id}: {simulator.name} has no bare environment to compare with; there is one for "
            f"{known}. Compare with our environments instead: leave out ':bare'"
        )
    if not installed(env_id):
        raise ManigymError(
            f"{env_id}: its bare environment runs in this Python alone, which does not hold "
            f"{simulator.name}.\n  Install it here: {install_hint(env_id)}"
        )
    select_backend()
    module, _, name = simulator.bare.partition(":")
    made: gym.Env[Any, Any] = getattr(import_module(module), name)(card(env_id), options)
    return made


class BareEnv(gym.Env[dict[str, Any], np.ndarray]):
    """What bare environments share: spaces, the length of an episode and its end.

    A simulator fills in ``_reset(seed)``, ``_step(action)``, which returns the reward,
    ``_succeeded()`` and ``_observe(modality)``.
    """

    def __init__(self, card: TaskCard, options: Mapping[str, Any]) -> None:
        wrong = [name for name in options if name not in OPTIONS]
        if wrong:
            raise ManigymError(
                f"{card.id}: the bare environment has no option {wrong[0]!r}; it takes: "
                f"{', '.join(OPTIONS)}"
            )
        self.card, protocol = card, card.protocol(options.get("protocol"))
        if protocol.action_repeat != 1 or protocol.action is not None:
            raise ManigymError(
                f"{card.id}: the bare environment follows no protocol that changes actions, as "
                f"{protocol.name!r} does; leave protocol out"
            )
        self.modalities = _modalities(card, options.get("observations", ("proprio", "state")))
        self.cameras = tuple(options.get("cameras") or card.cameras)
        self.image_size = tuple(options.get("image_size") or card.image_size)
        self.horizon = options.get("horizon") or protocol.horizon
        ends = options.get("terminate_on_success")
        self._ends_on_success = protocol.terminate_on_success if ends is None else ends
        self.observation_space = observation_space(
            card, self.modalities, self.cameras, self.image_size, card.num_points
        )
        self.action_space = spaces.Box(-1.0, 1.0, (card.action.size,), np.float32)
        self._steps = 0

    @abstractmethod
    def _reset(self, seed: int | None) -> None: ...

    @abstractmethod
    def _step(self, action: np.ndarray) -> float: ...

    @abstractmethod
    def _succeeded(self) -> bool: ...

    @abstractmethod
    def _observe(self, modality: str) -> Any: ...

    @property
    def draws(self) -> bool:
        """Whether pictures are wanted."""
        return "rgb" in self.modalities

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Start an episode; without a seed the simulator's own stream goes on."""
        self._reset(seed)
        self._steps = 0
        return self._observation(), {}

    def step(self, action: np.ndarray) -> tuple[dict[str, Any], float, bool, bool, dict[str, Any]]:
        """One control step of float32 (A,) in [-1, 1]."""
        reward = self._step(action)
        self._steps += 1
        terminated = bool(self._ends_on_success and self._succeeded())
        truncated = not terminated and self._steps >= self.horizon
        return self._observation(), reward, terminated, truncated, {}

    def _observation(self) -> dict[str, Any]:
        return {modality: self._observe(modality) for modality in self.modalities}


def _modalities(card: TaskCard, asked: str | tuple[str, ...]) -> tuple[str, ...]:
    names = (asked,) if isinstance(asked, str) else tuple(asked)
    wrong = [name for name in names if name not in OFFERED]
    if wrong:
        raise ManigymError(
            f"{card.id}: the bare environment gives {', '.join(OFFERED)}, not {wrong[0]!r}; "
            "compare with our environments instead: leave out ':bare'"
        )
    return names
