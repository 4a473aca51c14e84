"""DiT-X, the velocity network of ManiFlow: v(x, t, d | context).

Axis letters: B batch, T predicted steps, A action size, L context tokens, C width of a context
token, E width. Time runs from t = 0 (noise) to t = 1 (data); d is the second time input, the
length of the hop (or its end point, in absolute mode).
Source: arXiv 2509.01819 and geyan21/ManiFlow_Policy, `model/diffusion/ditx.py`.

The final RMSNorm divides by the mean square. Upstream takes its norm from timm, which did the
same from 1.0.13 on but divided by the unbiased variance up to 1.0.12: a checkpoint trained with
an older timm gives other velocities here.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from policies.maniflow.blocks import Block, KeyValue
from policies.maniflow.linear import SteadyLinear


@dataclass(frozen=True)
class DiTXConfig:
    """Sizes of the network. `context_size` is C and `context_length` the largest L.

    `head_sizes`: consecutive dimensions of the action that have an output head of their own, adding
    up to A; all share one by default.
    """

    action_size: int
    horizon: int
    context_size: int
    context_length: int
    layers: int
    width: int
    heads: int
    time_size: int = 128
    dropout: float = 0.1
    qkv_bias: bool = True
    qk_norm: bool = True
    head_sizes: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if self.width % self.heads:
            raise ValueError(
                f"DiT-X width {self.width} is not a multiple of its {self.heads} heads; "
                "choose a width that the heads divide"
            )
        if self.time_size < 4 or self.time_size % 2:
            raise ValueError(f"time_size must be even and at least 4, got {self.time_size}")


class Sinusoid(nn.Module):
    """(B,) in [0, 1] -> (B, size): sines, then cosines, of t exp(-k ln(1e4) / (size/2 - 1)).

    t is not scaled up to thousands as diffusion models do, for parity with upstream.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        exponents = torch.arange(size // 2) / (size // 2 - 1)
        self.register_buffer("frequencies", torch.exp(-math.log(1e4) * exponents), persistent=False)

    def forward(self, t: Tensor) -> Tensor:
        angle = t[:, None] * self.get_buffer("frequencies")
        return torch.cat((angle.sin(), angle.cos()), dim=-1)


def time_encoder(size: int, width: int) -> nn.Sequential:
    """A time in [0, 1] -> (B, width)."""
    return nn.Sequential(
        Sinusoid(size), nn.Linear(size, 4 * size), nn.Mish(), nn.Linear(4 * size, width)
    )


def output_head(width: int, size: int) -> nn.Sequential:
    """(..., width) -> (..., size)."""
    return nn.Sequential(
        nn.RMSNorm(width, eps=1e-6),
        SteadyLinear(width, width),
        nn.GELU(approximate="tanh"),
        SteadyLinear(width, size),
    )


class GroupHeads(nn.Module):
    """A head per group of dimensions: (..., width) -> (..., A).

    There is no counterpart at the input: `action_in` is linear, so embeddings per group that are
    added up would be the same function.
    """

    def __init__(self, width: int, sizes: Sequence[int]) -> None:
        super().__init__()
        self.heads = nn.ModuleList(output_head(width, size) for size in sizes)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([head(x) for head in self.heads], dim=-1)


class DiTX(nn.Module):
    """The network, split so that whatever does not depend on x can be computed once.

    `forward(x, t, d, cond) == velocity(x, modulation(t, d), context(cond))`.
    """

    def __init__(self, config: DiTXConfig) -> None:
        super().__init__()
        width = config.width
        self.config = config
        self.action_in = SteadyLinear(config.action_size, width)
        self.position = nn.Parameter(torch.empty(1, config.horizon, width))
        self.context_in = SteadyLinear(config.context_size, width)
        self.context_position = nn.Parameter(torch.empty(1, config.context_length, width))
        self.time = time_encoder(config.time_size, width)
        self.hop = time_encoder(config.time_size, width)
        self.time_mix = nn.Linear(2 * width, width)
        self.blocks = nn.ModuleList(
            Block(width, config.heads, config.dropout, config.qkv_bias, config.qk_norm)
            for _ in range(config.layers)
        )
        sizes = config.head_sizes
        self.head = GroupHeads(width, sizes) if sizes else output_head(width, config.action_size)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Xavier everywhere, N(0, 0.02) at the inputs, zero at the gates and at the output."""
        for layer in (m for m in self.modules() if isinstance(m, nn.Linear)):
            nn.init.xavier_uniform_(layer.weight)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
        inputs = (self.action_in, self.context_in, self.time_mix, *self.time, *self.hop)
        for module in inputs:
            if isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, std=0.02)
        nn.init.normal_(self.position, std=0.02)
        nn.init.zeros_(self.context_position)
        heads = self.head.heads if isinstance(self.head, GroupHeads) else [self.head]
        last = (cast(nn.Sequential, head)[-1] for head in heads)
        outputs = (*(block.modulation for block in self._blocks()), *last)
        for module in outputs:
            nn.init.zeros_(module.get_parameter("weight"))

    def context(self, cond: Tensor) -> list[KeyValue]:
        """Context tokens (B, L, C) -> the keys and values of every block."""
        tokens = self.context_in(cond) + self.positions(cond.shape[1])
        return [block.cross_attention.key_value(tokens) for block in self._blocks()]

    def positions(self, length: int) -> Tensor:
        """The positional table (1, length, E) of so many context tokens."""
        longest = self.context_position.shape[1]
        if length > longest:
            raise ValueError(
                f"got {length} context tokens, but the positional table has {longest} rows; "
                "build the network with a larger context_length or give fewer tokens"
            )
        return self.context_position[:, :length]

    def modulation(self, t: Tensor, d: Tensor) -> list[Tensor]:
        """Times (B,) and hops (B,) -> shifts, scales and gates (B, 9, 1, E) of every block."""
        time = F.silu(self.time_mix(torch.cat((self.time(t), self.hop(d)), dim=-1)))
        return [block.modulate(time) for block in self._blocks()]

    def velocity(self, x: Tensor, modulation: list[Tensor], context: list[KeyValue]) -> Tensor:
        """Noisy actions (B, T, A) -> velocity (B, T, A)."""
        x = self.action_in(x) + self.position
        for block, modulate, key_value in zip(self._blocks(), modulation, context, strict=True):
            x = block(x, modulate, key_value)
        return self.head(x)

    def forward(self, x: Tensor, t: Tensor, d: Tensor, cond: Tensor) -> Tensor:
        """x (B, T, A), t (B,), d (B,), cond (B, L, C) -> velocity (B, T, A)."""
        return self.velocity(x, self.modulation(t, d), self.context(cond))

    def _blocks(self) -> list[Block]:
        return cast(list[Block], list(self.blocks))
