"""Environments of simulators: made whole or not at all, and once.

A tiny simulator is installed by the real pip and uv from a folder of wheels made here.
"""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tiny_simulator import BOTH, folders, start

from envs.cache import cache_folder
from envs.provision import environments, installers
from envs.provision.environments import ensure, find, listing, remove
from envs.provision.lock import alone

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
    until_gone()  # also pip and what it has started
    assert find(simulator) is None
    assert [e.state for e in listing()] == ["not set up", "incomplete"]
    made = ensure(simulator)
    assert folders() == [made.folder]


ENDS = {signal.SIGINT: -signal.SIGINT, signal.SIGTERM: 143, signal.SIGHUP: 129}


@pytest.mark.parametrize("number", ENDS)
def test_ctrl_c_and_kill_leave_nothing_behind(simulator, gate, number):
    process = start(simulator.file, PIP_FIND_LINKS=gate.url)
    assert gate.asked.wait(30)
    assert installing()
    process.send_signal(number)
    _, errors = process.communicate(timeout=30)
    assert ("KeyboardInterrupt" in errors) == (number == signal.SIGINT)
    assert process.returncode == ENDS[number]
    assert folders() == []
    assert not installing()


def test_a_programs_own_signal_handlers_are_left_alone(tmp_path):
    # A test run started by nohup inherits an ignored SIGHUP.
    hang_up = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    previous = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        with alone(tmp_path / "folder", "Tiny"):
            assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN
            assert signal.getsignal(signal.SIGHUP) is not signal.SIG_DFL
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_DFL
    finally:
        signal.signal(signal.SIGTERM, previous)
        signal.signal(signal.SIGHUP, hang_up)


STARTER = """
import sys, time
from envs.provision.process import started
with started(["sh", "-c", "sleep 300 & echo $$ $!; exec sleep 300"], stdout=1):
    time.sleep(300)
"""


def test_a_command_dies_with_its_caller():
    """Even one that has replaced itself, and what it has started."""
    caller = subprocess.Popen(
        [sys.executable, "-c", STARTER],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(environments.__file__).parent.parent.parent,
    )
    started = [Path("/proc") / word / "stat" for word in caller.stdout.readline().split()]
    assert len(started) == 2 and all(path.exists() for path in started)
    caller.kill()
    caller.communicate(timeout=10)  # the end of its output: nobody else holds it open
    end = time.monotonic() + 10  # files are closed a moment before a process is gone
    while any(running(path) for path in started):
        assert time.monotonic() < end
        time.sleep(0.02)


def running(stat):
    """A process that nobody has collected yet is a zombie."""
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z"


def until_gone():
    end = time.monotonic() + 10
    while installing():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.mark.parametrize("closed", ["<&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_standard_streams(simulator, closed):
    process = start(simulator.file, ("sh", "-c", f'exec "$@" {closed}', "sh"))
    said = process.communicate(timeout=60)
    assert process.returncode == 0, said
    assert find(simulator)


DAMAGED = ["{}", "[]", "1", '{"megabytes": 1, "versions": {}}', '{"megabytes": 1, "versions": 3}']
DAMAGED += ['{"megabytes": null, "versions": {"python": "3"}}', '{"megabytes": 1, "versions": "x"}']


def test_a_damaged_record_is_no_environment(simulator):
    made = ensure(simulator)
    record = made.folder / "ready.json"
    whole = record.read_text()
    for text in DAMAGED:
        record.write_text(text)
        assert find(simulator) is None
    record.write_text(whole)
    assert find(simulator) == made


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
