"""The Euler sampler on a mixture whose exact velocity field is known, and its caching."""

import numpy as np
import pytest
import torch
from torch import Tensor

from policies.maniflow.ditx import DiTX, DiTXConfig
from policies.maniflow.sampler import conditioned, euler, sample_recomputing, time_grid

WEIGHTS, MEANS, DEVIATIONS = torch.tensor([[0.3, 0.7], [-0.6, 0.5], [0.05, 0.1]]).double()


def exact_velocity(x: Tensor, t: float) -> Tensor:
    """E[x1 - x0 | x_t = x] for x0 ~ N(0, 1) and x1 ~ the mixture."""
    variance = (1 - t) ** 2 + t**2 * DEVIATIONS**2
    offset = x[:, None] - t * MEANS
    density = WEIGHTS * torch.exp(-(offset**2) / (2 * variance)) / variance.sqrt()
    weight = density / density.sum(-1, keepdim=True)
    end = MEANS + t * DEVIATIONS**2 / variance * offset
    start = (1 - t) / variance * offset
    return (weight * (end - start)).sum(-1)


def quantiles(n: int, cdf) -> np.ndarray:
    grid = np.linspace(-6, 6, 200_001)
    return np.interp((np.arange(n) + 0.5) / n, cdf(torch.from_numpy(grid)).numpy(), grid)


@pytest.mark.parametrize(
    ("steps", "distance", "tolerance"),
    [(1, 0.462, 0.005), (2, 0.29, 0.01), (4, 0.10, 0.01), (10, 0.036, 0.005), (200, 0.0, 0.005)],
)
def test_euler_on_a_mixture(steps, distance, tolerance):
    n = 20_000
    noise = torch.from_numpy(quantiles(n, torch.special.ndtr))
    data = quantiles(
        n, lambda x: (WEIGHTS * torch.special.ndtr((x[:, None] - MEANS) / DEVIATIONS)).sum(-1)
    )
    made = euler(lambda x, step: exact_velocity(x, step / steps), noise, steps)
    wasserstein = np.abs(np.sort(made.numpy()) - data).mean()
    assert wasserstein == pytest.approx(distance, abs=tolerance)


def test_time_grids():
    like = torch.zeros(1)
    t, d = time_grid(4, "relative", like)
    assert t.tolist() == [0, 0.25, 0.5, 0.75]
    assert d.tolist() == [0.25] * 4
    assert time_grid(4, "absolute", like)[1].tolist() == [0.25, 0.5, 0.75, 1]


@pytest.fixture
def network() -> DiTX:
    torch.manual_seed(0)
    config = DiTXConfig(3, 5, 7, 6, layers=2, width=24, heads=3, time_size=8)
    network = DiTX(config).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.normal_(std=0.3)
    return network


@pytest.mark.parametrize("hop", ["step", "instant"])
@pytest.mark.parametrize("target", ["relative", "absolute"])
@pytest.mark.parametrize("steps", [1, 2, 4, 10])
def test_sampling_with_the_context_seen_once_equals_recomputing(network, steps, target, hop):
    cond, noise = torch.randn(4, 6, 7), torch.randn(4, 5, 3)
    with torch.inference_mode():
        made = euler(conditioned(network, cond, steps, target, hop), noise, steps)
        recomputed = sample_recomputing(network, cond, noise, steps, target, hop)
    assert (made - noise).abs().max() > 0.1
    torch.testing.assert_close(made, recomputed, atol=2e-6, rtol=1e-5)


def test_no_steps_is_an_error():
    with pytest.raises(ValueError, match="at least one step, got 0"):
        time_grid(0, "relative", torch.zeros(1))
