"""A linear map whose rows do not depend on how many of them are computed together."""

from __future__ import annotations

import torch
from torch import Tensor, nn

ROWS = 4


class SteadyLinear(nn.Linear):
    """`nn.Linear` that gives a row the same bits in a batch of one and in a batch of many.

    On a CPU a product of one to three rows takes another kernel than one of four or more, and
    rounds differently (measured with torch 2.13, MKL, one thread, AVX-512: from four rows on the
    bits are the same for every count up to 256). Copies of the last row fill up to four.
    """

    def forward(self, x: Tensor) -> Tensor:
        """(..., in) -> (..., out)."""
        rows = x.shape[:-1].numel()
        if rows >= ROWS:
            return super().forward(x)
        flat = x.reshape(rows, -1)
        filled = torch.cat((flat, flat[-1:].expand(ROWS - rows, -1)))
        return super().forward(filled)[:rows].reshape(*x.shape[:-1], -1)
