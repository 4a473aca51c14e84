"""Several environments in one worker: what trouble of one costs the others, and how they end."""

from __future__ import annotations

import os
import signal
import time

import faulty
import numpy as np
import pytest
from faulty import CARD, SEEN, FaultyEnv, eventually, group, held, workers
from interrupts import ctrl_c
from pooled import episodes

from envs.isolation.link import CLOSE_SECONDS, Request
from envs.isolation.process import start
from envs.isolation.server import CALL
from envs.pool import Failure
from envs.schema import ManigymError, SimulationError

RIGHT, LEFT = np.array([1, 0], np.float32), np.array([-1, 0], np.float32)


@pytest.fixture(autouse=True)
def no_worker_is_left():
    yield
    assert workers() == set()


# -------------------------------------------------------------------------------------- deaths
@pytest.mark.parametrize(("when", "at"), [("reset", 0), ("step", 4), ("render", 3)])
def test_a_death_is_reported_to_all_who_shared_the_worker(tmp_path, when, at):
    fault = {"fault": "die", "when": when, "at": at, "once": str(tmp_path / "died")}
    with faulty.pool(1, 3) as honest, faulty.pool(1, 3, **fault) as pool:
        expected, _ = episodes(honest, range(5))
        got, failures = episodes(pool, range(5))
        assert len(workers()) == 2, "one replacement for all"
    assert got == expected
    assert [f.own for f in failures].count(True) == 1
    assert len(failures) == 3
    assert all("exit code -9" in str(f) for f in failures)
    assert ["of another of its environments" in str(f) for f in failures] == [
        not f.own for f in failures
    ]


def test_the_death_of_an_idle_worker_is_met_by_each_next_request():
    with faulty.pool(1, 3) as pool:
        for slot in range(3):
            pool.reset(slot, slot)
        while pool._asked:
            pool.wait()
        os.kill(min(workers()), signal.SIGKILL)
        for slot in (2, 0, 1):
            pool.run(slot, RIGHT[None], 1)
            ((number, answer),) = pool.wait()
            assert (number, type(answer), answer.own) == (slot, Failure, True)
        assert episodes(pool, range(3))[1] == []


@pytest.mark.parametrize("chunk", [1, 4])
@pytest.mark.parametrize(("when", "at"), [("reset", 0), ("step", 4), ("observe", 4)])
def test_a_vector_survives_its_worker(tmp_path, chunk, when, at):
    rows, seen = np.random.default_rng(0).uniform(-1, 1, (12 // chunk, 3, chunk, 2)), []
    for fault in ("", "die"):
        orders = {"fault": fault, "when": when, "at": at, "once": str(tmp_path / "died")}
        env = faulty.vector(1, orders, scenes=3, max_chunk=chunk, n_obs=2)
        seen.append([env.reset(seed=5), *map(env.step_chunk, rows)])
        env.close()
    assert (tmp_path / "died").exists()
    np.testing.assert_equal(*seen)


@pytest.mark.parametrize("guilty", [0, 1])
def test_who_kills_the_worker_again_and_again_does_not_fail_the_others(guilty):
    """Neither in a vector, where their episodes are repeated, nor in a pool."""
    fault, rows = {"fault": "die_outside", "at": -1}, np.array([LEFT, LEFT])
    rows[guilty] = RIGHT
    env, twin = faulty.vector(1, fault, scenes=2), FaultyEnv(CARD, **SEEN)
    env.reset(seed=0)
    twin.reset(seed=1 - guilty)
    with pytest.raises(SimulationError, match="died a second time"):
        for _ in range(20):
            _, rewards, *_ = env.step(rows)
            assert rewards[1 - guilty] == twin.step(LEFT)[1]
    twin.step(LEFT)
    env.reset(seed=[7, 7], options={"reset_mask": np.arange(2) == guilty})
    assert env.step(rows)[1][1 - guilty] == twin.step(LEFT)[1]
    env.close()
    with faulty.pool(1, 2, **fault) as pool:
        own = []
        for slot in range(2):
            pool.reset(slot, slot)
        for _ in range(40):
            for slot, answer in pool.wait():
                own += [(slot, answer.own)] if isinstance(answer, Failure) else []
                if isinstance(answer, Failure) or answer.summary:
                    pool.reset(slot, slot)
                else:
                    pool.run(slot, rows[slot][None], 1)
    assert (guilty, True) in own
    assert {mine for slot, mine in own if slot != guilty} == {False}


def test_one_that_hangs_is_ended_with_the_others(tmp_path):
    hung = {"fault": "hold", "when": "step", "at": 1, "once": str(tmp_path / "hung")}
    with faulty.pool(1, 2) as honest:
        expected, _ = episodes(honest, range(4))
    with faulty.pool(1, 2, deadline=2.5, **hung) as pool:
        (worker,) = workers()
        got, failures = episodes(pool, range(4))
    assert eventually(lambda: not group(worker))
    assert got == expected
    assert sorted(f.own for f in failures) == [False, True]
    assert all("the last 2.5 s of them without a simulator step" in str(f) for f in failures)


def test_a_request_that_waits_behind_a_long_one_is_not_overdue():
    """Each step takes half a second, the chunk before it far more than the deadline."""
    slow = {"fault": "slow", "when": "step", "at": -1, "deadline": 1.5}
    with faulty.pool(1, 2, **slow) as pool:
        for slot in range(2):
            pool.reset(slot, slot)
        while pool._asked:
            pool.wait()
        for slot in range(2):
            pool.run(slot, np.zeros((5, 2), np.float32), 1)
        answers = [answer for _ in range(2) for _, answer in pool.wait()]
    assert [len(answer.rewards) for answer in answers] == [5, 5]


# --------------------------------------------------------------------------- start, end, Ctrl-C
@pytest.mark.parametrize(
    ("fault", "message"),
    [("refuse", "numpy 9.9 is too new"), ("segfault", "exit code -11"), ("raise", "gripper")],
)
def test_one_environment_that_cannot_start_ends_the_start(tmp_path, fault, message):
    before = held()
    with pytest.raises(ManigymError, match=message) as caught:
        faulty.vector(2, {"fault": fault, "when": "construct", "once": str(tmp_path / "s")}, 3)
    del caught
    assert held() == before


def test_a_worker_goes_on_without_one_of_its_environments():
    with faulty.pool(1, 2) as pool:
        pool.reset(0, 0)
        pool.wait()
        pool.links[1].close()
        with pytest.raises(ManigymError, match="this environment is closed"):
            pool.reset(1, 1)
        os.kill(min(workers()), signal.SIGKILL)
        pool.run(0, RIGHT[None], 1)
        assert isinstance(pool.wait()[0][1], Failure)
        pool.reset(0, 0)
        assert not isinstance(pool.wait()[0][1], Failure)
        pool.links[0].close()
        assert workers() == set()


def test_workers_with_several_environments_close_quickly():
    env = faulty.vector(2, {}, scenes=3)
    env.reset(seed=0)
    started = time.monotonic()
    env.close()
    assert time.monotonic() - started < CLOSE_SECONDS / 2


def test_an_answer_that_nobody_fetches_does_not_hold_up_the_others():
    """Pictures of a megabyte, more than a socket holds, fetched in the other order."""
    links = start([faulty.order(image_size=(600, 600))], 3)
    env = faulty.ManipVectorEnv(links, CARD, "process:host")
    env.reset(seed=0)
    expected = env.render()
    for link in links:
        link.post(Request(CALL, call=("render", ())))
    for number in (2, 1, 0):
        np.testing.assert_array_equal(links[number].take(), expected[number])
    env.close()


def test_an_interrupted_step_of_a_vector_has_not_happened(tmp_path):
    """The worker is ended for the one that hangs; its sibling's episode is repeated."""
    hung = {"fault": "sleep", "at": 2, "once": str(tmp_path / "hung")}
    env, twin = faulty.vector(1, hung, scenes=2), faulty.vector(2, {})
    rows = np.array([RIGHT, LEFT])
    for each in (env, twin):
        each.reset(seed=1)
        each.step(rows)
    with pytest.raises(KeyboardInterrupt), ctrl_c(tmp_path / "hung"):
        env.step(-rows)
    for _ in range(3):
        np.testing.assert_equal(env.step(rows), twin.step(rows))
    env.close()
    twin.close()
