"""Linear maps whose rows do not depend on how many of them are computed together.

On a CPU a product of one to three rows can take another kernel than one of four or more, and round
differently. Measured with one thread on AVX-512 (torch 2.13): MKL gives a row the same bits in
every product of 4 to 256 rows, oneDNN in every one of 2 to 256.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

ROWS = 4

PACKED_FROM = 2**20
"""Multiply-adds of one sample from which oneDNN's product is faster than MKL's."""


def steadily(product: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """`product` (..., in) -> (..., out), of at least four rows: copies of the last one fill up."""
    rows = x.shape[:-1].numel()
    if rows >= ROWS:
        return product(x)
    flat = x.reshape(rows, -1)
    filled = torch.cat((flat, flat[-1:].expand(ROWS - rows, -1)))
    return product(filled)[:rows].reshape(*x.shape[:-1], -1)


class SteadyLinear(nn.Linear):
    """`nn.Linear` that gives a row the same bits in a batch of one and in a batch of many."""

    def forward(self, x: Tensor) -> Tensor:
        """(..., in) -> (..., out)."""
        return steadily(super().forward, x)


def packable(weight: Tensor, rows: int) -> bool:
    """Whether oneDNN multiplies so many rows of one sample with this weight faster.

    The choice must not depend on how many samples there are: the kernels round differently.
    """
    here = weight.device.type == "cpu" and torch.backends.mkldnn.is_available()
    known = weight.dtype == torch.float32 or (
        weight.dtype == torch.bfloat16 and torch.ops.mkldnn._is_mkldnn_bf16_supported()
    )
    return here and known and rows * weight.numel() >= PACKED_FROM


class FrozenLinear(nn.Module):
    """A linear map for inference, optionally with GELU (tanh) behind it; it has no gradients.

    On a CPU the weights are copied into the blocked order of oneDNN, by the operators that
    `torch.compile` uses for frozen weights: at 16 rows and 768 x 3072 weights 2.5 times as fast as
    MKL on an AMD EPYC with AVX-512, and GELU comes almost for free. Small products, other devices
    and `rows=0` take torch's own kernel, without a copy of the weights.
    """

    weight: Tensor
    bias: Tensor | None

    def __init__(self, weight: Tensor, bias: Tensor | None, rows: int, gelu: bool = False) -> None:
        """`rows`: how many one sample will have."""
        super().__init__()
        self.gelu = gelu
        self.packed = packable(weight, rows)
        if self.packed:
            weight = torch.ops.mkldnn._reorder_linear_weight(weight.contiguous())
        self.register_buffer("weight", weight)
        self.register_buffer("bias", bias)

    def forward(self, x: Tensor) -> Tensor:
        """(..., in) -> (..., out)."""
        return steadily(self._product, x)

    def _product(self, x: Tensor) -> Tensor:
        if self.packed:
            after = "gelu" if self.gelu else "none"
            y: Tensor = torch.ops.mkldnn._linear_pointwise(
                x, self.weight, self.bias, after, [], "tanh"
            )
            return y
        y = F.linear(x, self.weight, self.bias)
        return F.gelu(y, approximate="tanh") if self.gelu else y
