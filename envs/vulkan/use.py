"""Make ``import sapien`` and its renderer work in this process."""

from __future__ import annotations

import ctypes
import os
import sys
import warnings
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from envs.cache import cache_folder
from envs.schema import ManigymError
from envs.vulkan.answers import Rendering
from envs.vulkan.lavapipe import installed
from envs.vulkan.probe import own_flags, probe, without_private
from envs.vulkan.red_box import load_missing

_OFF = Rendering(ok=False, reason="rendering is switched off: MANIGYM_RENDERING=off")


@cache
def prepare() -> Rendering:
    """Call before ``import sapien``: selects the Vulkan driver that works and loads its libraries.

    Returns what was found; ``ok=False`` says in ``reason`` why there are no pictures. Physics works
    even then. Raises where SAPIEN cannot even be imported: 2.x needs ``libvulkan.so.1`` for that.
    """
    asked = os.environ.get("MANIGYM_RENDERING", "auto").lower()
    if asked not in ("auto", "off"):
        raise ManigymError(f"MANIGYM_RENDERING={asked}: choose auto or off, or unset it")
    if asked == "off":
        private = installed(cache_folder())
        load_missing(list(private.libraries) if private else [])  # SAPIEN 2's import needs them
        return _OFF
    rendering = probe(Path(sys.executable), _sapien_version(), own_flags())
    if not rendering.importable:
        raise ManigymError(rendering.reason)
    _apply(rendering)
    return rendering


def _sapien_version() -> str:
    try:
        return version("sapien")
    except PackageNotFoundError as error:
        raise ManigymError(f"SAPIEN is not installed in {sys.executable}") from error


def _apply(rendering: Rendering) -> None:
    kept = without_private(os.environ, cache_folder())
    for name in set(os.environ) - set(kept):
        del os.environ[name]
    os.environ.update(rendering.environment)
    # LD_LIBRARY_PATH is read once, at the start of a process; a library that is loaded already is
    # what the dynamic linker uses for every later request for its name.
    for path in rendering.libraries:
        ctypes.CDLL(path)
    # SAPIEN 3 brings a Vulkan loader of its own, which serves as well.
    warnings.filterwarnings("ignore", message="Failed to find system libvulkan")
