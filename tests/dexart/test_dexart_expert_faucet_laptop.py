"""The scripted experts of faucet and laptop, on a few start states."""

from __future__ import annotations

import numpy as np
import pytest

from envs.registry import card, install_hint, installed

pytestmark = pytest.mark.skipif(
    not installed("DexArt/faucet-v0"), reason=install_hint("DexArt/faucet-v0")
)


def episode(task, seed, steps=250):
    """The environment after an expert's episode, and all actions (T, 22)."""
    from envs.dexart.env import DexArtEnv

    env = DexArtEnv(card(f"DexArt/{task}-v0"), observations=("proprio",), terminate_on_success=True)
    env.reset(seed=seed)
    expert, actions = env.expert(), []
    for _ in range(steps):
        actions.append(expert.act())
        _, terminated, _ = env.advance(actions[-1])
        if terminated:
            break
    return env, np.array(actions)


@pytest.mark.parametrize(("task", "seed"), [("faucet", 1), ("laptop", 2), ("laptop", 10)])
def test_the_expert_succeeds_with_palm_and_fingers_on_the_handle(task, seed):
    env, actions = episode(task, seed)
    assert env.succeeded
    assert env.stage == 3
    assert env.reading.palm
    assert env.reading.fingers.sum() >= 2
    assert len(actions) < 150
    assert actions.dtype == np.float32
    assert np.abs(actions).max() <= 1


@pytest.mark.parametrize(("task", "seed"), [("faucet", 1), ("laptop", 3)])
def test_the_same_seed_gives_the_same_actions(task, seed):
    first, again = (episode(task, seed, steps=60)[1] for _ in range(2))
    assert np.array_equal(first, again)


def test_a_rehearsal_ends_as_the_episode_does():
    """A scene built anew from the present one moves bit by bit like it."""
    from envs.dexart.env import DexArtEnv
    from envs.dexart.expert.laptop import laptop
    from envs.dexart.expert.rehearsal import SUCCESS, rehearse

    env = DexArtEnv(card("DexArt/laptop-v0"), observations=("proprio",))
    env.reset(seed=2)
    score = rehearse(env.table, laptop)
    _, actions = episode("laptop", 2)
    assert score == pytest.approx(SUCCESS - (len(actions) - 1) / 140)


def test_grips_come_best_first_and_turn_the_way_the_joint_allows():
    from envs.dexart.env import DexArtEnv
    from envs.dexart.expert.grips import grips

    env = DexArtEnv(card("DexArt/faucet-v0"), instance=6, randomize=False)  # turns one way only
    env.reset(seed=0)
    low, high = env.thing.articulation.limits[env.thing.number]
    assert (low < -1.5) and (high < 0.1)
    found = grips(env.robot, env.thing, 0.0)
    assert len(found) > 10
    assert all(np.allclose(grip.axis, -env.thing.hinge.rotation[:, 0]) for grip in found)
    palms = np.array([grip.palm.position for grip in found])
    assert np.linalg.norm(palms, axis=1).max() < 0.25  # at the lever, not elsewhere
