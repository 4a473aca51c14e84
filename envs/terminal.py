"""Is somebody there?"""

from __future__ import annotations

from typing import TextIO


def interactive(stream: TextIO | None) -> bool:
    """Whether a standard stream is a terminal; it is None where the caller closed it (``2>&-``)."""
    return stream is not None and not stream.closed and stream.isatty()
