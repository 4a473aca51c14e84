"""A vector of environments in trouble: bad input is refused, failures stay in their slot."""

from __future__ import annotations

import os
import signal
from contextlib import closing

import faulty
import gymnasium as gym
import numpy as np
import pytest
from faulty import workers
from toy import TOY

from envs.make import make_vec
from envs.schema import ManigymError, SimulationError

PLACES = ("in_process", "process")


@pytest.fixture(autouse=True)
def no_worker_is_left():
    yield
    assert workers() == set()


def actions(count, steps):
    return np.random.default_rng(0).uniform(-1, 1, (steps, count, 2)).astype(np.float32)


def test_a_worker_killed_in_mid_episode_changes_nothing():
    results = []
    for kills in (False, True):
        with closing(make_vec(TOY, 2, isolation="process", n_obs=2, horizon=15)) as env:
            results.append([env.reset(seed=0)])
            for step, row in enumerate(actions(2, 20)):
                if kills and step in (6, 15):  # 15: about to be reset
                    os.kill(max(workers()), signal.SIGKILL)
                results[-1].append(env.step(row))
    np.testing.assert_equal(*results)


def test_an_error_in_one_slot_leaves_no_stale_answer_in_another(tmp_path):
    """The others' answers are fetched all the same; the slot in trouble starts again."""
    once, quiet = str(tmp_path / "once"), {}
    env = faulty.vector(3, {"fault": "nan_reward", "when": "step", "at": 3, "once": once})
    twin = faulty.vector(3, quiet)
    env.reset(seed=0)
    twin.reset(seed=0)
    failed = 0
    for row in actions(3, 4):
        _, expected, *_ = twin.step(row)
        try:
            rewards = env.step(row)[1]
        except SimulationError as error:
            assert "returned reward nan" in str(error)
            failed += 1
        else:
            assert sorted((rewards == expected).tolist())[-2:] == [True, True]
    assert failed == 1
    np.testing.assert_equal(env.reset(seed=8), twin.reset(seed=8))
    np.testing.assert_equal(env.step(row), twin.step(row))
    env.close()
    twin.close()


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (np.zeros((2, 2)), r"expected actions \(3, k, 2\) .* got \(2, 1, 2\)"),
        (np.zeros((3, 3)), r"got \(3, 1, 3\)"),
        (np.zeros(2), "expected actions"),
        (
            np.array([[0, 0], [np.nan, 0], [0, np.inf]]),
            r"non-finite actions for the slots \[1, 2\]",
        ),
    ],
)
def test_bad_actions_are_refused_and_change_nothing(place, rows, message):
    with closing(make_vec(TOY, 3, isolation=place)) as env:
        env.reset(seed=0)
        with pytest.raises(ManigymError, match=message):
            env.step(rows)
        still, rewards, *_ = env.step(np.zeros((3, 2)))
        env.reset(seed=0)
        np.testing.assert_equal(env.step(np.zeros((3, 2)))[:2], (still, rewards))


def test_a_chunk_that_is_too_long_is_refused():
    with closing(make_vec(TOY, 3, isolation="in_process", max_chunk=2)) as env:
        env.reset(seed=0)
        with pytest.raises(ManigymError, match=r"k from 1 to max_chunk=2, got \(3, 3, 2\)"):
            env.step_chunk(np.zeros((3, 3, 2)))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"seed": [1, 2]}, "got 2 seeds"),
        ({"options": {"reset_mask": np.ones(2, bool)}}, r"mask of shape \(2,\)"),
    ],
)
def test_bad_resets_are_refused(options, message):
    with (
        closing(make_vec(TOY, 3, isolation="in_process")) as env,
        pytest.raises(ManigymError, match=message),
    ):
        env.reset(**options)


@pytest.mark.parametrize("options", [{"n_obs": 0}, {"max_chunk": 0}, {"num_envs": 0}])
def test_sizes_below_one_are_refused(options):
    with pytest.raises(ManigymError, match="at least 1"):
        make_vec(TOY, **({"num_envs": 2} | options))


def test_an_unknown_autoreset_mode_starts_no_worker():
    with pytest.raises(ManigymError, match="'Sometimes'; choose one of NEXT_STEP, SAME_STEP"):
        make_vec(TOY, 2, autoreset_mode="Sometimes")


@pytest.mark.parametrize("place", PLACES)
def test_steps_and_chunks_that_cannot_be(place):
    with closing(make_vec(TOY, 2, isolation=place, autoreset_mode="SAME_STEP")) as env:
        with pytest.raises(gym.error.ResetNeeded, match="call reset"):
            env.step(np.zeros((2, 2)))
        env.reset(seed=0)
        with pytest.raises(ManigymError, match=r"k from 1 to max_chunk=1, got \(2, 0, 2\)"):
            env.step_chunk(np.zeros((2, 0, 2)))
        with pytest.raises(ManigymError, match="no method 'fly' crosses; these do: render"):
            env.call("fly")
