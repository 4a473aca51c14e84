"""What an isolated environment remembers: before the first reset, of the goal, of a plan."""

from __future__ import annotations

import os
import signal

import gymnasium as gym
import numpy as np
import pytest
from twins import complaint, equal


@pytest.mark.parametrize("use", ["observe", "render", "snapshot"])
def test_nothing_is_there_before_the_first_reset(twins, use):
    here, there = twins()
    expected = complaint(lambda: getattr(here, use)())
    assert expected[0] is gym.error.ResetNeeded
    assert complaint(lambda: getattr(there, use)()) == expected


def test_what_segmentation_numbers_mean_and_whether_the_goal_holds(twins):
    here, there = twins(observations=("expert",), terminate_on_success=False)
    assert there.object_names() == here.object_names()
    actions = [env.reset(seed=1)[0]["expert"] for env in (here, there)]
    held = []
    for _ in range(50):
        equal(*actions)
        actions = [env.step(actions[0])[0]["expert"] for env in (here, there)]
        assert there.goal_reached == here.goal_reached
        held.append(here.goal_reached)
    assert True in held


def test_a_plan_with_many_snapshots_keeps_a_short_journal(twins):
    """What a worker's successor repeats is bounded by the episode, not by the planning."""
    _, there = twins()
    there.reset(seed=1)
    there.step(np.zeros(2, np.float32))
    snapshot = there.snapshot()
    for _ in range(20):
        there.restore(snapshot)
        there.step(np.ones(2, np.float32))
        there.observe()
    assert len(there._durable._journal) == 3  # reset, restore, step
    here, _ = twins()
    here.reset(seed=1)
    here.step(np.zeros(2, np.float32))
    here.step(np.ones(2, np.float32))
    os.kill(there._link.pid, signal.SIGKILL)
    assert there.state_hash() == here.state_hash()
