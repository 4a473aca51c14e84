"""How workers start, what keeps them from it, and where their output goes."""

from __future__ import annotations

import logging
import os
import signal
import sys
from pathlib import Path

import faulty
import numpy as np
import pytest
from faulty import CARD, LAST_WORDS, eventually, held, isolated, workers

from envs.isolation.child import Order
from envs.isolation.env import IsolatedEnv
from envs.isolation.interpreter import Interpreter, host
from envs.pool import Failure
from envs.registry import Simulator
from envs.schema import ManigymError, SimulationError

STILL = np.zeros(2, np.float32)


@pytest.fixture(autouse=True)
def no_worker_is_left():
    yield
    assert workers() == set()


def start_error(simulator=faulty.SIMULATOR, interpreter=None, **options):
    before = held()
    with pytest.raises(ManigymError) as caught:
        IsolatedEnv(CARD, Order(simulator, CARD.id, options, interpreter or host()))
    message = str(caught.value)
    del caught
    assert held() == before
    return message


def test_a_simulator_that_cannot_be_imported(tmp_path, monkeypatch):
    (tmp_path / "broken_simulator.py").write_text("import no_such_driver\n")
    monkeypatch.syspath_prepend(tmp_path)
    message = start_error(Simulator("Broken", "faulty", "broken_simulator:Env"))
    assert message.startswith(f"{CARD.id} cannot start in {sys.executable}: ModuleNotFoundError: ")
    assert 'broken_simulator.py", line 1, in <module>' in message


def test_a_simulator_that_crashes_at_its_start():
    message = start_error(fault="segfault", when="construct")
    assert "worker process ended with exit code -11" in message
    assert message.endswith(LAST_WORDS)


def test_a_simulator_that_refuses_its_surroundings():
    """Known trouble comes with its remedy and without a traceback."""
    message = start_error(fault="refuse", when="construct")
    assert message == "numpy 9.9 is too new for this simulator: pip install 'numpy<9'"


def test_an_interpreter_that_is_gone(tmp_path):
    gone = tmp_path / "bin" / "python"
    message = start_error(interpreter=Interpreter("gone", gone, ()))
    assert f"cannot start {gone}" in message
    assert "No such file" in message


def test_an_interpreter_that_is_none(tmp_path):
    false = Interpreter("false", Path("/bin/false"), ())
    assert "worker process ended with exit code 1" in start_error(interpreter=false)


def test_an_error_inside_an_episode_brings_its_traceback():
    with faulty.pool(1, fault="raise", when="step", at=2) as pool:
        pool.reset(0, 0)
        pool.wait()
        pool.run(0, np.zeros((4, 2), np.float32), 1)
        ((_, failure),) = pool.wait()
    assert str(failure) == "RuntimeError: the gripper came off"
    assert "in _raise" in failure.details
    env = isolated(fault="raise", when="step", at=1)
    env.reset(seed=0)
    with pytest.raises(SimulationError, match="RuntimeError: the gripper came off"):
        env.step(STILL)
    env.close()


# ------------------------------------------------------------------------------------- the log
def test_a_simulator_that_prints_without_end(tmp_path, capfd):
    log = tmp_path / "logs" / "faulty.log"
    with faulty.pool(1, fault="chatter", when="step", at=1, log=log) as pool:
        pool.reset(0, 0)
        pool.wait()
        pool.run(0, STILL[None], 1)
        ((_, answer),) = pool.wait()
        assert not isinstance(answer, Failure)
        assert eventually(lambda: log.stat().st_size <= 8 << 20 and _ends_with_last_words(log))
        os.kill(min(workers()), signal.SIGKILL)
        pool.reset(0, 0)
        ((_, failure),) = pool.wait()
    assert "no play\nall work" in failure.details
    assert failure.details.endswith(LAST_WORDS)
    assert len(failure.details) <= 2000
    assert log.stat().st_size > 2000
    assert capfd.readouterr() == ("", "")


def _ends_with_last_words(log):
    """The newest part has been written again."""
    return log.read_bytes().endswith(f"{LAST_WORDS}\n".encode())


def test_a_log_without_a_word_is_not_kept(tmp_path):
    isolated(log=tmp_path / "quiet.log").close()
    assert list(tmp_path.iterdir()) == []


def test_the_last_words_of_a_dead_worker_are_told(tmp_path, caplog, monkeypatch):
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)
    env = isolated(fault="segfault", when="step", at=1, once=str(tmp_path / "once"))
    env.reset(seed=0)
    with caplog.at_level(logging.WARNING, "manigym"):
        env.step(STILL)
    env.close()
    assert f"exit code -11 (SIGSEGV) after 0 s; its last output:\n{LAST_WORDS}" in caplog.text
