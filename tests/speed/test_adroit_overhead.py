"""CPU time of a control step through Manigym against bare Gymnasium-Robotics, paired.

Run with ``--benchmark-enable``; the ratio is asserted either way.
"""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from paired import cpu_ratio

import envs  # noqa: F401  (registers the ids)

pytest.importorskip("gymnasium_robotics")

from envs.adroit.env import make_simulator

STEPS, PAIRS, ALLOWED = 100, 31, 1.12


@pytest.mark.parametrize("task", ["door", "hammer", "pen", "relocate"])
def test_a_step_costs_little_more(task: str, benchmark: Any) -> None:
    env = gym.make(f"Adroit/{task}-v0").unwrapped
    bare = make_simulator(task)
    size = env.card.action.size
    rng = np.random.default_rng(0)
    ratios = []
    for pair in range(PAIRS):
        env.reset(seed=pair)
        bare.reset(seed=pair)
        actions = rng.uniform(-1, 1, (STEPS, size)).astype(np.float32)
        ratios.append(cpu_ratio(env.step, bare.step, actions, ours_first=bool(pair % 2)))
        np.testing.assert_array_equal(env.data.qpos, bare.data.qpos)
    env.reset(seed=0)
    benchmark.extra_info["ratio_to_gymnasium_robotics"] = float(np.median(ratios))
    benchmark.pedantic(env.step, args=(np.zeros(size, np.float32),), rounds=150)
    assert np.median(ratios) < ALLOWED
