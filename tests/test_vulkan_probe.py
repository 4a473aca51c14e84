"""The rendering probe and what is made of its answer, without SAPIEN or a driver."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from envs.cache import cache_folder
from envs.schema import ManigymError
from envs.vulkan import lavapipe, prepare, use
from envs.vulkan.probe import Rendering, fingerprint, needs_layer, probe, without_private
from envs.vulkan.red_box import SIZE, box_is_red

DRAWS = """echo noise
echo '{"libraries": []}'
echo '{"imported": true}'
echo '{"device": "chip", "picture": true}'"""


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty cache folder, and an environment that names no Vulkan driver."""
    for name in [n for n in os.environ if n.startswith(("VK_", "MANIGYM_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("MANIGYM_CACHE", str(tmp_path / "cache"))
    prepare.cache_clear()
    yield tmp_path / "cache"
    prepare.cache_clear()


def _interpreter(folder: Path, *lines: str) -> Path:
    """A program in place of Python that counts its calls in `calls`."""
    path = folder / "python"
    path.write_text("\n".join(["#!/bin/sh", f"echo call >> {folder}/calls", *lines, ""]))
    path.chmod(0o755)
    return path


def _calls(folder: Path) -> int:
    return len((folder / "calls").read_text().splitlines())


def _private(cache: Path) -> Path:
    folder = lavapipe.target_folder(cache)
    (folder / "layers").mkdir(parents=True)
    (folder / "layers" / lavapipe.LAYER_LIBRARY).touch()
    return folder


def test_a_working_driver_is_used_as_it_is(tmp_path: Path, cache: Path) -> None:
    _private(cache)
    assert probe(_interpreter(tmp_path, DRAWS), "3.0.3") == Rendering(ok=True, device="chip")
    assert _calls(tmp_path) == 1


IMPORTED = "echo '{\"imported\": true}'"
FAILURES = {
    "segfault": ("kill -SEGV $$", "SIGSEGV", False),
    "segfault after import": (f"{IMPORTED}\nkill -SEGV $$", "SIGSEGV", True),
    "hang": (f"{IMPORTED}\nexec sleep 60", "no picture within 0.5 s", True),
    "garbage": ("echo '{garbage'\nprintf '\\377'", "without an answer", False),
    "exception": ("echo 'RuntimeError: no device' >&2; exit 1", "RuntimeError: no device", False),
    "wrong picture": (
        DRAWS.replace('ture": true', 'ture": false'),
        "chip drew a wrong picture",
        True,
    ),
}


@pytest.mark.parametrize("case", FAILURES)
def test_failures_are_told_apart(tmp_path: Path, cache: Path, case: str) -> None:
    body, reason, importable = FAILURES[case]
    found = probe(_interpreter(tmp_path, body), "2.2.1", timeout=0.5)
    assert (found.ok, found.importable) == (False, importable)
    assert reason in found.reason
    assert "python -m benchmark setup rendering" in found.reason
    assert importable or "apt-get install libvulkan1" in found.reason


def test_an_interpreter_that_is_gone(tmp_path: Path, cache: Path) -> None:
    assert "cannot run" in probe(tmp_path / "gone", "3.0.3").reason


@pytest.mark.parametrize(
    ("version", "layer"), [("2.2.1", True), ("3.0.0b1", True), ("3.0.3", False)]
)
def test_the_private_driver_is_the_last_choice(
    tmp_path: Path, cache: Path, version: str, layer: bool
) -> None:
    folder = _private(cache)
    python = _interpreter(tmp_path, '[ -n "$VK_ICD_FILENAMES" ] || exit 1', DRAWS)
    found = probe(python, version)
    assert found.ok and _calls(tmp_path) == 3
    assert found.environment["VK_DRIVER_FILES"] == str(folder / "icd.json")
    assert ("VK_INSTANCE_LAYERS" in found.environment) == layer == needs_layer(version)


def test_without_the_layer_a_compiler_is_asked_for(tmp_path: Path, cache: Path) -> None:
    (_private(cache) / "layers" / lavapipe.LAYER_LIBRARY).unlink()
    python = _interpreter(tmp_path, IMPORTED, "exit 1")
    assert "apt-get install gcc" in probe(python, "2.2.1").reason
    assert "apt-get install gcc" not in probe(python, "3.0.3").reason


def test_answers_are_remembered(tmp_path: Path, cache: Path) -> None:
    python = _interpreter(tmp_path, DRAWS)
    first = probe(python, "3.0.3")
    assert probe(python, "3.0.3") == first
    assert _calls(tmp_path) == 1
    (answer,) = (cache / "rendering").iterdir()
    for broken in ("", "[]", '{"ok": true}', '{"libraries": []}'):
        answer.write_text(broken)
        assert probe(python, "3.0.3") == first
    assert _calls(tmp_path) == 5
    assert list((cache / "rendering").iterdir()) == [answer]


def test_a_timeout_is_not_remembered(tmp_path: Path, cache: Path) -> None:
    assert not probe(_interpreter(tmp_path, "exec sleep 60"), "3.0.3", timeout=0.2).ok
    assert probe(_interpreter(tmp_path, DRAWS), "3.0.3").ok


def test_the_answer_depends_on_driver_and_interpreter(tmp_path: Path, cache: Path) -> None:
    icd = tmp_path / "data/vulkan/icd.d/gpu.json"
    icd.parent.mkdir(parents=True)
    environment = {"HOME": str(tmp_path), "XDG_DATA_DIRS": str(tmp_path / "data")}

    def key(
        python: str = "/a/python", version: str = "3.0.3", flag: str = "-P", **more: str
    ) -> str:
        return fingerprint(Path(python), version, [flag], {**environment, **more}, cache)

    keys = [key(), key("/b/python"), key(version="2.2.1"), key(VK_ICD_FILENAMES="/x.json")]
    keys += [key(CUDA_VISIBLE_DEVICES=""), key(PYTHONPATH="/a"), key(flag="-I")]
    icd.touch()
    keys.append(key())
    os.utime(icd, (1, 1))
    keys.append(key())
    folder = _private(cache)
    keys.append(key())
    (folder / "layers" / lavapipe.LAYER_LIBRARY).unlink()
    keys.append(key())
    assert len(set(keys)) == len(keys)
    assert key(UNRELATED="1") == key()
    assert key(flag="-I", PYTHONPATH="/a") == key(flag="-I")


def test_what_a_parent_process_set_is_forgotten(cache: Path) -> None:
    private = lavapipe.Lavapipe(_private(cache))
    others = {"VK_LOADER_DEBUG": "all", "A": str(private.folder)}
    assert len(private.environment(layer=True)) == 4
    assert without_private({**private.environment(layer=True), **others}, cache) == others


def test_the_red_box_is_recognised() -> None:
    colour = np.zeros((SIZE, SIZE, 4), np.float32)
    assert not box_is_red(colour)
    colour[...] = [1, 0, 0, 1]
    assert not box_is_red(colour)
    colour[:8] = 0
    assert box_is_red(colour)


def test_off_changes_nothing(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MANIGYM_RENDERING", "off")
    before = dict(os.environ)
    found = prepare()
    assert not found.ok and "MANIGYM_RENDERING=off" in found.reason
    assert dict(os.environ) == before and not cache.exists()


def test_unknown_choices_are_refused(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MANIGYM_RENDERING", "gpu")
    with pytest.raises(ManigymError, match="auto or off"):
        prepare()


def test_prepare_applies_the_answer(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stale = str(cache / "rendering/lavapipe-0/layers")
    monkeypatch.setenv("VK_LAYER_PATH", stale)
    monkeypatch.setenv("VK_ICD_FILENAMES", "/before.json")
    answer = Rendering(ok=True, environment={"VK_ICD_FILENAMES": "/chosen.json"})
    monkeypatch.setattr(use, "_sapien_version", lambda: "3.0.3")
    monkeypatch.setattr(use, "probe", lambda *_: answer)
    assert prepare() is answer
    assert os.environ["VK_ICD_FILENAMES"] == "/chosen.json"
    assert "VK_LAYER_PATH" not in os.environ


def test_prepare_refuses_where_sapien_cannot_load(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = Rendering(ok=False, importable=False, reason="apt-get install libvulkan1")
    monkeypatch.setattr(use, "_sapien_version", lambda: "2.2.1")
    monkeypatch.setattr(use, "probe", lambda *_: answer)
    with pytest.raises(ManigymError, match="libvulkan1"):
        prepare()


@pytest.mark.parametrize(
    ("variables", "folder"),
    [
        ({"MANIGYM_CACHE": "/a", "XDG_CACHE_HOME": "/b"}, "/a"),
        ({"XDG_CACHE_HOME": "/b"}, "/b/manigym"),
        ({"HOME": "/home/me"}, "/home/me/.cache/manigym"),
    ],
)
def test_cache_folder(
    variables: dict[str, str], folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("MANIGYM_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert cache_folder() == Path(folder)
