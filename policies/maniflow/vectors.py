"""Low-dimensional observations (`proprio`, `state`) to tokens. Axes: B batch, O observed steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod

import torch
from torch import Tensor, nn

from envs.schema import Interface
from policies.maniflow.linear import SteadyLinear

VECTORS = ("proprio", "state")


class VectorInput(nn.Module):
    """The low-dimensional observations among `keys` joined into one vector per step."""

    def __init__(self, keys: Sequence[str], interface: Interface) -> None:
        super().__init__()
        self.keys = tuple(key for key in keys if key in VECTORS)
        self.size = sum(prod(interface.observation[key][0]) for key in self.keys)

    def forward(self, obs: Mapping[str, Tensor]) -> Tensor:
        """key -> (B, O, ...) to (B, O, size)."""
        return torch.cat([obs[key].flatten(2) for key in self.keys], dim=-1)


def vector_mlp(size: int, width: int) -> nn.Sequential:
    """(..., size) -> (..., width), no activation at the end."""
    return nn.Sequential(SteadyLinear(size, width), nn.ReLU(), SteadyLinear(width, width))


class StateEncoder(nn.Module):
    """One token per observed step, for policies that see only low-dimensional observations."""

    def __init__(self, vectors: VectorInput, n_obs: int, size: int) -> None:
        super().__init__()
        self.size = size
        self.length = n_obs
        self.vectors = vectors
        self.mlp = vector_mlp(vectors.size, size)

    def forward(self, obs: Mapping[str, Tensor]) -> Tensor:
        """key -> (B, O, ...) to tokens (B, O, size)."""
        return self.mlp(self.vectors(obs))
