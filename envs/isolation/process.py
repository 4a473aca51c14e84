"""A link to an environment in a worker process: speak to it, watch over it, replace it."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import weakref
from dataclasses import asdict
from time import monotonic

from envs.isolation import messages
from envs.isolation.child import Child, Order
from envs.isolation.link import CLOSE_SECONDS, Link, Request, WorkerDied, close_all, rebuilt
from envs.isolation.memory import SlotArrays
from envs.isolation.server import CALL, DONE, ERROR, MESSAGE, Answer
from envs.isolation.worker import ATTACH
from envs.schema import Interface, ManigymError


class ProcessLink(Link):
    """One environment in a worker process. Started at once; :meth:`ready` waits for it."""

    def __init__(self, order: Order) -> None:
        self.order = order
        self._progress = 0
        self._closed = self._overdue = False
        self._start()

    def _start(self) -> None:
        self._process = Child(self.order)
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
