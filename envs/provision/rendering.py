"""Pictures where there is no Vulkan driver: a software driver, set up at first use."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from envs.cache import cache_folder
from envs.provision.consent import obtain
from envs.provision.environments import Environment
from envs.provision.lock import alone
from envs.provision.problems import unwritable
from envs.provision.process import ticker
from envs.schema import ManigymError
from envs.vulkan import lavapipe
from envs.vulkan.answers import forget
from envs.vulkan.probe import probe

COMMAND = "python -m benchmark setup rendering"
_WHAT = "rendering"
_failed: set[Path] = set()  # interpreters for which this process has been told why not


def install() -> Path:
    """Install the software driver where it is not complete; what the probe found is forgotten."""
    cache = cache_folder()
    forget()
    if lavapipe.complete(cache):
        return lavapipe.target_folder(cache)
    with alone(lavapipe.rendering_folder(cache), _WHAT), ticker(_WHAT) as show:
        return lavapipe.install(cache, show)


def remove() -> None:
    """Delete the software driver and what the probe found."""
    folder = lavapipe.rendering_folder(cache_folder())
    with alone(folder, _WHAT):
        try:
            shutil.rmtree(folder)
        except OSError as error:
            raise unwritable(folder, error) from error


def ensure_pictures(environment: Environment, pictures: bool) -> None:
    """Install the software driver if this SAPIEN has no other and is in need of one.

    ``pictures``: whether any will be asked for. SAPIEN 2 needs a Vulkan loader even to be imported.
    A refusal or a failure is told once and left to whoever needs a picture.
    """
    if os.environ.get("MANIGYM_RENDERING", "auto").lower() == "off":
        return
    version = environment.versions["sapien"]
    if environment.python in _failed or not (pictures or version.startswith("2.")):
        return
    if lavapipe.installed(cache_folder()) is not None:
        return
    found = probe(environment.python, version)
    if found.ok or (found.importable and not pictures):
        return
    try:
        obtain(
            f"SAPIEN {version} finds no Vulkan driver that works. A software driver draws on the "
            "CPU (58 MB to download, 200 MB on disk).",
            COMMAND,
            None,
        )
        install()
    except ManigymError as problem:
        _failed.add(environment.python)
        print(f"no pictures: {problem}", file=sys.stderr)
