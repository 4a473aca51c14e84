"""How training times t in [0, 1] are drawn. Every sampling takes its randomness from a generator.

Source: geyan21/ManiFlow_Policy, `model/common/sample_util.py`; `mode`, `cosmap` and `lognorm` are
those of Esser et al., arXiv 2403.03206, section 3.1. (Upstream's `lognorm` and `mode` stop with an
AttributeError, because nothing sets their parameters.)
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class TimeSampling:
    """Parameters of the samplings, upstream's values."""

    divisions: int = 10
    lognorm_mean: float = 0.0
    lognorm_std: float = 1.0
    mode_scale: float = 1.29
    beta_shape: float = 1.5
    beta_cutoff: float = 0.999


def expand(t: Tensor, like: Tensor) -> Tensor:
    """(B,) -> (B, 1, ..., 1) with as many axes as `like`."""
    return t.reshape(-1, *(1,) * (like.ndim - 1))


def _rand(n: int, generator: torch.Generator) -> Tensor:
    return torch.rand(n, generator=generator, device=generator.device)


def uniform(n: int, sampling: TimeSampling, generator: torch.Generator) -> Tensor:
    """U(0, 1)."""
    return _rand(n, generator)


def beta(n: int, sampling: TimeSampling, generator: torch.Generator) -> Tensor:
    """cutoff * Beta(1, b) by inversion: its distribution function is 1 - (1 - t)^b.

    Favours noise: with b = 1.5 the mean is 0.40 and P(t < 0.5) is 0.65.
    """
    return sampling.beta_cutoff * (1 - (1 - _rand(n, generator)) ** (1 / sampling.beta_shape))


def lognorm(n: int, sampling: TimeSampling, generator: torch.Generator) -> Tensor:
    """sigmoid(N(mean, std))."""
    z = torch.randn(n, generator=generator, device=generator.device)
    return torch.sigmoid(sampling.lognorm_mean + sampling.lognorm_std * z)


def mode(n: int, sampling: TimeSampling, generator: torch.Generator) -> Tensor:
    """Heavy-tailed around the middle: 1 - u - s (cos^2(pi u / 2) - 1 + u)."""
    u = _rand(n, generator)
    t = 1 - u - sampling.mode_scale * (torch.cos(math.pi / 2 * u) ** 2 - 1 + u)
    return t.clamp(0, 1)


def cosmap(n: int, sampling: TimeSampling, generator: torch.Generator) -> Tensor:
    """1 - 1 / (tan(pi u / 2) + 1)."""
    return 1 - 1 / (torch.tan(math.pi / 2 * _rand(n, generator)) + 1)


def discrete(n: int, sampling: TimeSampling, generator: torch.Generator) -> Tensor:
    """k / divisions with k uniform in 0 .. divisions - 1."""
    k = torch.randint(sampling.divisions, (n,), generator=generator, device=generator.device)
    return k / sampling.divisions


TIME_SAMPLERS: Mapping[str, Callable[[int, TimeSampling, torch.Generator], Tensor]] = {
    f.__name__: f for f in (uniform, beta, lognorm, mode, cosmap, discrete)
}
