"""The losses of PPO, given log-densities of chains before and now.

Axes: b chunks, N steps of a chain, K executed steps, R ratios of a chunk.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from benchmark.finetuning.settings import FinetuneSettings

Reduced = tuple[Tensor, Tensor]
"""Log-ratios (b, R) and their weights (b, R), 0 where nothing was executed."""


def chunk(change: Tensor, executed: Tensor) -> Reduced:
    """One exact importance weight for a chunk: summed over the chain and the executed steps."""
    total = (change.sum(1) * executed).sum(-1, keepdim=True)
    return total, torch.ones_like(total)


def chunk_mean(change: Tensor, executed: Tensor) -> Reduced:
    """One tempered weight, (importance weight)^(1/N): its trust region does not shrink with N."""
    total = (change.mean(1) * executed).sum(-1, keepdim=True)
    return total, torch.ones_like(total)


def denoising_step(change: Tensor, executed: Tensor) -> Reduced:
    """One exact weight for every step of the chain, as in DPPO's two-layer decision process."""
    total = (change * executed[:, None]).sum(-1)
    return total, torch.ones_like(total)


def action_step(change: Tensor, executed: Tensor) -> Reduced:
    """One tempered weight for every executed action: the mean over the chain."""
    return change.mean(1) * executed, executed


RATIOS: Mapping[str, Callable[[Tensor, Tensor], Reduced]] = {
    f.__name__: f for f in (chunk_mean, chunk, denoising_step, action_step)
}


@dataclass(frozen=True)
class Surrogate:
    """The clipped objective of some chunks, summed over their ratios.

    Log-ratios and weights (b, R) are for the figures.
    """

    loss: Tensor
    log_ratios: Tensor
    weights: Tensor


def surrogate(
    new: Tensor, old: Tensor, executed: Tensor, advantages: Tensor, settings: FinetuneSettings
) -> Surrogate:
    """Clipped policy loss of log-densities (b, N, K), executed steps (b, K), advantages (b,).

    ``dual_clip`` bounds the loss of a negative advantage at that multiple (arXiv 1912.09729).
    """
    log_ratios, weights = RATIOS[settings.ratio](new - old, executed)
    ratios, advantage = log_ratios.exp(), advantages[:, None]
    clipped = ratios.clamp(1 - settings.clip_range, 1 + settings.clip_range)
    losses = torch.maximum(-advantage * ratios, -advantage * clipped)
    if settings.dual_clip is not None:
        bounded = torch.minimum(losses, -advantage * settings.dual_clip)
        losses = torch.where(advantage < 0, bounded, losses)
    return Surrogate((losses * weights).sum(), log_ratios.detach(), weights)


def value_loss(new: Tensor, old: Tensor, returns: Tensor, clip: float | None) -> Tensor:
    """Squared error (b,); with ``clip`` the larger of it and that of a value moved by so much."""
    error = F.mse_loss(new, returns, reduction="none")
    if clip is None:
        return error
    near = old + (new - old).clamp(-clip, clip)
    return torch.maximum(error, F.mse_loss(near, returns, reduction="none"))


def ratio_figures(parts: list[Surrogate], clip_range: float) -> dict[str, float]:
    """How far the policy has moved, over all ratios of some updates.

    ``kl``: the estimate mean(r - 1 - log r) in nats of one ratio (Schulman's k3).
    """
    log_ratios = torch.cat([part.log_ratios.flatten() for part in parts])
    weights = torch.cat([part.weights.flatten() for part in parts])
    log_ratios = log_ratios[weights > 0].double()
    ratios = log_ratios.exp()
    return {
        "kl": (ratios - 1 - log_ratios).mean().item(),
        "clip_fraction": ((ratios - 1).abs() > clip_range).double().mean().item(),
        "ratio_min": ratios.min().item(),
        "ratio_max": ratios.max().item(),
        "log_ratio_std": log_ratios.std(unbiased=False).item(),
    }


def explained_variance(values: Tensor, returns: Tensor) -> float:
    """1 - Var(returns - values) / Var(returns): 1 is perfect, 0 no better than the mean."""
    variance = returns.var(unbiased=False)
    if variance < 1e-12:
        return 0.0
    return (1 - (returns - values).var(unbiased=False) / variance).item()
