"""Progress bars: lively on a terminal, a line now and then in a log file."""

from __future__ import annotations

import sys
from typing import Any

from tqdm import tqdm

from envs.terminal import interactive

_LOG_SECONDS = 15.0


def progress(total: int, initial: int, what: str, unit: str) -> Any:
    """A bar on standard error for ``total`` units, ``initial`` of them done."""
    interval = 0.1 if interactive(sys.stderr) else _LOG_SECONDS
    return tqdm(
        total=total,
        initial=initial,
        desc=what,
        unit=unit,
        mininterval=interval,
        miniters=1,
        disable=sys.stderr is None,
    )


def note(text: str) -> None:
    """A line above the bar."""
    tqdm.write(text, file=sys.stderr)
