"""Pictures where there is no Vulkan driver: a software driver, set up at first use."""

from __future__ import annotations

import os
import sys

from envs.cache import cache_folder
from envs.provision.consent import obtain
from envs.provision.environments import Environment
from envs.provision.process import ticker
from envs.schema import ManigymError
from envs.vulkan import lavapipe
from envs.vulkan.probe import probe

COMMAND = "python -m benchmark setup rendering"


def ensure_pictures(environment: Environment) -> None:
    """Install the software driver if this SAPIEN has no other.

    Without it state observations still work (SAPIEN 3; SAPIEN 2 cannot be imported without a Vulkan
    loader), so a refusal or a failure is told and otherwise left to whoever needs a picture.
    """
    if os.environ.get("MANIGYM_RENDERING", "auto").lower() == "off":
        return
    if lavapipe.installed(cache_folder()) is not None:
        return
    if probe(environment.python, environment.versions["sapien"]).ok:
        return
    try:
        obtain(
            f"SAPIEN {environment.versions['sapien']} finds no Vulkan driver that works. A "
            "software driver draws on the CPU (58 MB to download, 200 MB on disk).",
            COMMAND,
            None,
        )
        with ticker("rendering") as show:
            lavapipe.install(cache_folder(), show)
    except ManigymError as problem:
        print(f"no pictures: {problem}", file=sys.stderr)
