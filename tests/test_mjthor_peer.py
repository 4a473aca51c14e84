"""MolmoSpaces' own writer: we read what it wrote, and our files have the structure of its files.

Runs where molmo-spaces 0.2.9 is installed (``tox -e molmospaces``); its ``save_utils`` needs only
torch, h5py, imageio and gymnasium, so it is installed without its dependencies.
"""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from mjthor_files import CARD, DOORS, HEIGHT, WIDTH, foreign_rows, house_store, pictures

from benchmark.data import mjthor_videos as videos
from benchmark.data.mjthor_export import export
from benchmark.data.mjthor_import import import_, offered
from benchmark.data.mjthor_layout import find
from benchmark.data.mjthor_read import is_done
from benchmark.data.mjthor_rows import decode_rows, encode_rows

save_utils = pytest.importorskip(
    "molmo_spaces.utils.save_utils", reason="molmo-spaces 0.2.9 is not installed"
)
cameras = pytest.importorskip("molmo_spaces.env.sensors_cameras", reason="molmo-spaces")

STEPS = 10
JSON = (
    *("actions/commanded_action", "actions/joint_pos", "actions/joint_pos_rel"),
    *("qpos", "qvel"),
)


class Sensor:
    """What upstream's writer asks of a sensor."""

    is_dict = True
    str_max_len = 2000


class Suite:
    def __init__(self, names: list[str]) -> None:
        self.sensors: dict[str, Any] = {}
        for name in names:
            self.sensors[name] = Sensor()
            self.sensors[name].is_dict = name in JSON
        self.sensors["head_camera"] = cameras.CameraSensor("head_camera", (WIDTH, HEIGHT))


def history(rows: dict[str, list[dict[str, Any]]], end: dict[str, Any]) -> dict[str, Any]:
    """What a task of upstream hands to its writer: T = STEPS + 2 states, the last after ``end``."""
    pose = np.array([row["base"] for row in rows["qpos"]])
    frames, half = pictures(pose), pose[:, 2] / 2
    observations = []
    for i in range(STEPS + 2):
        ended = i == STEPS + 1
        command = end if ended else rows["commanded_action"][i]
        observations.append(
            [
                {
                    "actions/commanded_action": command,
                    "actions/joint_pos": {} if ended else command,
                    "actions/joint_pos_rel": {} if ended else command,
                    "qpos": rows["qpos"][i],
                    "qvel": rows["qvel"][i],
                    "robot_base_pose": np.array(
                        [*pose[i, :2], 0.0, np.cos(half[i]), 0, 0, np.sin(half[i])], np.float32
                    ),
                    "head_camera": frames[i],
                }
            ]
        )
    over = [[i == STEPS + 1] for i in range(STEPS + 2)]
    return {
        "observations": observations,
        "rewards": [[0.5 * i] for i in range(STEPS + 2)],
        "terminals": [[False]] * (STEPS + 2),
        "truncateds": [[False]] * (STEPS + 2),
        "successes": over,
        "obs_scene": {"task_description": "Push the door open", "policy_dt_ms": 100.0},
    }


def upstream_house(folder: Path, rows: dict[str, list[dict[str, Any]]], end: Any) -> Path:
    suite = Suite([*JSON, "robot_base_pose"])
    past = history(copy.deepcopy(rows), end)
    options = {"save_dir": str(folder), "save_file_suffix": "_batch_1_of_1"}
    data = save_utils.prepare_episode_for_saving(past, suite, 10.0, **options)
    return save_utils.save_trajectories([data], fps=10.0, **options)


@pytest.fixture
def house(tmp_path: Path) -> Path:
    folder = tmp_path / "data" / "val" / "house_3"
    upstream_house(folder, foreign_rows(STEPS), {"done": [1.0]})
    return tmp_path / "data"


def test_reading_what_upstream_wrote(house: Path, tmp_path: Path) -> None:
    rows = foreign_rows(STEPS)
    (where,) = find(house)
    with h5py.File(where.file) as file:
        assert list(file["traj_0/obs/sensor_data"]) == []  # defect (a): it names no film
        assert file["traj_0/terminated"][-1]  # defect (b): although nothing terminated
    said: list[str] = []
    assert offered(house, CARD, said.append) == ["proprio", "rgb/head_camera"]
    assert said == ["the files name no film of head_camera; found by the naming rule"]
    store = import_(house, tmp_path / "store", task=CARD, modes=DOORS, say=said.append)
    arrays = store.episode(0)
    assert store.groups.tolist() == ["val/house_3"]
    assert store.instructions.tolist() == ["Push the door open"]
    assert store.header.fps == 10.0
    physical = CARD.action.to_physical(arrays["action"])
    told = [row["right_arm"] for row in rows["commanded_action"][1:-1]]
    np.testing.assert_allclose(physical[:, 5:12], told, atol=1e-6)
    here = np.array([row["base"] for row in rows["qpos"][:STEPS]])
    there = np.array([row["base"] for row in rows["commanded_action"][1:-1]])
    gone = there - here  # in the world; the robot's frame is turned by its yaw
    turned = physical[:, 0] * np.exp(1j * here[:, 2]) + 1j * physical[:, 1] * np.exp(
        1j * here[:, 2]
    )
    np.testing.assert_allclose(turned, gone[:, 0] + 1j * gone[:, 1], atol=1e-6)
    np.testing.assert_allclose(physical[:, 2], gone[:, 2], atol=1e-6)
    np.testing.assert_allclose(arrays["reward"], 0.5 * np.arange(1, STEPS + 1))
    frames = pictures(np.array([row["base"] for row in rows["qpos"]]))[:STEPS]
    assert videos.psnr(arrays["obs/rgb/head_camera"], frames) > 30


def test_an_episode_that_ends_without_done_keeps_its_last_action(tmp_path: Path) -> None:
    rows = foreign_rows(STEPS)
    last = dict(rows["commanded_action"][-2])
    upstream_house(tmp_path / "data" / "house_0", rows, last)
    store = import_(tmp_path / "data", tmp_path / "store", task=CARD, modes=DOORS)
    assert store.lengths.tolist() == [STEPS + 1]


def test_upstream_decodes_our_rows_and_we_its_own() -> None:
    row = {"right_arm": [0.1] * 7, "base": [1.0, -2.0, 0.5]}
    theirs = save_utils.dict_to_byte_array(row, "x", 2000)
    np.testing.assert_array_equal(encode_rows([row])[0], theirs)
    assert decode_rows(theirs[None], "x") == [row]
    name = "episode_00000000_head_camera_batch_1_of_1.mp4"
    assert save_utils.byte_array_to_string(np.frombuffer(name.encode(), np.uint8)) == name


def structure(group: h5py.Group) -> dict[str, tuple[Any, ...]]:
    """Name -> dtype, shape with T for the rows, compression."""
    rows, found = len(group["success"]), {}

    def note(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            shape = tuple("T" if size == rows else size for size in item.shape)
            found[name] = (item.dtype, shape, item.compression)

    group.visititems(note)
    return found


def test_our_files_have_the_structure_of_upstreams(house: Path, tmp_path: Path) -> None:
    store = house_store(tmp_path / "store", ["val/house_3"])
    ours = find(export(store, tmp_path / "ours", task=CARD))[0]
    theirs = find(house)[0]
    assert ours.file.relative_to(tmp_path / "ours") == theirs.file.relative_to(house)
    assert ours.video("head_camera").name == theirs.video("head_camera").name
    with h5py.File(ours.file) as a, h5py.File(theirs.file) as b:
        mine, its = structure(a["traj_0"]), structure(b["traj_0"])
        assert is_done(decode_rows(a["traj_0/actions/commanded_action"][-1:], "x")[0])
        assert type(a["traj_0/obs_scene"][()]) is type(b["traj_0/obs_scene"][()])
    more = {"obs/extra/state", "obs/sensor_data/head_camera", "obs/sensor_data/wrist_camera_r"}
    assert mine.keys() - its.keys() == more
    assert its.keys() - mine.keys() == {"env_states/articulations/panda"}
    differing = {name for name in mine.keys() & its.keys() if mine[name] != its[name]}
    assert differing == set()
