"""The environment's own expert, asked for as an observation.

An expert needs the simulator beside it, so the environment computes its action as the privileged
modality ``expert`` and this policy hands it back; the engine needs no special path.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from envs.schema import Interface
from policies.base import Observations, Policy, PolicySpec


class ExpertPolicy(Policy):
    """Acts as ``env.unwrapped.expert()`` does; only for tasks whose card names an expert."""

    def __init__(self) -> None:
        self.spec = PolicySpec(observations=("expert",))

    def start(self, interface: Interface, seeds: Sequence[int]) -> list[None]:
        return [None] * len(seeds)

    def act(self, observations: Observations, states: Sequence[None]) -> np.ndarray:
        return np.asarray(observations["expert"])[:, -1:]
