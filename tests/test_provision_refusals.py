"""Environments of simulators: what can go wrong says what to do, and leaves nothing half made."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tiny_simulator import BOTH, PIN, folders, refused, required, start, write_wheel

from envs.provision import check, environments, installers, problems
from envs.provision.consent import obtain
from envs.provision.environments import ensure, find
from envs.schema import ManigymError

pytest_plugins = ("provisioning",)
TMPFS = ("unshare", "--user", "--map-root-user", "--mount")
IN_TMPFS = 'mount -t tmpfs -o size=60m none "$MANIGYM_CACHE" && exec "$@"'

CAUSES = {
    "bad pin": ("tinysim==9.9\n", "no set of packages with these versions"),
    "contradiction": (f"{PIN}\nnumpy==0.1\n", "no set of packages with these versions"),
}


@pytest.mark.parametrize("installer", BOTH)
@pytest.mark.parametrize(("text", "cause"), CAUSES.values(), ids=CAUSES)
def test_pins_that_cannot_be_met(wheels, tmp_path, monkeypatch, installer, text, cause):
    monkeypatch.setenv("MANIGYM_INSTALLER", installer)
    refused(required(tmp_path, text), cause)


@pytest.mark.parametrize("installer", BOTH)
def test_no_way_to_the_index(simulator, monkeypatch, installer):
    for name in ("PIP_NO_INDEX", "PIP_FIND_LINKS", "UV_OFFLINE", "UV_FIND_LINKS"):
        monkeypatch.delenv(name)
    closed = "http://127.0.0.1:9/simple"
    settings = {
        "MANIGYM_INSTALLER": installer,
        "PIP_INDEX_URL": closed,
        "PIP_RETRIES": "1",
        "UV_DEFAULT_INDEX": closed,
        "UV_HTTP_RETRIES": "0",
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    message = refused(simulator, "the package index could not be reached")
    assert "Connection refused" in message


@pytest.mark.parametrize(
    ("wheel", "cause"),
    [
        ({"code": "raise RuntimeError('no such device')"}, "RuntimeError: no such device"),
        ({"requires": "torch"}, "torch is installed"),
    ],
)
def test_an_environment_is_checked_before_use(simulator, wheels, wheel, cause):
    write_wheel(wheels, "torch", "9.0")
    write_wheel(wheels, "tinysim", "1.0", **wheel)
    refused(simulator, cause)


def test_the_check_wants_the_pinned_version():
    answer = check.examine("pytest", "0.1")
    assert answer["problem"] == f"pytest is {pytest.__version__}, expected 0.1"
    assert check.examine("no-such-thing", "1")["problem"].startswith("no-such-thing is not inst")


def test_too_little_space_is_seen_beforehand(simulator, monkeypatch):
    monkeypatch.setitem(environments._MEGABYTES, "tiny", 10**9)
    with pytest.raises(ManigymError, match=r"needs about 1000000000 MB, but .* MB left"):
        ensure(simulator)
    assert folders() == []


@pytest.mark.skipif(
    subprocess.run([*TMPFS, "true"], capture_output=True).returncode != 0
    if shutil.which("unshare")
    else True,
    reason="a small file system needs user namespaces",
)
@pytest.mark.parametrize("installer", BOTH)
def test_the_disk_fills_up(simulator, wheels, installer):
    write_wheel(wheels, "tinysim", "1.0", zeros=80_000_000)
    Path(os.environ["MANIGYM_CACHE"]).mkdir()
    inside = (*TMPFS, "sh", "-c", IN_TMPFS, "sh")
    process = start(simulator.file, inside, MANIGYM_INSTALLER=installer)
    _, errors = process.communicate(timeout=60)
    assert "no space left. Make room" in errors
    assert "full log" in errors
    assert process.returncode == 1


def test_a_cache_folder_that_cannot_be_written(simulator, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("MANIGYM_CACHE", str(tmp_path / "file" / "cache"))
    assert find(simulator) is None
    with pytest.raises(ManigymError, match=r"cannot write to the cache folder .*MANIGYM_CACHE"):
        ensure(simulator)


# What pip 23 and 26, uv 0.13, venv and distutils really print.
LOGS = {
    "error: [Errno 2] No such file or directory: 'gcc'": "gcc libc6-dev python3-dev",
    "error: command '/usr/bin/gcc' failed with exit code 1": "gcc libc6-dev python3-dev",
    "ERROR: [Errno 28] No space left on device": "no space left",
    "  cause: No space left on device (os error 28)": "no space left",
    "The 'linux/input.h' include files are missing. You will": "gcc libc6-dev python3-dev",
    "error: No interpreter found for Python 3.11 in managed installations": "python3.11",
    "ensurepip is not available.  On Debian/Ubuntu": "apt-get install python3-venv",
    "/usr/bin/python3: No module named venv": "apt-get install python3-venv",
    "ERROR: Could not find a version that satisfies the requirement x==1 (from versions: none)\n"
    "ERROR: No matching distribution found for x==1": "the index has no version of a package",
    "    The user requested x==1\n    The user requested (constraint) x==1\n\n"
    "ERROR: ResolutionImpossible": "It may be out of reach",
    "    The user requested x==1\n    The user requested (constraint) x==2\n\n"
    "ERROR: ResolutionImpossible": "no set of packages",
    "  cause: failed to lookup address information\n  cause: dns error": "could not be reached",
    "something new": "the installer failed",
}


@pytest.mark.parametrize(("log", "advice"), LOGS.items())
def test_the_log_tells_what_to_do(tmp_path, log, advice):
    path = tmp_path / "log"
    path.write_text(f"Collecting x\n{log}\nnote: not a problem with pip\n")
    message = str(problems.failed("Tiny", path))
    assert advice in message
    assert log.splitlines()[-1].strip() in message
    assert message.endswith(f"full log: {path}")


def test_a_python_that_is_too_new_needs_another_one(simulator, wheels, tmp_path, monkeypatch):
    old = required(tmp_path, f"{PIN}\n", newest_python=(3, 9))
    shims = tmp_path / "bin"
    shims.mkdir()
    (shims / "python3.9").symlink_to(sys.executable)  # not what its name says
    monkeypatch.setenv("PATH", str(shims))
    with pytest.raises(ManigymError, match=r"Tiny needs Python 3\.9 or older; this is 3\.\d+"):
        ensure(old)
    monkeypatch.setattr(installers, "RUNNING", (3, 99))
    fits = required(tmp_path, f"{PIN}\nnumpy\ngymnasium\n", newest_python=sys.version_info[:2])
    (shims / this_python()).symlink_to(Path(sys.executable).resolve())
    assert ensure(fits).versions["tinysim"] == "1.0"


def this_python():
    return f"python{sys.version_info[0]}.{sys.version_info[1]}"


def test_the_choice_of_installer(monkeypatch):
    monkeypatch.setenv("MANIGYM_INSTALLER", "conda")
    with pytest.raises(ManigymError, match="MANIGYM_INSTALLER=conda: expected pip or uv"):
        installers.choose()
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(installers, "find_spec", lambda _: None)
    monkeypatch.setenv("MANIGYM_INSTALLER", "uv")
    with pytest.raises(ManigymError, match="pip install uv"):
        installers.choose()


def test_without_pip_here_the_environment_brings_its_own(simulator, monkeypatch):
    monkeypatch.setattr(installers, "find_spec", lambda _: None)
    assert ensure(simulator).versions["tinysim"] == "1.0"


@pytest.fixture
def terminal(monkeypatch):
    """Somebody who sees standard error and has typed this."""

    def typed(text):
        keyboard = io.StringIO(text)
        keyboard.isatty = lambda: True
        monkeypatch.setattr(sys, "stdin", keyboard)
        monkeypatch.setattr(sys.stderr, "isatty", lambda: True)

    return typed


@pytest.mark.parametrize(
    ("typed", "agreed"), [("\n", True), ("Y\n", True), ("n\n", False), ("", False), ("x\n", False)]
)
def test_a_terminal_is_asked(terminal, capsys, monkeypatch, typed, agreed):
    monkeypatch.delenv("MANIGYM_SETUP", raising=False)
    terminal(typed)
    if agreed:
        obtain("Tiny needs 1 MB.", "setup tiny", None)
    else:
        with pytest.raises(ManigymError, match=r"not set up\. When you want it: setup tiny"):
            obtain("Tiny needs 1 MB.", "setup tiny", None)
    assert "Tiny needs 1 MB. Set it up now? [Y/n]" in capsys.readouterr().err


def test_who_is_not_asked(terminal, capsys, monkeypatch):
    terminal("n\n")
    obtain("Tiny needs 1 MB.", "setup tiny", ask=False)  # the command was given
    monkeypatch.setenv("MANIGYM_SETUP", "always")
    obtain("Tiny needs 1 MB.", "setup tiny", None)
    monkeypatch.delenv("MANIGYM_SETUP")
    monkeypatch.setattr(sys, "stdin", io.StringIO("n\n"))  # no terminal
    obtain("Tiny needs 1 MB.", "setup tiny", None)
    assert capsys.readouterr().err == ""


def test_never(simulator, monkeypatch):
    monkeypatch.setenv("MANIGYM_SETUP", "never")
    with pytest.raises(ManigymError, match="python -m benchmark setup tiny"):
        ensure(simulator)
    assert folders() == []
    monkeypatch.setenv("MANIGYM_SETUP", "perhaps")
    with pytest.raises(ManigymError, match="perhaps: expected one of ask, always, never"):
        ensure(simulator)
