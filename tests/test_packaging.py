"""The wheel holds everything; every simulator has its extra and its tox environment."""

from __future__ import annotations

import configparser
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

import benchmark
from envs import CARDS, SIMULATORS

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("assets", "benchmark", "envs", "policies")


@pytest.fixture(scope="module")
def setup_cfg():
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    return config


def extras(config):
    """Extra -> its requirements, with ``manigym[other]`` resolved by nobody: plain lists."""
    return {k: v.split() for k, v in config["options.extras_require"].items()}


def test_the_wheel_holds_every_module_and_asset(tmp_path):
    pytest.importorskip("setuptools", minversion="77")  # as pyproject.toml asks
    source = tmp_path / "source"
    skipped = shutil.ignore_patterns("__pycache__", "*.egg-info")
    for name in PACKAGES:
        shutil.copytree(ROOT / name, source / name, ignore=skipped)
    for name in ("setup.cfg", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    build = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--no-deps",
        "--no-build-isolation",
        "--no-index",
    ]
    done = subprocess.run(
        [*build, "-q", "-w", tmp_path, source], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    (wheel,) = tmp_path.glob("manigym-*.whl")
    assert wheel.name.split("-")[1] == benchmark.__version__
    held = set(zipfile.ZipFile(wheel).namelist())
    wanted = {
        str(file.relative_to(source))
        for name in PACKAGES
        for file in (source / name).rglob("*")
        if file.is_file()
    }
    assert len(wanted) > 50
    assert wanted <= held


def test_every_package_folder_has_an_init():
    for name in PACKAGES:
        folders = {file.parent for file in (ROOT / name).rglob("*.py")}
        assert [f for f in folders if not (f / "__init__.py").exists()] == []


def test_every_simulator_has_an_extra_and_a_tox_environment(setup_cfg):
    tox = configparser.ConfigParser()
    tox.read(ROOT / "tox.ini")
    listed = tox["tox"]["env_list"].replace(",", " ").split()
    for simulator in SIMULATORS:
        if not simulator.extra:  # runs on the core requirements
            continue
        assert simulator.extra in extras(setup_cfg)
        assert simulator.extra in listed
        used = tox[f"testenv:{simulator.extra}"]["extras"].replace(",", " ").split()
        assert simulator.extra in used


def test_every_package_a_card_names_is_required_somewhere(setup_cfg):
    lines = [line for part in extras(setup_cfg).values() for line in part]
    lines += setup_cfg["options"]["install_requires"].split()
    required = {line.split(">")[0].split("=")[0].split("<")[0] for line in lines}
    named = {package for card in CARDS.values() for package in card.packages}
    assert named <= required


def test_every_entry_point_is_importable(setup_cfg):
    from importlib import import_module

    for line in setup_cfg["options.entry_points"]["manigym.policies"].strip().splitlines():
        module, _, name = line.split("=")[1].strip().partition(":")
        assert hasattr(import_module(module), name)


def test_pins_agree_with_the_requirements(setup_cfg):
    """A constraint that contradicts an extra makes an install that cannot be solved."""
    packaging = pytest.importorskip("packaging.requirements")
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = dict(
        line.split("#")[0].split(";")[0].strip().split("==")
        for line in lines
        if "==" in line.split("#")[0]
    )
    wanted = [line for part in extras(setup_cfg).values() for line in part]
    wanted += setup_cfg["options"]["install_requires"].split()
    checked = 0
    for requirement in map(packaging.Requirement, wanted):
        if requirement.name in pins:
            assert requirement.specifier.contains(pins[requirement.name]), requirement
            checked += 1
    assert checked >= 10


def test_pyproject_is_only_what_pip_needs():
    data = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert data["build-system"]["build-backend"] == "setuptools.build_meta"
    assert "project" not in data  # setup.cfg is the one place for metadata
