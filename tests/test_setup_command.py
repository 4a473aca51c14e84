"""``python -m benchmark setup``: what it sets up, lists and removes."""

from __future__ import annotations

import re

import pytest
from tiny_simulator import folders
from toy import bench

from benchmark.commands import setup
from envs.cache import cache_folder
from envs.provision import environments
from envs.provision.environments import find
from envs.schema import ManigymError
from envs.vulkan import lavapipe

pytest_plugins = ("provisioning",)


@pytest.fixture(autouse=True)
def only_tiny(simulator, monkeypatch):
    for module in (setup, environments):
        monkeypatch.setattr(module, "SIMULATORS", (simulator,))
    monkeypatch.setenv("MANIGYM_SETUP", "never")  # a command that was given needs no leave
    return simulator


def states(capsys, *names):
    """Name -> state, of the table."""
    capsys.readouterr()
    assert bench("setup", *names, "--list") == 0
    lines = capsys.readouterr().out.splitlines()[2:]
    cells = [re.split(r"\s{2,}", line) for line in lines]
    return {row[0]: row[1] for row in cells}


def test_set_up_list_and_remove(only_tiny, capsys):
    assert states(capsys) == {"tiny": "not set up", "rendering": "not set up"}
    assert set(states(capsys, "tiny")) == {"tiny"}
    assert bench("setup", "Tiny") == 0
    made = find(only_tiny)
    assert str(made.folder) in capsys.readouterr().out
    assert states(capsys) == {"tiny": "ready", "rendering": "not set up"}
    assert bench("setup", "--remove", "tiny") == 0
    assert folders() == []


def test_twice_is_once_and_force_is_anew(only_tiny):
    bench("setup", "tiny")
    made = find(only_tiny)
    ready = (made.folder / "ready.json").stat().st_ino
    (made.folder / "mark").write_text("")
    bench("setup", "tiny")
    assert (made.folder / "mark").exists()
    assert (made.folder / "ready.json").stat().st_ino == ready
    bench("setup", "tiny", "--force")
    assert not (made.folder / "mark").exists()
    assert find(only_tiny) == made


def test_remove_without_names_keeps_what_is_current(only_tiny, capsys):
    bench("setup", "tiny")
    made = find(only_tiny)
    only_tiny.file.write_text(only_tiny.file.read_text() + "numpy>1\n")
    bench("setup", "tiny")
    current = find(only_tiny)
    cut = made.folder.with_name("tiny-0.partial-x")
    cut.mkdir()
    assert sorted(folders()) == sorted([made.folder, current.folder, cut])
    assert bench("setup", "--remove") == 0
    assert folders() == [current.folder]


def test_all_includes_rendering(only_tiny, monkeypatch, capsys):
    installed = []

    def install(cache, progress):
        installed.append(cache)
        progress("fetching")
        return cache / "there"

    monkeypatch.setattr(lavapipe, "install", install)
    assert bench("setup", "all") == 0
    assert installed == [cache_folder()]
    assert find(only_tiny)
    captured = capsys.readouterr()
    assert f"rendering: {cache_folder() / 'there'}" in captured.out
    assert "fetching" in captured.err


def test_remove_rendering():
    folder = lavapipe.rendering_folder(cache_folder())
    folder.mkdir(parents=True)
    assert bench("setup", "--remove", "rendering") == 0
    assert not folder.exists()


@pytest.mark.parametrize(("name", "near"), [("tinny", "nearest: tiny."), ("Rendring", "rendering")])
def test_an_unknown_name_gives_the_nearest(capsys, name, near):
    assert bench("setup", "tiny", name) == 2
    assert near in capsys.readouterr().err
    assert folders() == []


def test_rendering_is_no_simulator():
    with pytest.raises(ManigymError, match="nearest: tiny, rendering"):
        setup._resolve(["zzz"])
