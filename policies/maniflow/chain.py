"""Noisy sampling with a known density: the chain from noise to actions that PPO optimises.

Every step of the chain is Gaussian, x_{k+1} ~ N(mean, std^2), so the density of a whole chain is a
product. Time runs as everywhere in ManiFlow: tau = 0 is noise, tau = 1 data, the velocity u points
to the data, `x + (1 - tau) u` estimates the data and `x - tau u` the noise.

Sources: `flow_sde` Flow-GRPO (arXiv 2505.05470) and RLinf, `flow_cps` RLinf, `flow_noise` ReinFlow
(arXiv 2505.22094); their time runs the other way (t = 1 - tau).
Axes: B batch, N steps of the chain, T predicted steps, A action size.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

Velocity = Callable[[Tensor, int], Tensor]
"""(x (B, T, A), step) -> velocity (B, T, A)."""

LOG_SQRT_2PI = 0.5 * math.log(2 * math.pi)


@dataclass(frozen=True)
class Moment:
    """Where a chain of `steps` steps stands before one of them."""

    step: int
    steps: int

    @property
    def tau(self) -> float:
        return self.step / self.steps

    @property
    def hop(self) -> float:
        return 1 / self.steps


@dataclass(frozen=True)
class ChainNoise:
    """How noise enters. `level` is the standard deviation of the first step of `flow_sde`.

    `min_std`: no step of `flow_sde` is quieter; its drift is corrected for the noise that is really
    added, so the marginals stay those of the ODE. `learned`: standard deviations (B, T, A) of
    `flow_noise`.
    """

    method: str = "flow_sde"
    level: float = 0.5
    min_std: float = 0.05
    learned: Tensor | None = None

    def transition(self, x: Tensor, u: Tensor, at: Moment) -> tuple[Tensor, Tensor]:
        """Mean (B, T, A) of the next x, and its standard deviation, (B, T, A) or a scalar."""
        return METHODS[self.method](self, x, u, at)


def flow_ode(noise: ChainNoise, x: Tensor, u: Tensor, at: Moment) -> tuple[Tensor, Tensor]:
    """An Euler step without noise."""
    return x + at.hop * u, x.new_zeros(())


def flow_sde(noise: ChainNoise, x: Tensor, u: Tensor, at: Moment) -> tuple[Tensor, Tensor]:
    """The SDE with the marginals of the ODE: noise, and a drift along the score against it.

    std = level sqrt((1 - tau) / max(tau, hop)) sqrt(hop), and the score is the noise estimate over
    -(1 - tau): valid for the instantaneous velocity only (second time input 0).
    """
    std = noise.level * math.sqrt((1 - at.tau) / max(at.tau, at.hop) * at.hop)
    std = max(std, noise.min_std)
    noise_estimate = x - at.tau * u
    mean = x + at.hop * u - std**2 / (2 * (1 - at.tau)) * noise_estimate
    return mean, x.new_tensor(std)


def flow_cps(noise: ChainNoise, x: Tensor, u: Tensor, at: Moment) -> tuple[Tensor, Tensor]:
    """Coefficient-preserving: a part of the estimated noise is replaced by fresh noise.

    The last step is deterministic. For data of several modes the marginals are not the ODE's.
    """
    remaining = 1 - at.tau - at.hop
    angle = 0.5 * math.pi * noise.level
    data, noise_estimate = x + (1 - at.tau) * u, x - at.tau * u
    mean = (1 - remaining) * data + remaining * math.cos(angle) * noise_estimate
    return mean, x.new_tensor(max(remaining, 0.0) * math.sin(angle))


def flow_noise(noise: ChainNoise, x: Tensor, u: Tensor, at: Moment) -> tuple[Tensor, Tensor]:
    """An Euler step with noise of a learned size (ReinFlow's noise network)."""
    assert noise.learned is not None
    return x + at.hop * u, noise.learned


METHODS: Mapping[str, Callable[[ChainNoise, Tensor, Tensor, Moment], tuple[Tensor, Tensor]]] = {
    f.__name__: f for f in (flow_sde, flow_cps, flow_noise, flow_ode)
}


def sample_chain(
    velocity: Velocity, start: Tensor, draws: Tensor, noise: ChainNoise
) -> tuple[Tensor, Tensor]:
    """Chain (B, N + 1, T, A) from `start` (B, T, A), and its log-densities (B, N, T, A).

    `draws` (B, N, T, A) are standard normal, from the generators of the episodes. The density of
    the start has no parameters and is left out: it cancels in every ratio.
    """
    steps = draws.shape[1]
    chain, logprob = [start], []
    for step in range(steps):
        x = chain[-1]
        mean, std = noise.transition(x, velocity(x, step), Moment(step, steps))
        chain.append(mean + std * draws[:, step])
        logprob.append(gaussian_logprob(chain[-1], mean, std))
    return torch.stack(chain, 1), torch.stack(logprob, 1)


def chain_logprob(velocity: Velocity, chain: Tensor, noise: ChainNoise) -> Tensor:
    """Log-densities (B, N, T, A) of the steps of a chain (B, N + 1, T, A) that exists already."""
    steps = chain.shape[1] - 1
    logprob = []
    for step in range(steps):
        x = chain[:, step]
        mean, std = noise.transition(x, velocity(x, step), Moment(step, steps))
        logprob.append(gaussian_logprob(chain[:, step + 1], mean, std))
    return torch.stack(logprob, 1)


def gaussian_logprob(x: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    """log N(x; mean, std^2) by element; 0 where std is 0, as that step decides nothing."""
    safe = torch.where(std > 0, std, torch.ones_like(std))
    density = -0.5 * ((x - mean) / safe) ** 2 - safe.log() - LOG_SQRT_2PI
    return torch.where(std > 0, density, torch.zeros_like(density))


def gaussian_entropy(std: Tensor) -> Tensor:
    """0.5 log(2 pi e std^2) by element, in nats."""
    return std.log() + LOG_SQRT_2PI + 0.5
