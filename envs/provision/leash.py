"""Become a command that the kernel kills when its caller is gone: ``leash.py FD COMMAND...``.

FD is the read end of a pipe whose other end the caller holds. What is armed here belongs to the
open file, so it outlives ``exec``: the command need not know. Standard library only.
"""

import fcntl
import os
import select
import signal
import sys

_F_SETSIG = 10  # Linux; absent from the fcntl module before Python 3.13


def arm(lifeline: int) -> None:
    """SIGKILL for this process group, whose leader this is, once the pipe's other end is closed."""
    if sys.platform != "linux":
        return
    fcntl.fcntl(lifeline, fcntl.F_SETOWN, -os.getpid())
    fcntl.fcntl(lifeline, _F_SETSIG, signal.SIGKILL)
    fcntl.fcntl(lifeline, fcntl.F_SETFL, fcntl.fcntl(lifeline, fcntl.F_GETFL) | os.O_ASYNC)
    if select.select([lifeline], [], [], 0)[0]:  # closed before anyone would have told
        os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    arm(int(sys.argv[1]))
    try:
        os.execvp(sys.argv[2], sys.argv[2:])
    except OSError as error:
        sys.exit(f"{sys.argv[2]}: {error.strerror}")
