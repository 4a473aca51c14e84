"""Uniformly random actions: the floor every other policy is measured from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from envs.schema import Interface, ManigymError
from policies.base import Observations, Policy, PolicySpec


@dataclass
class UniformState:
    """One episode's own generator and its action size A."""

    rng: np.random.Generator
    action_size: int


class UniformPolicy(Policy):
    """Actions drawn from U(-1, 1), ``n_action`` per call."""

    def __init__(self, n_action: int = 1) -> None:
        if not isinstance(n_action, int) or n_action < 1:
            raise ManigymError(f"policy.n_action must be at least 1, got {n_action!r}")
        self.spec = PolicySpec(n_action=n_action)

    def start(self, interface: Interface, seeds: Sequence[int]) -> list[UniformState]:
        return [UniformState(np.random.default_rng(seed), interface.action_size) for seed in seeds]

    def act(self, observations: Observations, states: Sequence[UniformState]) -> np.ndarray:
        shape = (self.spec.n_action,)
        chunks = [s.rng.uniform(-1.0, 1.0, (*shape, s.action_size)) for s in states]
        return np.stack(chunks).astype(np.float32)
