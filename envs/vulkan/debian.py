"""Download Debian packages and take single files out of them, without dpkg and without root.

A package is an ``ar`` archive (magic line, then members with a 60-byte header, padded to even
length) whose member ``data.tar.xz`` holds the files: deb(5).
"""

from __future__ import annotations

import hashlib
import lzma
import os
import shutil
import tarfile
import tempfile
import urllib.request
from collections.abc import Iterator, Mapping
from http.client import HTTPException
from pathlib import Path, PurePosixPath
from typing import IO
from urllib.error import URLError

from envs.schema import ManigymError
from envs.vulkan.packages import Package

# Files leave a mirror when a newer version replaces them; the snapshot archive keeps them all.
MIRRORS = (
    "http://deb.debian.org/debian",
    "http://snapshot.debian.org/archive/debian/20261119T000000Z",
)
OTHERWISE = (
    "Or install a driver with the system's packages: apt-get install libvulkan1 and "
    "mesa-vulkan-drivers 25 or newer (Debian 12: apt-get install -t bookworm-backports "
    "mesa-vulkan-drivers)"
)
_TIMEOUT = 60  # seconds without an answer
_MAGIC = b"!<arch>\n"


def download(package: Package, target: Path) -> None:
    """Write the package to ``target`` from the first mirror that has it; the checksum must agree.

    ``$MANIGYM_DEBIAN_MIRROR`` (a URL ending before ``/pool``) replaces the public mirrors.
    """
    chosen = os.environ.get("MANIGYM_DEBIAN_MIRROR")
    failures = []
    for mirror in (chosen,) if chosen else MIRRORS:
        url = f"{mirror.rstrip('/')}/pool/main/{package.path}"
        try:
            digest = _fetch(url, target)
        except (URLError, HTTPException, ConnectionError, TimeoutError) as error:
            failures.append(f"{url}: {error}")
            continue
        if digest == package.sha256:
            return
        failures.append(f"{url}: sha256 is {digest}, expected {package.sha256}")
    raise ManigymError(
        f"cannot download {package.name}: {'; '.join(failures)}. Check the network, or "
        f"set MANIGYM_DEBIAN_MIRROR to a Debian mirror that can be reached. {OTHERWISE}"
    )


def _fetch(url: str, target: Path) -> str:
    digest = hashlib.sha256()
    with urllib.request.urlopen(url, timeout=_TIMEOUT) as answer, target.open("wb") as out:
        while block := answer.read(1 << 20):
            digest.update(block)
            out.write(block)
    return digest.hexdigest()


def unpack(deb: Path, files: Mapping[str, Path], trees: Mapping[str, Path]) -> None:
    """Take files out of a package.

    ``files``: base name in the package to the path it is written to; links are followed.
    ``trees``: folder in the package (``usr/include``) to the folder its files are written below.
    """
    try:
        with tempfile.TemporaryFile(dir=deb.parent) as plain:
            _write_data(deb, plain)
            with tarfile.open(fileobj=plain, mode="r:") as archive:
                _take(archive, files, trees)
    except (tarfile.TarError, lzma.LZMAError, KeyError) as error:
        raise ManigymError(f"cannot unpack {deb}: {error}; download it again") from error


def _take(archive: tarfile.TarFile, files: Mapping[str, Path], trees: Mapping[str, Path]) -> None:
    by_name: dict[str, tarfile.TarInfo] = {}
    for member in archive:
        path = PurePosixPath(member.name)
        # Some packages hold a link of the same base name in another folder: files win.
        if member.isfile() or path.name not in by_name:
            by_name[path.name] = member
        for tree, folder in trees.items():
            if member.isfile() and path.is_relative_to(tree):
                _write(archive, member, folder / path.relative_to(tree))
    for name, target in files.items():
        member = by_name[name]
        while member.issym():
            member = by_name[PurePosixPath(member.linkname).name]
        _write(archive, member, target)


def _write(archive: tarfile.TarFile, member: tarfile.TarInfo, target: Path) -> None:
    content = archive.extractfile(member)
    if content is None:
        raise KeyError(f"{member.name} is not a file")
    target.parent.mkdir(parents=True, exist_ok=True)
    with content, target.open("wb") as out:
        shutil.copyfileobj(content, out, 1 << 20)


def _write_data(deb: Path, out: IO[bytes]) -> None:
    for name, start, size in _members(deb):
        if name == "data.tar.xz":
            with deb.open("rb") as packed:
                packed.seek(start)
                _decompress(packed, size, out)
            out.seek(0)
            return
    raise KeyError("no data.tar.xz")


def _decompress(packed: IO[bytes], size: int, out: IO[bytes]) -> None:
    decompressor = lzma.LZMADecompressor()
    while size > 0:
        block = packed.read(min(size, 1 << 20))
        if not block:
            raise lzma.LZMAError("the file ends too early")
        size -= len(block)
        out.write(decompressor.decompress(block))
    if not decompressor.eof:
        raise lzma.LZMAError("the compressed data is cut off")


def _members(deb: Path) -> Iterator[tuple[str, int, int]]:
    """Name, first byte and size of every member of an ar archive."""
    with deb.open("rb") as archive:
        if archive.read(len(_MAGIC)) != _MAGIC:
            raise KeyError("not an ar archive")
        while len(header := archive.read(60)) == 60:
            name, size = header[:16].decode().strip().rstrip("/"), int(header[48:58])
            start = archive.tell()
            yield name, start, size
            archive.seek(start + size + size % 2)
