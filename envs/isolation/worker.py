"""Main loop of a worker process; runs in the simulator's interpreter, speaks to one caller.

It ends when the caller has closed the connections of all its environments. Should the caller die,
the kernel ends it: the read end of the lifeline pipe is armed with ``SIGKILL``, which needs neither
this process's attention nor its interpreter lock, so that not even a hung simulator outlives its
caller.
"""

from __future__ import annotations

import fcntl
import io
import os
import signal
import socket
import sys
import threading

from envs.isolation.scene import Scene, serve_alone, serve_together
from envs.provision.leash import arm

_LOG_LIMIT, _LOG_KEPT = 8 << 20, 1 << 20  # bytes


def main(lifeline_fd: int, *connection_fds: int) -> None:
    """Make an environment per connection, then answer until the caller is gone."""
    hold_on_to(lifeline_fd)
    fcntl.fcntl(1, fcntl.F_SETFL, fcntl.fcntl(1, fcntl.F_GETFL) | os.O_APPEND)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)  # last words must reach the log
    scenes = [Scene(socket.socket(fileno=descriptor)) for descriptor in connection_fds]
    if len(scenes) == 1:
        serve_alone(scenes[0], _bound_log)
    else:
        serve_together(scenes, _bound_log)


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
