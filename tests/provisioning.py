"""Fixtures of the tests on provisioning: installers that see only a folder of tiny wheels."""

from __future__ import annotations

import os

import pytest
from tiny_simulator import PIN, Gate, required, write_index


@pytest.fixture
def wheels(tmp_path, monkeypatch):
    """The folder that both installers take packages from; they see no index, pip is chosen."""
    folder = write_index(tmp_path / "wheels")
    settings = {
        "MANIGYM_CACHE": tmp_path / "my cache",
        "MANIGYM_INSTALLER": "pip",
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_NO_CACHE_DIR": 1,
        "PIP_NO_INDEX": 1,
        "PIP_FIND_LINKS": folder,
        "UV_CACHE_DIR": tmp_path / "uv",
        "UV_NO_CONFIG": 1,
        "UV_OFFLINE": 1,
        "UV_FIND_LINKS": folder,
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, str(value))
    for name in ("MANIGYM_SETUP", "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_CONSTRAINT"):
        monkeypatch.delenv(name, raising=False)
    return folder


@pytest.fixture
def simulator(wheels, tmp_path):
    return required(tmp_path, f"{PIN}\nnumpy\ngymnasium\n")


@pytest.fixture
def gate(wheels):
    gate = Gate(wheels)
    yield gate
    gate.close()
