"""What the rendering probe found, kept below the cache folder.

An answer that can only get worse with a change that its key covers is kept for good. One that may
be the fault of a moment is believed for ten minutes: that nothing draws, or that the CPU draws on a
machine with a graphics device. A cache that cannot be written asks every time.
"""

from __future__ import annotations

import json
import tempfile
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

from envs.cache import cache_folder
from envs.vulkan.lavapipe import rendering_folder

PASSING = 600.0  # seconds
SOFTWARE = "llvmpipe"  # in the device name of every lavapipe, ours or the system's
_DEVICES = (("/dev", "nvidia*"), ("/dev/dri", "*"))


@dataclass(frozen=True)
class Rendering:
    """What was found: with ``environment`` set and ``libraries`` loaded, ``device`` draws.

    ``libraries``: absolute paths, each after those it needs. ``importable``: whether SAPIEN can be
    imported at all, be it for physics only. ``reason``: why not, and what to do; empty if ``ok``.
    """

    ok: bool
    device: str = ""
    environment: dict[str, str] = field(default_factory=dict)
    libraries: tuple[str, ...] = ()
    reason: str = ""
    importable: bool = True


def devices() -> list[str]:
    """Device files of graphics hardware, sorted."""
    return sorted(str(path) for folder, name in _DEVICES for path in Path(folder).glob(name))


def recall(key: str) -> Rendering | None:
    """The answer under a key; one that is too old or cannot be read is asked again."""
    path = _path(key)
    try:
        age = time.time() - path.stat().st_mtime
        stored = json.loads(path.read_text())
        found = Rendering(**{**stored, "libraries": tuple(stored["libraries"])})
    except (OSError, ValueError, TypeError, KeyError):
        return None
    return found if _lasting(found) or 0 <= age < PASSING else None


def _lasting(found: Rendering) -> bool:
    return found.ok and not (SOFTWARE in found.device and devices())


def remember(key: str, found: Rendering) -> None:
    """Under another name first: a reader sees the whole file or none."""
    path = _path(key)
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False) as partial:
            json.dump(asdict(found), partial)
        Path(partial.name).chmod(0o644)  # a cache may be shared
        Path(partial.name).replace(path)


def forget() -> None:
    """Ask anew from now on, whatever the answers were."""
    for path in rendering_folder(cache_folder()).glob("probe-*.json"):
        with suppress(OSError):
            path.unlink()


def _path(key: str) -> Path:
    return rendering_folder(cache_folder()) / f"probe-{key}.json"
