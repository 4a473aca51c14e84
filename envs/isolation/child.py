"""The operating system's side of a worker: start it, watch its end, keep its output.

Workers are started afresh (never forked: a fork after a picture hangs Vulkan), in a session of
their own (Ctrl-C goes to the caller alone), with their output going to a log.
"""

from __future__ import annotations

import contextlib
import math
import os
import signal
import socket
import struct
import subprocess
import tempfile
import weakref
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep
from typing import IO, Any

from envs.isolation.interpreter import Interpreter
from envs.isolation.link import CLOSE_SECONDS
from envs.isolation.watch import Watch
from envs.registry import Simulator
from envs.schema import ManigymError

DEADLINE = 300.0  # seconds without a simulator step, start-up and experts that plan included
_POLL_SECONDS = 0.002
_LOG_TAIL = 2000  # characters of the log that a death message shows
_BOOTSTRAP = Path(__file__).with_name("bootstrap.py")
_ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Order:
    """What a worker is to run, and where. ``log``: a file; without one, a nameless one."""

    simulator: Simulator
    env: str
    options: Mapping[str, Any]
    interpreter: Interpreter
    deadline: float = DEADLINE
    log: Path | None = None

    def __post_init__(self) -> None:
        number = isinstance(self.deadline, int | float)
        if not number or not 0.01 <= self.deadline < math.inf:
            raise ManigymError(f"deadline must be a number of seconds, got {self.deadline!r}")


class Child:
    """A worker process. ``connections``: scene -> our end, for the scenes asked for.

    ``exit_code``, ``last_words`` and ``culprits`` (see :meth:`Watch.served`) are known once it has
    been reaped.
    """

    def __init__(self, order: Order, scenes: Collection[int] = (0,)) -> None:
        self.order, self.owner = order, os.getpid()
        self.watch = Watch(order.deadline)
        self.log = _open_log(order.log)
        pairs = {scene: socket.socketpair() for scene in sorted(scenes)}
        self.connections = {scene: ours for scene, (ours, _) in pairs.items()}
        theirs = [their for _, their in pairs.values()]
        for connection in self.connections.values():
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, _timeout(order.deadline))
        lifeline_read, lifeline = os.pipe()
        self.lifeline = os.fdopen(lifeline, "wb", 0)
        try:
            self.popen = self._start((lifeline_read, *(end.fileno() for end in theirs)))
        except BaseException as error:
            self.let_go()
            self.log.close()
            if isinstance(error, OSError):
                raise ManigymError(f"cannot start {order.interpreter.python}: {error}") from None
            raise
        finally:
            os.close(lifeline_read)
            for end in theirs:
                end.close()
        _RUNNING.add(self)

    def _start(self, inherited: Sequence[int]) -> subprocess.Popen[bytes]:
        interpreter = self.order.interpreter
        command = [interpreter.python, *interpreter.flags, _BOOTSTRAP, _ROOT, *inherited]
        return subprocess.Popen(
            [str(part) for part in command],
            env=interpreter.environment(),
            stdin=subprocess.DEVNULL,
            stdout=self.log,
            stderr=subprocess.STDOUT,
            pass_fds=inherited,
            start_new_session=True,
        )

    def end(self, patience: float = CLOSE_SECONDS) -> None:
        """Let it finish, then make it. Once more does no harm."""
        for connection in self.connections.values():
            connection.close()
        self.reap(patience)

    def reap(self, patience: float = CLOSE_SECONDS) -> None:
        """Wait for its end, bring it about if need be. Answers that it sent can still be read."""
        if self.log.closed or self.owner != os.getpid():
            return
        try:
            self._wait(patience)
        finally:  # also when Ctrl-C ends the waiting
            self.kill()
            self.lifeline.close()
            self.exit_code = self.popen.wait()
            self.culprits = self.watch.served()
            self._end_log()

    def runs(self) -> bool:
        """Whether it has not ended yet."""
        return not self.log.closed and not self._ended()

    def _wait(self, patience: float) -> None:
        """Until it has ended; its number stays taken, so that nothing else can be killed by it."""
        end = monotonic() + patience
        while not self._ended() and monotonic() < end:
            sleep(_POLL_SECONDS)

    def _ended(self) -> bool:
        how = os.WEXITED | os.WNOWAIT | os.WNOHANG
        return os.waitid(os.P_PID, self.popen.pid, how) is not None

    def kill(self) -> None:
        """At once, with the processes that the simulator has started."""
        if self.log.closed:  # reaped: its number may be another process's
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.popen.pid, signal.SIGKILL)

    def _end_log(self) -> None:
        """Keep the newest lines; a file without any is removed."""
        size = os.fstat(self.log.fileno()).st_size
        text = os.pread(self.log.fileno(), _LOG_TAIL, max(size - _LOG_TAIL, 0))
        self.last_words = text.decode(errors="replace").strip()
        self.log.close()
        if self.order.log is not None and size == 0:
            self.order.log.unlink(missing_ok=True)

    def let_go(self) -> None:
        """In a fork of the caller: its copies of our ends would keep the worker alive."""
        for connection in self.connections.values():
            connection.close()
        self.lifeline.close()


def _timeout(seconds: float) -> bytes:
    """The kernel's own timeout: Python's costs a second system call for every answer."""
    whole, fraction = divmod(seconds, 1.0)
    return struct.pack("@ll", int(whole), int(fraction * 1e6))


def _open_log(path: Path | None) -> IO[bytes]:
    if path is None:
        return tempfile.TemporaryFile()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return path.open("a+b")
    except OSError as error:
        raise ManigymError(f"cannot write the worker's log {path}: {error.strerror}") from None


_RUNNING: weakref.WeakSet[Child] = weakref.WeakSet()


def _let_go_of_all() -> None:
    for process in list(_RUNNING):
        process.let_go()


os.register_at_fork(after_in_child=_let_go_of_all)
