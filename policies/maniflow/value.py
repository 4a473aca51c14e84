"""What PPO adds to the network: a value head, and the noise network of `flow_noise`.

Axes: B batch, L context tokens, C width of a token, T predicted steps, A action size.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from policies.maniflow.linear import SteadyLinear

FLAT = 1024
"""Tokens of at most so many numbers together are joined; more are pooled by attention."""


class TokenPool(nn.Module):
    """Context tokens (B, L, C) -> features (B, `size`).

    A few tokens (state observations) are joined as they are. Many (points, patches) are pooled by a
    learned query: a mean would hide the one point that matters.
    """

    def __init__(self, length: int, width: int) -> None:
        super().__init__()
        self.joined = length * width <= FLAT
        self.size = length * width if self.joined else width
        if not self.joined:
            self.query = nn.Parameter(torch.randn(1, 1, width) / math.sqrt(width))
            self.attention = nn.MultiheadAttention(width, heads_for(width), batch_first=True)

    def forward(self, tokens: Tensor) -> Tensor:
        if self.joined:
            return tokens.flatten(1)
        query = self.query.expand(len(tokens), -1, -1)
        pooled, _ = self.attention(query, tokens, tokens, need_weights=False)
        return pooled[:, 0]


def heads_for(width: int) -> int:
    """At most 4 attention heads, as many as divide the width."""
    return max(n for n in (1, 2, 4) if width % n == 0)


def mlp(sizes: Sequence[int], activation: type[nn.Module]) -> nn.Sequential:
    """Linear maps with an activation between them."""
    layers: list[nn.Module] = []
    for before, after in pairwise(sizes):
        layers += [SteadyLinear(before, after), activation()]
    return nn.Sequential(*layers[:-1])


class ValueHead(nn.Module):
    """Context tokens (B, L, C) -> value (B,). The last layer starts at N(0, 0.02), as RLinf's.

    Features are brought to one scale first: away from the demonstrations, where exploration goes,
    normalised observations can be tens of times larger than on them.
    """

    def __init__(self, length: int, width: int, hidden: Sequence[int]) -> None:
        super().__init__()
        self.pool = TokenPool(length, width)
        self.norm = nn.LayerNorm(self.pool.size)
        self.mlp = mlp([self.pool.size, *hidden, 1], nn.ReLU)
        last = self.mlp[-1]
        nn.init.normal_(last.get_parameter("weight"), std=0.02)
        nn.init.zeros_(last.get_parameter("bias"))

    def forward(self, tokens: Tensor) -> Tensor:
        return self.mlp(self.norm(self.pool(tokens)))[:, 0]


class NoiseNetwork(nn.Module):
    """Context tokens (B, L, C) -> standard deviations (B, T, A) within a range.

    A function of the observation alone, the same at every step of the chain, which ReinFlow found
    adequate; the logarithm of the variance moves between its bounds with a tanh, as in RLinf.
    """

    def __init__(
        self,
        length: int,
        width: int,
        hidden: Sequence[int],
        actions: tuple[int, int],
        bounds: tuple[float, float],
    ) -> None:
        super().__init__()
        self.actions = actions
        self.low, self.high = (2 * math.log(bound) for bound in bounds)
        self.pool = TokenPool(length, width)
        self.mlp = mlp([self.pool.size, *hidden, math.prod(actions)], nn.Tanh)

    def forward(self, tokens: Tensor) -> Tensor:
        share = (torch.tanh(self.mlp(self.pool(tokens))) + 1) / 2
        log_variance = self.low + (self.high - self.low) * share
        return (log_variance / 2).exp().unflatten(-1, self.actions)
