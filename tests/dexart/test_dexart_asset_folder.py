"""Environments on upstream's asset folder: the same episodes as on our own objects; a folder that
SAPIEN would not survive is refused in words."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from dexart_files import NUMBERS, place_of, write_assets, write_robot, write_small

from envs.dexart import upstream
from envs.dexart.objects import build
from envs.registry import card, install_hint, installed
from envs.schema import ManigymError

needs_sapien = pytest.mark.skipif(
    not installed("DexArt/faucet-v0"), reason=install_hint("DexArt/faucet-v0")
)


@pytest.fixture(autouse=True)
def _one_object_of_every_task(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upstream, "IDS", {t: {"seen": (n,)} for t, n in NUMBERS.items()})


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A whole folder of objects of two boxes."""
    write_robot(tmp_path)
    return write_small(tmp_path)


def make(task: str, folder: Path | None) -> Any:
    from envs.dexart.env import DexArtEnv

    place = None if folder is None else str(folder)
    return DexArtEnv(
        card(f"DexArt/{task}-v0"), asset_folder=place, instance=0, randomize=False,
        observations=("proprio",),
    )  # fmt: skip


def change(file: Path, old: str, new: str, once: bool = False) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1 if once else -1))


def episode(env: Any) -> tuple[np.ndarray, ...]:
    """Handle point (4, 3), progress and reward (4, 2) and proprio (4, P) of a start and three
    steps."""
    observation, _ = env.reset(seed=3)
    rows = [(env.thing.handle_point, [env.reading.progress, 0.0], observation["proprio"])]
    rng = np.random.default_rng(0)
    for _ in range(3):
        action = rng.uniform(-0.3, 0.3, 22).astype(np.float32)
        action[6:] = -0.9  # open: fingers that touch one another look for contacts further away
        observation, reward, *_ = env.step(action)
        progress = env.reading.progress
        rows.append((env.thing.handle_point, [progress, reward], observation["proprio"]))
    return tuple(np.array(column, float) for column in zip(*rows, strict=True))


@needs_sapien
@pytest.mark.parametrize(
    "task, meshes", [*((task, False) for task in NUMBERS), ("faucet", True), ("laptop", True)]
)
def test_an_object_in_upstreams_files_is_the_same_object(
    task: str, meshes: bool, tmp_path: Path
) -> None:
    """Handles of bucket and toilet are bars and spheres, which meshes only come close to."""
    found = replace(build(task, "seen", 0), name=str(NUMBERS[task]))
    write_assets(tmp_path, {task: [found]}, meshes=meshes)
    write_robot(tmp_path)
    env = make(task, tmp_path)
    theirs = episode(env)
    assert env.thing.instance.urdf == place_of(tmp_path, task) / "mobility.urdf"
    for ours, other in zip(episode(make(task, None)), theirs, strict=True):
        np.testing.assert_allclose(other, ours, atol=1e-6)
    again = episode(make(task, tmp_path))
    assert all(np.array_equal(a, b) for a, b in zip(theirs, again, strict=True))
    assert np.ptp(theirs[2], axis=0).max() > 0.01  # the robot has moved


LIMIT = 'lower="-1.6" upper="1.6"'
FAULTS = {  # what is replaced in a bucket's URDF, what with, and what is said
    "not XML": ("<robot", "<", "cannot be read"),
    "a web page": ("robot", "html", "whose root is <robot>, got <html>"),
    "no child link": ('child link="link_0"', 'child link="x"', "'joint_moving' has no child link"),
    "another link": ('"link_0"', '"handle"', "has no link 'link_0'; it has: base, handle, link_1"),
    "no link's name": ('link name="base"', "link", "a link has the name ''"),
    "a link twice": ('<link name="base" />', '<link name="base" />' * 2, "2 of its links have"),
    "no joint's name": ('name="joint_still"', "", "a joint has the name ''"),
    "a joint twice": ("joint_still", "joint_moving", "2 of its joints have .*'joint_moving'"),
    "no type": ('type="revolute"', "", "the type None; SAPIEN 2 knows: fixed, revolute"),
    "a hinge": ("revolute", "hinge", "the type 'hinge'"),
    "floating": ("revolute", "floating", "the type 'floating'"),
    "no limit": ("<limit", "<range", "'joint_moving', revolute, has no <limit>"),
    "no lower": ('lower="-1.6"', "", "no <limit> with lower and upper"),
    "limits of words": (LIMIT, 'lower="a" upper="1"', "lower='a', expected 1 finite"),
    "limits of no size": (LIMIT, 'lower="-inf" upper="1"', "lower='-inf', expected 1 finite"),
    "limits turned": (LIMIT, 'lower="1" upper="-1"', "a lower limit, 1.0, above its upper, -1.0"),
    "axis of words": ('"0 1 0"', '"a b c"', "<axis> has xyz='a b c', expected 3 finite"),
    "a short axis": ('"0 1 0"', '"0 1"', "<axis> has xyz='0 1', expected 3 finite"),
    "no axis": ('"0 1 0"', '"0 0 0"', "'joint_moving' has an axis of length 0"),
    "two roots": ("<link", '<link name="two"/><link', "links without a parent are two, base"),
    "two parents": ('child link="link_1"', 'child link="link_0"', "with several: link_0"),
    "a ring": ('parent link="base"', 'parent link="link_0"', "not hang on its root link, base"),
    "no mass": ("<visual>", "<inertial/><visual>", "an <inertial> has no <mass>"),
    "no geometry": ("geometry", "form", "a <visual> has no shape in a <geometry>"),
    "no file name": ("filename", "file", "the <mesh> of a <visual> has no filename"),
    "no mesh": ("shape_1", "shape_9", "missing upstream asset: .*shape_9.obj"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_urdf_that_sapien_cannot_take(small: Path, fault: str) -> None:
    old, new, message = FAULTS[fault]
    change(place_of(small, "bucket") / "mobility.urdf", old, new, fault == "two roots")
    with pytest.raises(ManigymError, match=message):
        upstream.instances(small, "bucket", "seen")


@needs_sapien
@pytest.mark.parametrize("fault", FAULTS)
def test_an_environment_refuses_it(small: Path, fault: str) -> None:
    """An error in words, where SAPIEN would end the process."""
    old, new, message = FAULTS[fault]
    change(place_of(small, "bucket") / "mobility.urdf", old, new, fault == "two roots")
    with pytest.raises(ManigymError, match=message):
        make("bucket", small)


ROBOT_FAULTS = {
    "a web page": ("robot", "html", "whose root is <robot>, got <html>"),
    "other links": ('"link_3.0_tip"', '"tip"', "has no link 'link_3.0_tip'; it has:"),
    "fewer joints": ('name="joint_0.0" type="revolute"', 'name="j" type="fixed"', "21 moving"),
    "no limit": ("<limit", "<range", "'joint1', revolute, has no <limit>"),
}


@needs_sapien
@pytest.mark.parametrize("fault", ROBOT_FAULTS)
def test_an_environment_refuses_a_robot(small: Path, fault: str) -> None:
    old, new, message = ROBOT_FAULTS[fault]
    change(small / upstream.ROBOT, old, new)
    with pytest.raises(ManigymError, match=f"{message}(.|\n)*yzqin/dexpoint-release"):
        make("faucet", small)


@needs_sapien
def test_an_environment_refuses_what_is_not_there(small: Path) -> None:
    (small / upstream.ROBOT).write_text("")
    with pytest.raises(ManigymError, match=f"{upstream.ROBOT} cannot be read: no element"):
        make("faucet", small)
    (small / upstream.ROBOT).unlink()
    with pytest.raises(ManigymError, match=f"missing upstream asset: .*{upstream.ROBOT}\n"):
        make("faucet", small)
    with pytest.raises(ManigymError, match="no such folder"):
        make("faucet", small / "other")


@needs_sapien
def test_an_environment_refuses_a_joint_that_is_open_at_the_start(small: Path) -> None:
    file = small / "annotation/laptop_joint_annotation.json"
    for middle in (0.0, 0.2, -0.1):
        file.write_text(json.dumps({str(NUMBERS["laptop"]): {"left": 0.0, "middle": middle}}))
        with pytest.raises(ManigymError, match=r"at most 0.2 rad apart.* nothing is left to do"):
            make("laptop", small)


def test_a_mesh_of_a_package_is_beside_the_urdf(small: Path) -> None:
    file = place_of(small, "bucket") / "mobility.urdf"
    change(file, 'filename="', 'filename="package://')
    assert upstream.instances(small, "bucket", "seen")[0].urdf == file
