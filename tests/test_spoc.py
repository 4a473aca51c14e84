"""SPOC's layout, written here as its readers expect it: what is dropped, and one of 20 actions."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import h5py
import numpy as np
import pytest
from mjthor_files import pictures
from toy import bench

from benchmark.data import mjthor_videos as videos
from benchmark.data.spoc import ACTIONS, find, import_, one_hot
from benchmark.data.store import TrajectoryStore
from envs.schema import ManigymError

DONE = ["m", "m", "l", "zp", "p", "end"]


def text_rows(rows: Sequence[str], width: int) -> np.ndarray:
    """As upstream writes strings: NumPy ``S`` seen as uint8, (T, width)."""
    return np.array(rows, f"S{width}").view(np.uint8).reshape(len(rows), width)


def house(
    folder: Path, number: int, episodes: Sequence[int], actions: Sequence[str] = DONE
) -> Path:
    """A house of SPOC's with one film per camera and episode."""
    path = folder / f"{number:06d}" / "hdf5_sensors.hdf5"
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = len(actions) + 1
    spec = {"task_type": "ObjectNavType", "synsets": ["alarm_clock.n.01"], "extras": {}}
    with h5py.File(path, "w") as file:
        for key in episodes:
            group = file.create_group(str(key))
            group["last_action_str"] = text_rows(["", *actions], 200)
            group["templated_task_spec"] = text_rows([json.dumps(spec)] * rows, 1000)
            place = np.arange(rows)[:, None] + 10.0 * key
            group["last_agent_location"] = np.tile(place, (1, 6))
            group["an_object_is_in_hand"] = np.zeros((rows, 1), np.int64)
            group["hypothetical_task_success"] = np.arange(rows)[:, None] == rows - 1
            for camera in ("navigation", "manipulation"):
                frames = pictures(np.linspace(0, 1, rows)[:, None] * (1, 1, 1))
                videos.write(path.with_name(f"raw_{camera}_camera__{key}.mp4"), frames, 5.0)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    task = tmp_path / "ObjectNavType"
    house(task / "train", 3, [0, 2, 10])
    house(task / "val", 7, [1])
    listed = {"000003": ["0", "10"]}
    (task / "house_id_to_sub_house_id_train.json").write_text(json.dumps(listed))
    return task


def test_actions_are_the_next_rows(folder: Path, tmp_path: Path) -> None:
    store = import_(folder, tmp_path / "store")
    assert [sample.key for sample in find(folder)] == ["0", "10", "1"]  # 2 is not listed
    assert store.groups.tolist() == ["train/house_000003"] * 2 + ["val/house_000007"]
    assert store.instructions.tolist() == ["navigate to a alarm clock"] * 3
    assert store.successes.all()
    assert store.header.fps == 5.0
    arrays = store.episode(1)
    assert arrays["action"].shape == (6, 20)
    assert [ACTIONS[i] for i in arrays["action"].argmax(axis=1)] == DONE
    assert sorted(np.unique(arrays["action"]).tolist()) == [-1.0, 1.0]
    assert (arrays["action"].sum(axis=1) == -18).all()
    np.testing.assert_array_equal(arrays["obs/proprio"][:, 0], 100 + np.arange(6.0))
    assert arrays["obs/proprio"].shape == (6, 7)
    frames = pictures(np.linspace(0, 1, 7)[:, None] * (1, 1, 1))
    for camera in ("navigation_camera", "manipulation_camera"):
        assert videos.psnr(arrays[f"obs/rgb/{camera}"], frames[:-1]) > 35


def test_the_order_is_that_of_upstreams_indices() -> None:
    """``ALL_STRETCH_ACTIONS``: move, turn right, turn left, back, end, ..."""
    assert len(set(ACTIONS)) == 20
    assert ACTIONS[:6] == ("m", "r", "l", "b", "end", "sub_done")
    assert one_hot(["m"], "x")[0].argmax() == 0
    assert one_hot(["d"], "x")[0].argmax() == 19


def test_refusals(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ManigymError, match=r"unknown actions \['fly'\]; SPOC's are m, r, l, b"):
        one_hot(["m", "fly"], "x")
    film = folder / "val" / "000007" / "raw_navigation_camera__1.mp4"
    videos.write(film, videos.read(film)[:-1], 5.0)
    with pytest.raises(ManigymError, match="6 frames, 1 has 7 rows"):
        import_(folder, tmp_path / "store")
    assert not (tmp_path / "store").exists()
    with pytest.raises(ManigymError, match="holds no episodes"):
        import_(tmp_path / "nothing", tmp_path / "store")


def test_commands(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert bench("data", "inspect", folder) == 0
    assert "SPOC: 3 episodes in 2 group(s), 18 steps (6 to 6)" in capsys.readouterr().out
    assert bench("data", "convert", folder, tmp_path / "store") == 0
    assert "obs/rgb/navigation_camera" not in TrajectoryStore.open(tmp_path / "store").header.keys
    assert bench("data", "validate", folder) == 1
    said = capsys.readouterr().out
    assert "the same actions as" in said  # all three episodes are the same here
    film = folder / "val" / "000007" / "raw_navigation_camera__1.mp4"
    film.unlink()
    assert bench("data", "validate", folder) == 1
    assert "raw_navigation_camera__1.mp4 does not exist" in capsys.readouterr().out
