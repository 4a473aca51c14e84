"""DiT-X for inference: what depends on the weights alone is computed once, not at every call.

Axis letters as in `ditx.py`. Beside `DiTX.forward` at every Euler step, this
- maps the context tokens straight to keys and values: `context_in` and a block's `kv` are folded
  into one matrix (2E x C instead of 2E x E) and a constant per position, formed in float64. The
  token of an instruction passes through the same maps as all others, so it is folded, too. Keys and
  values are computed once per call;
- looks up shifts, scales and gates, which depend on the time grid alone;
- applies a LayerNorm with its shift and scale in one operation, as all rows are at the same time;
- multiplies with weights that lie as the processor wants them (`FrozenLinear`).
The samples differ from those of `sample_recomputing` by rounding: 2e-6 in float32.
"""

from __future__ import annotations

from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from policies.maniflow.blocks import Block, KeyValue, merge_heads, split_heads
from policies.maniflow.ditx import DiTX, GroupHeads
from policies.maniflow.linear import FrozenLinear
from policies.maniflow.sampler import euler, time_grid

PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}

SCALES = [1, 4, 7]
"""Which of the nine modulations are scales: they multiply as 1 + scale."""


class FrozenNorm(nn.Module):
    """A LayerNorm or RMSNorm over the last axis."""

    weight: Tensor
    bias: Tensor | None

    def __init__(self, norm: nn.LayerNorm | nn.RMSNorm, dtype: torch.dtype) -> None:
        super().__init__()
        self.shape, self.eps = norm.normalized_shape, norm.eps
        self.centred = isinstance(norm, nn.LayerNorm)
        self.register_buffer("weight", norm.weight.detach().to(dtype))
        bias = norm.bias.detach().to(dtype) if isinstance(norm, nn.LayerNorm) else None
        self.register_buffer("bias", bias)

    def forward(self, x: Tensor) -> Tensor:
        if self.centred:
            return F.layer_norm(x, self.shape, self.weight, self.bias, self.eps or 0.0)
        return F.rms_norm(x, self.shape, self.weight, self.eps)


class Freezing:
    """How the parts of a network are made; `packed`: see `FrozenLinear`."""

    def __init__(self, network: DiTX, dtype: torch.dtype, packed: bool) -> None:
        self.network, self.dtype = network, dtype
        config = network.config
        self.rows = config.horizon if packed else 0
        self.context_rows = config.context_length if packed else 0

    def linear(self, layer: nn.Module, gelu: bool = False) -> FrozenLinear:
        layer = cast(nn.Linear, layer)
        bias = None if layer.bias is None else layer.bias.detach().to(self.dtype)
        return FrozenLinear(layer.weight.detach().to(self.dtype), bias, self.rows, gelu)

    def norm(self, layer: nn.Module) -> nn.Module:
        if isinstance(layer, nn.Identity):
            return layer
        return FrozenNorm(cast(nn.LayerNorm | nn.RMSNorm, layer), self.dtype)

    def folded(self, kv: nn.Linear) -> tuple[FrozenLinear, Tensor]:
        """`kv` after `context_in`: the map C -> 2E, and what each position adds (L, 2E)."""
        network, then = self.network, kv.weight.detach().double()
        weight = then @ network.context_in.weight.detach().double()
        embedded = (network.context_position[0] + network.context_in.bias).detach().double()
        constant = embedded @ then.T
        if kv.bias is not None:
            constant += kv.bias.detach()
        folded = FrozenLinear(weight.to(self.dtype), None, self.context_rows)
        return folded, constant.to(self.dtype)

    def head(self, head: nn.Module) -> nn.Sequential:
        norm, first, _, last = cast(nn.Sequential, head)
        return nn.Sequential(self.norm(norm), self.linear(first, gelu=True), self.linear(last))


class FrozenBlock(nn.Module):
    """A DiT-X block, all rows at the same time."""

    positions: Tensor

    def __init__(self, block: Block, freezing: Freezing) -> None:
        super().__init__()
        attention, cross, mlp = block.self_attention, block.cross_attention, block.mlp
        self.heads, self.eps = attention.heads, block.norm.eps
        self.qkv, self.out = freezing.linear(attention.qkv), freezing.linear(attention.out)
        self.q, self.cross_out = freezing.linear(cross.q), freezing.linear(cross.out)
        self.q_norm, self.k_norm = freezing.norm(cross.q_norm), freezing.norm(cross.k_norm)
        self.kv, positions = freezing.folded(cross.kv)
        self.register_buffer("positions", positions)
        self.wide, self.narrow = freezing.linear(mlp[0], gelu=True), freezing.linear(mlp[2])

    def key_value(self, cond: Tensor, room: Tensor) -> KeyValue:
        """Context tokens (B, L, C) -> keys and values, in `room` (2, B, heads, L, D)."""
        k, v = room
        size = 1 if cond.is_cpu else len(cond)  # a row's keys and values stay in the cache
        for at in range(0, len(cond), size):
            rows = slice(at, at + size)
            both = self.kv(cond[rows]).add_(self.positions[: cond.shape[1]])
            new_k, v[rows] = split_heads(both, 2, self.heads)
            k[rows] = self.k_norm(new_k)
        return k, v

    def forward(self, x: Tensor, modulation: Tensor, key_value: KeyValue) -> Tensor:
        """One pass over (B, T, E); `modulation` (9, E) with 1 + scale in place of scale."""
        shift1, scale1, gate1, shift2, scale2, gate2, shift3, scale3, gate3 = modulation.unbind()
        attend, width = F.scaled_dot_product_attention, x.shape[-1:]
        h = F.layer_norm(x, width, scale1, shift1, self.eps)
        q, k, v = split_heads(self.qkv(h), 3, self.heads)
        x = torch.addcmul(x, gate1, self.out(merge_heads(attend(q, k, v))))
        h = F.layer_norm(x, width, scale2, shift2, self.eps)
        (q,) = split_heads(self.q(h), 1, self.heads)
        x = torch.addcmul(x, gate2, self.cross_out(merge_heads(attend(self.q_norm(q), *key_value))))
        h = F.layer_norm(x, width, scale3, shift3, self.eps)
        return torch.addcmul(x, gate3, self.narrow(self.wide(h)))


class FrozenDiTX(nn.Module):
    """The velocity field of a DiTX as its weights are now, without dropout and gradients.

    In `bfloat16` weights and activations are; the actions that are integrated stay float32. The
    largest difference of a sample was 0.006 to 0.014 at an rms of 1.07 (12 x 768, random weights).
    `compiled` runs every step through `torch.compile`, on a GPU as one CUDA graph. On a CPU it does
    without oneDNN's packed weights and takes 1.6 times as long.
    """

    position: Tensor

    def __init__(self, network: DiTX, precision: str = "float32", compiled: bool = False) -> None:
        super().__init__()
        freezing = Freezing(network, PRECISIONS[precision], packed=not compiled)
        self.dtype = freezing.dtype
        self.check_length, self.modulation = network.positions, network.modulation
        self.like = network.position.detach()
        self.tables: dict[tuple[int, str, str], Tensor] = {}
        config = network.config
        shape = config.layers, 2, 0, config.heads, 0, config.width // config.heads
        self._room = self.like.new_empty(shape)
        self.action_in = freezing.linear(network.action_in)
        self.register_buffer("position", network.position.detach().to(self.dtype))
        self.blocks = nn.ModuleList(
            FrozenBlock(cast(Block, block), freezing) for block in network.blocks
        )
        heads = network.head.heads if isinstance(network.head, GroupHeads) else [network.head]
        self.heads = nn.ModuleList(freezing.head(head) for head in heads)
        mode = "reduce-overhead" if self.like.is_cuda else "default"
        self.step = torch.compile(self.velocity, mode=mode) if compiled else self.velocity

    @torch.inference_mode()
    def sample(
        self, cond: Tensor, noise: Tensor, steps: int, target: str = "relative", hop: str = "step"
    ) -> Tensor:
        """Actions (B, T, A) from context tokens (B, L, C) and noise (B, T, A)."""
        table, context = self.table(steps, target, hop), self.context(cond)
        return euler(lambda x, step: self.step(x, table[step], context), noise, steps)

    def context(self, cond: Tensor) -> list[KeyValue]:
        """Context tokens (B, L, C) -> the keys and values of every block, until the next call."""
        self.check_length(cond.shape[1])
        cond = cond.to(self.dtype)
        rooms = self.room(*cond.shape[:2])
        return [
            cast(FrozenBlock, block).key_value(cond, room)
            for block, room in zip(self.blocks, rooms, strict=True)
        ]

    def room(self, batch: int, length: int) -> Tensor:
        """Memory for keys and values (layers, 2, batch, heads, length, D).

        Kept for the largest batch: at 19 MB per row of the base size, getting it from the operating
        system anew took as long as filling it.
        """
        layers, kinds, most, heads, longest, size = self._room.shape
        if batch > most or length != longest:
            self._room = self.position.new_empty(layers, kinds, batch, heads, length, size)
        return self._room[:, :, :batch]

    def table(self, steps: int, target: str, hop: str) -> Tensor:
        """Modulations (steps, layers, 9, E) of all steps, with 1 + scale in place of scale."""
        key = steps, target, hop
        if key not in self.tables:
            rows = self.modulation(*time_grid(steps, target, self.like, hop))
            table = torch.stack(rows, 1).squeeze(-2)
            table[:, :, SCALES] += 1
            self.tables[key] = table.to(self.dtype)
        return self.tables[key]

    def velocity(self, x: Tensor, modulation: Tensor, context: list[KeyValue]) -> Tensor:
        """Noisy actions (B, T, A), one step's modulations (layers, 9, E) -> velocity (B, T, A)."""
        h = self.action_in(x.to(self.dtype)) + self.position
        for block, row, key_value in zip(self.blocks, modulation, context, strict=True):
            h = block(h, row, key_value)
        return torch.cat([head(h) for head in self.heads], dim=-1).to(x.dtype)


class Freezer:
    """The frozen form of a network, made again whenever a weight has changed since.

    Changes are noticed by where the weights lie and by the version that torch counts up at every
    operation in place (optimisers, `load_state_dict`, `torch._foreach_lerp_`). Only writing through
    `.data` is not counted. The weights frozen last are kept, so that no others can take their place
    in memory unnoticed.
    """

    def __init__(self, precision: str, compiled: bool) -> None:
        self.precision, self.compiled = precision, compiled
        self._frozen: FrozenDiTX | None = None
        self._weights: list[Tensor] = []
        self._seen: list[tuple[int, int]] = []

    def __call__(self, network: DiTX) -> FrozenDiTX:
        weights = list(network.parameters())
        seen = [(weight.data_ptr(), weight._version) for weight in weights]
        if self._frozen is None or seen != self._seen:
            with torch.inference_mode(False), torch.no_grad():
                self._frozen = FrozenDiTX(network, self.precision, self.compiled)
            self._weights, self._seen = [weight.detach() for weight in weights], seen
        return self._frozen
