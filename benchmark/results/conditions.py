"""What a result could depend on besides the plan: machine, versions, files.

The same plan gives the same bits under the same conditions. Another processor type or another
version of a library may round differently, so conditions are stored with every episode, and two
tables are called comparable bit for bit only where they agree.
"""

from __future__ import annotations

import hashlib
import inspect
import json
import os
import platform
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import assets
import benchmark
import envs
import policies
from benchmark.results.files import write_whole
from benchmark.results.provenance import (
    code_version,
    config_hash,
    file_hash,
    machine,
    package_versions,
)
from envs.pool import Pool
from envs.schema import ManigymError
from policies.base import Policy

WITHOUT_EFFECT = ("isolation", "inference", "code_version")  # on results, by test
SOURCES = {".py", ".c", ".json", ".txt", ".xml", ".urdf"}


def conditions(pool: Pool, policy: Policy, inference: str) -> dict[str, str]:
    """Of one task and policy, here and now: flat, readable, comparable key by key.

    ``inference``: how episodes shared calls of the policy.
    """
    own = {"inference": inference, "policy_code": policy_code(type(policy))}
    return surroundings(pool) | own | _torch()


def surroundings(pool: Pool) -> dict[str, str]:
    """The part of :func:`conditions` that recorded actions depend on: all but the policy's."""
    simulator = pool.fingerprint()
    return {
        "machine": machine(),
        "platform": f"{platform.system()} {platform.machine()} {' '.join(platform.libc_ver())}",
        "isolation": pool.place,
        "simulator": " ".join(f"{name}={number}" for name, number in pool.versions.items()),
        "simulator_numpy": simulator["numpy"],
        "simulator_files": simulator["files"],
        "python": platform.python_version(),
        "numpy": package_versions(["numpy"])["numpy"],
        "code_version": code_version(),
        "code": code_hash(),
    }


def identity(found: Mapping[str, str]) -> str:
    """12 hex digits that name these conditions."""
    return config_hash(found)


def store(run: Path, found: Mapping[str, str]) -> str:
    """Keep them in ``conditions/<identity>.json`` of a run; return the identity."""
    name = identity(found)
    write_whole(run / "conditions" / f"{name}.json", _content(found))
    return name


def read(run: Path, name: str) -> dict[str, str]:
    """What :func:`store` kept; a missing, damaged or changed file raises ``ManigymError``."""
    file = run / "conditions" / f"{name}.json"
    try:
        content = file.read_bytes()
        found: dict[str, str] = json.loads(content)
    except (OSError, ValueError) as error:
        raise ManigymError(f"{file} cannot be read ({error}); restore it from a copy") from None
    if identity(found) != name or content != _content(found):
        raise ManigymError(f"{file} was changed after it was written; restore it from a copy")
    return found


def _content(found: Mapping[str, str]) -> bytes:
    return json.dumps(found, indent=1).encode()


def _torch() -> dict[str, str]:
    """Only where the policy has loaded it: what its results depend on."""
    torch: Any = sys.modules.get("torch")
    if torch is None:
        return {}
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else "none"
    return {
        "torch": torch.__version__,
        "torch_threads": str(torch.get_num_threads()),
        "torch_cpu": torch.backends.cpu.get_cpu_capability(),
        "gpu": gpu,
        "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", ""),
    }


@cache
def code_hash() -> str:
    """32 hex digits over the source files of Manigym, wherever it is installed."""
    total = hashlib.blake2b(digest_size=16)
    for package in (assets, benchmark, envs, policies):
        home = Path(next(iter(package.__path__)))
        for file in sorted(f for f in home.rglob("*") if f.suffix in SOURCES):
            total.update(f"{home.name}/{file.relative_to(home)}".encode())
            total.update(hashlib.blake2b(file.read_bytes()).digest())
    return total.hexdigest()


def policy_code(kind: type[Policy]) -> str:
    """The policy's own source file: plugins are not part of :func:`code_hash`."""
    try:
        return file_hash(Path(inspect.getfile(kind)))[:32]
    except (OSError, TypeError):  # defined in a session
        return "unknown"
