"""A worker process, as its caller sees it: start, speak, watch over, end.

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
from dataclasses import asdict, dataclass, field
from pathlib import Path
from time import monotonic, sleep
from typing import IO, Any

from envs.isolation import messages
from envs.isolation.interpreter import Interpreter
from envs.isolation.link import CLOSE_SECONDS, Link, Request, WorkerDied, close_all, rebuilt
from envs.isolation.memory import SlotArrays
from envs.isolation.server import CALL, DONE, ERROR, MESSAGE, Answer
from envs.isolation.worker import ATTACH
from envs.registry import Simulator
from envs.schema import Interface, ManigymError

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
class _Process:
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


_RUNNING: weakref.WeakSet[_Process] = weakref.WeakSet()


def _let_go_of_all() -> None:
    for process in list(_RUNNING):
        process.let_go()


os.register_at_fork(after_in_child=_let_go_of_all)


class ProcessLink(Link):
    """One environment in a worker process. Started at once; :meth:`ready` waits for it."""

    def __init__(self, order: Order) -> None:
        self.order = order
        self._progress = 0
        self._closed = self._overdue = False
        self._start()

    def _start(self) -> None:
        self._process = _Process(self.order)
        self._finalizer = weakref.finalize(self, self._process.end, 0.0)
        order = {
            "simulator": asdict(self.order.simulator),
            "env": self.order.env,
            "options": dict(self.order.options),
        }
        try:
            with contextlib.suppress(ConnectionError):  # ready() reports the death
                messages.send(self._process.connection, MESSAGE, order)
        except TypeError as error:
            self.close()
            raise ManigymError(
                f"{self.order.env}: options of an isolated environment are plain data; {error}"
            ) from None

    @property
    def pid(self) -> int:
        return self._process.popen.pid

    def fileno(self) -> int:
        """For selectors: readable when an answer, or the end, has arrived."""
        return self._process.connection.fileno()

    def ready(self) -> None:
        """Wait until the environment stands; raises what kept it from doing so, with the remedy."""
        self._asked = self._since = monotonic()
        try:
            code, hello = self._take()
        except WorkerDied as death:
            raise ManigymError(f"{self.order.env}: {death}") from None
        if code == ERROR:
            self.close()
            if not hello["details"]:
                raise rebuilt(hello)
            raise ManigymError(
                f"{self.order.env} cannot start in {self.order.interpreter.python}: "
                f"{hello['kind']}: {hello['reason']}\n{hello['details']}".rstrip()
            )
        self.interface = Interface.from_dict(hello["interface"])
        self.chosen, self.versions = hello["chosen"], hello["versions"]

    def restart(self) -> None:
        """A new process in place of one that is gone, in the same row of the same arrays."""
        self._start()
        self.ready()
        self.attach(self.memory, self.slot)

    def attach(self, memory: SlotArrays, slot: int) -> None:
        super().attach(memory, slot)
        assert memory.descriptor is not None
        layout = [[f.name, list(f.shape), f.dtype] for f in memory.layout]
        order = {"layout": layout, "slots": memory.slots, "slot": slot}
        connection = self._process.connection
        with contextlib.suppress(ConnectionError):
            connection.send(ATTACH)
            socket.send_fds(connection, [b"f"], [memory.descriptor])
            messages.send(connection, b"", order)
        self._asked = self._since = monotonic()
        self._take()

    def _post(self, request: Request) -> None:
        if self._closed:
            raise ManigymError(f"{self.order.env}: this environment is closed, make another")
        if self._process.owner != os.getpid():
            raise ManigymError(
                f"{self.order.env}: this environment belongs to the process that forked this one; "
                "make another here"
            )
        self._asked = self._since = monotonic()
        connection = self._process.connection
        with contextlib.suppress(OSError):  # take() reports the death
            if request.kind == CALL:
                method, arguments = request.call
                call = {"method": method, "arguments": list(arguments)}
                messages.send(connection, CALL, call)
            else:
                connection.send(request.kind)

    def abandon(self) -> None:
        self._process.end(0.0)
        self.restart()

    def _take(self) -> Answer:
        connection = self._process.connection
        try:
            while not (code := self._first_byte()):
                self.end_if_overdue()
            return code, None if code == DONE else messages.receive(connection)
        except (EOFError, OSError):  # perhaps in mid-message
            raise self._death() from None

    def _first_byte(self) -> bytes:
        try:
            code = self._process.connection.recv(1)
        except BlockingIOError:  # SO_RCVTIMEO
            return b""
        if not code:
            raise EOFError
        return code

    def end_if_overdue(self) -> float:
        """Kill a worker that shows no sign of life; else, the seconds left to it."""
        now = monotonic()
        progress = int(self.row["progress"][0]) if hasattr(self, "row") else 0
        if progress != self._progress:
            self._progress, self._since = progress, now
        left = self._since + self.order.deadline - now
        if left <= 0:
            self._overdue = True
            self._process.kill()
        return left

    def _death(self) -> WorkerDied:
        code = self._process.end()
        self._finalizer.detach()
        waited = monotonic() - self._asked
        name = f" ({signal.Signals(-code).name})" if code < 0 else ""
        said = f"worker process ended with exit code {code}{name} after {waited:.0f} s"
        if self._overdue:
            said += f", the last {self.order.deadline:g} s of them without a simulator step"
        self._overdue = False
        tail = self._process.last_words
        return WorkerDied(f"{said}; its last output:\n{tail}" if tail else said)

    def hang_up(self) -> None:
        self._closed = True
        if self._process.owner == os.getpid():
            self._process.connection.close()

    def close(self, patience: float = CLOSE_SECONDS) -> None:
        self._closed = True
        self._process.end(patience)
        self._finalizer.detach()


def start(orders: list[Order]) -> list[ProcessLink]:
    """Start workers side by side and wait for all; one that cannot start ends the others."""
    links: list[ProcessLink] = []
    try:
        for order in orders:
            links.append(ProcessLink(order))
        for link in links:
            link.ready()
    except BaseException:
        close_all(links)
        raise
    return links
