"""The private Vulkan driver: packages, installation. Without the network."""

from __future__ import annotations

import hashlib
import io
import json
import lzma
import shutil
import socket
import tarfile
from pathlib import Path

import pytest

from envs.schema import ManigymError
from envs.vulkan import lavapipe
from envs.vulkan.debian import download, unpack
from envs.vulkan.packages import PACKAGES, Package

COMPILER = shutil.which("cc")


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache folder."""
    monkeypatch.delenv("MANIGYM_DEBIAN_MIRROR", raising=False)
    return tmp_path / "cache"


def _tar(files: dict[str, str], links: dict[str, str]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:xz") as archive:
        for name, text in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text.encode()))
        for name, target in links.items():
            link = tarfile.TarInfo(name)
            link.type, link.linkname = tarfile.SYMTYPE, target
            archive.addfile(link)
    return out.getvalue()


def _deb(files: dict[str, str], links: dict[str, str] | None = None) -> bytes:
    members = {
        "debian-binary": b"2.0\n",
        "control.tar.xz": lzma.compress(b"odd"),
        "data.tar.xz": _tar(files, links or {}),
    }
    out = b"!<arch>\n"
    for name, content in members.items():
        out += f"{name:<16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(content):<10}`\n".encode()
        out += content + b"\n" * (len(content) % 2)
    return out


def _publish(mirror: Path, name: str, content: bytes, libraries: tuple[str, ...] = ()) -> Package:
    path = f"x/{name}/{name}_1_amd64.deb"
    (mirror / "pool/main" / path).parent.mkdir(parents=True, exist_ok=True)
    (mirror / "pool/main" / path).write_bytes(content)
    return Package(path, hashlib.sha256(content).hexdigest(), libraries)


def test_unpack_follows_links_and_keeps_folders(tmp_path: Path) -> None:
    deb = tmp_path / "a.deb"
    files = {"./usr/lib/x/liba.so.1.2": "binary", "./usr/include/vulkan/v.h": "header"}
    # The second link has the name of the first but leads nowhere in this package's folder.
    links = {"./usr/lib/x/liba.so.1": "liba.so.1.2", "./usr/lib/other/liba.so.1.2": "../missing"}
    deb.write_bytes(_deb(files, links))
    unpack(deb, {"liba.so.1": tmp_path / "lib/a"}, {"usr/include": tmp_path / "include"})
    assert (tmp_path / "lib/a").read_text() == "binary"
    assert not (tmp_path / "lib/a").is_symlink()
    assert (tmp_path / "include/vulkan/v.h").read_text() == "header"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.deb", "include", "lib"]


@pytest.mark.parametrize("damage", ["cut", "magic", "missing"])
def test_damaged_packages_are_refused(tmp_path: Path, damage: str) -> None:
    content = _deb({"./usr/lib/liba.so": "binary"})
    content = {"cut": content[:-40], "magic": b"x" + content, "missing": content}[damage]
    (tmp_path / "a.deb").write_bytes(content)
    wanted = "other.so" if damage == "missing" else "liba.so"
    with pytest.raises(ManigymError, match="cannot unpack"):
        unpack(tmp_path / "a.deb", {wanted: tmp_path / "out"}, {})


def test_download_checks_the_sum(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = _publish(tmp_path, "liba", b"right")
    monkeypatch.setenv("MANIGYM_DEBIAN_MIRROR", f"file://{tmp_path}")
    download(package, tmp_path / "got")
    assert (tmp_path / "got").read_bytes() == b"right"
    (tmp_path / "pool/main" / package.path).write_bytes(b"wrong")
    with pytest.raises(ManigymError, match=f"expected {package.sha256}"):
        download(package, tmp_path / "got")


def test_unreachable_mirror_names_the_ways_out(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as taken:  # bound but not listening: connections are refused
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        monkeypatch.setenv("MANIGYM_DEBIAN_MIRROR", f"http://127.0.0.1:{port}")
        with pytest.raises(ManigymError, match=r"refused.*MANIGYM_DEBIAN_MIRROR.*apt-get install"):
            download(PACKAGES[0], tmp_path / "got")


@pytest.fixture
def mirror(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A mirror of two packages, which stand for the driver; no compiler in the path."""
    folder = tmp_path / "mirror"
    icd = json.dumps({"ICD": {"library_path": "libvulkan_lvp.so"}, "file_format_version": "1.0.0"})
    driver = {"./usr/lib/libvulkan_lvp.so": "driver", "./usr/share/lvp_icd.json": icd}
    packages = (
        _publish(folder, "liba", _deb({"./usr/lib/liba.so.1": "a"}), ("liba.so.1",)),
        _publish(folder, "mesa", _deb(driver), (lavapipe.DRIVER,)),
    )
    monkeypatch.setattr(lavapipe, "PACKAGES", packages)
    monkeypatch.setattr(lavapipe, "LIBRARIES", ("liba.so.1",))
    monkeypatch.setattr(lavapipe, "_check_machine", lambda: None)
    monkeypatch.setenv("MANIGYM_DEBIAN_MIRROR", f"file://{folder}")
    monkeypatch.setenv("PATH", str(tmp_path))
    return folder


def test_install_is_complete_and_asks_for_a_compiler(mirror: Path, cache: Path) -> None:
    said: list[str] = []
    folder = lavapipe.install(cache, said.append)
    description = json.loads((folder / "icd.json").read_text())
    # The Vulkan loader takes a path with a slash as relative to the file.
    assert (folder / description["ICD"]["library_path"]).read_text() == "driver"
    assert "apt-get install gcc" in said[-1]
    found = lavapipe.installed(cache)
    assert found is not None and not found.has_layer
    assert [Path(p).read_text() for p in found.libraries] == ["a"]
    assert set(found.environment(layer=True)) == {"VK_ICD_FILENAMES", "VK_DRIVER_FILES"}


def test_install_twice_downloads_once(mirror: Path, cache: Path) -> None:
    folder = lavapipe.install(cache, print)
    shutil.rmtree(mirror)
    assert lavapipe.install(cache, print) == folder


def test_interrupted_install_starts_over(mirror: Path, cache: Path) -> None:
    path = mirror / "pool/main" / lavapipe.PACKAGES[1].path
    content = path.read_bytes()
    path.unlink()
    with pytest.raises(ManigymError, match="cannot download mesa"):
        lavapipe.install(cache, print)
    assert lavapipe.installed(cache) is None
    assert [p for p in (cache / "rendering").iterdir() if p.is_dir()] == []
    # A process that was killed leaves its folder behind.
    leftover = lavapipe.target_folder(cache)
    (leftover.with_name(f"{leftover.name}.partial") / "lib").mkdir(parents=True)
    path.write_bytes(content)
    assert lavapipe.installed(cache) is None
    assert (lavapipe.install(cache, print) / "lib" / "liba.so.1").read_text() == "a"


def test_a_full_disk_is_said(mirror: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(lavapipe, "download", full)
    with pytest.raises(ManigymError, match=r"No space left on device.*MANIGYM_CACHE"):
        lavapipe.install(cache, print)


def test_other_machines_are_refused(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.libc_ver", lambda: ("glibc", "2.35"))
    with pytest.raises(ManigymError, match=r"glibc 2.36 or newer.*glibc 2.35.*apt-get"):
        lavapipe.install(cache, print)
    assert not cache.exists()


def test_the_table_is_well_formed() -> None:
    names = [library for package in PACKAGES for library in package.libraries]
    assert len(set(names)) == len(names)
    assert all(len(p.sha256) == 64 and p.path.endswith("_amd64.deb") for p in PACKAGES)


@pytest.mark.skipif(COMPILER is None, reason="no C compiler")
def test_the_layer_is_compiled_where_there_is_a_compiler(
    mirror: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = lavapipe.install(cache, print)
    source = folder / "layer.c"
    source.write_text("int answer(void) { return 42; }\n")
    monkeypatch.setattr(lavapipe, "LAYER_SOURCE", source)
    monkeypatch.setattr(lavapipe, "target_folder", lambda _: folder)
    monkeypatch.setenv("PATH", str(Path(str(COMPILER)).parent))
    lavapipe.install(cache, print)
    found = lavapipe.Lavapipe(folder)
    chosen = found.environment(layer=True)
    manifest = json.loads((Path(chosen["VK_LAYER_PATH"]) / "layer.json").read_text())["layer"]
    assert (Path(chosen["VK_LAYER_PATH"]) / manifest["library_path"]).is_file()
    assert manifest["name"] == chosen["VK_INSTANCE_LAYERS"]
    assert "VK_INSTANCE_LAYERS" not in found.environment(layer=False)
