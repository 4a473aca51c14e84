"""The training objective of ManiFlow: flow matching plus consistency towards the end point.

Time runs from t = 0 (noise x0) to t = 1 (data x1); x_t = (1 - t) x0 + t x1.
A batch is split by samples, not by loss weights: the last `consistency_ratio` of it trains the
consistency term, the rest flow matching, and the two means are added.
Source: arXiv 2509.01819 and geyan21/ManiFlow_Policy, `policy/maniflow_pointcloud_policy.py`.

Deviation from upstream: samples that rounding leaves over go to flow matching instead of being
dropped, and a batch too small for the consistency term trains flow matching alone, where upstream
takes the mean of an empty slice and gets NaN.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor

from policies.maniflow.times import TIME_SAMPLERS, TimeSampling, expand

TARGETS = ("relative", "absolute")

Velocity = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]
"""(x (B, T, A), t (B,), d (B,), cond (B, L, C)) -> velocity (B, T, A)."""


@dataclass(frozen=True)
class Objective:
    """What to train. `consistency_ratio` 0 is plain flow matching, with d = 0 in relative mode.

    `target` says what the second time input means: the length of the hop (`relative`) or its
    end point (`absolute`).
    """

    consistency_ratio: float = 0.25
    flow_time: str = "beta"
    consistency_time: str = "discrete"
    target: str = "relative"
    times: TimeSampling = field(default_factory=TimeSampling)

    def __post_init__(self) -> None:
        if not 0 <= self.consistency_ratio <= 1:
            raise ValueError(f"consistency_ratio must lie in [0, 1], got {self.consistency_ratio}")
        for name, value, known in (
            ("flow_time", self.flow_time, tuple(TIME_SAMPLERS)),
            ("consistency_time", self.consistency_time, tuple(TIME_SAMPLERS)),
            ("target", self.target, TARGETS),
        ):
            if value not in known:
                raise ValueError(f"{name} must be one of {', '.join(known)}; got {value!r}")


@dataclass(frozen=True)
class Regression:
    """Network inputs x (B, T, A), t (B,), d (B,) and the velocity v (B, T, A) they should give."""

    x: Tensor
    t: Tensor
    d: Tensor
    v: Tensor


def interpolate(x0: Tensor, x1: Tensor, t: Tensor) -> Tensor:
    """The point at time t (B,) on the straight lines from x0 to x1 (B, T, A)."""
    t = expand(t, x0)
    return (1 - t) * x0 + t * x1


def flow_regression(x0: Tensor, x1: Tensor, t: Tensor, target: str) -> Regression:
    """Flow matching: the velocity of the line, for a hop of length zero."""
    d = torch.zeros_like(t) if target == "relative" else t
    return Regression(interpolate(x0, x1, t), t, d, x1 - x0)


@torch.no_grad()
def consistency_regression(
    x0: Tensor, x1: Tensor, t: Tensor, hop: Tensor, teacher: Velocity, cond: Tensor, target: str
) -> Regression:
    """Consistency: the mean velocity from x_t to where the teacher, one hop later, expects the end.

    t and hop are (B,). The teacher hops again by the same length. Hops are clipped to t = 1 for
    the interpolation but not in the second time input of relative mode, as upstream; where a hop
    reaches t = 1 the target is exactly x1 - x0. Times of 1 are moved to just below (only the
    time samplings other than `discrete` can give them).
    """
    t = t.clamp(max=1 - 1e-3)
    later = (t + hop).clamp(max=1)
    now, then = interpolate(x0, x1, t), interpolate(x0, x1, later)
    second = hop if target == "relative" else later + hop
    end = then + (1 - expand(later, x0)) * teacher(then, later, second, cond)
    d = hop if target == "relative" else later
    return Regression(now, t, d, (end - now) / (1 - expand(t, x0)))


def split(batch: int, consistency_ratio: float) -> tuple[int, int]:
    """Sizes of the flow and the consistency slices; they add up to the batch."""
    # 1e-9: 0.3 * 10 must count as 3 although it is 2.9999999999999996 in floating point.
    consistency = int(batch * consistency_ratio + 1e-9)
    return batch - consistency, consistency


def maniflow_loss(
    student: Velocity,
    teacher: Velocity,
    x1: Tensor,
    cond: Tensor,
    objective: Objective,
    generator: torch.Generator,
    weights: Tensor | None = None,
) -> tuple[Tensor, dict[str, float]]:
    """Loss of a batch of normalised actions x1 (B, T, A) given context tokens (B, L, C).

    The teacher sees the student's context tokens. `weights` (A,) of the dimensions, mean 1; all
    count the same by default. Returns the sum of the two means and each of them by name (a term
    without samples is left out).
    """
    flow, consistency = split(len(x1), objective.consistency_ratio)
    x0 = torch.randn(x1.shape, generator=generator, device=generator.device).to(x1)
    t_flow = sample(objective.flow_time, flow, objective, generator).to(x1)
    parts = [flow_regression(x0[:flow], x1[:flow], t_flow, objective.target)]
    if consistency:
        t = sample(objective.consistency_time, consistency, objective, generator).to(x1)
        hop = torch.rand(consistency, generator=generator, device=generator.device).to(x1)
        late = slice(flow, None)
        parts.append(
            consistency_regression(
                x0[late], x1[late], t, hop, teacher, cond[late], objective.target
            )
        )
    return regress(student, parts, cond, weights)


def sample(mode: str, n: int, objective: Objective, generator: torch.Generator) -> Tensor:
    """n times in [0, 1] by one of the named samplings."""
    return TIME_SAMPLERS[mode](n, objective.times, generator)


def regress(
    student: Velocity, parts: list[Regression], cond: Tensor, weights: Tensor | None = None
) -> tuple[Tensor, dict[str, float]]:
    """One forward pass for all parts (flow first, then consistency), then a mean for each."""
    x, t, d, v = (torch.cat([getattr(p, name) for p in parts]) for name in ("x", "t", "d", "v"))
    errors = F.mse_loss(student(x, t, d, cond), v, reduction="none")
    if weights is not None:
        errors = errors * weights
    pieces = errors.split([len(p.x) for p in parts])
    means = {
        name: piece.mean()
        for name, piece in zip(("flow", "consistency"), pieces, strict=False)
        if len(piece)
    }
    loss = torch.stack(list(means.values())).sum()
    return loss, {name: mean.item() for name, mean in means.items()}
