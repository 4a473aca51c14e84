"""One process at a time works on a folder of the cache, and cleans up even if it is ended."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from envs.provision.problems import unwritable


@contextmanager
def alone(folder: Path, what: str) -> Iterator[None]:
    """Hold ``folder`` for this process; tells that ``what`` waits if another one holds it."""
    from filelock import FileLock, Timeout  # workers, which import this package, do without

    lock = FileLock(folder.with_name(f".{folder.name}.lock"))
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            waiting = f"{what}: another process is setting it up, waiting"
            print(waiting, file=sys.stderr, flush=True)
            lock.acquire()
    except OSError as error:
        raise unwritable(folder.parent, error) from error
    try:
        with _orderly_end():
            yield
    finally:
        lock.release()


@contextmanager
def _orderly_end() -> Iterator[None]:
    """SIGTERM and SIGHUP become an exception, unless the program has plans of its own for them."""
    numbers = [
        number
        for number in (signal.SIGTERM, signal.SIGHUP)
        if threading.current_thread() is threading.main_thread()
        and signal.getsignal(number) is signal.SIG_DFL
    ]
    for number in numbers:
        signal.signal(number, _end)
    try:
        yield
    finally:
        for number in numbers:
            signal.signal(number, signal.SIG_DFL)


def _end(number: int, _: FrameType | None) -> None:
    sys.exit(128 + number)
