"""The shortened control step of robomimic tasks against robosuite's own, bit for bit."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import pytest

import envs  # noqa: F401  (registers the ids)

pytest.importorskip("robosuite")

from envs.robomimic.economy import FastStep
from envs.robomimic.env import make_robosuite, seed_robosuite
from envs.robomimic.experts import SCRIPTS
from envs.robomimic.tasks import SCENES
from envs.schema import ManigymError

PHYSICS = ("qpos", "qvel", "ctrl", "act", "qacc", "qacc_warmstart", "qfrc_actuator", "xpos")
STEPS = 90


@pytest.fixture(scope="module", params=sorted(SCENES))
def pair(request: pytest.FixtureRequest) -> tuple[Any, Any]:
    """A Manigym environment, and robosuite's own that rebuilds its model at every reset."""
    env = gym.make(f"Robomimic/{request.param}-v0").unwrapped
    return env, make_robosuite(request.param, hard_reset=True)


def commands(size: int, seed: int) -> np.ndarray:
    """float32 (STEPS, size): smooth ones that go down into things, white noise, extremes and rest,
    with grippers that change their minds."""
    rng = np.random.default_rng(seed)
    action = np.cumsum(rng.uniform(-1, 1, (STEPS, size)), 0) * 0.4
    arm = np.arange(size) % 7
    action[: STEPS // 2, arm == 2] -= 0.6
    action[STEPS // 2 : -20] = rng.normal(0, 1, (STEPS - 20 - STEPS // 2, size))
    action[-20:-10] = rng.choice([-1.0, 1.0], (10, size))
    action[-10:] = 0.0
    action[:, arm == 6] = rng.choice([-1.0, -0.3, 0.0, 1.0], (STEPS // 10, 1)).repeat(10, 0)
    return np.clip(action, -1, 1).astype(np.float32)


def start(env: Any, bare: Any, seed: int) -> None:
    env.reset(seed=seed)
    seed_robosuite(bare, seed)
    bare.reset()
    assert_same_state(env, bare)


def assert_same_state(env: Any, bare: Any) -> None:
    for name in PHYSICS:
        ours, theirs = getattr(env.data, name), getattr(bare.sim.data._data, name)
        assert ours.tobytes() == theirs.tobytes(), name
    assert env.data.time == bare.sim.data.time


def assert_same_step(env: Any, bare: Any, action: np.ndarray) -> dict[str, Any]:
    """Both step; everything that anybody sees of it is the same. Returns robosuite's view."""
    _, reward, *_, info = env.step(action)
    seen, bare_reward, _, _ = bare.step(action)
    assert_same_state(env, bare)
    assert reward == bare_reward
    assert info["success"] == bare._check_success()
    for name, value in env.observed().items():
        assert np.asarray(value).tobytes() == np.asarray(seen[name]).tobytes(), name
    return seen


def test_every_step_of_several_episodes_is_robosuites(pair: tuple[Any, Any]) -> None:
    env, bare = pair
    for seed in (3, 4):
        start(env, bare, seed)
        for action in commands(env.card.action.size, seed):
            assert_same_step(env, bare, action)
        for name, observable in env.simulator._observables.items():
            if observable.is_enabled():
                assert observable._time_since_last_sample == (
                    bare._observables[name]._time_since_last_sample
                )


@pytest.mark.parametrize("pair", sorted(SCRIPTS), indirect=True)
def test_grasping_and_placing_is_robosuites(pair: tuple[Any, Any]) -> None:
    env, bare = pair
    start(env, bare, 5)
    expert = env.expert(noise=0.05)
    for _ in range(150):
        assert_same_step(env, bare, expert.act())
        if env.succeeded:
            break
    assert env.succeeded


def test_a_restored_episode_goes_on_as_robosuites(pair: tuple[Any, Any]) -> None:
    env, bare = pair
    todo = commands(env.card.action.size, 6)
    start(env, bare, 6)
    saved = env.snapshot()
    env.reset(seed=7)
    env.step(todo[0])
    env.restore(saved)  # before the first step, which uses what was measured in the reset
    for count, action in enumerate(todo[:40]):
        if count in (1, 15):
            saved = env.snapshot()
            for other in todo[50:53]:
                env.step(other)
            env.restore(saved)
        assert_same_step(env, bare, action)


def test_dense_rewards_are_robosuites() -> None:
    for task in ("lift", "can", "square"):
        env = gym.make(f"Robomimic/{task}-v0", reward_shaping=True).unwrapped
        bare = make_robosuite(task, hard_reset=True, reward_shaping=True)
        start(env, bare, 8)
        for action in commands(7, 8)[:15]:
            assert_same_step(env, bare, action)


@pytest.mark.parametrize(
    ("part", "name", "value"),
    [
        ("simulator", "lite_physics", False),
        ("arm", "impedance_mode", "variable"),
        ("arm", "input_ref_frame", "base"),
        ("arm", "qvel_index", [0, 2, 3]),
        ("gripper", "interpolator", "linear"),
        ("arm", "goal_pos", "missing"),
        ("observable", "_current_delay", 0.01),
        ("observable", "_sampled", "missing"),
    ],
)
def test_another_robosuite_is_refused(part: str, name: str, value: Any) -> None:
    simulator = make_robosuite("lift")
    simulator.reset()
    controllers = simulator.robots[0].part_controllers
    thing = {
        "simulator": simulator,
        "arm": controllers["right"],
        "gripper": controllers["right_gripper"],
        "observable": simulator._observables["cube_pos"],
    }[part]
    FastStep(simulator)
    if value == "missing":
        delattr(thing, name)
    else:
        setattr(thing, name, value)
    with pytest.raises(ManigymError, match="expected"):
        FastStep(simulator)
