"""The scripted experts of bucket and toilet: they succeed, and an episode can be repeated."""

from __future__ import annotations

import numpy as np
import pytest

from envs.registry import card, installed

if not installed("DexArt/bucket-v0"):
    pytest.skip("SAPIEN 2 is not installed", allow_module_level=True)

from envs.dexart.env import DexArtEnv


def run(task: str, seed: int, protocol: str = "upstream") -> tuple[bool, np.ndarray]:
    """Whether the expert succeeds within the protocol's steps; its actions (T, 22)."""
    env = DexArtEnv(
        card(f"DexArt/{task}-v0"),
        observations=("proprio",),
        protocol=protocol,
        terminate_on_success=True,
    )
    env.reset(seed=seed)
    expert, actions = env.expert(), []
    ended = False
    while not ended:
        actions.append(expert.act())
        _, terminated, truncated = env.advance(actions[-1])
        ended = terminated or truncated
    return env.succeeded, np.array(actions)


@pytest.mark.parametrize("seed", [0, 5, 9])
def test_the_toilet_is_opened(seed: int) -> None:
    succeeded, actions = run("toilet", seed)
    assert succeeded
    assert len(actions) < 100


@pytest.mark.parametrize("seed", [205, 207])
def test_the_bucket_hangs_in_the_hand(seed: int) -> None:
    succeeded, actions = run("bucket", seed, "held")
    assert succeeded
    assert len(actions) < 120


@pytest.mark.parametrize("task", ["bucket", "toilet"])
def test_the_same_seed_gives_the_same_actions(task: str) -> None:
    first, second = run(task, 11)[1], run(task, 11)[1]
    assert first.tobytes() == second.tobytes()
