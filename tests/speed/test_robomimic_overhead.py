"""CPU time of a control step through Manigym against bare robosuite, paired on the same episode.

Run with ``--benchmark-enable``; the ratio is asserted either way.
"""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from paired import cpu_ratio

import envs  # noqa: F401  (registers the ids)

pytest.importorskip("robosuite")

from envs.robomimic.env import make_robosuite, seed_robosuite
from envs.robomimic.tasks import SCENES

STEPS, PAIRS, ALLOWED = 10, 12, 0.7


@pytest.mark.parametrize("task", sorted(SCENES))
def test_a_step_costs_at_most_seven_tenths(task: str, benchmark: Any) -> None:
    env = gym.make(f"Robomimic/{task}-v0").unwrapped
    bare = make_robosuite(task, hard_reset=True)
    env.reset(seed=0)
    seed_robosuite(bare, 0)
    bare.reset()
    rng, size = np.random.default_rng(0), env.card.action.size
    env.step(np.zeros(size, np.float32))  # numba compiles what it has not kept on disk
    bare.step(np.zeros(size, np.float32))
    ratios = []
    for pair in range(PAIRS):
        actions = rng.uniform(-1, 1, (STEPS, size)).astype(np.float32)
        ratios.append(cpu_ratio(env.step, bare.step, actions, ours_first=bool(pair % 2)))
    np.testing.assert_array_equal(env.data.qpos, bare.sim.data.qpos)
    env.reset(seed=1)
    benchmark.extra_info["ratio_to_robosuite"] = float(np.median(ratios))
    benchmark.pedantic(env.step, args=(np.zeros(size, np.float32),), rounds=50)
    assert np.median(ratios) < ALLOWED
