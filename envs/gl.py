"""Choose MuJoCo's off-screen OpenGL backend before anything imports ``mujoco``.

MuJoCo reads ``MUJOCO_GL`` once, at import, and refuses to import at all when the named library is
missing. So: a value the user set is kept; otherwise the first backend whose library loads is named
(EGL first where there is a GPU, OSMesa first where there is none); with neither, rendering is
disabled and state observations still work.
"""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

_LIBRARIES = {"osmesa": ("libOSMesa.so.8", "libOSMesa.so"), "egl": ("libEGL.so.1",)}


def select_backend() -> str:
    """Set ``MUJOCO_GL`` if it is unset, and return its value."""
    if "MUJOCO_GL" not in os.environ and not os.environ.get("DISPLAY"):
        has_gpu = Path("/dev/nvidia0").exists() or Path("/dev/dri/renderD128").exists()
        order = ("egl", "osmesa") if has_gpu else ("osmesa", "egl")
        os.environ["MUJOCO_GL"] = next((name for name in order if _loads(name)), "disable")
        if os.environ["MUJOCO_GL"] != "disable":
            os.environ.setdefault("PYOPENGL_PLATFORM", os.environ["MUJOCO_GL"])
    return os.environ.get("MUJOCO_GL", "glfw")


def _loads(backend: str) -> bool:
    for library in _LIBRARIES[backend]:
        try:
            ctypes.CDLL(library)
        except OSError:
            continue
        return True
    return False
