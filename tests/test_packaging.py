"""The wheel holds everything; every simulator has its extra and its tox environment."""

from __future__ import annotations

import configparser
import shutil
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import distributions
from pathlib import Path

import pytest

import benchmark
import envs
from envs import CARDS, SIMULATORS
from envs.registry import pinned

ROOT = Path(__file__).resolve().parent.parent
# Not imported: setuptools refuses where some other package has loaded distutils before.
SETUPTOOLS = next((d.version for d in distributions(name="setuptools")), "")
PACKAGES = ("assets", "benchmark", "envs", "policies")


@pytest.fixture(scope="module")
def setup_cfg():
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    return config


def extras(config):
    """Extra -> its requirements: plain lists, those of simulators from their files."""
    return {k: requirements(v) for k, v in config["options.extras_require"].items()}


def requirements(text):
    if text.startswith("file:"):
        text = (ROOT / text.removeprefix("file:").strip()).read_text()
    return text.split()


def constraints(path):
    """Distribution -> version, of a constraints file and those that it includes."""
    pins = {}
    for line in path.read_text().splitlines():
        if line.startswith("-c "):
            pins |= constraints(path.parent / line[3:])
        elif line and not line.startswith("#"):
            name, version = line.split("==")
            assert name not in pins, f"{name} is pinned twice"
            pins[name] = version
    return pins


def test_the_wheel_holds_every_module_and_asset(tmp_path):
    if not SETUPTOOLS or int(SETUPTOOLS.split(".")[0]) < 77:
        pytest.skip("pyproject.toml asks for setuptools 77")
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
    assert {"envs/constraints.txt", "envs/dexart/requirements.txt"} <= held
    metadata = next(name for name in held if name.endswith(".dist-info/METADATA"))
    text = zipfile.ZipFile(wheel).read(metadata).decode()
    for simulator in filter(pinned, SIMULATORS):
        pin = "==".join(pinned(simulator))
        assert f'Requires-Dist: {pin}; extra == "{simulator.extra}"' in text


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
        source = f"file: {simulator.requirements.relative_to(Path(envs.__file__).parent.parent)}"
        assert setup_cfg["options.extras_require"][simulator.extra] == source
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
    pins = constraints(ROOT / "constraints.txt")
    wanted = [line for part in extras(setup_cfg).values() for line in part]
    wanted += setup_cfg["options"]["install_requires"].split()
    checked = 0
    for requirement in map(packaging.Requirement, wanted):
        if requirement.name in pins:
            assert requirement.specifier.contains(pins[requirement.name]), requirement
            checked += 1
    assert checked >= 10
    # SAPIEN, in use in two versions, is pinned by the requirements alone.
    assert "sapien" not in pins


def test_the_pins_of_a_simulators_environment_come_with_the_package():
    """Whatever a simulator needs is pinned in the file that its own environment is made with."""
    packaging = pytest.importorskip("packaging.requirements")
    shared = constraints(ROOT / "envs" / "constraints.txt")
    own = dict(pinned(simulator) for simulator in SIMULATORS if pinned(simulator))
    for simulator in filter(pinned, SIMULATORS):
        lines = simulator.requirements.read_text().splitlines()
        assert lines[0] == "==".join(pinned(simulator))
        names = {packaging.Requirement(line).name for line in lines}
        assert names <= shared.keys() | own.keys()
        assert {"numpy", "gymnasium"} <= names


def test_pyproject_is_only_what_pip_needs():
    data = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert data["build-system"]["build-backend"] == "setuptools.build_meta"
    assert "project" not in data  # setup.cfg is the one place for metadata
