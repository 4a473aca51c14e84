"""Start AI2-THOR: a Python package that talks to a Unity program, the build.

The package finds a build by its commit and downloads it into ``~/.ai2thor`` at first use. SPOC's
Stretch robot (lift, telescopic arm, wrist, second camera) needs the build of SPOC's own commit.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from envs.schema import ManigymError

# What SPOC trains and evaluates with: its utils/constants/stretch_initialization_utils.py.
SPOC_COMMIT = "5e43486351ac6339c399c199e601c9dd18daecc3"
# What ai2thor 5.0.0 takes when it is told nothing (ai2thor/_builds.py); older than SPOC's robot.
PACKAGE_COMMIT = "f0825767cd50d69f666c7f282e54abfe58f1e917"
PLATFORMS = ("CloudRendering", "Linux64", "OSXIntel64")
SERVER = "s3-us-west-2.amazonaws.com/ai2-thor-public"
# SPOC's STRETCH_ENV_ARGS, without its hooks for Objaverse's things.
_SETTINGS = {
    "agentMode": "stretch",
    "gridSize": 0.15,  # finer than a step of 0.2 m, for GetReachablePositions
    "visibilityDistance": 0.8673349051766235,  # of an arm that is stretched out
    "visibilityScheme": "Distance",
    "fieldOfView": 59,
    "useMassThreshold": True,
    "massThreshold": 10,
    "autoSimulation": False,
    "autoSyncTransforms": True,
    "snapToGrid": False,
    "cameraNearPlane": 0.01,
    "fastActionEmit": True,
}


@dataclass(frozen=True)
class Build:
    """Which Unity program runs: one of ``commit_id`` for ``platform``, found or downloaded by the
    package, or the one at ``local_executable_path``. ``server_timeout``: seconds for an answer."""

    commit_id: str = SPOC_COMMIT
    platform: str = "CloudRendering"
    local_executable_path: str | None = None
    server_timeout: float = 100.0

    def __post_init__(self) -> None:
        if self.platform not in PLATFORMS:
            raise ManigymError(
                f"platform={self.platform!r}: AI2-THOR's are {', '.join(PLATFORMS)}; "
                "CloudRendering draws without a display"
            )
        path = self.local_executable_path
        if path is not None and not Path(path).is_file():
            raise ManigymError(
                f"local_executable_path={path!r} is no file; it names the executable inside an "
                "unpacked AI2-THOR build, e.g. ~/.ai2thor/releases/thor-CloudRendering-"
                f"{SPOC_COMMIT}/thor-CloudRendering-{SPOC_COMMIT}"
            )


def open_controller(build: Build, height: int, width: int, depth: bool, segmentation: bool) -> Any:
    """A running ``ai2thor.controller.Controller``; what it cannot do it says in a ManigymError."""
    from ai2thor import platform
    from ai2thor.controller import Controller

    if build.local_executable_path is not None:
        where = {"local_executable_path": build.local_executable_path}
    else:
        where = {"commit_id": build.commit_id, "platform": getattr(platform, build.platform)}
    try:
        return Controller(
            **_SETTINGS,
            **where,
            scene="FloorPlan1",
            width=width,
            height=height,
            renderDepthImage=depth,
            renderInstanceSegmentation=segmentation,
            server_timeout=build.server_timeout,
        )
    except Exception as error:  # no build, no connection, no Vulkan, no display: all sorts
        raise ManigymError(_explained(build, error)) from error


def _explained(build: Build, error: Exception) -> str:
    said = f"{type(error).__name__}: {str(error).strip()}"
    if build.local_executable_path is not None:
        return (
            f"AI2-THOR did not start from local_executable_path={build.local_executable_path}\n"
            f"  ai2thor said: {said}\n"
            "  Is it a build for this machine, and are its libraries there (libvulkan1; a driver)?"
        )
    return (
        f"AI2-THOR did not start. Tried: the {build.platform} build of commit {build.commit_id}, "
        f"in ~/.ai2thor/releases and from {SERVER}\n"
        f"  ai2thor said: {said}\n"
        '  "no build exists" and connection errors mean that the build is not on this machine and\n'
        "  the server cannot be reached or does not have it. The first use needs network access\n"
        "  to it; without, copy an unpacked build here and name its executable,\n"
        "  env.local_executable_path=FILE (in Python: local_executable_path=FILE).\n"
        "  Other builds: env.commit_id=COMMIT env.platform=Linux64 (needs an X display)"
    )
