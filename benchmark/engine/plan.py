"""Which episodes a run consists of, fixed before it starts.

A seed depends on (root seed, task, split, index) and on nothing else: not on the number of workers,
not on the order, not on the other tasks of the run. The split sits in the seed's top bits, so
demonstration, validation, test and fine-tuning episodes can never start from the same seed.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from envs.seeds import RANDOM_BITS, SPLITS, Split, planned_seed

SEED_RULE = "seedsequence-v1"
STREAMS = ("latency", "perturbations")  # beside the policy's own; a new one is appended


@dataclass(frozen=True)
class PlannedEpisode:
    """``seed`` starts the environment, ``policy_seed`` the policy's own stream."""

    env: str
    index: int
    seed: int
    policy_seed: int

    def generator(self, stream: str) -> np.random.Generator:
        """A stream of this episode alone: one of ``STREAMS``."""
        key = (STREAMS.index(stream),)  # a spawn key: trailing zeros of the entropy do not count
        return np.random.default_rng(np.random.SeedSequence(self.policy_seed, spawn_key=key))


def plan_episodes(env: str, split: Split, count: int, root_seed: int) -> list[PlannedEpisode]:
    """Episodes 0..count-1 of a task; a longer plan starts with the shorter one's episodes."""
    return [planned_episode(env, split, index, root_seed) for index in range(count)]


def planned_episode(env: str, split: Split, index: int, root_seed: int) -> PlannedEpisode:
    """Episode ``index`` of a task's plan."""
    code = SPLITS.index(split)
    key = (zlib.crc32(env.encode()), code, index)
    reset, policy = np.random.SeedSequence(root_seed, spawn_key=key).generate_state(2, np.uint64)
    seed = planned_seed(split, int(reset) >> (64 - RANDOM_BITS))
    return PlannedEpisode(env, index, seed, int(policy) >> (64 - RANDOM_BITS))


def plan_from_seeds(env: str, seeds: Sequence[int]) -> list[PlannedEpisode]:
    """Episodes from given start states, for policies that only know these (replay)."""
    return [PlannedEpisode(env, i, seed, seed) for i, seed in enumerate(seeds)]
