"""From noise to actions: Euler integration of the velocity field from t = 0 to t = 1.

Noise is always given by the caller, who draws it from the generator of the episode. So the
noise of a row never depends on which other rows share its batch.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from policies.maniflow.ditx import DiTX


def euler(velocity: Callable[[Tensor, int], Tensor], noise: Tensor, steps: int) -> Tensor:
    """Integrate dx/dt = velocity(x, step) in `steps` equal steps; step i is at t = i / steps."""
    x = noise
    for step in range(steps):
        x = x + velocity(x, step) / steps
    return x


def time_grid(steps: int, target: str, like: Tensor) -> tuple[Tensor, Tensor]:
    """Times t_i = i / steps and second time inputs, each (steps,).

    The second input is 1 / steps in `relative` mode and t_i + 1 / steps in `absolute` mode.
    """
    if steps < 1:
        raise ValueError(f"the sampler needs at least one step, got {steps}")
    t = torch.arange(steps, device=like.device, dtype=like.dtype) / steps
    hop = torch.full_like(t, 1 / steps)
    return t, hop if target == "relative" else t + hop


def sample(
    network: DiTX, cond: Tensor, noise: Tensor, steps: int, target: str = "relative"
) -> Tensor:
    """Actions (B, T, A) from context tokens (B, L, C) and noise (B, T, A).

    Keys and values of the context, and the modulation of every step, are computed once: neither
    depends on x. At ten steps this halves the time of a call on a CPU.
    """
    context = network.context(cond)
    table = network.modulation(*time_grid(steps, target, noise))

    def velocity(x: Tensor, step: int) -> Tensor:
        return network.velocity(x, [rows[step : step + 1] for rows in table], context)

    return euler(velocity, noise, steps)


def sample_recomputing(
    network: DiTX, cond: Tensor, noise: Tensor, steps: int, target: str = "relative"
) -> Tensor:
    """The same actions by a full forward pass per step, as upstream does; for comparison."""
    t, d = time_grid(steps, target, noise)
    rows = len(noise)

    def velocity(x: Tensor, step: int) -> Tensor:
        return network(x, t[step].expand(rows), d[step].expand(rows), cond)

    return euler(velocity, noise, steps)
