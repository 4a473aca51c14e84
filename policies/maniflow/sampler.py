"""From noise to actions: Euler integration of the velocity field from t = 0 to t = 1.

Noise is always given by the caller, who draws it from the generator of the episode. So the
noise of a row never depends on which other rows share its batch.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from policies.maniflow.ditx import DiTX

HOPS = ("step", "instant")


def euler(velocity: Callable[[Tensor, int], Tensor], noise: Tensor, steps: int) -> Tensor:
    """Integrate dx/dt = velocity(x, step) in `steps` equal steps; step i is at t = i / steps."""
    x = noise
    for step in range(steps):
        x = x + velocity(x, step) / steps
    return x


def time_grid(steps: int, target: str, like: Tensor, hop: str = "step") -> tuple[Tensor, Tensor]:
    """Times t_i = i / steps and second time inputs, each (steps,).

    The second input is 1 / steps in `relative` mode and t_i + 1 / steps in `absolute` mode: the
    mean velocity of the step. With `hop="instant"` it is that of a hop of length zero: the
    instantaneous velocity, as in plain flow matching.
    """
    if steps < 1:
        raise ValueError(f"the sampler needs at least one step, got {steps}")
    t = torch.arange(steps, device=like.device, dtype=like.dtype) / steps
    d = torch.full_like(t, 1 / steps if hop == "step" else 0.0)
    return t, d if target == "relative" else t + d


def conditioned(
    network: DiTX, cond: Tensor, steps: int, target: str = "relative", hop: str = "step"
) -> Callable[[Tensor, int], Tensor]:
    """The velocity field (x (B, T, A), step) -> (B, T, A) given context tokens (B, L, C).

    With gradients, for PPO (`policies.maniflow.chain`); to act, `policies.maniflow.frozen` is
    faster. Keys and values of the context, and the modulation of every step, are computed once:
    neither depends on x.
    """
    context = network.context(cond)
    table = network.modulation(*time_grid(steps, target, cond, hop))

    def velocity(x: Tensor, step: int) -> Tensor:
        return network.velocity(x, [rows[step : step + 1] for rows in table], context)

    return velocity


def sample_recomputing(
    network: DiTX,
    cond: Tensor,
    noise: Tensor,
    steps: int,
    target: str = "relative",
    hop: str = "step",
) -> Tensor:
    """Actions (B, T, A) from context tokens (B, L, C) and noise (B, T, A), the plain way.

    A full forward pass per step, as upstream does: what `FrozenDiTX.sample` is compared with.
    """
    t, d = time_grid(steps, target, noise, hop)
    rows = len(noise)

    def velocity(x: Tensor, step: int) -> Tensor:
        return network(x, t[step].expand(rows), d[step].expand(rows), cond)

    return euler(velocity, noise, steps)
