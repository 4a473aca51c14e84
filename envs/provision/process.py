"""Run an installer: everything it says into a log file, its last line onto the screen."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from envs.provision.installers import variables

_POLL_SECONDS = 0.25
_LOG_SECONDS = 15.0
_WIDTH = 60


Show = Callable[[str], None]


@contextmanager
def ticker(what: str) -> Iterator[Show]:
    """A line on standard error: ``what``, what was shown last, and the time that has passed."""
    from tqdm import tqdm  # workers, which import this package's siblings, do without

    interval = 0.1 if sys.stderr.isatty() else _LOG_SECONDS
    with tqdm(bar_format="[{elapsed}] {desc}", desc=what, mininterval=interval) as line:

        def show(doing: str) -> None:
            line.set_description_str(f"{what}: {doing}", refresh=False)
            line.update()

        yield show


def run(command: Sequence[str], log: Path, show: Show) -> bool:
    """Whether the command ended well. It never outlives an exception here (Ctrl-C)."""
    with log.open("ab") as out:
        out.write(f"$ {' '.join(command)}\n".encode())
        out.flush()
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            cwd=log.parent,
            env=variables(),
            start_new_session=True,
        )
    try:
        while process.poll() is None:
            show(_doing(log))
            try:
                process.wait(_POLL_SECONDS)
            except subprocess.TimeoutExpired:
                continue
    finally:
        _end(process)
    return process.returncode == 0


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
