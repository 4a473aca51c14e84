"""The losses of PPO against plain loops over hand-made densities."""

from __future__ import annotations

import math

import pytest
import torch

from benchmark.finetuning.loss import (
    Surrogate,
    explained_variance,
    ratio_figures,
    surrogate,
    value_loss,
)
from benchmark.finetuning.settings import RATIOS, FinetuneSettings
from envs.schema import ManigymError

ROWS, DENOISING, STEPS = 5, 4, 3
ADVANTAGES = torch.tensor([1.0, -2.0, 0.5, -0.1, 3.0], dtype=torch.float64)
EXECUTED = torch.tensor(
    [[1, 1, 1], [1, 1, 0], [1, 0, 0], [1, 1, 1], [1, 1, 0]], dtype=torch.float64
)


def densities(scale=0.6):
    """Log-densities (b, N, K) before and now."""
    generator = torch.Generator().manual_seed(0)
    size = (ROWS, DENOISING, STEPS)
    old = torch.randn(size, generator=generator, dtype=torch.float64)
    return old, old + scale * torch.randn(size, generator=generator, dtype=torch.float64)


def settings(ratio="chunk_mean", **given):
    return FinetuneSettings(ratio=ratio, **given)


def log_ratios(ratio, row, change):
    """Every log-ratio of a chunk, as the name of the mode says."""
    took = [k for k in range(STEPS) if EXECUTED[row, k]]
    if ratio == "action_step":
        return [sum(change[row, n, k] for n in range(DENOISING)) / DENOISING for k in took]
    if ratio == "denoising_step":
        return [sum(change[row, n, k] for k in took) for n in range(DENOISING)]
    total = sum(change[row, n, k] for n in range(DENOISING) for k in took)
    return [total / DENOISING if ratio == "chunk_mean" else total]


def clipped(r, advantage, clip=0.2, dual=None):
    loss = max(-advantage * r, -advantage * min(max(r, 1 - clip), 1 + clip))
    return min(loss, -advantage * dual) if dual and advantage < 0 else loss


@pytest.mark.parametrize("dual", [None, 1.3])
@pytest.mark.parametrize("ratio", RATIOS)
def test_the_surrogate_is_the_clipped_objective_of_every_ratio(ratio, dual):
    old, new = densities()
    losses, ratios = [], []
    for row in range(ROWS):
        found = [math.exp(x) for x in log_ratios(ratio, row, new - old)]
        ratios += found
        losses += [clipped(r, ADVANTAGES[row].item(), dual=dual) for r in found]
    assert min(ratios) < 0.8
    assert max(ratios) > 1.2
    got = surrogate(new, old, EXECUTED, ADVANTAGES, settings(ratio, dual_clip=dual))
    assert got.loss.item() == pytest.approx(sum(losses))
    assert got.weights.sum().item() == len(losses)
    kept = got.log_ratios[got.weights > 0].exp()
    assert sorted(kept.tolist()) == pytest.approx(sorted(ratios))


@pytest.mark.parametrize("ratio", RATIOS)
def test_steps_after_the_end_of_an_episode_count_for_nothing(ratio):
    old, new = densities()
    before = surrogate(new, old, EXECUTED, ADVANTAGES, settings(ratio))
    changed = torch.where(EXECUTED[:, None] > 0, new, new + 7)
    after = surrogate(changed, old, EXECUTED, ADVANTAGES, settings(ratio))
    assert torch.equal(after.loss, before.loss)
    assert ratio_figures([after], 0.2) == ratio_figures([before], 0.2)


@pytest.mark.parametrize(
    ("log_ratio", "advantage", "expected"),
    [
        (math.log(1.5), 1.0, -1.2),  # no reward for going further
        (math.log(0.5), 1.0, -0.5),
        (math.log(0.5), -1.0, 0.8),
        (math.log(5.0), -1.0, 3.0),  # the dual clip
        (math.log(2.0), -1.0, 2.0),
    ],
)
def test_clips_by_hand(log_ratio, advantage, expected):
    new = torch.full((1, 1, 1), log_ratio)
    chosen = settings("chunk", dual_clip=3.0)
    got = surrogate(new, torch.zeros(1, 1, 1), torch.ones(1, 1), torch.tensor([advantage]), chosen)
    assert got.loss.item() == pytest.approx(expected)


@pytest.mark.parametrize("ratio", RATIOS)
def test_where_nothing_has_moved_the_gradient_is_the_policy_gradient(ratio):
    old, _ = densities()
    new = old.clone().requires_grad_()
    surrogate(new, old, EXECUTED, ADVANTAGES, settings(ratio, dual_clip=3.0)).loss.backward()
    tempered = 1 / DENOISING if ratio in ("chunk_mean", "action_step") else 1
    expected = -ADVANTAGES[:, None, None] * EXECUTED[:, None] * tempered
    torch.testing.assert_close(new.grad, expected.expand_as(new))


def test_a_ratio_beyond_the_clip_has_no_gradient():
    new = torch.log(torch.tensor([1.5, 1.1, 0.5, 0.9])).reshape(4, 1, 1).requires_grad_()
    advantages = torch.tensor([1.0, 1.0, -1.0, -1.0])
    old, executed = torch.zeros(4, 1, 1), torch.ones(4, 1)
    surrogate(new, old, executed, advantages, settings("chunk")).loss.backward()
    assert new.grad.flatten().tolist() == pytest.approx([0, -1.1, 0, 0.9])


def test_the_loss_of_the_value():
    old, returns = torch.zeros(4), torch.tensor([1.0, 1.0, -1.0, 1.0])
    new = torch.tensor([0.1, 0.9, -0.9, -0.5])
    plain = value_loss(new, old, returns, None)
    assert plain.tolist() == pytest.approx([0.81, 0.01, 0.01, 2.25])
    clipped = value_loss(new, old, returns, 0.2)
    assert clipped.tolist() == pytest.approx([0.81, 0.64, 0.64, 2.25])


def test_figures_of_ratios():
    old, new = densities()
    parts = [
        surrogate(new[rows], old[rows], EXECUTED[rows], ADVANTAGES[rows], settings("action_step"))
        for rows in (slice(0, 2), slice(2, 5))
    ]
    found = ratio_figures(parts, 0.1)
    logs = [x.item() for row in range(ROWS) for x in log_ratios("action_step", row, new - old)]
    ratios = [math.exp(x) for x in logs]
    assert found["kl"] == pytest.approx(
        sum(r - 1 - x for r, x in zip(ratios, logs, strict=True)) / len(logs)
    )
    assert found["clip_fraction"] == sum(abs(r - 1) > 0.1 for r in ratios) / len(ratios)
    assert 0 < found["clip_fraction"] < 1
    assert (found["ratio_min"], found["ratio_max"]) == pytest.approx((min(ratios), max(ratios)))
    assert found["log_ratio_std"] == pytest.approx(torch.tensor(logs).std(unbiased=False).item())


def test_the_estimate_of_the_divergence_is_unbiased():
    """Between two Gaussians it has a closed form."""
    x = torch.randn(400_000, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    log_ratio = (torch.distributions.Normal(0.3, 1).log_prob(x) - (-(x**2) / 2 - 0.918938533))[
        :, None
    ]
    part = Surrogate(x.sum(), log_ratio, torch.ones_like(log_ratio))
    assert ratio_figures([part], 0.2)["kl"] == pytest.approx(0.3**2 / 2, rel=0.01)


def test_explained_variance():
    returns = torch.tensor([0.0, 1.0, 2.0, 3.0])
    assert explained_variance(returns + 5, returns) == pytest.approx(1)
    assert explained_variance(torch.zeros(4), returns) == pytest.approx(0)
    assert explained_variance(-returns, returns) == pytest.approx(-3)
    assert explained_variance(returns, torch.ones(4)) == 0


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"ratio": "token"}, "training.ratio must be one of chunk_mean, chunk, .*; got 'token'"),
        ({"clip_range": 0.0}, "training.clip_range must be above 0, got 0.0"),
        ({"learning_rate": math.nan}, "training.learning_rate must be above 0, got nan"),
        ({"ema_decay": 1.0}, r"training.ema_decay must lie in \[0, 1\), got 1.0"),
        ({"target_kl": 0.0}, r"training.target_kl must lie in \(0, inf\), got 0.0"),
        ({"dual_clip": 1.0}, r"training.dual_clip must lie in \(1, inf\), got 1.0"),
        ({"value_clip": -1.0}, r"training.value_clip must lie in \(0, inf\), got -1.0"),
        ({"kl_limit": math.nan}, r"training.kl_limit must lie in \(0, inf\), got nan"),
        ({"collapse": 2.0}, r"training.collapse must lie in \[0, 1\], got 2.0"),
        ({"epochs": 0}, "training.epochs must be at least 1, got 0"),
        ({"backend": "jax"}, "training.backend must be one of manigym, sb3; got 'jax'"),
    ],
)
def test_wrong_settings_are_explained(given, message):
    with pytest.raises(ManigymError, match=message):
        FinetuneSettings(**given)
