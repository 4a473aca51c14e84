"""The software driver at first use: when it is set up, and what is told where it is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from envs.cache import cache_folder
from envs.provision import rendering
from envs.provision.environments import Environment
from envs.provision.rendering import ensure_pictures
from envs.schema import ManigymError
from envs.vulkan import lavapipe
from envs.vulkan.answers import Rendering

NOTHING = Rendering(ok=False, importable=False)
NO_PICTURES = Rendering(ok=False, importable=True)


@pytest.fixture
def installs(tmp_path, monkeypatch):
    """Calls of install, which only counts; nobody has been told anything yet."""
    calls = []
    for name in ("MANIGYM_RENDERING", "MANIGYM_SETUP"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MANIGYM_CACHE", str(tmp_path))
    monkeypatch.setattr(rendering, "_failed", set())
    monkeypatch.setattr(rendering, "install", lambda: calls.append(1))
    return calls


def holding(version):
    return Environment("tiny", Path("/"), Path("/python"), 1, {"sapien": version})


@pytest.mark.parametrize(
    ("version", "pictures", "found", "expected"),
    [
        ("3.0.3", False, NOTHING, 0),
        ("3.0.3", True, NO_PICTURES, 1),
        ("3.0.3", True, Rendering(ok=True), 0),
        ("2.2.1", False, NOTHING, 1),
        ("2.2.1", False, NO_PICTURES, 0),
        ("2.2.1", True, NO_PICTURES, 1),
    ],
)
def test_it_is_set_up_where_it_is_needed(installs, monkeypatch, version, pictures, found, expected):
    monkeypatch.setattr(rendering, "probe", lambda *_: found)
    ensure_pictures(holding(version), pictures)
    assert len(installs) == expected


def test_no_is_told_once(installs, monkeypatch, capsys):
    probes = []
    monkeypatch.setattr(rendering, "probe", lambda *_: probes.append(1) or NOTHING)
    monkeypatch.setenv("MANIGYM_SETUP", "never")
    for _ in range(3):
        ensure_pictures(holding("3.0.3"), True)
    assert capsys.readouterr().err.count("no pictures: SAPIEN 3.0.3 finds no Vulkan driver") == 1
    assert len(probes) == 1 and not installs


def test_a_complete_driver_needs_no_lock(tmp_path, monkeypatch):
    """A cache for several users can be read only."""
    monkeypatch.setenv("MANIGYM_CACHE", str(tmp_path))
    layers = lavapipe.target_folder(cache_folder()) / "layers"
    layers.mkdir(parents=True)
    (layers / lavapipe.LAYER_LIBRARY).touch()

    def forbidden(*_):
        raise AssertionError("the lock was taken")

    monkeypatch.setattr(rendering, "alone", forbidden)
    assert rendering.install() == layers.parent
    (layers / lavapipe.LAYER_LIBRARY).unlink()
    monkeypatch.setenv("PATH", "")  # no compiler: this is all there will be
    assert rendering.install() == layers.parent


def test_remove_says_what_is_in_the_way(tmp_path, monkeypatch):
    monkeypatch.setenv("MANIGYM_CACHE", str(tmp_path))
    lavapipe.rendering_folder(cache_folder()).write_text("")
    with pytest.raises(ManigymError, match="cannot write to the cache folder"):
        rendering.remove()
