"""Defaults from a machine that we make up."""

from types import SimpleNamespace

import pytest

from benchmark import machine

GB = 10**9


@pytest.fixture
def this(monkeypatch, tmp_path):
    """Sixteen cores and 64 GB; container limits as files say."""
    monkeypatch.setattr(machine.os, "sched_getaffinity", lambda pid: set(range(16)), raising=False)
    free = SimpleNamespace(available=64 * GB)
    monkeypatch.setattr(machine.psutil, "virtual_memory", lambda: free)
    monkeypatch.setattr(machine, "QUOTA", tmp_path / "cpu.max")
    monkeypatch.setattr(machine, "CONTAINER", tmp_path)
    return tmp_path


def test_a_worker_for_each_core(this):
    assert machine.default_workers() == (16, "16 cores")


def test_a_container_has_the_cores_of_its_quota(this):
    (this / "cpu.max").write_text("max 100000\n")
    assert machine.available_cores() == 16
    (this / "cpu.max").write_text("250000 100000\n")
    assert machine.available_cores() == 2
    (this / "cpu.max").write_text("50000 100000\n")
    assert machine.available_cores() == 1


def test_memory_limits_workers(this):
    (this / "memory.stat").write_text(f"anon 5\ninactive_file {0}\n")
    (this / "memory.max").write_text(f"{6 * GB}\n")
    (this / "memory.current").write_text(f"{1 * GB}\n")
    assert machine.default_workers() == (4, "memory for 4 of 16 cores")
    (this / "memory.current").write_text(f"{6 * GB}\n")
    assert machine.default_workers()[0] == 1
    (this / "memory.stat").write_text(f"inactive_file {4 * GB}\n")  # can be had back
    assert machine.default_workers()[0] == 3
