"""Mistakes of other readers and writers of this layout, one by one: none of them is made here.

The first nine are those of ``allenai/maniflow``'s reader (``sample_h5_dataset.py``), the others
those of MolmoSpaces' writer and of files as people keep them.
"""

from __future__ import annotations

import os
import pickle
import shutil
from base64 import b64encode
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from mjthor_files import CARD, DOORS, episode, foreign_file, foreign_rows, house_store

import envs
from benchmark.data import mjthor_videos as videos
from benchmark.data.mjthor_export import export
from benchmark.data.mjthor_import import import_, offered
from benchmark.data.mjthor_layout import find
from benchmark.data.mjthor_rows import NAME_WIDTH, decode_rows, encode_name, encode_rows
from benchmark.data.store import TrajectoryStore
from benchmark.data.windows import Windows
from envs.schema import ManigymError

STEPS = 10


def quiet(_: str) -> None:
    pass


def read(folder: Path, store: Path, **options: Any) -> TrajectoryStore:
    return import_(folder, store, task=CARD, modes=DOORS, say=quiet, **options)


@pytest.mark.parametrize("flat", [False, True])
def test_1_both_layouts_are_read(tmp_path: Path, flat: bool) -> None:
    path = foreign_file(tmp_path / "data" / "house_3", foreign_rows(STEPS), flat=flat)
    with h5py.File(path) as file:
        assert isinstance(file["traj_0/actions"], h5py.Dataset) == flat
    store = read(tmp_path / "data", tmp_path / "store")
    assert store.lengths.tolist() == [STEPS]  # the dummy, the end and the last state are no pairs


def test_2_films_are_found_from_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    foreign_file(tmp_path / "data" / "house_3", foreign_rows(STEPS))
    monkeypatch.chdir(tmp_path)
    for i, folder in enumerate((Path("data"), Path("data/house_3"), tmp_path / "data")):
        store = read(folder, tmp_path / f"store{i}")
        assert store.episode(0)["obs/rgb/head_camera"].shape[0] == STEPS
    Path("data").rename("moved")
    assert len(read(Path("moved"), tmp_path / "again")) == 1


def test_3_a_gripper_of_one_number_or_two(tmp_path: Path) -> None:
    actions = []
    for name, fingers in (("one", [-100.0]), ("two", [-100.0, -100.0])):
        rows = foreign_rows(STEPS)
        for row in rows["commanded_action"][1:-1]:
            row["right_gripper"] = fingers
        foreign_file(tmp_path / name / "house_3", rows, cameras=())
        actions.append(read(tmp_path / name, tmp_path / f"{name}_store").array("action"))
    assert actions[0].shape == (STEPS, 13)
    np.testing.assert_array_equal(actions[0], actions[1])


def test_4_windows_are_what_a_policy_takes(tmp_path: Path) -> None:
    foreign_file(tmp_path / "data" / "house_3", foreign_rows(STEPS))
    store = read(tmp_path / "data", tmp_path / "store")
    batch = Windows(store, n_obs=4, horizon=8).batch(np.arange(3))
    assert batch["action"].shape == (3, 8, 13)  # one chunk, not one per observation
    assert batch["obs"]["rgb/head_camera"].shape == (3, 4, 48, 64, 3)
    assert batch["obs"]["rgb/head_camera"].dtype == np.uint8


def test_5_the_goal_in_words_arrives(tmp_path: Path) -> None:
    foreign_file(tmp_path / "data" / "house_3", foreign_rows(STEPS), cameras=())
    store = read(tmp_path / "data", tmp_path / "store")
    assert store.instructions.tolist() == ["Push the door open"]
    batch = Windows(store, n_obs=2, horizon=4, obs_keys=("proprio", "instruction")).batch(
        np.arange(2)
    )
    assert set(batch["obs"]["instruction"].ravel().tolist()) == {"Push the door open"}


def test_6_validation_houses_are_read_and_stay_apart(tmp_path: Path) -> None:
    for split, house, seed in (("train", 2, 0), ("train", 10, 1), ("val", 5, 2)):
        folder = tmp_path / "data" / split / f"house_{house}"
        foreign_file(folder, foreign_rows(STEPS, seed), cameras=())
    store = read(tmp_path / "data", tmp_path / "store")
    assert store.groups.tolist() == ["train/house_2", "train/house_10", "val/house_5"]
    alone = read(tmp_path / "data" / "val", tmp_path / "val")
    assert alone.groups.tolist() == ["val/house_5"]
    np.testing.assert_array_equal(alone.episode(0)["action"], store.episode(2)["action"])


def test_7_what_is_padded_is_said_and_is_not_zero(tmp_path: Path) -> None:
    foreign_file(tmp_path / "data" / "house_3", foreign_rows(STEPS), cameras=())
    store = read(tmp_path / "data", tmp_path / "store")
    batch = Windows(store, n_obs=1, horizon=8).batch(np.array([STEPS - 2]))
    np.testing.assert_array_equal(batch["action_is_pad"][0], [False] * 2 + [True] * 6)
    np.testing.assert_array_equal(batch["action"][0, 2:], batch["action"][0, [1] * 6])


def test_8_one_trajectory_is_one_episode(tmp_path: Path) -> None:
    foreign_file(tmp_path / "data" / "house_3", foreign_rows(STEPS), cameras=())
    store = read(tmp_path / "data", tmp_path / "store")
    assert len(Windows(store, n_obs=4, horizon=8)) == STEPS


def test_9_files_are_read_once(tmp_path: Path) -> None:
    foreign_file(tmp_path / "data" / "house_3", foreign_rows(STEPS))
    store = read(tmp_path / "data", tmp_path / "store")
    shutil.rmtree(tmp_path / "data")
    windows = Windows(store, n_obs=4, horizon=8)
    assert windows.batch(np.arange(STEPS))["action"].shape[0] == STEPS


def test_upstreams_writer_names_no_films(tmp_path: Path) -> None:
    foreign_file(tmp_path / "data" / "house_3", foreign_rows(STEPS), name_films=False)
    said: list[str] = []
    assert "rgb/head_camera" in offered(tmp_path / "data", CARD, said.append)
    assert said == ["the files name no film of head_camera; found by the naming rule"]
    assert "obs/rgb/head_camera" in read(tmp_path / "data", tmp_path / "store").header.keys
    ours = export(house_store(tmp_path / "demos", [None]), tmp_path / "ours", task=CARD)
    where = find(ours)[0]
    with h5py.File(where.file) as file:
        assert sorted(file["traj_0/obs/sensor_data"]) == ["head_camera", "wrist_camera_r"]


@pytest.mark.parametrize("id_", [0, 1])
def test_upstreams_writer_knows_no_end(tmp_path: Path, id_: int) -> None:
    """Its ``terminated`` is true in the last row, whatever was; ours after a success."""
    demos = house_store(tmp_path / "demos", [None, None])
    success = bool(demos.successes[id_])
    assert success == (id_ == 0) == episode(id_).success
    steps = demos.lengths[id_]
    where = find(export(demos, tmp_path / "files", task=CARD))[id_]
    with h5py.File(where.file) as file:
        flags = {n: file[f"traj_0/{n}"][()] for n in ("success", "fail", "terminated", "truncated")}
    for values in flags.values():
        assert len(values) == steps + 2
    assert flags["terminated"].tolist() == flags["success"].tolist()
    assert flags["terminated"].tolist() == [False] * steps + [success] * 2
    assert flags["truncated"].tolist() == [False] * steps + [not success] * 2
    assert (flags["fail"] == ~flags["success"]).all()


def test_long_rows_grow_and_cut_rows_are_refused(tmp_path: Path) -> None:
    row = {"x": "é" * 1500}  # 3000 bytes of UTF-8, written as twice as many of ASCII
    data = encode_rows([row, {}], 2000)
    assert data.shape[1] > 2000
    assert decode_rows(data, "x") == [row, {}]
    assert encode_rows([{}]).shape == (1, 2000)
    rows = foreign_rows(STEPS)
    path = foreign_file(tmp_path / "data" / "house_3", rows, cameras=())
    with h5py.File(path, "r+") as file:
        name = "traj_0/actions/commanded_action"
        cut = file[name][:, :60]
        del file[name]
        file[name] = cut
    message = r"traj_0, commanded actions, row 1: not JSON .*all 60 bytes are used, it was cut"
    with pytest.raises(ManigymError, match=message):
        read(tmp_path / "data", tmp_path / "store")


def test_names_that_do_not_fit_are_refused() -> None:
    assert encode_name("a" * NAME_WIDTH).shape == (NAME_WIDTH,)
    with pytest.raises(ManigymError, match="has 101 bytes, MolmoSpaces' files hold 100"):
        encode_name("a" * 101)


class Bomb:
    def __reduce__(self) -> tuple[Any, ...]:
        return (os.mkdir, (os.environ["BOMB"],))


def test_pickles_are_never_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOMB", str(tmp_path / "exploded"))
    bomb = b64encode(pickle.dumps(Bomb())).decode()
    scene = {"task_description": "x", "policy_dt_ms": 66.0, "frozen_config": bomb}
    foreign_file(tmp_path / "data" / "house_3", foreign_rows(STEPS), cameras=(), scene=scene)
    store = read(tmp_path / "data", tmp_path / "store")
    np.testing.assert_allclose(store.header.fps, 1000 / 66)
    assert not (tmp_path / "exploded").exists()


def test_depth_is_left_out_and_said(tmp_path: Path) -> None:
    names = ("head_camera", "head_camera_depth", "third_camera")
    foreign_file(tmp_path / "data" / "house_3", foreign_rows(STEPS), cameras=names)
    said: list[str] = []
    assert offered(tmp_path / "data", CARD, said.append) == ["proprio", "rgb/head_camera"]
    assert said == [
        "left out: films of depth (head_camera_depth)",
        "left out: cameras that MJThor/pick-v0 does not have (third_camera)",
    ]


def test_films_of_another_length_are_refused(tmp_path: Path) -> None:
    path = foreign_file(tmp_path / "data" / "house_3", foreign_rows(STEPS))
    film = next(path.parent.glob("*.mp4"))
    frames = videos.read(film)
    videos.write(film, frames[:-1], 10.0)
    with pytest.raises(ManigymError, match=r"11 frames, traj_0 has 12 rows"):
        read(tmp_path / "data", tmp_path / "store")


def test_trajectories_are_counted_not_spelled(tmp_path: Path) -> None:
    for number in (0, 2, 10):
        rows = foreign_rows(STEPS, number)
        scene = {"task_description": str(number)}
        foreign_file(tmp_path / "house_3", rows, cameras=(), number=number, scene=scene)
    store = read(tmp_path, tmp_path / "store")
    assert store.instructions.tolist() == ["0", "2", "10"]
    assert store.header.fps == 10.0  # of the task, where the files do not say


def test_the_end_may_be_a_row_or_the_last_action(tmp_path: Path) -> None:
    """``done`` inside an episode is damage; ``done: 0`` beside an action is none."""
    rows = foreign_rows(STEPS)
    rows["commanded_action"][-1] = {"done": [1.0]}
    rows["commanded_action"][3]["done"] = [0.0]
    path = foreign_file(tmp_path / "data" / "house_3", rows, cameras=())
    assert read(tmp_path / "data", tmp_path / "store").lengths.tolist() == [STEPS]
    with h5py.File(path, "r+") as file:
        rows["commanded_action"][3]["done"] = [1.0]
        file["traj_0/actions/commanded_action"][...] = encode_rows(rows["commanded_action"])
    with pytest.raises(ManigymError, match="row 3 is done, but actions follow"):
        read(tmp_path / "data", tmp_path / "again")


@pytest.mark.parametrize(
    ("kind", "env"),
    [
        ("pick", "MJThor/open_door-v0"),
        ("door_open", "MJThor/pick-v0"),
        ("nav_to_obj", "MJThor/fetch-v0"),
        ("open", "MJThor/open_door-v0"),
        ("pick_and_place_color", "MJThor/pick_and_place-v0"),
    ],
)
def test_files_of_another_task_are_refused(tmp_path: Path, kind: str, env: str) -> None:
    for number, said in enumerate((envs.card(env).task, kind)):
        scene = {"task_type": said}
        foreign_file(tmp_path, foreign_rows(STEPS, number), number=number, cameras=(), scene=scene)
    options: dict[str, Any] = {"task": envs.card(env), "modes": DOORS, "say": quiet}
    with pytest.raises(ManigymError, match=rf"traj_1 is of the task '{kind}', asked for {env};"):
        import_(tmp_path, tmp_path / "store", **options)
    assert not (tmp_path / "store").exists()
    taken = import_(tmp_path, tmp_path / "store", task_type=kind, **options)
    assert taken.tasks.tolist() == [envs.card(env).task, kind]  # it still says what it was


@pytest.mark.parametrize(
    ("kind", "task"),
    [("door_open", "open_door"), ("nav_to_obj", "nav_to_object"), ("open", "open_drawer")],
)
def test_tasks_are_known_by_upstreams_names(tmp_path: Path, kind: str, task: str) -> None:
    foreign_file(tmp_path, foreign_rows(STEPS), cameras=(), scene={"task_type": kind})
    card = envs.card(f"MJThor/{task}-v0")
    assert len(import_(tmp_path, tmp_path / "store", task=card, modes=DOORS, say=quiet)) == 1


def test_rates_must_agree(tmp_path: Path) -> None:
    for number, period in ((0, 100.0), (1, 66.0)):
        scene = {"policy_dt_ms": period}
        foreign_file(tmp_path, foreign_rows(STEPS, number), number=number, cameras=(), scene=scene)
    with pytest.raises(ManigymError, match=r"different policy_dt_ms: \[66.0, 100.0\]"):
        read(tmp_path, tmp_path / "store")
