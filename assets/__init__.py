"""Files that ship with Manigym: models of our own, found by name."""

from __future__ import annotations

from pathlib import Path


def path(name: str) -> Path:
    """Absolute path of a packaged asset; raises ``FileNotFoundError`` naming what exists."""
    found = Path(__file__).parent / name
    if not found.is_file():
        have = ", ".join(sorted(p.name for p in found.parent.glob("*.xml")))
        raise FileNotFoundError(f"no asset {name!r}; packaged assets: {have}")
    return found
