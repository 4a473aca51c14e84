"""A link to an environment in a worker process: speak to it, watch over it, replace it."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
from collections.abc import Sequence
from dataclasses import asdict
from time import monotonic

from envs.isolation import messages
from envs.isolation.child import Child, Order
from envs.isolation.link import CLOSE_SECONDS, Link, Request, WorkerDied, close_all, rebuilt
from envs.isolation.memory import SlotArrays
from envs.isolation.scene import ATTACH
from envs.isolation.server import CALL, DONE, ERROR, MESSAGE, Answer
from envs.isolation.workplace import Workplace
from envs.schema import Interface, ManigymError


class ProcessLink(Link):
    """Scene number ``scene`` of a worker, which may hold others. :meth:`ready` waits for it.

    When the worker dies, the environments of all its links are lost; each learns it from its own
    connection, with the answer that it waits for or with its next one.
    """

    def __init__(self, workplace: Workplace, scene: int = 0) -> None:
        self._workplace, self._scene, self.order = workplace, scene, workplace.order
        self._closed = False
        self._join(workplace.child)

    def _join(self, child: Child) -> None:
        self._child, self._watch = child, child.watch
        self._connection = child.connections[self._scene]
        order = {
            "simulator": asdict(self.order.simulator),
            "env": self.order.env,
            "options": dict(self.order.options),
        }
        try:
            with contextlib.suppress(ConnectionError):  # the answer to it reports the death
                messages.send(self._connection, MESSAGE, order)
        except TypeError as error:
            self.close()
            raise ManigymError(
                f"{self.order.env}: options of an isolated environment are plain data; {error}"
            ) from None

    @property
    def pid(self) -> int:
        """Of the worker."""
        return self._child.popen.pid

    def fileno(self) -> int:
        """For selectors: readable when an answer, or the end, has arrived."""
        return self._connection.fileno()

    def ready(self) -> None:
        """Wait until the environment stands; raises what kept it from doing so, with the remedy."""
        try:
            self._greet()
        except WorkerDied as death:
            raise ManigymError(f"{self.order.env}: {death}") from None

    def _greet(self) -> None:
        self._start_clock()
        code, hello = self._take()
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
        """The environment anew, in the same row of the same arrays.

        In a new process, or in the one that another link of the lost one has started since. There
        the other's request may end it again.
        """
        while True:
            self._connection.close()
            self._join(self._workplace.replacement(self._child))
            try:
                self._greet()
                return self.attach(self.memory, self.slot)
            except WorkerDied as death:
                if death.own:
                    raise ManigymError(f"{self.order.env}: {death}") from None

    def attach(self, memory: SlotArrays, slot: int) -> None:
        super().attach(memory, slot)
        assert memory.descriptor is not None
        layout = [[f.name, list(f.shape), f.dtype] for f in memory.layout]
        order = {"layout": layout, "slots": memory.slots, "slot": slot}
        self.row["busy"][0] = False  # of a process before
        self._watch.rows[self._scene] = self.row
        with contextlib.suppress(ConnectionError):
            self._connection.send(ATTACH)
            socket.send_fds(self._connection, [b"f"], [memory.descriptor])
            messages.send(self._connection, b"", order)
        self._start_clock()
        self._take()

    def _post(self, request: Request) -> None:
        if self._closed:
            raise ManigymError(f"{self.order.env}: this environment is closed, make another")
        if self._child.owner != os.getpid():
            raise ManigymError(
                f"{self.order.env}: this environment belongs to the process that forked this one; "
                "make another here"
            )
        self._start_clock()
        connection = self._connection
        with contextlib.suppress(OSError):  # take() reports the death
            if request.kind == CALL:
                method, arguments = request.call
                call = {"method": method, "arguments": list(arguments)}
                messages.send(connection, CALL, call)
            else:
                connection.send(request.kind)

    def _start_clock(self) -> None:
        self._asked = self._watch.since = monotonic()

    def abandon(self) -> None:
        self.restart()

    def _take(self) -> Answer:
        connection = self._connection
        try:
            while not (code := self._first_byte()):
                self.end_if_overdue()
            return code, None if code == DONE else messages.receive(connection, self.end_if_overdue)
        except (EOFError, OSError):  # perhaps in mid-message
            raise self._death() from None

    def _first_byte(self) -> bytes:
        try:
            code = self._connection.recv(1)
        except BlockingIOError:  # SO_RCVTIMEO
            return b""
        if not code:
            raise EOFError
        return code

    def end_if_overdue(self) -> float:
        """Kill a worker that shows no sign of life; else, the seconds left to it."""
        left = self._watch.left()
        if left <= 0:
            self._child.kill()
        return left

    def _death(self) -> WorkerDied:
        self._child.reap()
        code, words = self._child.exit_code, self._child.last_words
        waited = monotonic() - self._asked
        name = f" ({signal.Signals(-code).name})" if code < 0 else ""
        said = f"worker process ended with exit code {code}{name} after {waited:.0f} s"
        if self._watch.overdue:
            said += f", the last {self.order.deadline:g} s of them without a simulator step"
        own = not self._child.culprits or self._scene in self._child.culprits
        if not own:
            said += ", in a request of another of its environments"
        return WorkerDied(f"{said}; its last output:\n{words}" if words else said, own)

    def hang_up(self) -> None:
        self._closed = True
        self._connection.close()
        self._workplace.leave(self._scene)

    def close(self, patience: float = CLOSE_SECONDS) -> None:
        self.hang_up()
        self._workplace.close(patience)


def start(orders: Sequence[Order], slots: int | None = None) -> list[ProcessLink]:
    """Start workers side by side and wait for all; one that cannot start ends the others.

    ``slots``: environments in all (default one per worker), dealt out in turn, so that neighbours
    are in different workers.
    """
    count = len(orders)
    slots = count if slots is None else slots
    links: list[ProcessLink] = []
    places: list[Workplace] = []
    try:
        for first, order in enumerate(orders[:slots]):
            places.append(Workplace(order, range(first, slots, count)))
        for slot in range(slots):
            links.append(ProcessLink(places[slot % count], slot))
        for link in links:
            link.ready()
    except BaseException:
        close_all(links)
        for place in places:
            place.child.end(0.0)
        raise
    return links
