"""Which SAPIEN this Python has, checked before it is used; the only door to its adapters."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.metadata import version
from types import ModuleType
from typing import Any

from envs.sapien.malloc import keep_freed_memory
from envs.sapien.scene import Scene
from envs.schema import ManigymError
from envs.vulkan import prepare
from envs.vulkan.probe import Rendering

_OLD_NUMPY = """SAPIEN {sapien} with numpy {numpy}: some of its arrays would be silently wrong \
(every joint position equal to the first).
  Install an older one: pip install "numpy>=1.26,<2" """


@dataclass(frozen=True)
class Line:
    """One SAPIEN line, ready for use. ``shaders``: render profile -> shader folder."""

    scene: type[Any]
    shaders: Mapping[str, str]
    rendering: Rendering

    def new_scene(self, timestep: float) -> Scene:
        """An empty scene, seen where this machine can render."""
        return self.scene(timestep, self.rendering.ok)


@cache
def line() -> Line:
    """The installed line. Vulkan is made ready first: SAPIEN looks for it when imported."""
    major = version("sapien").partition(".")[0]
    if major == "2":
        check_numpy(version("sapien"), version("numpy"))
    rendering = prepare()
    adapter = _import(f"envs.sapien.v{major}", rendering)
    check_arrays(adapter.sapien.Pose().q, version("numpy"))
    keep_freed_memory()
    scene = getattr(adapter, f"Scene{major}")
    return Line(scene, {"fast": "trivial", "upstream": adapter.LIT_SHADER}, rendering)


def check_numpy(sapien: str, numpy: str) -> None:
    """Raise for SAPIEN 2 with numpy 2, which imports and runs, and computes nonsense."""
    if int(numpy.partition(".")[0]) >= 2:
        raise ManigymError(_OLD_NUMPY.format(sapien=sapien, numpy=numpy))


def check_arrays(identity: Any, numpy: str) -> None:
    """Raise unless the identity rotation, as SAPIEN returns it, is (1, 0, 0, 0)."""
    if [float(x) for x in identity] != [1.0, 0.0, 0.0, 0.0]:
        raise ManigymError(
            f"SAPIEN returns {[float(x) for x in identity]} for the identity rotation, expected "
            f"[1, 0, 0, 0]: it does not work with numpy {numpy}.\n"
            "  Install what it was built for: pip install -r envs/dexart/requirements.txt"
        )


def _import(adapter: str, rendering: Rendering) -> ModuleType:
    """Without SAPIEN's notice that it imports the deprecated ``pkg_resources``."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return import_module(adapter)
    except ImportError as error:
        reason = rendering.reason or "is its installation complete?"
        raise ManigymError(f"SAPIEN cannot be imported: {error}\n  {reason}") from error
