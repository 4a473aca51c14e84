"""SAPIEN 2 from an interpreter that holds SAPIEN 3, in one run; ``tox -e robotwin`` has both."""

from __future__ import annotations

import csv

import gymnasium as gym
import numpy as np
import pytest

from envs.isolation.interpreter import available
from envs.registry import installed

NEW, OLD = "RoboTwin/beat_block_hammer-v0", "DexArt/laptop-v0"
pytestmark = pytest.mark.skipif(
    not installed(NEW) or "dexart" not in [i.name for i in available(OLD)],
    reason="needs SAPIEN 3 here, and: python -m benchmark setup dexart",
)


def test_one_run_holds_both(tmp_path):
    from toy import bench

    run = ("run", "--policy", "expert", "--episodes", 2, "--env", NEW, OLD, "run.videos=0")
    assert bench(*run, "--out", tmp_path) == 0
    with (tmp_path / "leaderboard.csv").open(newline="") as file:
        rows = {row["env"]: row for row in csv.DictReader(file)}
    assert rows[NEW]["isolation"] == "in_process"
    assert "sapien=3.0.3" in rows[NEW]["simulator_version"]
    assert rows[OLD]["isolation"] == "process:dexart"
    assert "sapien=2.2.1" in rows[OLD]["simulator_version"]
    assert {row["errors"] for row in rows.values()} == {"0"}


def test_both_step_in_turns_in_one_process_tree():
    import sapien

    assert sapien.__version__.startswith("3.")
    pair = [gym.make(task).unwrapped for task in (NEW, OLD)]
    try:
        alone = [hashes(env, 5) for env in pair]
        rng = np.random.default_rng(0)
        for env in pair:
            env.reset(seed=1)
        turns: list[list[str]] = [[], []]
        for _ in range(5):
            draws = rng.uniform(-1, 1, 22).astype(np.float32)
            for env, seen in zip(pair, turns, strict=True):
                env.advance(draws[: env.action_space.shape[0]])
                seen.append(env.state_hash())
        assert turns == alone
    finally:
        for env in pair:
            env.close()


def hashes(env, steps):
    """State hashes of a fixed sequence of actions, one simulator after the other."""
    rng = np.random.default_rng(0)
    env.reset(seed=1)
    seen = []
    for _ in range(steps):
        env.advance(rng.uniform(-1, 1, 22).astype(np.float32)[: env.action_space.shape[0]])
        seen.append(env.state_hash())
    return seen
