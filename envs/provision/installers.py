"""uv and pip: the commands that make a virtual environment and install into it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from envs.registry import Simulator
from envs.schema import ManigymError

CHOICE = "MANIGYM_INSTALLER"
RUNNING = sys.version_info[:2]
# What would let packages of other places look as if they were in the new environment.
_FOREIGN = ("PYTHONPATH", "PYTHONHOME", "PIP_TARGET", "PIP_PREFIX", "PIP_USER", "VIRTUAL_ENV")


@dataclass(frozen=True)
class Installer:
    """``create``: the command that makes a virtual environment, to be followed by its folder;
    ``install``: by requirements. Both may hold ``{python}``."""

    name: str
    create: tuple[str, ...]
    install: tuple[str, ...]

    def commands(
        self, folder: Path, base: str, requirements: Path, constraints: Path
    ) -> tuple[list[str], list[str]]:
        """Make ``folder`` with the interpreter ``base``; install into it."""
        inside = str(python_of(folder))
        create = [part.replace("{python}", base) for part in self.create]
        install = [part.replace("{python}", inside) for part in self.install]
        return [*create, str(folder)], [*install, "-r", str(requirements), "-c", str(constraints)]


def python_of(folder: Path) -> Path:
    """The interpreter of the virtual environment in ``folder``."""
    return folder / "bin" / "python"


def variables() -> dict[str, str]:
    """The environment variables of an installer: the user's, mirrors and proxies included."""
    kept = {name: value for name, value in os.environ.items() if name not in _FOREIGN}
    return {**kept, "NO_COLOR": "1"}


def choose() -> Installer:
    """uv where it is installed, else pip; ``MANIGYM_INSTALLER`` decides otherwise."""
    chosen = os.environ.get(CHOICE, "")
    if chosen not in ("", "pip", "uv"):
        raise ManigymError(f"{CHOICE}={chosen}: expected pip or uv")
    uv = None if chosen == "pip" else _uv()
    if chosen == "uv" and uv is None:
        raise ManigymError(f"{CHOICE}=uv, but there is no uv here: pip install uv")
    return _pip() if uv is None else uv


def _uv() -> Installer | None:
    found = shutil.which("uv")
    if found is None and find_spec("uv") is None:
        return None
    uv = (found,) if found else (sys.executable, "-m", "uv")
    create = (*uv, "venv", "--no-project", "--python", "{python}")
    return Installer("uv", create, (*uv, "pip", "install", "--python", "{python}"))


def _pip() -> Installer:
    """The pip of this interpreter, so that the new environment needs none; else its own."""
    options = ("--no-input", "--no-compile", "--progress-bar=off", "--disable-pip-version-check")
    venv = ("{python}", "-I", "-m", "venv")
    if find_spec("pip") is None:
        return Installer("pip", venv, ("{python}", "-I", "-m", "pip", "install", *options))
    pip = (sys.executable, "-P", "-m", "pip", "--python", "{python}", "install")
    return Installer("pip", (*venv, "--without-pip"), (*pip, *options))


def python_version(simulator: Simulator) -> tuple[int, int]:
    """The minor version of a simulator's own environment: this interpreter's, if not too new."""
    return min(RUNNING, simulator.newest_python)


def base_python(simulator: Simulator, installer: Installer) -> str:
    """What makes the environment: an interpreter, or a version that uv finds or downloads."""
    wanted = python_version(simulator)
    if wanted == RUNNING:
        return sys.executable
    dotted = ".".join(map(str, wanted))
    if installer.name == "uv":
        return dotted
    found = shutil.which(f"python{dotted}")
    if found is None or not _runs(found, wanted):
        raise ManigymError(
            f"{simulator.name} needs Python {dotted} or older; this is "
            f"{'.'.join(map(str, RUNNING))} and no python{dotted} on PATH works. Install it "
            "(with its venv module), or uv, which brings one: pip install uv"
        )
    return found


def _runs(python: str, version: tuple[int, int]) -> bool:
    """Whether it is that version indeed; a shim of pyenv may stand for nothing."""
    code = f"import sys, venv; sys.exit(sys.version_info[:2] != {version})"
    return subprocess.run([python, "-I", "-c", code], capture_output=True).returncode == 0
