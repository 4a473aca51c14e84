"""Simulators that die, hang, lie and chatter: what the user sees, and that nothing is lost."""

from __future__ import annotations

import os
import signal

import faulty
import gymnasium as gym
import numpy as np
import pytest
from faulty import CARD, SEEN, FaultyEnv, eventually, group, isolated, workers

from envs.pool import Failure
from envs.schema import ManigymError, SimulationError, flatten

ACTIONS = np.random.default_rng(0).uniform(-1, 1, (8, 2)).astype(np.float32)
DEATHS = [("reset", 0), ("step", 4), ("observe", 4), ("render", 4)]


@pytest.fixture(autouse=True)
def no_worker_is_left():
    yield
    assert workers() == set()


def episode(env):
    """Everything that can be seen of one."""
    seen = [flatten(env.reset(seed=5)[0]), env.render()]
    for action in ACTIONS:
        observation, *outcome = env.step(action)
        seen += [flatten(observation), outcome, env.render(), env.state_hash()]
    return seen


def undisturbed():
    return episode(FaultyEnv(CARD, **SEEN))


def same(got, expected):
    np.testing.assert_equal(got, expected)
    return True


# ------------------------------------------------------------------------------------ deaths
@pytest.mark.parametrize(("when", "at"), DEATHS)
def test_an_environment_survives_its_worker(tmp_path, caplog, when, at):
    env = isolated(fault="die", when=when, at=at, once=str(tmp_path / "died"))
    assert same(episode(env), undisturbed())
    assert (tmp_path / "died").exists()
    assert [r.message for r in caplog.records if "exit code -9" in r.message], "it is said"
    env.close()


def test_an_environment_survives_the_death_of_its_idle_worker():
    env = isolated()
    env.reset(seed=5)
    env.step(ACTIONS[0])
    state = env.state_hash()
    os.kill(min(workers()), signal.SIGKILL)
    assert env.state_hash() == state
    assert same(episode(env), undisturbed())
    env.close()


@pytest.mark.parametrize(("when", "at"), DEATHS)
@pytest.mark.parametrize("chunk", [1, 4])
def test_a_vector_survives_its_workers(tmp_path, chunk, when, at):
    results = []
    for fault in ("", "die"):
        once = str(tmp_path / "died")
        orders = {"fault": fault, "when": when, "at": at, "once": once}
        env = faulty.vector(2, orders, max_chunk=chunk, n_obs=2)
        seen = [env.reset(seed=5)]
        for rows in ACTIONS.reshape(-1, chunk, 2):
            seen.append(env.step_chunk(np.stack([rows, -rows])))
        results.append(seen)
        env.close()
    assert (tmp_path / "died").exists()
    assert same(*results)


@pytest.mark.parametrize(("when", "at"), DEATHS)
def test_a_pool_reports_a_death_once_and_the_retry_is_equal(tmp_path, when, at):
    once = str(tmp_path / "died")
    with faulty.pool(2) as honest, faulty.pool(2, fault="die", when=when, at=at, once=once) as pool:
        expected, failures = _pool_episodes(honest)
        assert failures == []
        got, failures = _pool_episodes(pool)
        assert len(failures) == 1
        assert "exit code -9" in str(failures[0])
        for slot in range(2):
            assert same(got[slot].observations, expected[slot].observations)
            assert got[slot].rewards == expected[slot].rewards
            assert got[slot].summary.state_hash == expected[slot].summary.state_hash


def _pool_episodes(pool):
    """One episode in each slot, of the slot's own seed, tried again until it is whole."""
    answers, failures = {}, []
    for slot in range(pool.size):
        pool.reset(slot, slot)
    while len(answers) < pool.size:
        for slot, answer in pool.wait():
            if isinstance(answer, Failure):
                failures.append(answer)
                pool.reset(slot, slot)
            elif answer.summary is not None:
                answers[slot] = answer
            else:
                chunk = np.full((len(answer.rewards) + 4, 2), 0.1, np.float32)
                pool.run(slot, chunk, 1)
    return answers, failures


def test_a_worker_that_always_dies_is_an_error_and_the_next_episode_works():
    env = isolated(fault="die", when="step", at=3)
    for _ in range(2):
        env.reset(seed=5)
        rewards = [env.step(action)[1] for action in ACTIONS[:2]]
        with pytest.raises(SimulationError, match=r"died a second time .* 3 requests .* code -9"):
            env.step(ACTIONS[2])
        with pytest.raises(gym.error.ResetNeeded):
            env.step(ACTIONS[2])
    assert rewards == [outcome[0] for outcome in undisturbed()[3::4][:2]]
    env.close()


# --------------------------------------------------------------------------------- deadlines
@pytest.mark.parametrize("fault", ["sleep", "hold", "fork"])
def test_a_hung_simulator_is_ended_at_its_deadline(fault, tmp_path):
    """Also in C code that never gives the interpreter lock back; with the processes it started."""
    env = isolated(deadline=2.5, fault=fault, when="step", at=1, once=str(tmp_path / "hung"))
    assert same(episode(env), undisturbed())
    env.close()
    with faulty.pool(1, deadline=2.5, fault=fault, when="reset", at=0) as pool:
        pool.reset(0, 0)
        (worker,) = workers()
        ((_, failure),) = pool.wait()
    assert eventually(lambda: not group(worker))
    assert "exit code -9" in str(failure)
    assert "the last 2.5 s of them without a simulator step" in str(failure)


def test_a_slow_chunk_is_not_a_hung_one():
    """Each step takes half a second, all of them far more than the deadline."""
    slow = {"fault": "slow", "when": "step", "at": -1, "deadline": 2.5}
    actions = np.zeros((8, 2), np.float32)
    env = faulty.vector(1, slow, max_chunk=8)
    with faulty.pool(1, **slow) as pool:
        env.reset(seed=0)
        pool.reset(0, 0)
        pool.wait()
        pool.run(0, actions, 1)
        *_, infos = env.step_chunk(actions[None])
        ((_, answer),) = pool.wait()
    env.close()
    assert infos["steps"] == [8]
    assert len(answer.rewards) == 8


@pytest.mark.parametrize("deadline", [0.0, -1.0, float("nan"), float("inf")])
def test_a_deadline_is_a_number_of_seconds(deadline):
    with pytest.raises(ManigymError, match="deadline must be a number of seconds"):
        isolated(deadline=deadline)


# --------------------------------------------------------------------------------- bad numbers
def test_bad_numbers_are_errors_without_isolation_too():
    env = FaultyEnv(CARD, fault="nan_sensor", when="step", at=1)
    env.reset(seed=5)
    with pytest.raises(SimulationError, match="non-finite proprio"):
        env.step(ACTIONS[0])


def test_a_state_that_is_not_finite_is_an_error_where_nobody_looks():
    env = FaultyEnv(CARD, observations=())
    env.reset(seed=5)
    env.position[1] = np.inf
    with pytest.raises(SimulationError, match="state is not finite any more"):
        env.state_bytes()


@pytest.mark.parametrize(
    ("fault", "named"),
    [
        ("nan_reward", "returned reward nan"),
        ("nan_sensor", "non-finite proprio"),
        ("nan_physics", "returned reward nan"),
    ],
)
def test_bad_numbers_are_errors_and_the_run_goes_on(fault, named, tmp_path):
    options = {"fault": fault, "when": "step", "at": 3, "once": str(tmp_path / "once")}
    with faulty.pool(2, **options) as pool:
        answers, failures = _pool_episodes(pool)
    assert len(failures) == 1
    assert str(failures[0]).startswith(f"SimulationError: {CARD.id}: the simulator returned")
    assert named in str(failures[0])
    assert len(answers) == 2
    env = isolated(fault=fault, when="step", at=3)
    env.reset(seed=5)
    env.step(ACTIONS[0])
    env.step(ACTIONS[1])
    with pytest.raises(SimulationError, match=named):
        env.step(ACTIONS[2])
    env.reset(seed=5)
    env.step(ACTIONS[0])
    env.close()
