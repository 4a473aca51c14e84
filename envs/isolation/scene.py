"""A worker's environments, each answering on a connection of its own; runs beside the simulator."""

from __future__ import annotations

import select
import socket
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, version
from platform import python_version
from typing import Any

from envs.construct import construct
from envs.isolation.memory import Field, Row, SlotArrays
from envs.isolation.messages import packed, receive
from envs.isolation.server import CALL, DONE, ERROR, MESSAGE, Answer, EnvServer, described
from envs.registry import Simulator, card_of

ATTACH = b"a"


class Scene:
    """One environment, made when its first message arrives."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self._server: EnvServer | None = None
        self._row: Row | None = None
        self._unsent = memoryview(b"")

    def serve(self) -> bytes:
        """Wait for a request and execute it: the answer to send, ``b""`` when there is none."""
        request = self.connection.recv(1)
        if not request:
            return b""
        if self._server is None:
            return self._start()
        if request == ATTACH:
            code, content = self._attach(self._server)
        else:
            message = receive(self.connection) if request == CALL else None
            code, content = self._server.handle(request, message)
        return DONE if code == DONE else _packed(code, content)

    def turn(self) -> int:
        """Do one thing without waiting for the caller: the event of ``poll`` to wait for next.

        0: there will be none. What the caller does not fetch at once is kept: it may be waiting
        for the answer of another scene.
        """
        try:
            if not self._unsent:
                self._mark(True)
                self._unsent = memoryview(self.serve())
                self._mark(False)
            if not self._unsent:
                return 0
            sent = self.connection.send(self._unsent, socket.MSG_DONTWAIT)
            self._unsent = self._unsent[sent:]
        except BlockingIOError:
            pass
        return select.POLLOUT if self._unsent else select.POLLIN

    def _mark(self, busy: bool) -> None:
        """Who is being served is seen from outside; a new turn is a sign of life."""
        if self._row is not None:
            self._row["busy"][0] = busy
            self._row["progress"][0] += busy

    def _start(self) -> bytes:
        order = receive(self.connection)
        try:
            simulator = Simulator(**order["simulator"])
            task = card_of(simulator, order["env"])
            env = construct(simulator, task, order["options"])
        except Exception as error:
            return packed(ERROR, described(error))
        self._server = EnvServer(env)
        versions = package_versions(task.packages)
        hello = {"interface": env.interface.to_dict(), "chosen": env.chosen, "versions": versions}
        return packed(MESSAGE, hello)

    def _attach(self, server: EnvServer) -> Answer:
        _, (descriptor,), *_ = socket.recv_fds(self.connection, 1, 1)
        order = receive(self.connection)
        memory = SlotArrays(_layout(order["layout"]), order["slots"], descriptor)
        memory.close()  # the mapping stays
        self._row = memory.row(order["slot"])
        server.attach(self._row)
        return DONE, None

    def close(self) -> None:
        self.connection.close()
        if self._server is not None:
            self._server.env.close()


def serve_alone(scene: Scene, after_each: Callable[[], None]) -> None:
    """Answer until the caller hangs up; nothing but a blocking call on the way of a request."""
    connection = scene.connection
    try:
        while answer := scene.serve():
            connection.sendall(answer)
            after_each()
    except (EOFError, ConnectionError):
        _say_that_it_is_gone()
    scene.close()


def serve_together(scenes: Sequence[Scene], after_each: Callable[[], None]) -> None:
    """The same for several: one request at a time, those with a request in turn."""
    poll = select.poll()
    waiting = {scene.connection.fileno(): scene for scene in scenes}
    for descriptor in waiting:
        poll.register(descriptor, select.POLLIN)
    while waiting:
        for descriptor, _ in poll.poll():
            if event := _turn(waiting[descriptor]):
                poll.modify(descriptor, event)
            else:
                poll.unregister(descriptor)
                waiting.pop(descriptor).close()
            after_each()


def _turn(scene: Scene) -> int:
    try:
        return scene.turn()
    except (EOFError, ConnectionError):
        _say_that_it_is_gone()
        return 0


def _say_that_it_is_gone() -> None:
    sys.stderr.write("the caller is gone\n")  # in the middle of an exchange


def _packed(code: bytes, content: Any) -> bytes:
    try:
        return packed(code, content)
    except TypeError as error:
        return packed(ERROR, described(error))


def _layout(entries: Sequence[Sequence[Any]]) -> list[Field]:
    return [Field(name, tuple(shape), dtype) for name, shape, dtype in entries]


def package_versions(packages: Sequence[str]) -> dict[str, str]:
    """Versions of distributions in this interpreter, and of Python itself."""
    found = {"python": python_version()}
    for name in packages:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "missing"
    return found
