"""Mesa's software Vulkan driver (lavapipe), installed for one user below the cache folder.

Layout of ``<cache>/rendering/lavapipe-<hash>/``::

    icd.json        names the driver to the Vulkan loader
    lib/            the driver, the Vulkan loader, the libraries that they and SAPIEN load
    include/        Vulkan headers, to compile the layer
    layers/         layer.json and the compiled layer.c; empty where there is no C compiler

The hash is that of the package table and of the layer, so a change of either installs anew. JSON
files name libraries relative to themselves, which the loader defines: the folder can be moved.
"""

from __future__ import annotations

import hashlib
import json
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from envs.schema import ManigymError
from envs.vulkan.debian import OTHERWISE, download, unpack
from envs.vulkan.packages import DRIVER, GLIBC, HEADERS, LIBRARIES, PACKAGES, Package

LAYER_SOURCE = Path(__file__).with_name("layer.c")
LAYER_NAME = "VK_LAYER_MANIGYM_drop_extensions"
LAYER_LIBRARY = "libmanigym_layer.so"
COMPILE = "apt-get install gcc libc6-dev, then python -m benchmark setup rendering"
_DRIVER_JSON = "lvp_icd.json"


@dataclass(frozen=True)
class Lavapipe:
    """An installed copy: where its parts are and what selects it."""

    folder: Path

    @property
    def libraries(self) -> tuple[str, ...]:
        """Absolute paths of the shared libraries, each after those that it needs."""
        return tuple(str(self.folder / "lib" / name) for name in LIBRARIES)

    @property
    def has_layer(self) -> bool:
        """Whether the layer was compiled."""
        return (self.folder / "layers" / LAYER_LIBRARY).is_file()

    def environment(self, layer: bool) -> dict[str, str]:
        """Environment variables that make the Vulkan loader use this driver (and the layer)."""
        # VK_DRIVER_FILES is the new name; older loaders know only VK_ICD_FILENAMES, and SAPIEN
        # 2.x looks at that one alone before it puts its own choice there.
        icd = str(self.folder / "icd.json")
        chosen = {"VK_ICD_FILENAMES": icd, "VK_DRIVER_FILES": icd}
        if layer and self.has_layer:
            chosen["VK_LAYER_PATH"] = str(self.folder / "layers")
            chosen["VK_INSTANCE_LAYERS"] = LAYER_NAME
        return chosen


def rendering_folder(cache: Path) -> Path:
    """The part of the cache that belongs to rendering."""
    return cache / "rendering"


def target_folder(cache: Path) -> Path:
    """Where :func:`install` puts the driver."""
    digest = hashlib.sha256(repr(PACKAGES).encode() + LAYER_SOURCE.read_bytes()).hexdigest()
    return rendering_folder(cache) / f"lavapipe-{digest[:12]}"


def installed(cache: Path) -> Lavapipe | None:
    """The private driver, if there is one."""
    folder = target_folder(cache)
    return Lavapipe(folder) if folder.is_dir() else None


def complete(cache: Path) -> bool:
    """Whether :func:`install` would find nothing to do."""
    found = installed(cache)
    return found is not None and (found.has_layer or _compiler() is None)


def install(cache: Path, progress: Callable[[str], None]) -> Path:
    """Install the driver (58 MB to download, 200 MB on disk) and return its folder.

    Does nothing where it is there already, except to compile the layer if that is missing. One
    process at a time: :func:`envs.provision.rendering.install` sees to that.
    """
    _check_machine()
    folder = target_folder(cache)
    try:
        if not folder.is_dir():
            folder.parent.mkdir(parents=True, exist_ok=True)
            _build(folder, progress)
        if not Lavapipe(folder).has_layer:
            _compile_layer(folder, progress)
    except OSError as error:
        raise ManigymError(
            f"cannot write {folder}: {error}. It needs 400 MB; MANIGYM_CACHE names another folder"
        ) from error
    return folder


def _check_machine() -> None:
    machine, (libc, version) = platform.machine(), platform.libc_ver()
    found = tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
    if sys.platform == "linux" and machine == "x86_64" and libc == "glibc" and found >= GLIBC:
        return
    raise ManigymError(
        f"the private Vulkan driver is built for x86_64 Linux with glibc {GLIBC[0]}.{GLIBC[1]} or "
        f"newer; this is {sys.platform} {machine} with {libc or 'no glibc'} {version}. {OTHERWISE}"
    )


def _build(folder: Path, progress: Callable[[str], None]) -> None:
    """Fill a sibling folder and rename it: an interrupted installation leaves nothing half done."""
    partial = folder.with_name(f"{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    try:
        for index, package in enumerate(PACKAGES, 1):
            progress(f"software Vulkan driver: {package.name} ({index} of {len(PACKAGES)})")
            _add(package, partial)
        _relocate_driver(partial)
        (partial / "layers").mkdir()
        partial.rename(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _add(package: Package, folder: Path) -> None:
    deb = folder / "package.deb"
    download(package, deb)
    files = {name: folder / "lib" / name for name in package.libraries}
    if DRIVER in package.libraries:
        files[_DRIVER_JSON] = folder / "icd.json"
    unpack(deb, files, {"usr/include": folder / "include"} if package.name == HEADERS else {})
    deb.unlink()


def _relocate_driver(folder: Path) -> None:
    """The package's JSON names the driver alone, which finds it only in the system's folders."""
    path = folder / "icd.json"
    description = json.loads(path.read_text())
    description["ICD"]["library_path"] = f"./lib/{DRIVER}"
    path.write_text(json.dumps(description, indent=2))


def _compiler() -> str | None:
    return shutil.which("cc") or shutil.which("gcc")


def _compile_layer(folder: Path, progress: Callable[[str], None]) -> None:
    compiler = _compiler()
    if compiler is None:
        progress(f"no C compiler: SAPIEN 3 renders; for SAPIEN 2: {COMPILE}")
        return
    layers = folder / "layers"
    partial = layers / f"{LAYER_LIBRARY}.partial"
    command = (compiler, "-O2", "-shared", "-fPIC", "-fvisibility=hidden", "-o", str(partial))
    headers = ("-I", str(folder / "include"))
    done = subprocess.run(
        (*command, *headers, str(LAYER_SOURCE)), capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise ManigymError(
            f"{compiler} cannot compile {LAYER_SOURCE.name}, needed to render with SAPIEN 2 "
            f"(SAPIEN 3 does without): {done.stderr.strip()[:500]}. C headers missing? {COMPILE}"
        )
    (layers / "layer.json").write_text(json.dumps(_layer_description(), indent=2))
    partial.replace(layers / LAYER_LIBRARY)


def _layer_description() -> dict[str, object]:
    """The layer's manifest; the loader accepts only extensions that a driver or manifest lists."""
    extension = {
        "name": "VK_KHR_external_semaphore_fd",
        "spec_version": "1",
        "entrypoints": ["vkGetSemaphoreFdKHR", "vkImportSemaphoreFdKHR"],
    }
    layer = {
        "name": LAYER_NAME,
        "type": "GLOBAL",
        "library_path": f"./{LAYER_LIBRARY}",
        "api_version": "1.3.0",
        "implementation_version": "1",
        "description": "drops device extensions that the driver does not offer",
        "device_extensions": [extension],
    }
    return {"file_format_version": "1.1.2", "layer": layer}
