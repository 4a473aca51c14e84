"""The same environment, bit for bit, in this process and in a worker process."""

from __future__ import annotations

import os
import warnings
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest
from conftest import needs_gl, task_params
from gymnasium.utils.env_checker import check_env
from toy import TOY
from twins import complaint, equal, isolated

import envs
import envs.checks
from envs.checks import CHECKS
from envs.isolation import interpreter
from envs.isolation.child import Order
from envs.isolation.env import IsolatedEnv
from envs.isolation.interpreter import Interpreter
from envs.isolation.scene import package_versions
from envs.make import make_env
from envs.registry import simulator_of
from envs.schema import ManigymError

NUMBERS = ("proprio", "state", "instruction", "expert")
PICTURES = ("rgb", "depth", "segmentation", "point_cloud")
SEEDS = int(os.environ.get("MANIGYM_TWIN_SEEDS", "1"))
STEPS = int(os.environ.get("MANIGYM_TWIN_STEPS", "20"))
OTHER_PYTHON = os.environ.get("MANIGYM_OTHER_PYTHON", "")


def compare_episode(here, there, seed, steps=10**9):
    """Step both with the same actions to the end; every look at them must be the same."""
    rng = np.random.default_rng(seed)
    equal(there.reset(seed=seed), here.reset(seed=seed))
    over, count = False, 0
    while not over and count < steps:
        action = rng.uniform(-1.2, 1.2, here.action_space.shape).astype(np.float32)
        outcome = here.step(action)
        equal(there.step(action), outcome)
        assert there.state_hash() == here.state_hash()
        equal(there.sim_state(), here.sim_state())
        assert there.succeeded == here.succeeded
        over, count = outcome[2] or outcome[3], count + 1
    return count


@pytest.mark.parametrize("seed", range(3))
def test_numbers_of_whole_episodes_are_equal(twins, seed):
    assert compare_episode(*twins(observations=NUMBERS), seed) > 5


@needs_gl
@pytest.mark.parametrize("seed", range(3))
def test_pictures_of_whole_episodes_are_equal(twins, seed):
    here, there = twins(observations=(*NUMBERS, *PICTURES), image_size=(16, 24))
    assert compare_episode(here, there, seed) > 5
    equal(there.render(), here.render())
    assert there.render_device() == here.render_device()


@pytest.mark.parametrize("env_id", task_params())
def test_every_task_is_the_same_in_a_worker(twins, env_id):
    """More of it: MANIGYM_TWIN_SEEDS=5 MANIGYM_TWIN_STEPS=200."""
    here, there = twins(env_id)
    for seed in range(SEEDS):
        compare_episode(here, there, seed, STEPS)
    assert there.chosen == here.chosen
    assert there.interface == here.interface
    assert there.observation_space == here.observation_space
    assert there.metadata == here.metadata


@pytest.mark.skipif(not OTHER_PYTHON, reason="MANIGYM_OTHER_PYTHON: one with the same MuJoCo")
def test_another_interpreter_runs_the_same_task(twins):
    """Of another Python, with another numpy."""
    options = {"observations": NUMBERS}
    here, _ = twins(**options)
    python = Interpreter("other", Path(OTHER_PYTHON), ("-I",))
    there = IsolatedEnv(envs.card(TOY), Order(simulator_of(TOY), TOY, options, python))
    assert there.versions["mujoco"] == package_versions(["mujoco"])["mujoco"]
    assert there.interpreter == "other"
    for seed in range(3):
        assert compare_episode(here, there, seed) > 5
    here.restore(there.snapshot())
    equal(there.snapshot(), here.snapshot())
    there.close()


# ---------------------------------------------------------------------- the rest of the interface
def test_looking_without_stepping_and_stepping_without_looking(twins):
    pair = twins(observations=NUMBERS)
    seen = []
    for env in pair:
        results = [env.reset(seed=3), env.observe(), env.observe_flat()]
        results += [env.advance(np.full(2, 0.1 * i, np.float32)) for i in range(5)]
        seen.append([*results, env.observe(), env.succeeded])
    equal(*seen)


def test_snapshots_cross_over(twins):
    """One taken here is restored there, and the other way round; so is what was reached."""
    here, there = twins(observations=NUMBERS, terminate_on_success=False)
    here.reset(seed=1)
    start = here.snapshot()
    expert = here.expert()
    while not here.succeeded:
        here.step(expert.act())
    reached = here.snapshot()
    there.restore(reached)
    assert there.succeeded
    equal(there.observe_flat()["proprio"], here.observe_flat()["proprio"])
    equal(there.snapshot(), reached)
    there.restore(start)
    assert not there.succeeded
    here.restore(there.snapshot())
    for action in np.random.default_rng(0).uniform(-1, 1, (9, 2)).astype(np.float32):
        equal(there.step(action)[:4], here.step(action)[:4])
        assert there.state_hash() == here.state_hash()


def test_experts_choose_the_same_actions(twins):
    here, there = twins()
    here.reset(seed=2)
    there.reset(seed=2)
    experts = here.expert(), there.expert()
    over = False
    while not over:
        actions = [expert.act() for expert in experts]
        equal(*actions)
        over = here.step(actions[0])[2]
        assert there.step(actions[1])[2] == over
    there.reset(seed=2)
    with pytest.raises(ManigymError, match="ask for expert"):
        experts[1].act()


def test_experts_of_one_episode_do_not_disturb_each_other(twins):
    here, there = twins()
    here.reset(seed=2)
    there.reset(seed=2)
    ours, theirs = ([env.expert(), env.expert()] for env in (here, there))
    for one, other in zip(ours, theirs, strict=True):
        equal(one.act(), other.act())
        equal(one.act(), other.act())


def test_the_stream_of_seeds_goes_on_alike(twins):
    infos = []
    for env in twins():
        infos.append([env.reset(seed=s)[1] for s in (7, None, None, 7, None)])
    equal(*infos)
    seeds = [info["seed"] for info in infos[0]]
    assert seeds[1] == seeds[4]
    assert len(set(seeds)) == 3


@pytest.mark.parametrize(
    "options",
    [
        {"protocol": "hold"},
        {"horizon": 4},
        {"terminate_on_success": False, "render_mode": "rgb_array"},
        {"observations": ["instruction"], "cameras": ("side",), "image_size": [32, 48]},
        {"observations": (), "num_points": 9, "render_profile": "upstream"},
    ],
)
def test_options_arrive(twins, options):
    here, there = twins(**options)
    assert there.chosen == here.chosen
    assert there.observation_space == here.observation_space
    assert compare_episode(here, there, seed=0) == here.horizon


@pytest.mark.parametrize(
    "options",
    [
        {"colour": 3},
        {"observations": ("smell",)},
        {"cameras": ("left",)},
        {"protocol": "easy"},
        {"horizon": 0},
        {"image_size": 64},
    ],
)
def test_bad_options_are_refused_in_the_same_words(options):
    expected = complaint(lambda: make_env(TOY, options))
    assert complaint(lambda: gym.make(TOY, isolation="process", **options)) == expected
    assert expected[0] is ManigymError


@pytest.mark.parametrize(
    "action", [np.zeros(3), np.zeros((1, 2)), 0.5, [np.nan, 0], [0, np.inf], [1e30, -1e30]]
)
def test_bad_actions_are_refused_in_the_same_words(twins, action):
    """And change nothing."""
    pair = twins()
    for env in pair:
        env.reset(seed=0)
    if np.shape(action) == (2,) and np.isfinite(action).all():
        equal(pair[1].step(action), pair[0].step(action))
    else:
        expected = complaint(lambda: pair[0].step(action))
        assert complaint(lambda: pair[1].step(action)) == expected
    assert pair[1].state_hash() == pair[0].state_hash()
    equal(pair[1].step(np.zeros(2)), pair[0].step(np.zeros(2)))


def test_steps_outside_an_episode_are_refused_in_the_same_words(twins):
    here, there = twins(horizon=2)
    still = np.zeros(2, np.float32)
    for _ in range(2):  # before the first reset, and after the end
        expected = complaint(lambda: here.step(still))
        assert expected[0] is gym.error.ResetNeeded
        assert complaint(lambda: there.step(still)) == expected
        assert compare_episode(here, there, 0) == 2


# ------------------------------------------------------------------------------ other people's eyes
@needs_gl
def test_gymnasium_checks_an_isolated_environment():
    env = gym.make(TOY, isolation="process", render_mode="rgb_array").unwrapped
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=UserWarning, module="gymnasium")
        check_env(env)
    env.close()


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_the_conformance_kit_on_an_isolated_environment(monkeypatch, check):
    monkeypatch.setattr(
        envs.checks, "make_env", lambda env_id, options: isolated(env_id, **options)
    )
    check(TOY)


# ------------------------------------------------------------------------------------ where it runs
def test_where_an_environment_runs():
    for isolation, kind in (("auto", False), ("in_process", False), ("process", True)):
        env = gym.make(TOY, isolation=isolation).unwrapped
        assert isinstance(env, IsolatedEnv) == kind
        env.close()


def test_a_missing_simulator_is_an_error_in_process(monkeypatch):
    monkeypatch.setattr(interpreter, "installed", lambda env_id: False)
    with pytest.raises(ManigymError, match=r'Adroit/door-v0 needs .*==.*\n.*\n.*isolation="auto"'):
        gym.make("Adroit/door-v0", isolation="in_process")


def test_an_unknown_word_for_isolation_names_the_known_ones():
    with pytest.raises(ManigymError, match="'docker': choose one of auto, in_process, process"):
        gym.make(TOY, isolation="docker")
