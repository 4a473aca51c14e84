"""``python -m benchmark setup``: what it sets up, lists and removes."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

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
ROOT = Path(setup.__file__).parent.parent.parent


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
    assert re.search(r"\[\d\d:\d\d\] rendering: fetching", captured.err)


def test_remove_rendering(capsys):
    folder = lavapipe.rendering_folder(cache_folder())
    folder.mkdir(parents=True)
    assert bench("setup", "--remove", "rendering") == 0
    assert not folder.exists()
    folder.write_text("")  # cannot be removed as a folder
    assert bench("setup", "--remove", "rendering") == 2
    assert "cannot write to the cache folder" in capsys.readouterr().err


def test_remove_says_where_there_is_nothing(capsys):
    assert bench("setup", "--remove", "tiny", "rendering") == 0
    assert capsys.readouterr().out == "tiny: nothing to remove\nrendering: nothing to remove\n"


def test_without_the_layer_rendering_is_for_sapien_3(capsys):
    layers = lavapipe.target_folder(cache_folder()) / "layers"
    layers.mkdir(parents=True)
    assert bench("setup", "--list") == 0
    out = capsys.readouterr().out
    assert "ready for SAPIEN 3" in out and lavapipe.COMPILE in out
    (layers / lavapipe.LAYER_LIBRARY).touch()
    assert states(capsys, "rendering") == {"rendering": "ready"}
    assert lavapipe.COMPILE not in capsys.readouterr().out


def test_an_interrupted_set_up_starts_over(monkeypatch, capsys):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(setup, "ensure", interrupted)
    assert bench("setup", "tiny") == 130
    assert "the same command starts over" in capsys.readouterr().err


@pytest.mark.skipif(
    not (ROOT / "setup.cfg").exists(), reason="an installed wheel cannot be hidden like that"
)
def test_a_folder_that_hides_a_package_is_named(tmp_path):
    """As in an editable installation, whose packages come after those of the current folder."""
    code = f"""
import sys
from importlib.machinery import PathFinder
class Last:
    def find_spec(name, path=None, target=None):
        return PathFinder.find_spec(name, [{str(ROOT)!r}])
sys.meta_path.append(Last)
from benchmark.__main__ import main
sys.exit(main(["setup", "--list"]))
"""
    for name in ("envs", "policies"):
        hiding = tmp_path / name / name
        hiding.mkdir(parents=True)
        done = subprocess.run(
            [sys.executable, "-c", code],
            cwd=hiding.parent,
            env={k: v for k, v in os.environ.items() if k != "PYTHONPATH"},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 2, done.stderr
        assert f"the folder {hiding} hides Manigym's package '{name}'. Rename it" in done.stderr


@pytest.mark.parametrize(("name", "near"), [("tinny", "nearest: tiny."), ("Rendring", "rendering")])
def test_an_unknown_name_gives_the_nearest(capsys, name, near):
    assert bench("setup", "tiny", name) == 2
    assert near in capsys.readouterr().err
    assert folders() == []


def test_rendering_is_no_simulator():
    with pytest.raises(ManigymError, match="nearest: tiny, rendering"):
        setup._resolve(["zzz"])
