"""What a result could depend on besides the plan: machine, versions, files.

The same plan gives the same bits under the same conditions. Another processor type or another
version of a library may round differently, so conditions are stored with every episode, and two
tables are called comparable bit for bit only where they agree.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import sys
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import assets
import benchmark
import envs
import policies
from benchmark.results.files import write_whole
from benchmark.results.provenance import code_version, config_hash, machine, package_versions
from envs.pool import Pool
from envs.schema import CAMERA_MODALITIES, ManigymError
from policies.base import Policy

WITHOUT_EFFECT = ("isolation", "inference", "code_version")  # on results, by test
# The part of Manigym that decides what happens in an episode. What only counts, compares, checks
# and shows outcomes is left out: its figures are computed again from the records at any time.
CODE = ("assets", "envs", "policies", "benchmark/engine", "benchmark/evaluate.py")
SOURCES = {
    *(".py", ".pyx", ".so", ".c", ".cpp", ".cu"),
    *(".json", ".toml", ".txt", ".urdf", ".xml", ".yaml", ".yml"),
}
PICTURES = {*CAMERA_MODALITIES, "point_cloud"}
# Libraries of linear algebra add in another order under these.
VARIABLES = (
    *("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"),
    *("MKL_CBWR", "ATEN_CPU_CAPABILITY"),
)


def conditions(pool: Pool, policy: Policy, inference: str) -> dict[str, str]:
    """Of one task and policy, here and now: flat, readable, comparable key by key.

    ``inference``: how episodes shared calls of the policy. ``renderer``: what drew the pictures,
    empty where the policy sees none.
    """
    kind = type(policy)
    own = {
        "inference": inference,
        "renderer": _renderer(pool),
        "policy_code": policy_code(kind),
        "policy_packages": policy_packages(kind),
    }
    return surroundings(pool) | own | _torch()


def surroundings(pool: Pool) -> dict[str, str]:
    """The part of :func:`conditions` that recorded actions depend on: not what chose them."""
    simulator = pool.fingerprint()
    return {
        "machine": machine(),
        "platform": f"{platform.system()} {platform.machine()} {' '.join(platform.libc_ver())}",
        "isolation": pool.place,
        "simulator": _joined(pool.versions.items()),
        "simulator_numpy": simulator["numpy"],
        "simulator_files": simulator["files"],
        "python": platform.python_version(),
        "numpy": package_versions(["numpy"])["numpy"],
        "variables": _joined((v, os.environ[v]) for v in VARIABLES if v in os.environ),
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


def _joined(pairs: Iterable[tuple[str, str]]) -> str:
    return " ".join(f"{name}={value}" for name, value in pairs)


def _renderer(pool: Pool) -> str:
    seen = {key.partition("/")[0] for key in pool.interface.observation}
    return pool.render_device() if seen & PICTURES else ""


def _torch() -> dict[str, str]:
    """Only where the policy has loaded it: what its results depend on."""
    torch: Any = sys.modules.get("torch")
    if torch is None:
        return {}
    blas = re.search(r"BLAS_INFO=(\w+)", torch.__config__.show())
    return {
        "torch": torch.__version__,
        "torch_blas": blas[1] if blas else "unknown",
        "torch_threads": str(torch.get_num_threads()),
        "torch_cpu": torch.backends.cpu.get_cpu_capability(),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else "none",
    }


@cache
def code_hash() -> str:
    """32 hex digits over the source files of :data:`CODE`, wherever Manigym is installed."""
    homes = {m.__name__: Path(next(iter(m.__path__))) for m in (assets, benchmark, envs, policies)}
    parts = [part.partition("/") for part in CODE]
    return _hash_of(homes[package] / rest for package, _, rest in parts)


def policy_code(kind: type[Policy]) -> str:
    """32 hex digits over all source files of the package, or module, that a policy comes with.

    Of the whole of it, as a class leans on its neighbours: plugins are no part of :data:`CODE`.
    """
    home: Any = sys.modules.get(kind.__module__.partition(".")[0])
    paths = [*getattr(home, "__path__", ())] or [getattr(home, "__file__", None)]
    return _hash_of(map(Path, paths)) if all(paths) else "unknown"  # defined in a session


def policy_packages(kind: type[Policy]) -> str:
    """Versions of the distribution that registers a policy and of those that it names itself."""
    entry = {entry.name: entry for entry in entry_points(group=policies.GROUP)}.get(kind.name)
    own = [entry.dist.name] if entry and entry.dist and entry.load() is kind else []
    return _joined(package_versions([*own, *kind.packages]).items())


def _hash_of(places: Iterable[Path]) -> str:
    """Over files, and the source files in folders; not over where these lie."""
    total = hashlib.blake2b(digest_size=16)
    for place in places:
        inside = (file for file in place.rglob("*") if file.suffix in SOURCES)
        for file in [place] if place.is_file() else sorted(inside):
            total.update(f"{place.name}/{file.relative_to(place)}".encode())
            total.update(hashlib.blake2b(file.read_bytes()).digest())
    return total.hexdigest()
