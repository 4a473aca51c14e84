"""Where Manigym keeps what it downloads and builds."""

import os
from pathlib import Path


def cache_folder() -> Path:
    """`$MANIGYM_CACHE`, else `$XDG_CACHE_HOME/manigym`, else `~/.cache/manigym` (not created)."""
    chosen = os.environ.get("MANIGYM_CACHE")
    if chosen:
        return Path(chosen).expanduser().absolute()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser().absolute() / "manigym"
