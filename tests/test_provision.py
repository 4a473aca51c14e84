"""Environments of simulators: made whole or not at all, and once.

A tiny simulator is installed by the real pip and uv from a folder of wheels made here.
"""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tiny_simulator import BOTH, folders, start

from envs.cache import cache_folder
from envs.provision import environments, installers
from envs.provision.environments import ensure, find, listing, remove

pytest_plugins = ("provisioning",)


def installing():
    """Processes that work in the cache folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):  # it has ended meanwhile
            found.append(path.read_bytes())
    return [line for line in found if str(cache_folder()).encode() in line]


@pytest.mark.parametrize("installer", BOTH)
def test_set_up_holds_the_pins_and_nothing_else(simulator, monkeypatch, installer):
    monkeypatch.setenv("MANIGYM_INSTALLER", installer)
    monkeypatch.setenv("PYTHONPATH", "/nowhere")
    made = ensure(simulator)
    assert set(made.versions) == {"python", "tinysim", "numpy", "gymnasium"}
    assert made.versions["tinysim"] == "1.0"
    assert (made.name, made.megabytes) == ("tiny", 0)
    code = "import sys, tinysim; print(sys.prefix, *sys.version_info[:2], sep='\\n')"
    said = subprocess.check_output([made.python, "-I", "-c", code], text=True).splitlines()
    assert said == [str(made.folder), *map(str, sys.version_info[:2])]
    record = json.loads((made.folder / "ready.json").read_text())
    assert record["installer"] == installer
    assert record["seconds"] > 0
    assert [path.name for path in folders()] == [made.folder.name]
    # It hangs on no virtual environment of the harness, which may be deleted.
    assert made.python.resolve().is_relative_to(Path(sys.base_prefix).resolve())


def test_a_complete_environment_needs_no_network_and_no_process(simulator, monkeypatch):
    made = ensure(simulator)

    def forbidden(*_, **__):
        raise AssertionError("a process was started")

    monkeypatch.setattr(subprocess, "Popen", forbidden)
    monkeypatch.setenv("MANIGYM_SETUP", "never")
    assert find(simulator) == made == ensure(simulator)


def test_the_hash_follows_the_pins(simulator, tmp_path, monkeypatch):
    made = ensure(simulator)
    monkeypatch.setattr(environments, "SIMULATORS", (simulator,))
    assert [(e.state, e.environment) for e in listing()] == [("ready", made)]
    text = simulator.file.read_text()
    simulator.file.write_text(f"{text}# a remark\n")
    assert find(simulator) == made
    simulator.file.write_text(f"{text}numpy>1\n")
    assert find(simulator) is None
    assert [e.state for e in listing()] == ["not set up", "outdated"]
    simulator.file.write_text(text)
    other = tmp_path / "constraints.txt"
    other.write_text(environments.CONSTRAINTS.read_text() + "extra==1.0\n")
    with monkeypatch.context() as patch:
        patch.setattr(environments, "CONSTRAINTS", other)
        assert find(simulator) is None
    with monkeypatch.context() as patch:
        patch.setattr(installers, "RUNNING", (3, 10))
        assert find(simulator) is None
    assert find(simulator) == made


def test_remove_and_what_was_cut_short(simulator, monkeypatch):
    made = ensure(simulator)
    monkeypatch.setattr(environments, "SIMULATORS", (simulator,))
    (made.folder / "ready.json").write_text("")  # the machine went down
    assert find(simulator) is None
    assert [e.state for e in listing()] == ["incomplete"]
    assert ensure(simulator) == made
    made.python.unlink()  # its Python was deinstalled
    made.python.symlink_to("/nowhere/python")
    assert find(simulator) is None
    assert ensure(simulator) == made
    (entry,) = listing()
    remove(entry)
    assert folders() == []
    assert [e.state for e in listing()] == ["not set up"]


def test_killed_in_the_middle_starts_over(simulator, gate, monkeypatch):
    monkeypatch.setattr(environments, "SIMULATORS", (simulator,))
    process = start(simulator.file, PIP_FIND_LINKS=gate.url)
    assert gate.asked.wait(30)
    process.kill()
    process.communicate()
    assert find(simulator) is None
    assert [e.state for e in listing()] == ["not set up", "incomplete"]
    made = ensure(simulator)  # while the orphaned pip is still at work
    assert folders() == [made.folder]


def test_ctrl_c_leaves_nothing_behind(simulator, gate):
    process = start(simulator.file, PIP_FIND_LINKS=gate.url)
    assert gate.asked.wait(30)
    assert installing()
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert "KeyboardInterrupt" in errors
    assert process.returncode != 0
    assert folders() == []
    assert not installing()


def test_two_processes_set_up_once(simulator, gate):
    first = start(simulator.file, PIP_FIND_LINKS=gate.url)
    assert gate.asked.wait(30)
    second = start(simulator.file, PIP_FIND_LINKS=gate.url)
    said = second.stderr.readline()
    assert "Tiny: another process is setting it up, waiting" in said
    gate.open.set()
    results = [process.communicate(timeout=60)[0] for process in (first, second)]
    assert results[0] == results[1] == f"{find(simulator).folder}\n"
    assert sum("tinysim" in path for path in gate.served) == 1
