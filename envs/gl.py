"""Choose MuJoCo's off-screen OpenGL backend before anything imports ``mujoco``.

MuJoCo reads ``MUJOCO_GL`` once, at import, and refuses to import at all when the named library is
missing. So: a value the user set is kept; otherwise the first backend whose library loads is named
(EGL first where there is a GPU, OSMesa first where there is none); with neither, a display is used
where there is one, else rendering is disabled and state observations still work. A display is the
last choice because ``DISPLAY`` often names one that is gone (ssh, tmux).
"""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

from envs.schema import ManigymError

_LIBRARIES = {"osmesa": ("libOSMesa.so.8", "libOSMesa.so"), "egl": ("libEGL.so.1",)}
# MuJoCo's other words for MUJOCO_GL (mujoco/rendering/classic/gl_context.py).
_OTHERS = (
    *("glfw", "glx", "cgl", "wgl", "", "enable", "enabled", "on", "true", "1"),
    *("disable", "disabled", "off", "false", "0"),
)


def select_backend() -> str:
    """Set ``MUJOCO_GL`` if it is unset, and return its value; one that cannot work raises."""
    asked = os.environ.get("MUJOCO_GL", "").lower().strip()
    if asked not in (*_LIBRARIES, *_OTHERS):
        raise ManigymError(f"MUJOCO_GL={asked}: choose osmesa, egl, glfw or disable, or unset it")
    if asked in _LIBRARIES and not _loads(asked):
        raise ManigymError(
            f"MUJOCO_GL={asked}, but {_LIBRARIES[asked][0]} cannot be loaded: install it "
            "(apt-get install libosmesa6 for osmesa, the GPU driver for egl) or unset MUJOCO_GL"
        )
    if "MUJOCO_GL" not in os.environ:
        has_gpu = Path("/dev/nvidia0").exists() or Path("/dev/dri/renderD128").exists()
        order = ("egl", "osmesa") if has_gpu else ("osmesa", "egl")
        otherwise = "glfw" if os.environ.get("DISPLAY") else "disable"
        os.environ["MUJOCO_GL"] = next((name for name in order if _loads(name)), otherwise)
        if os.environ["MUJOCO_GL"] in _LIBRARIES:
            os.environ.setdefault("PYOPENGL_PLATFORM", os.environ["MUJOCO_GL"])
    return os.environ["MUJOCO_GL"]


def _loads(backend: str) -> bool:
    for library in _LIBRARIES[backend]:
        try:
            ctypes.CDLL(library)
        except OSError:
            continue
        return True
    return False
