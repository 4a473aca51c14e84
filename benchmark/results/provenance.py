"""Where a number came from: versions, code, machine, hashes."""

from __future__ import annotations

import hashlib
import json
import platform
import subprocess
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import benchmark
from benchmark.machine import available_cores


def config_hash(config: Mapping[str, Any]) -> str:
    """12 hex digits over a JSON-able mapping, whatever the order of its keys."""
    text = json.dumps(config, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def slug(env_id: str) -> str:
    """``Adroit/door-v0`` -> ``Adroit-door-v0``, for file names."""
    return env_id.replace("/", "-")


def file_hash(path: Path) -> str:
    """sha256 of a file, hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def located(out: Path, cell: str) -> Path:
    """The file that a row of ``out``'s leaderboard names: relative to ``out``, or absolute."""
    return out / cell


def package_versions(packages: Sequence[str]) -> dict[str, str]:
    """Installed versions of distributions; ``missing`` where there is none."""
    return {name: _version(name) for name in packages}


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "missing"


@cache
def code_version() -> str:
    """Package version and, in a git checkout, its commit (``+dirty`` with uncommitted changes)."""
    root = Path(benchmark.__file__).resolve().parent.parent
    if not (root / ".git").exists():  # installed, perhaps below somebody else's repository
        return benchmark.__version__
    try:
        commit = _git(root, "rev-parse", "--short=12", "HEAD")
        dirty = "+dirty" if _git(root, "status", "--porcelain", "--untracked-files=no") else ""
    except (OSError, subprocess.CalledProcessError):
        return benchmark.__version__
    return f"{benchmark.__version__}+g{commit}{dirty}"


def _git(root: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", "-C", root, *arguments], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@cache
def machine() -> str:
    """CPU model, cores available to this process, GPU if torch sees one."""
    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [line for line in info.read_text().splitlines() if line.startswith("model name")]
        model = names[0].partition(":")[2].strip() if names else model
    return f"{model}, {available_cores()} cores"


def now() -> str:
    """UTC time, seconds, ISO 8601."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
