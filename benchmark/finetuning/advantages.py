"""Rewards, masks and generalised advantage estimation over chunks.

Axes: E episodes, C chunks of the longest one, M chunks of all, K steps of a chunk. Grids (E, C) are
padded at the end of an episode; the mask says what counts.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from benchmark.finetuning.episodes import Batch
from benchmark.finetuning.settings import AdvantageSettings


@dataclass(frozen=True)
class Targets:
    """Per chunk, float32 (M,): the advantage, and the return that the value is fitted to."""

    advantages: np.ndarray
    returns: np.ndarray


def loss_mask(dones: np.ndarray) -> np.ndarray:
    """Which chunks count, given where episodes end, bool (E, C): up to and with the first done."""
    before = np.cumsum(dones, axis=1) - dones
    return before == 0


def gae(
    rewards: np.ndarray,
    values: np.ndarray,
    next_values: np.ndarray,
    dones: np.ndarray,
    gamma: float,
    gae_lambda: float,
) -> np.ndarray:
    """Advantages (E, C) after Schulman et al. (arXiv 1506.02438), zero where masked.

    ``next_values`` (E, C): the value after the chunk; 0 after a terminated episode, the value of
    the last observation after one that was cut by its horizon.
    """
    deltas = (rewards + gamma * next_values - values) * loss_mask(dones)
    advantages = np.zeros_like(deltas)
    following = np.zeros(len(deltas))
    for t in reversed(range(deltas.shape[1])):
        following = deltas[:, t] + gamma * gae_lambda * (1 - dones[:, t]) * following
        advantages[:, t] = following
    return advantages


def chunk_rewards(batch: Batch, settings: AdvantageSettings) -> np.ndarray:
    """Reward of each chunk, float64 (M,)."""
    if settings.reward == "env":
        rewards = batch.rewards.sum(1, dtype=np.float64)
    else:
        rewards = np.zeros(len(batch))
        rewards[np.cumsum(batch.counts) - 1] = batch.succeeded
    return settings.reward_scale * rewards + settings.shaping * progress_made(batch)


def progress_made(batch: Batch) -> np.ndarray:
    """How much the environment's reward has risen over each chunk, float64 (M,).

    Nothing is known before the first step of an episode, whose own reward stands in.
    """
    last = batch.executed.sum(1) - 1
    after = batch.rewards[np.arange(len(batch)), last].astype(np.float64)
    before = np.concatenate([[0.0], after[:-1]])
    first = np.concatenate([[0], np.cumsum(batch.counts)[:-1]])
    before[first] = batch.rewards[first, 0]
    return after - before


def targets(
    batch: Batch, values: np.ndarray, last_values: np.ndarray, settings: AdvantageSettings
) -> Targets:
    """What actor and critic learn from ``values`` (M,) of the chunks and ``last_values`` (E,)."""
    grid = np.arange(batch.counts.max()) < batch.counts[:, None]

    def padded(flat: np.ndarray) -> np.ndarray:
        filled = np.zeros(grid.shape)
        filled[grid] = flat
        return filled

    value, reward = padded(values), padded(chunk_rewards(batch, settings))
    ends = batch.counts - 1
    dones = np.zeros(grid.shape)
    dones[np.arange(len(ends)), ends] = 1
    following = np.concatenate([value[:, 1:], np.zeros((len(ends), 1))], axis=1)
    following[np.arange(len(ends)), ends] = np.where(_continues(batch, settings), last_values, 0)
    advantages = gae(reward, value, following, dones, settings.gamma, settings.gae_lambda)[grid]
    returns = advantages + values
    if settings.normalize:
        advantages = (advantages - advantages.mean()) / (advantages.std() + 1e-8)
    return Targets(advantages.astype(np.float32), returns.astype(np.float32))


def _continues(batch: Batch, settings: AdvantageSettings) -> np.ndarray:
    """Episodes (E,) that would have gone on: cut by the horizon, and with something left to win."""
    if not settings.bootstrap_timeout:
        return np.zeros(len(batch.counts), bool)
    won = batch.succeeded if settings.reward == "success" else False
    return ~batch.terminated & ~np.asarray(won)
