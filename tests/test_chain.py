"""Chains from noise to actions: their density, and what they make of a mixture that is known."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from test_sampler import DEVIATIONS, MEANS, WEIGHTS, exact_velocity, quantiles

from policies.maniflow.chain import (
    ChainNoise,
    Moment,
    chain_logprob,
    gaussian_entropy,
    gaussian_logprob,
    sample_chain,
)
from policies.maniflow.sampler import euler

SHAPE = (3, 5, 2)
NOISY = ("flow_sde", "flow_cps", "flow_noise")


def field(x, step):
    """Some smooth velocity that depends on the step."""
    return torch.sin(2 * x + step) - 0.3 * x


def noise_of(method, level=0.5, min_std=0.0):
    learned = torch.linspace(0.08, 0.16, math.prod(SHAPE)).double().reshape(SHAPE)
    return ChainNoise(method, level, min_std, learned=learned)


def numbers(*shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def upstream(noise, x, u, step, steps):
    """Mean and standard deviation as RLinf writes them: t = 1 is noise, v = noise - data."""
    t, delta, v = 1 - step / steps, 1 / steps, -u
    data, start, later = x - t * v, x + (1 - t) * v, 1 - (step + 1) / steps
    mean = data * (1 - later) + start * later
    if noise.method == "flow_noise":
        return mean, noise.learned
    if noise.method == "flow_cps":
        mean = data * (1 - later) + start * later * math.cos(math.pi * noise.level / 2)
        return mean, later * math.sin(math.pi * noise.level / 2)
    s = noise.level * math.sqrt(t / (delta if t == 1 else 1 - t))
    s = max(s, noise.min_std / math.sqrt(delta))
    return mean - s**2 * delta / (2 * t) * start, s * math.sqrt(delta)


@pytest.mark.parametrize("steps", [2, 4, 10])
@pytest.mark.parametrize("min_std", [0.0, 0.3])
@pytest.mark.parametrize("method", NOISY)
def test_the_density_is_the_product_of_upstreams_gaussians(method, steps, min_std):
    noise, chain = noise_of(method, min_std=min_std), numbers(3, steps + 1, 5, 2)
    found = chain_logprob(field, chain, noise)
    assert found.shape == (3, steps, 5, 2)
    for step in range(steps):
        x = chain[:, step]
        mean, std = upstream(noise, x, field(x, step), step, steps)
        if method == "flow_cps" and step == steps - 1:
            assert std == 0
            assert (found[:, step] == 0).all()
        else:
            expected = torch.distributions.Normal(mean, std).log_prob(chain[:, step + 1])
            torch.testing.assert_close(found[:, step], expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("method", NOISY)
def test_a_sampled_chain_is_mean_plus_noise_and_knows_its_density(method):
    noise, draws = noise_of(method), numbers(3, 4, 5, 2)
    start = numbers(*SHAPE) + 1
    chain, logprob = sample_chain(field, start, draws, noise)
    assert torch.equal(chain[:, 0], start)
    for step in range(4):
        x = chain[:, step]
        mean, std = upstream(noise, x, field(x, step), step, 4)
        torch.testing.assert_close(chain[:, step + 1], mean + std * draws[:, step])
    assert torch.equal(logprob, chain_logprob(field, chain, noise))
    assert logprob[:, :3].abs().min() > 0


@pytest.mark.parametrize(
    ("method", "level", "floor", "expected"),
    [
        ("flow_sde", 0.1, 0.0, [0.100, 0.087, 0.050, 0.029]),
        ("flow_sde", 0.1, 0.05, [0.100, 0.087, 0.050, 0.050]),
        ("flow_sde", 0.5, 0.05, [0.500, 0.433, 0.250, 0.144]),
        ("flow_sde", 0.7, 0.0, [0.700, 0.606, 0.350, 0.202]),
        ("flow_cps", 0.5, 0.0, [0.530, 0.354, 0.177, 0.0]),
        ("flow_cps", 0.5, 0.2, [0.530, 0.354, 0.177, 0.0]),
        ("flow_ode", 0.5, 0.2, [0, 0, 0, 0]),
    ],
)
def test_the_noise_of_four_steps(method, level, floor, expected):
    """Figures of RLinf's schedule; the floor is of flow_sde alone."""
    x = torch.zeros(1, 1, 1)
    noise = ChainNoise(method, level, floor)
    stds = [float(noise.transition(x, x, Moment(k, 4))[1]) for k in range(4)]
    assert stds == pytest.approx(expected, abs=6e-4)


@pytest.mark.parametrize("steps", [1, 2, 4, 8, 10])
def test_without_noise_a_chain_is_eulers(steps):
    start = numbers(*SHAPE).float()
    chain, logprob = sample_chain(field, start, torch.ones(3, steps, 5, 2), noise_of("flow_ode"))
    end = euler(field, start, steps)
    torch.testing.assert_close(chain[:, -1], end, rtol=1e-6, atol=1e-6)
    if steps.bit_count() == 1:  # elsewhere x / steps and x * (1 / steps) round differently
        assert torch.equal(chain[:, -1], end)
    assert (logprob == 0).all()


@pytest.mark.parametrize("method", [*NOISY, "flow_ode"])
def test_gradients_are_finite_where_a_step_has_no_noise(method):
    scale = torch.ones((), dtype=torch.float64, requires_grad=True)
    learned = torch.full(SHAPE, 0.1, dtype=torch.float64, requires_grad=True)
    noise = ChainNoise(method, 0.5, 0.0, learned=learned)
    total = chain_logprob(lambda x, k: scale * field(x, k), numbers(3, 5, 5, 2), noise).sum()
    found = torch.autograd.grad(total, (scale, learned), allow_unused=True, materialize_grads=True)
    assert all(torch.isfinite(g).all() for g in found)
    assert (found[0] != 0) == (method != "flow_ode")
    assert bool((found[1] != 0).all()) == (method == "flow_noise")


def test_an_element_without_noise_gives_no_gradient_to_its_neighbours():
    std = torch.tensor([0.0, 0.5], dtype=torch.float64, requires_grad=True)
    mean = torch.tensor([0.3, 0.3], dtype=torch.float64, requires_grad=True)
    found = gaussian_logprob(torch.zeros(2, dtype=torch.float64), mean, std)
    expected = torch.distributions.Normal(0.3, 0.5).log_prob(torch.tensor(0.0)).item()
    assert found.tolist() == pytest.approx([0, expected])
    found.sum().backward()
    assert mean.grad.tolist() == pytest.approx([0, -0.3 / 0.25])
    assert std.grad.tolist() == pytest.approx([0, 0.3**2 / 0.5**3 - 1 / 0.5])


def test_entropy_is_torchs():
    std = torch.tensor([0.05, 0.5, 3.0])
    torch.testing.assert_close(gaussian_entropy(std), torch.distributions.Normal(0, std).entropy())


COUNT = 40_000


@pytest.fixture(scope="module")
def data():
    return quantiles(
        COUNT, lambda x: (WEIGHTS * torch.special.ndtr((x[:, None] - MEANS) / DEVIATIONS)).sum(-1)
    )


def distance(data, noise, steps):
    """Wasserstein-1 between the mixture and the ends of chains in its exact velocity field."""
    generator = torch.Generator().manual_seed(3)
    x = torch.from_numpy(quantiles(COUNT, torch.special.ndtr))[:, None, None]
    for step in range(steps):
        u = exact_velocity(x[:, 0, 0], step / steps)[:, None, None]
        mean, std = noise.transition(x, u, Moment(step, steps))
        x = mean + std * torch.randn(x.shape, generator=generator, dtype=x.dtype)
    return np.abs(np.sort(x[:, 0, 0].numpy()) - data).mean()


@pytest.mark.parametrize("floor", [0.0, 0.05])
@pytest.mark.parametrize("level", [0.1, 0.5])
def test_flow_sde_keeps_the_marginals_of_the_ode(data, level, floor):
    """Exactly in the limit of many steps, whatever the noise: drift and noise belong together."""
    ode = distance(data, ChainNoise("flow_ode"), 100)
    assert ode < 0.005
    assert distance(data, ChainNoise("flow_sde", level, floor), 100) < ode + 0.01


@pytest.mark.parametrize(
    ("method", "setting", "steps", "expected", "tolerance"),
    [
        ("flow_sde", 0.5, 4, 0.101, 0.01),
        ("flow_sde", 0.7, 4, 0.133, 0.01),
        ("flow_cps", 0.5, 4, 0.108, 0.01),
        ("flow_cps", 0.5, 100, 0.028, 0.006),
        ("flow_noise", 0.16, 4, 0.111, 0.01),
        ("flow_noise", 0.16, 100, 0.390, 0.01),
    ],
)
def test_each_method_has_its_own_bias(data, method, setting, steps, expected, tolerance):
    """flow_cps loses modes for good, flow_noise adds its variance once per step."""
    noise = ChainNoise(method, setting, 0.0, learned=torch.tensor(setting).double())
    assert distance(data, noise, steps) == pytest.approx(expected, abs=tolerance)
