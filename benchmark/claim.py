"""One writer per folder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from envs.schema import ManigymError


@contextmanager
def claimed(folder: Path) -> Iterator[None]:
    """Hold ``folder``, which need not exist yet, for this process; a second holder raises."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder.with_name(f".{folder.name}.lock"))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise ManigymError(
            f"{folder} is being written by another process; wait for it to end or choose "
            "another --out"
        ) from None
    try:
        yield
    finally:
        lock.release()
