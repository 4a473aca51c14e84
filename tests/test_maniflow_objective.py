"""Time samplings against their distributions, and both losses against closed forms."""

import pytest
import torch

from policies.maniflow.objective import (
    Objective,
    consistency_regression,
    flow_regression,
    maniflow_loss,
    split,
)
from policies.maniflow.times import TIME_SAMPLERS, TimeSampling

N = 200_000


def draw(mode: str) -> torch.Tensor:
    return TIME_SAMPLERS[mode](N, TimeSampling(), torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    ("mode", "mean", "quantiles"),
    [
        ("uniform", 0.5, {0.1: 0.1, 0.5: 0.5, 0.9: 0.9}),
        # 0.999 (1 - (1 - q)^(2/3))
        ("beta", 0.3996, {0.1: 0.0678, 0.5: 0.3696, 0.9: 0.7838}),
        # sigmoid(0), sigmoid(1) at one standard deviation
        ("lognorm", 0.5, {0.5: 0.5, 0.8413: 0.7311}),
        # decreasing in u: quantile q is the value at u = 1 - q
        ("mode", 0.5, {0.25: 0.3836, 0.5: 0.5, 0.75: 0.6164}),
        # 1 - 1 / (1 + tan(pi / 8))
        ("cosmap", 0.5, {0.25: 0.2929, 0.5: 0.5, 0.75: 0.7071}),
    ],
)
def test_time_samplings(mode, mean, quantiles):
    t = draw(mode)
    assert t.min() >= 0
    assert t.max() <= 1
    assert t.mean().item() == pytest.approx(mean, abs=0.003)
    for q, value in quantiles.items():
        assert t.quantile(q).item() == pytest.approx(value, abs=0.005)


def test_discrete_times_are_tenths_below_one():
    values, counts = draw("discrete").unique(return_counts=True)
    torch.testing.assert_close(values, torch.arange(10) / 10)
    assert (counts / N - 0.1).abs().max() < 0.003


def points(n: int = 6) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(n, 4, 2, generator=generator), torch.randn(n, 4, 2, generator=generator)


@pytest.mark.parametrize("target", ["relative", "absolute"])
def test_flow_target_is_the_line(target):
    x0, x1 = points()
    t = torch.linspace(0, 1, 6)
    made = flow_regression(x0, x1, t, target)
    torch.testing.assert_close(made.x[0], x0[0])
    torch.testing.assert_close(made.x[-1], x1[-1])
    torch.testing.assert_close(made.x[2], 0.6 * x0[2] + 0.4 * x1[2])
    assert torch.equal(made.v, x1 - x0)
    assert torch.equal(made.d, t if target == "absolute" else torch.zeros(6))


@pytest.mark.parametrize("target", ["relative", "absolute"])
def test_consistency_target(target):
    """Teacher says 3 everywhere, t = 0.4: x_t' + (1 - t') 3 from x_t, over 1 - t, by hand."""
    x0, x1 = points(2)
    hop = torch.tensor([0.2, 0.9])
    asked = {}

    def teacher(x, t, d, cond):
        asked.update(x=x, t=t, d=d, cond=cond)
        return torch.full_like(x, 3.0)

    cond = torch.randn(2, 1, 1)
    made = consistency_regression(x0, x1, torch.full((2,), 0.4), hop, teacher, cond, target)
    torch.testing.assert_close(made.x, 0.6 * x0 + 0.4 * x1)
    torch.testing.assert_close(asked["x"][0], 0.4 * x0[0] + 0.6 * x1[0])
    torch.testing.assert_close(asked["t"], torch.tensor([0.6, 1.0]))
    # The line from x_t to x_0.6 is 0.2 (x1 - x0) long; the rest is 0.4 * 3.
    torch.testing.assert_close(made.v[0], (0.2 * (x1[0] - x0[0]) + 1.2) / 0.6)
    # This hop reaches the end, where the teacher has no say.
    torch.testing.assert_close(made.v[1], x1[1] - x0[1])
    relative = target == "relative"
    torch.testing.assert_close(made.d, hop if relative else torch.tensor([0.6, 1.0]))
    torch.testing.assert_close(asked["d"], hop if relative else torch.tensor([0.8, 1.9]))
    assert asked["cond"] is cond


def test_consistency_target_is_finite_at_the_end():
    x0, x1 = points(1)
    ones = torch.ones(1)
    made = consistency_regression(x0, x1, ones, ones, lambda x, *_: x, ones, "relative")
    torch.testing.assert_close(made.v, x1 - x0, atol=2e-3, rtol=0)


@pytest.mark.parametrize(
    ("batch", "ratio", "sizes"),
    [(256, 0.25, (192, 64)), (10, 0.3, (7, 3)), (5, 0.25, (4, 1)), (3, 0.25, (3, 0)),
     (8, 0.0, (8, 0)), (8, 1.0, (0, 8))],
)  # fmt: skip
def test_split_uses_every_sample(batch, ratio, sizes):
    assert split(batch, ratio) == sizes


def loss(n: int, objective: Objective, seed: int = 0) -> tuple[torch.Tensor, dict[str, float]]:
    """Loss of a student that says 1 and a teacher that says 2, on actions that are all 0."""

    def constant(value):
        return lambda x, t, d, cond: torch.full_like(x, value)

    generator = torch.Generator().manual_seed(seed)
    cond = torch.zeros(n, 1, 1)
    return maniflow_loss(
        constant(1.0), constant(2.0), torch.zeros(n, 4, 50), cond, objective, generator
    )


def test_loss_is_the_sum_of_two_means():
    total, parts = loss(400, Objective())
    assert set(parts) == {"flow", "consistency"}
    assert total.item() == pytest.approx(sum(parts.values()), rel=1e-6)
    # Flow: E (1 + x0)^2 = 2.
    assert parts["flow"] == pytest.approx(2, abs=0.05)


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5])
def test_tiny_batches_give_a_finite_loss(n):
    total, parts = loss(n, Objective())
    assert torch.isfinite(total)
    assert ("consistency" in parts) == (n >= 4)


def test_plain_flow_matching_has_no_consistency_term_and_no_hop():
    seen = []

    def student(x, t, d, cond):
        seen.append(d)
        return x

    x1 = torch.zeros(8, 2, 2)
    _, parts = maniflow_loss(
        student, None, x1, torch.zeros(8, 1, 1), Objective(consistency_ratio=0.0),
        torch.Generator().manual_seed(0),
    )  # fmt: skip
    assert set(parts) == {"flow"}
    assert torch.equal(seen[0], torch.zeros(8))


@pytest.mark.parametrize("mode", sorted(TIME_SAMPLERS))
@pytest.mark.parametrize("target", ["relative", "absolute"])
def test_every_mode_gives_a_reproducible_finite_loss(mode, target):
    objective = Objective(0.5, mode, mode, target)
    first, again, other = (loss(64, objective, seed)[0] for seed in (0, 0, 1))
    assert torch.isfinite(first)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@pytest.mark.parametrize(
    ("settings", "message"),
    [({"flow_time": "gamma"}, "flow_time must be one of uniform"),
     ({"target": "both"}, "target must be one of relative, absolute"),
     ({"consistency_ratio": 1.5}, r"must lie in \[0, 1\]")],
)  # fmt: skip
def test_wrong_settings_are_explained(settings, message):
    with pytest.raises(ValueError, match=message):
        Objective(**settings)
