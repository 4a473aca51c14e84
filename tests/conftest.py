"""Shared fixtures. Simulators that are not installed skip with the command that installs them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import envs
from envs.gl import select_backend
from envs.registry import install_hint

os.environ.setdefault("MANIGYM_SETUP", "never")  # a test run sets nothing up by accident
INSTALLED = [env_id for env_id in envs.CARDS if envs.installed(env_id)]
HAS_GL = select_backend() not in ("disable",)
needs_gl = pytest.mark.skipif(not HAS_GL, reason="no off-screen OpenGL: apt-get install libosmesa6")


def task_params() -> list[object]:
    """Every id of the registry; those without their simulator are skipped."""
    return [
        pytest.param(
            env_id,
            marks=() if env_id in INSTALLED else pytest.mark.skip(reason=install_hint(env_id)),
        )
        for env_id in envs.CARDS
    ]


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """An empty output folder, as --out."""
    return tmp_path / "runs"


@pytest.fixture(autouse=True)
def one_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    """``--workers auto`` is one here, so that tests of a command run in this process."""
    monkeypatch.setattr("benchmark.commands.arguments.default_workers", lambda: (1, "a test"))


@pytest.fixture
def twins():
    """Makes pairs of one environment: here, and in a worker."""
    from twins import pairs

    with pairs() as make:
        yield make


@pytest.fixture
def stand_ins(monkeypatch):
    """AI2-THOR's stand-ins: those that environments started, in order."""
    from ai2thor_stand_in import StandIn

    import envs.ai2thor.env
    import envs.make

    made = []

    def open_stand_in(*arguments):
        made.append(StandIn(*arguments))
        return made[-1]

    monkeypatch.setattr(envs.ai2thor.env, "open_controller", open_stand_in)
    monkeypatch.setattr(envs.make, "choose", lambda *_: None)  # in this process
    return made


@pytest.fixture
def verified(out, capsys):
    """``python -m benchmark verify`` on ``out``: its exit status and what it printed."""
    from toy import bench

    def command(*arguments):
        capsys.readouterr()
        status = bench("verify", "--out", out, *arguments)
        return status, capsys.readouterr().out

    return command


@pytest.fixture
def data(capsys):
    """``python -m benchmark data ...``: its exit status and all that it said."""
    from toy import bench

    def command(*arguments):
        capsys.readouterr()
        status = bench("data", *arguments)
        said = capsys.readouterr()
        return status, said.out + said.err

    return command
