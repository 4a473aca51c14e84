"""Run an installer: everything it says into a log file, its last line onto the screen.

It ends with this process, however that ends.
"""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from envs.provision import leash
from envs.provision.installers import variables
from envs.terminal import interactive

_POLL_SECONDS = 0.25
_LOG_SECONDS = 15.0
_WIDTH = 60


Show = Callable[[str], None]


@contextmanager
def ticker(what: str) -> Iterator[Show]:
    """A line on standard error: ``what``, what was shown last, and the time that has passed."""
    from tqdm import tqdm  # workers, which import this package's siblings, do without

    interval = 0.1 if interactive(sys.stderr) else _LOG_SECONDS
    silent, bar = sys.stderr is None, "[{elapsed}] {desc}"
    with tqdm(bar_format=bar, desc=what, mininterval=interval, disable=silent) as line:

        def show(doing: str) -> None:
            line.set_description_str(f"{what}: {doing}", refresh=False)
            line.update()

        yield show


def run(command: Sequence[str], log: Path, show: Show) -> bool:
    """Whether the command ended well."""
    with log.open("ab") as out:
        out.write(f"$ {' '.join(command)}\n".encode())
        out.flush()
        with started(command, stdout=out, stderr=out, cwd=log.parent, env=variables()) as process:
            while process.poll() is None:
                show(_doing(log))
                try:
                    process.wait(_POLL_SECONDS)
                except subprocess.TimeoutExpired:
                    continue
    return process.returncode == 0


@contextmanager
def started(command: Sequence[str], **options: Any) -> Iterator[subprocess.Popen[bytes]]:
    """A process that outlives neither this block (Ctrl-C) nor this process (``kill -9``)."""
    read, write = os.pipe()
    # Not one of the standard streams, should the caller have closed them.
    lifeline = fcntl.fcntl(read, fcntl.F_DUPFD_CLOEXEC, 3)
    os.close(read)
    try:
        process = subprocess.Popen(
            [sys.executable, "-IS", leash.__file__, str(lifeline), *command],
            stdin=subprocess.DEVNULL,
            pass_fds=(lifeline,),
            start_new_session=True,
            **options,
        )
        try:
            yield process
        finally:
            _end(process)
    finally:
        os.close(lifeline)
        os.close(write)


def _doing(log: Path) -> str:
    """The last thing said, e.g. ``Collecting numpy``, fit for one line."""
    lines = [line.strip() for line in tail(log).splitlines()]
    telling = [line for line in lines if line and not line.startswith(("$", "WARNING"))]
    last = telling[-1].split(" (from ")[0] if telling else "starting"
    return last if len(last) <= _WIDTH else f"{last[: _WIDTH - 1]}…"


def tail(log: Path, size: int = 4000) -> str:
    """The end of a log file."""
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - size))
        return file.read().decode(errors="replace")


def _end(process: subprocess.Popen[bytes]) -> None:
    """Stop the command and whatever it started."""
    if process.poll() is not None:
        return
    for number, patience in ((signal.SIGTERM, 3.0), (signal.SIGKILL, None)):
        os.killpg(process.pid, number)
        try:
            process.wait(patience)
            return
        except subprocess.TimeoutExpired:
            continue
