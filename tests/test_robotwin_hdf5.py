"""RoboTwin HDF5 episodes: the layout on disk, round trips, files of upstream, commands."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from PIL import Image
from robotwin_files import (
    CARD,
    HEIGHT,
    PARTS,
    POINTS,
    POSES,
    WIDTH,
    exported_folder,
    twin_episode,
    twin_store,
    upstream_folder,
    walk,
)
from toy import TINY, bench

import envs
from benchmark.data.index import StoreHeader
from benchmark.data.robotwin_hdf5 import changed, export, import_, offered
from benchmark.data.store import Episode, TrajectoryStore
from envs.schema import VectorGroup


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return exported_folder(tmp_path)


@pytest.fixture
def upstream(tmp_path: Path) -> Path:
    return upstream_folder(tmp_path / "data" / "wave" / "demo_clean")


def layout_of(path: Path) -> dict[str, tuple[str, tuple[int, ...]]]:
    found: dict[str, tuple[str, tuple[int, ...]]] = {}

    def note(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            found[name] = (item.dtype.kind, item.shape)

    with h5py.File(path) as file:
        file.visititems(note)
    return found


def test_layout_of_an_exported_folder(folder: Path) -> None:
    assert sorted(path.name for path in (folder / "data").iterdir()) == [
        f"episode{i}.hdf5" for i in range(3)
    ]
    assert (folder / "seed.txt").read_text().split() == ["100", "107", "114"]
    assert not (folder / "instructions").exists()  # the store knows none
    frames = 5 + 1
    arms = {"left_arm": (6,), "left_gripper": (), "right_arm": (6,), "right_gripper": ()}
    expected = {f"joint_action/{name}": ("f", (frames, *s)) for name, s in arms.items()}
    expected["joint_action/vector"] = ("f", (frames, 14))
    for side in ("left", "right"):
        expected[f"endpose/{side}_endpose"] = ("f", (frames, 7))
        expected[f"endpose/{side}_gripper"] = ("f", (frames,))
    for name in CARD.cameras:
        matrices = {"intrinsic_cv": (3, 3), "extrinsic_cv": (3, 4), "cam2world_gl": (4, 4)}
        expected |= {f"observation/{name}/{m}": ("f", (frames, *s)) for m, s in matrices.items()}
        expected[f"observation/{name}/rgb"] = ("S", (frames,))
    expected["pointcloud"] = ("f", (frames, POINTS, 6))
    assert layout_of(folder / "data" / "episode1.hdf5") == expected


def test_what_is_not_there_is_left_out_as_upstream_does(tmp_path: Path) -> None:
    bare = replace(CARD, state=(VectorGroup("cube", 14, "m"),))
    store = twin_store(tmp_path / "demos")
    path = export(store, tmp_path / "bare", task=bare) / "data" / "episode0.hdf5"
    found = layout_of(path)
    assert not [name for name in found if name.startswith("endpose")]
    assert "observation/head_camera/extrinsic_cv" in found
    assert "observation/left_camera/intrinsic_cv" in found
    assert "observation/left_camera/extrinsic_cv" not in found  # it moves with an unknown pose
    empty = {k: v for k, v in twin_episode(0, False).arrays.items() if k != "obs/point_cloud"}
    keys = {k: (v.dtype.name, v.shape[1:]) for k, v in empty.items()}
    with TrajectoryStore.create(tmp_path / "few", StoreHeader(CARD.id, keys, 25.0)) as few:
        few.append(Episode(0, empty, seed=None))
    out = export(TrajectoryStore.open(tmp_path / "few"), tmp_path / "out", task=CARD)
    assert layout_of(out / "data" / "episode0.hdf5")["pointcloud"] == ("f", (5, 0))
    with h5py.File(out / "data" / "episode0.hdf5") as file:
        assert list(file["observation"]) == []
    assert not (out / "seed.txt").exists()


def test_vector_is_proprio_and_then_the_last_action(folder: Path) -> None:
    arrays = twin_episode(2).arrays
    with h5py.File(folder / "data" / "episode2.hdf5") as file:
        vector = file["joint_action/vector"][()]
        np.testing.assert_array_equal(vector[:-1].astype(np.float32), arrays["obs/proprio"])
        np.testing.assert_array_equal(vector[1:], CARD.action.to_physical(arrays["action"]))
        pieces = [file[f"joint_action/{name}"][()].reshape(len(vector), -1) for name in PARTS]
        np.testing.assert_array_equal(np.hstack(pieces), vector)
        np.testing.assert_array_equal(file["endpose/right_gripper"], vector[:, 13])
        state = file["endpose/right_endpose"][()].astype(np.float32)
        np.testing.assert_array_equal(state[:-1], arrays["obs/state"][:, 7:])
        np.testing.assert_array_equal(state[-1], state[-2])


def test_store_round_trip_is_exact(tmp_path: Path) -> None:
    store = twin_store(tmp_path / "demos", pictures=False)
    out = export(store, tmp_path / "out", task=CARD)
    back = import_(out, tmp_path / "back", task=CARD)
    assert back.header.keys == store.header.keys
    assert back.seeds.tolist() == store.seeds.tolist()
    assert back.successes.all()
    for i in range(3):
        for key, values in store.episode(i).items():
            np.testing.assert_array_equal(back.episode(i)[key], values, err_msg=key)
    assert back.content_hash() == store.content_hash()
    assert not back.verify().warnings


def test_pictures_survive_within_a_few_levels(folder: Path, tmp_path: Path) -> None:
    back = import_(folder, tmp_path / "back", task=CARD)
    for i in range(3):
        for name in CARD.cameras:
            key = f"obs/rgb/{name}"
            wrong = np.abs(back.episode(i)[key].astype(int) - twin_episode(i).arrays[key])
            assert wrong.max() <= 8
            assert wrong.mean() < 1.5
    assert back.header.env_options == {
        "cameras": ["head_camera", "left_camera"],
        "image_size": [HEIGHT, WIDTH],
        "num_points": POINTS,
    }


def test_ids_with_gaps_become_the_numbers_from_0(tmp_path: Path) -> None:
    said = {"seen": ["Wave."], "unseen": ["Greet."]}
    info = {"info": {"{a}": "left"}}
    settings = {"instructions": {"7": said}, "scene_info": {"4": info}}
    store = twin_store(tmp_path / "demos", (7, 4), settings=settings)
    out = export(store, tmp_path / "out", task=CARD)
    assert (out / "seed.txt").read_text().split() == ["128", "149"]
    assert json.loads((out / "instructions" / "episode1.json").read_text()) == said
    assert json.loads((out / "scene_info.json").read_text()) == {"episode_0": info}
    back = import_(out, tmp_path / "back", task=CARD, keys=["proprio"])
    assert back.ids.tolist() == [0, 1]
    assert back.lengths.tolist() == [8, 11]
    assert back.header.settings["instructions"] == {"1": said}
    assert back.header.settings["scene_info"] == {"0": info}


def test_states_that_hold_more_than_end_poses_are_not_offered(folder: Path) -> None:
    pictures = ["rgb/head_camera", "rgb/left_camera"]
    assert offered(folder, CARD) == ["proprio", "state", "point_cloud", *pictures]
    more = replace(CARD, state=(*POSES, VectorGroup("cube", 3, "m")), cameras=("head_camera",))
    assert offered(folder, more) == ["proprio", "point_cloud", "rgb/head_camera"]


def test_actions_that_did_not_come_about_are_counted(tmp_path: Path) -> None:
    assert changed(twin_store(tmp_path / "demos"), CARD) == 0
    odd = twin_episode(0, pictures=False)
    odd.arrays["obs/proprio"][2, 8] += 0.01
    keys = {k: (v.dtype.name, v.shape[1:]) for k, v in odd.arrays.items()}
    with TrajectoryStore.create(tmp_path / "odd", StoreHeader(CARD.id, keys, 25.0)) as store:
        store.append(odd)
    store = TrajectoryStore.open(tmp_path / "odd")
    assert changed(store, CARD) == 1
    back = import_(export(store, tmp_path / "out", task=CARD), tmp_path / "back", task=CARD)
    np.testing.assert_array_equal(back.array("obs/proprio"), odd.arrays["obs/proprio"])
    told = CARD.action.to_physical(back.array("action"))[1, 8]
    np.testing.assert_allclose(told, odd.arrays["obs/proprio"][2, 8], atol=1e-6)


def test_state_and_action_are_one_frame_apart(upstream: Path, tmp_path: Path) -> None:
    store = import_(upstream, tmp_path / "demos", task=CARD)
    assert store.ids.tolist() == list(range(12))
    assert store.seeds.tolist() == [3 * i for i in range(12)]
    assert store.header.settings["instructions"]["11"] == {"seen": ["wave 11"], "unseen": []}
    assert store.header.settings["scene_info"]["0"] == {"info": {"{A}": "red block"}}
    assert store.header.settings["folder"] == "demo_clean"
    for i in range(12):
        vector, got = walk(3 + i, i), store.episode(i)
        assert store.lengths[i] == 2 + i  # the last frame has no action
        np.testing.assert_array_equal(got["obs/proprio"], vector[:-1].astype(np.float32))
        asked = CARD.action.to_physical(got["action"])
        np.testing.assert_allclose(asked, vector[1:], atol=1e-6)
        np.testing.assert_allclose(got["action"][:, 0], vector[1:, 0] / np.pi, atol=1e-6)
        np.testing.assert_allclose(got["action"][:, 6], 2 * vector[1:, 6] - 1, atol=1e-6)
    assert set(store.header.keys) == {"action", "obs/proprio", "obs/rgb/head_camera"}
    bare = import_(upstream / "data", tmp_path / "bare", task=CARD)
    assert bare.lengths.tolist() == store.lengths.tolist()
    assert set(bare.seeds.tolist()) == {-1}  # nothing beside the episodes tells them


def test_red_of_an_upstream_file_is_red_here(upstream: Path, tmp_path: Path) -> None:
    with h5py.File(upstream / "data" / "episode0.hdf5") as file:
        data = file["observation/head_camera/rgb"][0]
    as_read = np.asarray(Image.open(io.BytesIO(data)))[0, 0]
    assert as_read[2] > 190 > 20 > as_read[0]  # PIL sees blue
    store = import_(upstream, tmp_path / "demos", task=CARD)
    mine = store.episode(0)["obs/rgb/head_camera"]
    assert np.abs(mine.astype(int) - (200, 30, 10)).max() <= 4


@pytest.fixture
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(envs.CARDS, CARD.id, CARD)


@pytest.mark.usefixtures("registered")
def test_convert_both_ways(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    demos, out = twin_store(tmp_path / "demos"), tmp_path / "out"
    assert bench("data", "convert", demos.path, out) == 0
    assert "warning" not in capsys.readouterr().out
    assert bench("data", "convert", out, tmp_path / "back") == 2
    assert "--env ID is needed" in capsys.readouterr().err
    assert bench("data", "convert", out, tmp_path / "back", "--env", CARD.id) == 0
    assert bench("data", "convert", out, tmp_path / "seen", "--env", CARD.id, "--pictures") == 0
    back, seen = (TrajectoryStore.open(tmp_path / name) for name in ("back", "seen"))
    lowdim = {"action", "obs/proprio", "obs/state", "obs/point_cloud"}
    assert set(back.header.keys) == lowdim
    assert set(seen.header.keys) == {*lowdim, "obs/rgb/head_camera", "obs/rgb/left_camera"}
    for key in lowdim:
        np.testing.assert_array_equal(back.array(key), demos.array(key))
    assert bench("data", "convert", out, tmp_path / "x.hdf5") == 2


@pytest.mark.usefixtures("registered")
def test_training_on_a_folder_of_episodes(folder: Path, tmp_path: Path) -> None:
    train = ("train", "--policy", "maniflow", "--env", CARD.id, *TINY, "training.steps=2")
    assert bench(*train, "--data", folder, "--out", tmp_path / "runs") == 0
    (checkpoint,) = (tmp_path / "runs" / "training").glob("*/checkpoint.pt")
    assert checkpoint.stat().st_size > 0
    (made,) = (tmp_path / "runs" / "demonstrations").iterdir()
    assert set(TrajectoryStore.open(made).header.keys) == {"action", "obs/proprio", "obs/state"}
    assert bench("data", "convert", folder, tmp_path / "store", "--env", CARD.id) == 0
    assert bench(*train, "--data", tmp_path / "store", "--out", tmp_path / "again") == 0
