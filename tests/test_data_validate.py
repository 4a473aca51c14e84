"""``data validate``: every defect is found, and named."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from mjthor_files import (
    CARD,
    HEIGHT,
    WIDTH,
    episode,
    exported,
    foreign_file,
    foreign_rows,
    house_store,
)
from trajectories import write_store

from benchmark.data import mjthor_videos as videos
from benchmark.data.mjthor_export import export
from benchmark.data.mjthor_layout import find
from benchmark.data.mjthor_rows import decode_rows, encode_rows
from benchmark.data.robomimic import export as export_robomimic
from benchmark.data.store import TrajectoryStore

Command = Callable[..., tuple[int, str]]
COMMANDS = "actions/commanded_action"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return exported(tmp_path_factory.mktemp("data"))


@pytest.fixture
def files(made: Path, tmp_path: Path) -> Path:
    """A copy to break."""
    target = tmp_path / "files"
    for path in (made / "files").rglob("*.*"):
        copy = target / path.relative_to(made / "files")
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(path.read_bytes())
    return target


def h5(files: Path) -> Path:
    return files / "train" / "house_1" / "trajectories_batch_1_of_1.h5"


def test_good_data_are_good(made: Path, data: Command) -> None:
    for name in ("files", "store"):
        status, said = data("validate", made / name)
        assert (status, "4 episodes, 0 problem(s)" in said) == (0, True), said


def rewrite(path: Path, name: str, change: Callable[[Any], Any]) -> None:
    """Replace a dataset of ``traj_0`` by what ``change`` makes of it."""
    with h5py.File(path, "r+") as file:
        values = change(file[f"traj_0/{name}"][()])
        del file[f"traj_0/{name}"]
        if values is not None:
            file[f"traj_0/{name}"] = values


def not_a_number(rows: np.ndarray) -> np.ndarray:
    decoded = decode_rows(rows, "x")
    decoded[4]["head"][0] = float("nan")
    return encode_rows(decoded)


BROKEN: list[tuple[str, Callable[[Any], Any], str]] = [
    ("success", lambda v: v[:-1], "different numbers of rows: .*success 15"),
    (COMMANDS, lambda v: v[:, :80], "14 rows are not JSON, first row 1 "),
    (COMMANDS, lambda v: v[1:], "different numbers of rows"),
    (COMMANDS, not_a_number, "head: not finite from step 3"),
    ("obs/sensor_data/head_camera", lambda _: None, "names no film of head_camera"),
    ("obs_scene", lambda _: "{", "obs_scene is not JSON"),
    ("obs_scene", lambda _: None, "missing: obs_scene"),
    ("obs/agent/qpos", lambda _: None, "missing: obs/agent/qpos"),
]


@pytest.mark.parametrize(("name", "change", "text"), BROKEN)
def test_broken_files(
    files: Path, data: Command, name: str, change: Callable[[Any], Any], text: str
) -> None:
    rewrite(h5(files), name, change)
    status, said = data("validate", files, "--json")
    assert status == 1
    found = [one for one in json.loads(said)["findings"] if one["problem"]]
    assert any(re.search(text, one["text"]) and "traj_0" in one["where"] for one in found), found


def test_films(files: Path, data: Command) -> None:
    one, two, three = sorted((files / "train").rglob("*head_camera*.mp4"))
    videos.write(one, videos.read(one)[:-2], 10.0)
    videos.write(two, videos.read(two), 5.0)
    three.unlink()
    status, said = data("validate", files)
    assert status == 1
    assert "head_camera: 14 frames, 16 rows" in said
    assert "head_camera: film of 5 frames/s, recorded at 10" in said
    assert re.search(r"00000002_head_camera_batch_1_of_1.mp4 does not exist", said)


def test_late_films(tmp_path: Path, data: Command) -> None:
    """The base stands and moves in turns; the pictures come two rows later."""
    episodes = []
    for i in range(4):
        one = episode(i, steps=40)
        speed = np.repeat(np.random.default_rng(i).uniform(0, 1, 20) ** 4, 2)
        arrays = dict(one.arrays)
        arrays["obs/state"] = arrays["obs/state"].copy()
        arrays["obs/state"][:, 0] = np.cumsum(speed)
        arrays["obs/state"][:, 1:3] = 0.0
        arrays["obs/proprio"] = arrays["obs/proprio"].copy()
        arrays["obs/proprio"][:, :9] = arrays["obs/proprio"][0, :9]
        rows = np.clip(np.arange(40) - 2, 0, None)
        arrays["obs/rgb/head_camera"] = block_pictures(arrays["obs/state"][rows, 0])
        arrays["obs/rgb/wrist_camera_r"] = block_pictures(arrays["obs/state"][:, 0])
        episodes.append(replace(one, arrays=arrays))
    header = house_store(tmp_path / "first", [None]).header
    with TrajectoryStore.create(tmp_path / "store", header) as store:
        for one in episodes:
            store.append(one)
    export(TrajectoryStore.open(tmp_path / "store"), tmp_path / "files", task=CARD)
    status, said = data("validate", tmp_path / "files")
    assert status == 1
    assert "[camera] head_camera: moves 2 rows after the robot does" in said
    assert "wrist_camera_r" not in said


def block_pictures(place: np.ndarray) -> np.ndarray:
    """Brightness follows ``place``: the picture changes as much as it does."""
    level = (127 + 120 * np.sin(place / 4))[:, None, None, None]
    return np.broadcast_to(level, (len(place), HEIGHT, WIDTH, 3)).round().astype(np.uint8)


@pytest.mark.parametrize("early", [-1, 1])
def test_states_that_are_shifted_against_the_actions(
    tmp_path: Path, data: Command, early: int
) -> None:
    blind = replace(CARD, cameras=())
    export(house_store(tmp_path / "store", [None] * 8, blind), tmp_path / "files", task=blind)
    for where in find(tmp_path / "files"):
        rewrite(where.file, "obs/agent/qpos", lambda v: np.roll(v, -early, axis=0))
    status, said = data("validate", tmp_path / "files")
    assert status == 1
    assert f"action t leads to state t{1 - early:+d}" in said
    assert "right_arm" in said


def test_duplicates_constants_and_pickles(tmp_path: Path, data: Command) -> None:
    rows = foreign_rows(12)
    for number in (0, 1):
        foreign_file(tmp_path / "house_1", rows, cameras=(), number=number)
    status, said = data("validate", tmp_path)
    assert status == 1
    assert re.search(r"\[duplicate\] .*traj_1: the same actions as .*traj_0", said)
    assert "a pickle (frozen_config), which is not read" in said
    still = foreign_rows(12)
    for row in still["commanded_action"][1:-1]:
        row["right_arm"][2] = 0.25
    foreign_file(tmp_path / "still" / "house_1", still, cameras=())
    status, said = data("validate", tmp_path / "still")
    assert status == 0  # legal, but worth knowing
    assert re.search(r"note, constant\] right_arm: dimension\(s\) \[2\] never change", said)


def test_robomimic_files_are_checked(tmp_path: Path, data: Command) -> None:
    path = export_robomimic(write_store(tmp_path / "toy", range(3)), tmp_path / "toy.hdf5")
    with h5py.File(path, "r+") as file:
        demo = file["data/demo_1"]
        demo["rewards"][1] = np.nan
        short = demo["states"][:-1]
        del demo["states"]
        demo["states"] = short
    status, said = data("validate", path)
    assert status == 1
    assert "[non-finite] demo_1: rewards: not finite from step 1" in said
    assert "[length] demo_1: 4 actions, but states 3" in said


def test_files_without_actions(tmp_path: Path, data: Command) -> None:
    path = export_robomimic(write_store(tmp_path / "toy", range(2)), tmp_path / "toy.hdf5")
    with h5py.File(path, "r+") as file:
        del file["data/demo_1/actions"]
    for command in ("inspect", "validate"):
        status, said = data(command, path)
        assert (status, "not robomimic's" in said, "Traceback" in said) == (2, True, False)
    foreign_file(tmp_path / "house_1", foreign_rows(12), cameras=())
    rewrite(next((tmp_path / "house_1").glob("*.h5")), COMMANDS, lambda _: None)
    status, said = data("validate", tmp_path / "house_1")
    assert (status, "missing: actions" in said) == (1, True)
