"""What is measured: a task, how it is looked at, by whom, with how many processes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from envs.make import Workers
from envs.schema import Interface
from policies.base import Observations, Policy, PolicySpec


@dataclass(frozen=True)
class EnvJob:
    """Environment work that every contender does the same.

    ``policy`` looks at its ``spec.n_obs`` newest frames and answers with ``spec.n_action`` actions;
    ``options`` are those of ``gymnasium.make`` (``observations`` among them), ``workers`` how many
    processes. ``seconds``: how long a repeat lasts that counts steps; ``episodes``: how many
    episodes a repeat is that counts those, started from ``seeds``.
    """

    env: str
    options: Mapping[str, Any]
    policy: Policy
    workers: Workers = field(default_factory=Workers)
    seconds: float = 2.0
    episodes: int = 2
    seed: int = 0


@dataclass
class _Stream:
    rng: np.random.Generator
    size: int


class StandIn(Policy):
    """A policy that costs nothing: chunks of random actions, whatever it is shown.

    What remains of a closed loop is simulator, pictures and transport.
    """

    def __init__(self, observations: Sequence[str], n_obs: int, n_action: int) -> None:
        self.spec = PolicySpec(tuple(observations), n_obs=n_obs, n_action=n_action)

    def start(self, interface: Interface, seeds: Sequence[int]) -> list[_Stream]:
        return [_Stream(np.random.default_rng(seed), interface.action_size) for seed in seeds]

    def act(self, observations: Observations, states: Sequence[_Stream]) -> np.ndarray:
        shape = (self.spec.n_action,)
        return np.stack(
            [s.rng.uniform(-1.0, 1.0, (*shape, s.size)).astype(np.float32) for s in states]
        )


@dataclass(frozen=True)
class LoaderJob:
    """Random windows of ``horizon`` actions and ``n_obs`` frames from demonstrations, in batches.

    ``data``: a trajectory store; ``keys``: flat observation keys; ``seconds``: length of a repeat.
    Everybody loads in this process.
    """

    data: Path
    keys: Sequence[str]
    n_obs: int = 2
    horizon: int = 16
    batch_size: int = 64
    seconds: float = 2.0
    seed: int = 0
