"""Several environments of one task, in this process or in worker processes.

Every slot holds one environment and answers one request at a time. Requests are asynchronous:
:meth:`Pool.reset` and :meth:`Pool.run` return at once, :meth:`Pool.wait` gives the replies that
have arrived, so a slow episode never holds up the others.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import traceback
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from time import monotonic
from typing import Any

import numpy as np

from envs.episode import EpisodeRunner, Reply
from envs.make import make_env
from envs.schema import Interface, ManigymError

# One simulator per process: libraries that start a thread per core only fight each other.
_WORKER_ENVIRONMENT = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "LP_NUM_THREADS": "0"}
_CLOSE_SECONDS = 5.0
_DEADLINE_SECONDS = 900.0  # for one reset or chunk, experts that plan included


class Failure(Exception):
    """A request that a slot could not serve; ``str()`` is the reason, ``details`` the traceback."""

    def __init__(self, reason: str, details: str = "") -> None:
        super().__init__(reason)
        self.details = details


class Pool(ABC):
    """``size`` slots; use as a context manager so that workers always end."""

    size: int
    interface: Interface

    @abstractmethod
    def reset(self, slot: int, seed: int, record: bool = False, film: bool = False) -> None:
        """Ask a slot to start the episode of ``seed``."""

    @abstractmethod
    def run(self, slot: int, actions: np.ndarray, n_obs: int) -> None:
        """Ask a slot to execute float32 (K, A) actions."""

    @abstractmethod
    def wait(self) -> list[tuple[int, Reply | Failure]]:
        """Block until at least one asked slot has answered; each answer is given once."""

    @abstractmethod
    def close(self) -> None: ...

    def __enter__(self) -> Pool:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def make_pool(env_id: str, options: Mapping[str, Any], workers: int) -> Pool:
    """A pool of ``workers`` processes; one worker runs in this process instead."""
    if workers < 1:
        raise ManigymError(f"--workers must be at least 1, got {workers}")
    return LocalPool(env_id, options) if workers == 1 else ProcessPool(env_id, options, workers)


class LocalPool(Pool):
    """One environment in this process."""

    def __init__(self, env_id: str, options: Mapping[str, Any]) -> None:
        self._env = make_env(env_id, options)
        self._runner = EpisodeRunner(self._env)
        self._answers: deque[Reply | Failure] = deque()
        self.size, self.interface = 1, self._env.interface

    def reset(self, slot: int, seed: int, record: bool = False, film: bool = False) -> None:
        self._answers.append(_answer(self._runner, "reset", (seed, record, film)))

    def run(self, slot: int, actions: np.ndarray, n_obs: int) -> None:
        self._answers.append(_answer(self._runner, "run", (actions, n_obs)))

    def wait(self) -> list[tuple[int, Reply | Failure]]:
        return [(0, self._answers.popleft())]

    def close(self) -> None:
        self._env.close()


class ProcessPool(Pool):
    """One spawned worker process per slot, spoken to through a pipe.

    A worker that dies, or does not answer within ``deadline`` seconds, answers with a
    :class:`Failure` and is replaced.
    """

    def __init__(
        self,
        env_id: str,
        options: Mapping[str, Any],
        workers: int,
        deadline: float = _DEADLINE_SECONDS,
    ) -> None:
        self.size = workers
        self._task = (env_id, dict(options))
        self._deadline = deadline
        self._asked: dict[int, float] = {}  # slot -> when; idle ones are not waited for
        self._workers: list[tuple[Any, Connection]] = []
        try:
            self._workers = [self._spawn() for _ in range(workers)]
            for _, connection in self._workers:
                self.interface = self._handshake(connection)
        except BaseException:
            self.close()
            raise

    def _spawn(self) -> tuple[Any, Connection]:
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(target=_serve, args=(theirs, *self._task), daemon=True)
        with _interrupts_blocked():
            process.start()
        theirs.close()
        return process, ours

    def _handshake(self, connection: Connection) -> Interface:
        try:
            first = connection.recv()
        except EOFError:
            raise ManigymError(f"a worker for {self._task[0]} ended while starting") from None
        if isinstance(first, Failure):
            raise ManigymError(f"{first}\n{first.details}".rstrip())
        return first

    def reset(self, slot: int, seed: int, record: bool = False, film: bool = False) -> None:
        self._send(slot, ("reset", (seed, record, film)))

    def run(self, slot: int, actions: np.ndarray, n_obs: int) -> None:
        self._send(slot, ("run", (actions, n_obs)))

    def _send(self, slot: int, request: tuple[str, Any]) -> None:
        self._asked[slot] = monotonic()
        # Of a closed pipe wait() reports the death and replaces the worker.
        with suppress(ConnectionError):
            self._workers[slot][1].send(request)

    def wait(self) -> list[tuple[int, Reply | Failure]]:
        slots: dict[Any, int] = {self._workers[slot][1]: slot for slot in self._asked}
        slowest, since = min(self._asked.items(), key=lambda asked: asked[1])
        ready = wait(list(slots), max(since + self._deadline - monotonic(), 0.0))
        if not ready:
            overdue, connection = self._workers[slowest]
            overdue.kill()
            ready = wait([connection])  # its end of the pipe closes
        return [(slots[c], self._receive(slots[c])) for c in ready]

    def _receive(self, slot: int) -> Reply | Failure:
        process, connection = self._workers[slot]
        waited = monotonic() - self._asked.pop(slot)
        try:
            return connection.recv()
        except (EOFError, OSError):  # OSError: it ended in the middle of an answer
            process.join(_CLOSE_SECONDS)
            connection.close()
            self._workers[slot] = self._spawn()
            self._handshake(self._workers[slot][1])
            return Failure(
                f"worker process ended with exit code {process.exitcode} after {waited:.0f} s"
            )

    def close(self) -> None:
        for _, connection in self._workers:
            connection.close()
        end = monotonic() + _CLOSE_SECONDS
        for process, _ in self._workers:
            process.join(max(end - monotonic(), 0.0))
            if process.is_alive():
                process.kill()


@contextmanager
def _interrupts_blocked() -> Iterator[None]:
    """Processes started inside inherit the mask and never see Ctrl-C: the parent handles it."""
    resource_tracker.ensure_running()  # would be started with the first worker and unblock it
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _answer(runner: EpisodeRunner, method: str, arguments: tuple[Any, ...]) -> Reply | Failure:
    try:
        return getattr(runner, method)(*arguments)
    except Exception as error:  # whatever an episode raises costs that episode only
        return Failure(f"{type(error).__name__}: {error}", traceback.format_exc())


def _serve(connection: Connection, env_id: str, options: Mapping[str, Any]) -> None:
    """A worker's main loop: ends when the parent closes its end of the pipe or is gone."""
    os.environ.update(_WORKER_ENVIRONMENT)
    import envs  # noqa: F401  registers the ids in this interpreter

    try:
        env = make_env(env_id, options)
    except Exception as error:
        details = "" if isinstance(error, ManigymError) else traceback.format_exc()
        connection.send(Failure(str(error), details))
        return
    connection.send(env.interface)
    runner = EpisodeRunner(env)
    try:
        while True:
            method, arguments = connection.recv()
            connection.send(_answer(runner, method, arguments))
    except (EOFError, BrokenPipeError, ConnectionResetError):
        env.close()
