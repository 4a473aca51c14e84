"""Main loop of a worker process; runs in the simulator's interpreter, speaks to one caller.

It ends when the caller closes the connection. Should the caller die, the kernel ends it: the read
end of the lifeline pipe is armed with ``SIGKILL``, which needs neither this process's attention
nor its interpreter lock, so that not even a hung simulator outlives its caller.
"""

from __future__ import annotations

import fcntl
import io
import os
import platform
import signal
import socket
import sys
import threading
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from envs.construct import construct
from envs.isolation.memory import Field, SlotArrays
from envs.isolation.messages import receive, send
from envs.isolation.server import CALL, DONE, ERROR, MESSAGE, EnvServer, described
from envs.provision.leash import arm
from envs.registry import Simulator, card_of

ATTACH = b"a"
_LOG_LIMIT, _LOG_KEPT = 8 << 20, 1 << 20  # bytes


def main(connection_fd: int, lifeline_fd: int) -> None:
    """Make the environment that the first message names, then answer until the caller is gone."""
    hold_on_to(lifeline_fd)
    fcntl.fcntl(1, fcntl.F_SETFL, fcntl.fcntl(1, fcntl.F_GETFL) | os.O_APPEND)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)  # last words must reach the log
    connection = socket.socket(fileno=connection_fd)
    if connection.recv(1) != MESSAGE:
        return
    server = _start(connection, receive(connection))
    if server is None:
        sys.exit(1)
    try:
        serve(connection, server)
    except (EOFError, ConnectionError):  # the caller ended in the middle of an exchange
        sys.stderr.write("the caller is gone\n")
    server.env.close()


def _start(connection: socket.socket, order: Mapping[str, Any]) -> EnvServer | None:
    try:
        simulator = Simulator(**order["simulator"])
        task = card_of(simulator, order["env"])
        env = construct(simulator, task, order["options"])
    except Exception as error:
        send(connection, ERROR, described(error))
        return None
    versions = package_versions(task.packages)
    hello = {"interface": env.interface.to_dict(), "chosen": env.chosen, "versions": versions}
    send(connection, MESSAGE, hello)
    return EnvServer(env)


def serve(connection: socket.socket, server: EnvServer) -> None:
    """Answer requests until the caller closes its end."""
    while request := connection.recv(1):
        if request == ATTACH:
            answer = _attach(connection, server)
        else:
            message = receive(connection) if request == CALL else None
            answer = server.handle(request, message)
        code, content = answer
        try:
            connection.send(DONE) if code == DONE else send(connection, code, content)
        except TypeError as error:  # nothing has been sent
            send(connection, ERROR, described(error))
        _bound_log()


def _attach(connection: socket.socket, server: EnvServer) -> tuple[bytes, Any]:
    _, (descriptor,), *_ = socket.recv_fds(connection, 1, 1)
    order = receive(connection)
    memory = SlotArrays(_layout(order["layout"]), order["slots"], descriptor)
    memory.close()  # the mapping stays
    server.attach(memory.row(order["slot"]))
    return DONE, None


def _layout(entries: Sequence[Sequence[Any]]) -> list[Field]:
    return [Field(name, tuple(shape), dtype) for name, shape, dtype in entries]


def package_versions(packages: Sequence[str]) -> dict[str, str]:
    """Versions of distributions in this interpreter, and of Python itself."""
    found = {"python": platform.python_version()}
    for name in packages:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "missing"
    return found


def hold_on_to(lifeline: int) -> None:
    """End this process, whatever it is doing, as soon as the pipe's other end is closed.

    And those that it has started: the caller made it the leader of a process group.
    """
    if sys.platform == "linux":
        arm(lifeline)
    else:
        threading.Thread(target=_watch, args=(lifeline,), daemon=True).start()


def _watch(lifeline: int) -> None:
    os.read(lifeline, 1)
    os.kill(os.getpid(), signal.SIGKILL)


def _bound_log() -> None:
    """A simulator that prints without end must not fill the disk: keep the newest part."""
    size = os.fstat(1).st_size
    if size > _LOG_LIMIT:
        newest = os.pread(1, _LOG_KEPT, size - _LOG_KEPT)
        os.ftruncate(1, 0)
        os.write(1, b"[older output dropped]\n" + newest)
