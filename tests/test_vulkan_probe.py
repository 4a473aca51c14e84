"""The rendering probe and what is made of its answer, without SAPIEN or a driver."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from envs.cache import cache_folder
from envs.schema import ManigymError
from envs.vulkan import answers, lavapipe, prepare, use
from envs.vulkan.answers import Rendering, forget
from envs.vulkan.probe import fingerprint, needs_layer, probe, without_private
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


def _age(cache: Path, seconds: float) -> None:
    (answer,) = (cache / "rendering").glob("probe-*.json")
    at = answer.stat().st_mtime - seconds
    os.utime(answer, (at, at))


def test_a_failure_is_remembered_for_minutes(tmp_path: Path, cache: Path) -> None:
    python = _interpreter(tmp_path, "exit 1")
    for calls in (1, 1):
        assert not probe(python, "3.0.3").ok and _calls(tmp_path) == calls
    _age(cache, answers.PASSING)
    assert not probe(python, "3.0.3").ok and _calls(tmp_path) == 2
    _interpreter(tmp_path, DRAWS)
    assert not probe(python, "3.0.3").ok
    forget()
    assert probe(python, "3.0.3").ok
    _age(cache, 1e8)
    assert probe(python, "3.0.3").ok and _calls(tmp_path) == 3


@pytest.mark.parametrize(("drawn_by", "again"), [("llvmpipe (LLVM 15)", True), ("chip", False)])
def test_a_graphics_device_gets_another_chance(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch, drawn_by: str, again: bool
) -> None:
    monkeypatch.setattr(answers, "_DEVICES", ((str(tmp_path), "nvidia*"),))
    python = _interpreter(tmp_path, DRAWS.replace("chip", drawn_by))
    assert probe(python, "3.0.3").ok
    _age(cache, 1e8)
    assert probe(python, "3.0.3").ok and _calls(tmp_path) == 1  # nothing but the CPU can draw
    forget()
    (tmp_path / "nvidia0").touch()
    assert probe(python, "3.0.3").ok and _calls(tmp_path) == 2
    _age(cache, 1e8)
    assert probe(python, "3.0.3").ok and _calls(tmp_path) == 2 + again


def test_a_cache_that_others_read_or_nobody_writes(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    python = _interpreter(tmp_path, DRAWS)
    assert probe(python, "3.0.3").ok
    (answer,) = (cache / "rendering").iterdir()
    assert answer.stat().st_mode & 0o777 == 0o644
    monkeypatch.setenv("MANIGYM_CACHE", str(python / "a file is no folder"))
    assert probe(python, "3.0.3").ok
    forget()


def test_the_probe_sees_what_its_caller_sees(tmp_path: Path, cache: Path) -> None:
    """Its own environment: isolated; this process: `PYTHONPATH` counts, unless it is isolated."""
    python = _interpreter(tmp_path, '[ "$1" = -I ] || exit 1', DRAWS)
    assert probe(python, "3.0.3").ok
    assert not probe(python, "3.0.3", ("-P",)).ok
    root = Path(answers.__file__).parent.parent.parent
    code = f"import sys; sys.path.insert(0, {str(root)!r})\nfrom envs.vulkan import probe, use"
    code += "\nuse.probe = lambda python, version, flags: print(*flags) or exit()"
    code += "\nuse._sapien_version = str; use.prepare()"
    for flags, expected in (["-I"], "-I\n"), ([], "-P\n"):
        assert subprocess.check_output([sys.executable, *flags, "-c", code], text=True) == expected


def test_a_crash_is_usual_for_sapien_2_only(tmp_path: Path, cache: Path) -> None:
    python = _interpreter(tmp_path, "kill -SEGV $$")
    assert "SIGSEGV (SAPIEN 2 does so" in probe(python, "2.2.1").reason
    assert "SIGSEGV)" in probe(python, "3.0.3").reason


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
