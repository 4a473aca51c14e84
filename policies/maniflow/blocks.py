"""The DiT-X block: self-attention, cross-attention and MLP, each gated by the time embedding.

Axis letters: B batch, T predicted steps, L context tokens, E width, D width of one head.
Source: arXiv 2509.01819 and geyan21/ManiFlow_Policy, `model/diffusion/ditx_block.py`.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from policies.maniflow.linear import SteadyLinear

KeyValue = tuple[Tensor, Tensor]
"""Keys and values of the context for one block, each (B, heads, L, D)."""

MODULATIONS = 9
"""Shift, scale and gate for self-attention, cross-attention and MLP, in this order."""


def split_heads(x: Tensor, parts: int, heads: int) -> tuple[Tensor, ...]:
    """(B, T, parts * E) -> `parts` tensors (B, heads, T, D)."""
    return x.unflatten(-1, (parts, heads, -1)).permute(2, 0, 3, 1, 4).unbind(0)


def merge_heads(x: Tensor) -> Tensor:
    """(B, heads, T, D) -> (B, T, E)."""
    return x.transpose(1, 2).flatten(2)


class SelfAttention(nn.Module):
    """Bidirectional attention among the predicted steps; dropout acts on the attention weights."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.dropout = dropout
        self.qkv = SteadyLinear(width, 3 * width)
        self.out = SteadyLinear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = split_heads(self.qkv(x), 3, self.heads)
        dropout = self.dropout if self.training else 0.0
        return self.out(merge_heads(F.scaled_dot_product_attention(q, k, v, dropout_p=dropout)))


class CrossAttention(nn.Module):
    """Attention from the predicted steps to the context tokens.

    Keys and values depend on the context alone, so `key_value` is computed once per inference
    and reused by every Euler step.
    """

    def __init__(self, width: int, heads: int, bias: bool, qk_norm: bool) -> None:
        super().__init__()
        self.heads = heads
        self.q = SteadyLinear(width, width, bias=bias)
        self.kv = SteadyLinear(width, 2 * width, bias=bias)
        self.q_norm = nn.LayerNorm(width // heads) if qk_norm else nn.Identity()
        self.k_norm = nn.LayerNorm(width // heads) if qk_norm else nn.Identity()
        self.out = SteadyLinear(width, width)

    def key_value(self, context: Tensor) -> KeyValue:
        """Context (B, L, E) -> keys and values (B, heads, L, D)."""
        k, v = split_heads(self.kv(context), 2, self.heads)
        return self.k_norm(k), v

    def forward(self, x: Tensor, key_value: KeyValue) -> Tensor:
        (q,) = split_heads(self.q(x), 1, self.heads)
        return self.out(merge_heads(F.scaled_dot_product_attention(self.q_norm(q), *key_value)))


class Block(nn.Module):
    """One DiT-X block. It is the identity at initialisation, because all gates are zero."""

    def __init__(
        self, width: int, heads: int, dropout: float, qkv_bias: bool, qk_norm: bool
    ) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width, eps=1e-6, elementwise_affine=False)
        self.self_attention = SelfAttention(width, heads, dropout)
        self.cross_attention = CrossAttention(width, heads, qkv_bias, qk_norm)
        self.mlp = nn.Sequential(
            SteadyLinear(width, 4 * width),
            nn.GELU(approximate="tanh"),
            SteadyLinear(4 * width, width),
        )
        self.modulation = nn.Linear(width, MODULATIONS * width)

    def modulate(self, time: Tensor) -> Tensor:
        """Activated time embedding (B, E) -> shifts, scales and gates (B, 9, 1, E)."""
        return self.modulation(time).unflatten(-1, (MODULATIONS, 1, -1))

    def forward(self, x: Tensor, modulation: Tensor, key_value: KeyValue) -> Tensor:
        """One pass over (B, T, E).

        `modulation` is (B, 9, 1, E), or (1, 9, 1, E) when all rows are at the same time.
        """
        shift1, scale1, gate1, shift2, scale2, gate2, shift3, scale3, gate3 = modulation.unbind(1)
        h = torch.addcmul(shift1, self.norm(x), 1 + scale1)
        x = torch.addcmul(x, gate1, self.self_attention(h))
        h = torch.addcmul(shift2, self.norm(x), 1 + scale2)
        x = torch.addcmul(x, gate2, self.cross_attention(h, key_value))
        h = torch.addcmul(shift3, self.norm(x), 1 + scale3)
        return torch.addcmul(x, gate3, self.mlp(h))
