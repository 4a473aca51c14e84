"""How workers end: with their caller, by Ctrl-C, when closed or forgotten; nothing is left."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import faulty
import numpy as np
import pytest
from faulty import CARD, SEEN, FaultyEnv, alive, eventually, group, held, isolated, workers
from interrupts import ctrl_c

import envs
from envs.isolation import child
from envs.isolation.link import CLOSE_SECONDS, Link
from envs.isolation.process import ProcessLink
from envs.schema import ManigymError

STILL = np.zeros(2, np.float32)


@pytest.fixture(autouse=True)
def no_worker_is_left():
    yield
    gc.collect()
    assert workers() == set()


# ------------------------------------------------------------------------------ the caller ends
CALLER = """
import os, sys
import numpy as np
from pathlib import Path
from faulty import isolated, vector
fault, sign, end = sys.argv[1:]
options = {"fault": fault, "when": "step", "at": 1, "once": sign}
alone, pair, shared = isolated(**options), vector(2, {}), vector(1, {}, scenes=2)
alone.reset(seed=0), pair.reset(seed=0), shared.reset(seed=0)
if fault:
    alone.step(np.zeros(2))
Path(sign).touch()
if end == "wait":
    sys.stdin.read()
elif end == "raise":
    raise RuntimeError("something else")
"""
ENDS = {
    "killed, workers idle": ("", "wait", lambda pid: os.kill(pid, signal.SIGKILL)),
    "killed, worker stepping": ("sleep", "wait", lambda pid: os.kill(pid, signal.SIGKILL)),
    "killed, worker hung in C": ("hold", "wait", lambda pid: os.kill(pid, signal.SIGKILL)),
    "killed, worker has a child": ("fork", "wait", lambda pid: os.kill(pid, signal.SIGKILL)),
    "end of the program": ("", "return", None),
    "an exception": ("", "raise", None),
    "Ctrl-C": ("", "wait", lambda pid: os.killpg(pid, signal.SIGINT)),
    "SIGINT, worker hung in C": ("hold", "wait", lambda pid: os.kill(pid, signal.SIGINT)),
}


@pytest.mark.parametrize("end", ENDS)
def test_workers_end_with_their_caller(tmp_path, end):
    fault, action, strike = ENDS[end]
    sign, scratch = tmp_path / "sign", tmp_path / "tmp"
    scratch.mkdir()
    path = os.pathsep.join(str(Path(m.__file__).parents[n]) for m, n in ((faulty, 0), (envs, 1)))
    caller = subprocess.Popen(
        [sys.executable, "-c", CALLER, fault, sign, action],
        env={**os.environ, "PYTHONPATH": path, "TMPDIR": str(scratch)},
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    found: set[int] = set()
    try:
        assert eventually(lambda: _note(found, caller.pid) or sign.exists() or caller.poll())
        if strike:
            strike(caller.pid)
        _, errors = caller.communicate(timeout=60)
    finally:
        caller.kill()
    assert len(found) == 4, errors.decode()
    assert eventually(lambda: not any(map(group, found)), 10), "a worker outlives its caller"
    assert list(scratch.iterdir()) == []
    assert (b"RuntimeError" in errors) == (action == "raise")
    assert b"Exception ignored" not in errors


def _note(found, pid):
    """Remember the workers while there are any."""
    found |= {worker for worker in workers(of=pid) if alive(worker)}


def test_an_interrupted_step_has_not_happened(tmp_path):
    """Its late answer must not pass for that of the next request."""
    env, twin = isolated(fault="sleep", at=2, once=str(tmp_path / "step")), FaultyEnv(CARD, **SEEN)
    env.reset(seed=1)
    twin.reset(seed=1)
    env.step(STILL)
    twin.step(STILL)
    with pytest.raises(KeyboardInterrupt), ctrl_c(tmp_path / "step"):
        env.step(np.ones(2))
    for action in (STILL, np.ones(2)):
        np.testing.assert_equal(env.step(action), twin.step(action))
    with pytest.raises(KeyboardInterrupt), ctrl_c(tmp_path / "start"):
        isolated(fault="sleep", when="construct", once=str(tmp_path / "start"))
    np.testing.assert_equal(env.reset(seed=2), twin.reset(seed=2))
    env.close()


def test_ctrl_c_between_the_answer_and_the_journal_undoes_the_step(monkeypatch):
    env, twin = isolated(), FaultyEnv(CARD, **SEEN)
    env.reset(seed=1)
    twin.reset(seed=1)

    def take(self):
        Link.take(self)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(ProcessLink, "take", take)
        env.step(np.ones(2))
    np.testing.assert_equal(env.step(STILL), twin.step(STILL))
    os.kill(min(workers()), signal.SIGKILL)
    np.testing.assert_equal(env.step(STILL), twin.step(STILL))
    env.close()


# ------------------------------------------------------------------------------- nothing leaks
def test_closed_environments_leave_nothing():
    isolated().close()  # what is imported at first use may stay
    before = held()
    for _ in range(6):
        env = isolated()
        env.reset(seed=0)
        env.close()
    env = faulty.vector(14, {})
    env.reset(seed=0)
    assert len(workers()) == 14
    env.close()
    del env
    assert held() == before
    assert workers() == set(), "zombies count, too"


def test_the_shared_memory_has_no_name():
    """Nothing to leave behind, and nothing that a small /dev/shm could limit."""
    env = isolated()
    (worker,) = workers()
    ours, theirs = (Path(f"/proc/{pid}/maps").read_text() for pid in ("self", worker))
    assert "/memfd:manigym (deleted)" in ours
    assert "/memfd:manigym (deleted)" in theirs
    assert "/dev/shm" not in theirs
    env.close()


def test_forgotten_environments_end_by_themselves():
    before = held()
    env, pair, shared = isolated(), faulty.vector(2, {}), faulty.vector(1, {}, scenes=2)
    env.reset(seed=0)
    pair.reset(seed=0)
    shared.reset(seed=0)
    assert len(workers()) == 4
    del env, pair, shared
    assert held() == before
    assert workers() == set()


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_fork_of_the_caller_leaves_its_workers_alone():
    """Of a data loader, say: it neither uses, nor ends, nor keeps alive what is not its own."""
    env = isolated()
    env.reset(seed=0)
    reads, writes = os.pipe()
    other = os.fork()
    if other == 0:
        try:
            env.step(STILL)
        except ManigymError as error:
            os.write(writes, str(error).encode())
        finally:
            env.close()
            time.sleep(30)
            os._exit(0)
    said = os.read(reads, 1000).decode()
    assert "belongs to the process that forked this one" in said
    env.step(STILL)
    env.close()  # the worker ends although the child, which has forked copies, lives
    assert workers() == set()
    os.kill(other, signal.SIGKILL)
    os.waitpid(other, 0)
    os.close(reads)
    os.close(writes)


def test_closing_can_be_interrupted_and_still_ends_the_worker(tmp_path, monkeypatch):
    env = isolated()
    env.reset(seed=0)
    (worker,) = workers()
    os.kill(worker, signal.SIGSTOP)
    sign, honest = tmp_path / "sign", child.sleep
    monkeypatch.setattr(child, "sleep", lambda seconds: sign.touch() or honest(seconds))
    with pytest.raises(KeyboardInterrupt), ctrl_c(sign):
        env.close()
    assert workers() == set()


def test_stopped_workers_share_the_time_to_finish():
    pair = faulty.vector(3, {})
    for worker in workers():
        os.kill(worker, signal.SIGSTOP)
    started = time.monotonic()
    pair.close()
    assert time.monotonic() - started < 2 * CLOSE_SECONDS


def test_two_threads_cannot_share_an_environment(tmp_path):
    env = isolated(fault="sleep", at=1, once=str(tmp_path / "sign"), deadline=3)
    env.reset(seed=0)
    thread = threading.Thread(target=env.step, args=(STILL,))
    thread.start()
    assert eventually((tmp_path / "sign").exists)
    with pytest.raises(ManigymError, match="another thread is using this environment"):
        env.observe()
    thread.join()
    env.step(STILL)
    env.close()


def test_a_closed_environment_says_so():
    env = isolated()
    env.reset(seed=0)
    env.close()
    env.close()
    for use in (lambda: env.step(STILL), env.reset, env.render):
        with pytest.raises(ManigymError, match=f"{CARD.id}: this environment is closed"):
            use()
