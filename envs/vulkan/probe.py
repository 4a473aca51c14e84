"""Which Vulkan driver renders with a given interpreter: tried in a subprocess, and remembered.

The answer is kept (:mod:`envs.vulkan.answers`) under a hash of what it depends on, so a new driver,
another SAPIEN or another ``VK_*`` variable asks again. Standard library and numpy only: worker
interpreters use it too.
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from envs.cache import cache_folder
from envs.vulkan.answers import Rendering, devices, recall, remember
from envs.vulkan.lavapipe import COMPILE, LAYER_NAME, Lavapipe, installed, rendering_folder

SCRIPT = Path(__file__).with_name("red_box.py")
ISOLATED = ("-I",)  # of workers with an environment of their own
TIMEOUT = 120.0  # seconds; a first picture takes 1 to 30
SETUP = "python -m benchmark setup rendering"
LIBRARIES = "apt-get install libvulkan1 libgl1 libx11-6 libglib2.0-0"
_DRIVER_FOLDERS = ("/etc/xdg", "/etc", "/usr/local/etc", "/usr/local/share", "/usr/share")
_DRIVER_VARIABLES = ("VK_ICD_FILENAMES", "VK_DRIVER_FILES", "VK_ADD_DRIVER_FILES")
_OTHER_VARIABLES = ("LD_LIBRARY_PATH", "CUDA_VISIBLE_DEVICES", "XDG_DATA_DIRS", "XDG_CONFIG_DIRS")
_PYTHON_VARIABLES = ("PYTHONPATH", "PYTHONHOME")


@dataclass(frozen=True)
class _Candidate:
    name: str
    environment: dict[str, str]
    libraries: tuple[str, ...]


def needs_layer(version: str) -> bool:
    """Whether this SAPIEN asks every driver for CUDA's extensions; 3.0.0 mended that."""
    return version.startswith("2.") or version == "3.0.0b1"


def probe(
    python: Path, version: str, flags: Sequence[str] = ISOLATED, timeout: float = TIMEOUT
) -> Rendering:
    """Whether, and how, SAPIEN ``version`` renders with this interpreter. Seconds, once.

    ``flags``: as of the process that is to import SAPIEN, so that both find the same modules.
    """
    cache = cache_folder()
    environment = without_private(os.environ, cache)
    key = fingerprint(python, version, flags, environment, cache)
    if (known := recall(key)) is not None:
        return known
    found, final = _try_all((str(python), *flags), version, environment, timeout)
    if final:
        remember(key, found)
    return found


def own_flags() -> tuple[str, ...]:
    """Flags that make another interpreter find the modules that this one finds."""
    return ISOLATED if sys.flags.isolated else ("-P",)  # -P: nothing beside the probe's script


def without_private(environment: Mapping[str, str], cache: Path) -> dict[str, str]:
    """The environment less what a parent process set to use the private driver."""
    own = (str(rendering_folder(cache)), LAYER_NAME)
    return {
        name: value
        for name, value in environment.items()
        if not (name.startswith("VK_") and any(mark in value for mark in own))
    }


def fingerprint(
    python: Path,
    version: str,
    flags: Sequence[str],
    environment: Mapping[str, str],
    cache: Path,
) -> str:
    """A hash of everything that can change the answer."""
    private = installed(cache)
    others = _OTHER_VARIABLES + (() if "-I" in flags else _PYTHON_VARIABLES)
    variables = {k: v for k, v in environment.items() if k.startswith("VK_") or k in others}
    facts = {
        "python": str(python.absolute()),
        "sapien": version,
        "flags": [*flags],
        "script": hashlib.sha256(SCRIPT.read_bytes()).hexdigest(),
        "variables": variables,
        "drivers": [(str(path), path.stat().st_mtime_ns) for path in _drivers(environment)],
        # Installing a shared library renews this file: libvulkan1 may have come or gone.
        "libraries": _changed(Path("/etc/ld.so.cache")),
        "devices": devices(),
        "private": [str(private.folder), private.has_layer] if private else None,
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:24]


def _changed(path: Path) -> int | None:
    return path.stat().st_mtime_ns if path.exists() else None


def _drivers(environment: Mapping[str, str]) -> Iterator[Path]:
    """Driver descriptions that the Vulkan loader reads, in the folders it documents."""
    home = environment.get("HOME", "")
    roots = [*_DRIVER_FOLDERS, f"{home}/.local/share", f"{home}/.config"]
    for variable in ("XDG_CONFIG_HOME", "XDG_CONFIG_DIRS", "XDG_DATA_HOME", "XDG_DATA_DIRS"):
        roots += environment.get(variable, "").split(":")
    named = [p for v in _DRIVER_VARIABLES for p in environment.get(v, "").split(":") if p]
    for root in sorted({root for root in roots if root}):
        yield from sorted((Path(root) / "vulkan" / "icd.d").glob("*.json"))
    yield from (Path(p) for p in named if Path(p).exists())


def _candidates(private: Lavapipe | None, version: str) -> Iterator[_Candidate]:
    yield _Candidate("the system's Vulkan driver", {}, ())
    if private is not None:
        yield _Candidate("the system's driver, private libraries", {}, private.libraries)
        chosen = private.environment(layer=needs_layer(version))
        yield _Candidate("the private software driver", chosen, private.libraries)


def _try_all(
    python: Sequence[str], version: str, environment: Mapping[str, str], timeout: float
) -> tuple[Rendering, bool]:
    """The first candidate that renders, else all reasons; and whether the answer is final."""
    private, failures, final = installed(cache_folder()), [], True
    fallback = Rendering(ok=False, importable=False)
    for candidate in _candidates(private, version):
        result, timed_out = _try(candidate, python, version, environment, timeout)
        if result.ok:
            return result, True
        if result.importable and not fallback.importable:
            fallback = result
        failures.append(f"{candidate.name}: {result.reason}")
        # A busy machine may be faster next time.
        final = final and not timed_out
    remedy = _remedy(private, version, fallback.importable)
    what = "render" if fallback.importable else "be imported"
    reason = f"SAPIEN {version} cannot {what} here ({'; '.join(failures)}). {remedy}"
    return replace(fallback, reason=reason, environment={}), final


def _remedy(private: Lavapipe | None, version: str, importable: bool) -> str:
    if private is None:
        return f"Install a software driver: {SETUP}" + ("" if importable else f"; or {LIBRARIES}")
    if not importable:
        return f"Install what it loads: {LIBRARIES}"
    if needs_layer(version) and not private.has_layer:
        return f"SAPIEN {version} needs a small layer to be compiled: {COMPILE}"
    return f"Delete {private.folder} and run {SETUP} again, or install a Vulkan driver"


def _try(
    candidate: _Candidate,
    python: Sequence[str],
    version: str,
    environment: Mapping[str, str],
    timeout: float,
) -> tuple[Rendering, bool]:
    """The answer for one candidate, and whether it ran out of time."""
    try:
        done = subprocess.run(
            [*python, str(SCRIPT), version, *candidate.libraries],
            env={**environment, **candidate.environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=timeout,
            check=False,
        )
    except subprocess.TimeoutExpired as late:
        facts = _facts(late.stdout or b"")
        return _answer(candidate, facts, f"no picture within {timeout:g} s"), True
    except OSError as error:
        return _answer(candidate, {}, f"cannot run {python[0]}: {error}"), False
    facts = _facts(done.stdout)
    return _answer(candidate, facts, _reason(done, facts, version)), False


def _answer(candidate: _Candidate, facts: Mapping[str, Any], reason: str) -> Rendering:
    return Rendering(
        ok=not reason,
        device=str(facts.get("device", "")),
        environment=candidate.environment,
        libraries=tuple(facts.get("libraries", ())),
        reason=reason,
        importable=facts.get("imported") is True,
    )


def _facts(output: bytes) -> dict[str, Any]:
    """The JSON objects among the lines of output; SAPIEN and drivers print there as well."""
    facts: dict[str, Any] = {}
    for line in output.decode(errors="replace").splitlines():
        if line.startswith("{"):
            try:
                facts.update(json.loads(line))
            except ValueError:
                continue
    return facts


def _reason(
    done: subprocess.CompletedProcess[bytes], facts: Mapping[str, Any], version: str
) -> str:
    """Why there is no picture; empty where there is one."""
    if done.returncode < 0:
        name = signal.Signals(-done.returncode).name
        usual = " (SAPIEN 2 does so where there is no driver)" if version.startswith("2.") else ""
        return f"the process died of {name}{usual}"
    if done.returncode:
        lines = done.stderr.decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else f"exit status {done.returncode}"
    if "picture" not in facts:
        return "the probe ended without an answer"
    return "" if facts["picture"] is True else f"{facts.get('device')} drew a wrong picture"
