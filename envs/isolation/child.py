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
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic, sleep
from typing import IO, Any

from envs.isolation.interpreter import Interpreter
from envs.isolation.link import CLOSE_SECONDS
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


@dataclass(eq=False)
class Child:
    """The operating system's side of a worker."""

    order: Order
    popen: subprocess.Popen[bytes] = field(init=False)

    def __post_init__(self) -> None:
        self.owner = os.getpid()
        self.log = _open_log(self.order.log)
        self.connection, theirs = socket.socketpair()
        # The kernel's own timeout: Python's costs a second system call for every answer.
        seconds, fraction = divmod(self.order.deadline, 1.0)
        limit = struct.pack("@ll", int(seconds), int(fraction * 1e6))
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, limit)
        lifeline_read, lifeline = os.pipe()
        self.lifeline = os.fdopen(lifeline, "wb", 0)
        inherited = (theirs.fileno(), lifeline_read)
        interpreter = self.order.interpreter
        command = [interpreter.python, *interpreter.flags, _BOOTSTRAP, _ROOT, *inherited]
        try:
            self.popen = subprocess.Popen(
                [str(part) for part in command],
                env=interpreter.environment(),
                stdin=subprocess.DEVNULL,
                stdout=self.log,
                stderr=subprocess.STDOUT,
                pass_fds=inherited,
                start_new_session=True,
            )
        except BaseException as error:
            for file in (self.lifeline, self.connection, self.log):
                file.close()
            if isinstance(error, OSError):
                raise ManigymError(f"cannot start {interpreter.python}: {error}") from None
            raise
        finally:
            theirs.close()
            os.close(lifeline_read)
        _RUNNING.add(self)

    def end(self, patience: float = CLOSE_SECONDS) -> int:
        """Let it finish, then make it; the exit code. Once more does no harm."""
        if self.log.closed or self.owner != os.getpid():
            return self.popen.returncode
        self.connection.close()
        try:
            self._wait(patience)
        finally:  # also when Ctrl-C ends the waiting
            self.kill()
            self.lifeline.close()
            self.popen.wait()
            self._end_log()
        return self.popen.returncode

    def _wait(self, patience: float) -> None:
        """Until it has ended; its number stays taken, so that nothing else can be killed by it."""
        end, how = monotonic() + patience, os.WEXITED | os.WNOWAIT | os.WNOHANG
        while os.waitid(os.P_PID, self.popen.pid, how) is None and monotonic() < end:
            sleep(_POLL_SECONDS)

    def kill(self) -> None:
        """At once, with the processes that the simulator has started."""
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
        self.connection.close()
        self.lifeline.close()


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
