"""Stores as MolmoSpaces' files and back: the same numbers, the same houses."""

from __future__ import annotations

import json
from pathlib import Path

import h5py
import numpy as np
import pytest
from mjthor_files import CARD, DELTA, OWN, house_store

import envs
from benchmark.data import mjthor_videos as videos
from benchmark.data.mjthor_export import export, fits
from benchmark.data.mjthor_import import import_
from benchmark.data.mjthor_layout import find
from benchmark.data.mjthor_post import statistics, write_statistics
from benchmark.data.mjthor_rows import decode_rows, decode_text
from benchmark.data.store import TrajectoryStore
from envs.schema import ManigymError

HOUSES = ["train/house_7", "val/house_12", "train/house_7", None]
ABSOLUTE = {"base": "world_absolute", "right_arm": "delta", "right_gripper": "metres"}
FILM = 34.0  # dB left of pictures whose colours change within a few pixels


@pytest.fixture(scope="module")
def demos(tmp_path_factory: pytest.TempPathFactory) -> TrajectoryStore:
    return house_store(tmp_path_factory.mktemp("mjthor") / "demos", HOUSES)


def quiet(_: str) -> None:
    pass


@pytest.mark.parametrize(
    ("flat", "modes"), [(False, None), (True, ABSOLUTE), (False, {"base": "world_delta"})]
)
def test_there_and_back(
    demos: TrajectoryStore, tmp_path: Path, flat: bool, modes: dict[str, str] | None
) -> None:
    folder = export(demos, tmp_path / "files", task=CARD, modes=modes, flat=flat, say=quiet)
    back = import_(folder, tmp_path / "back", task=CARD, say=quiet)
    assert back.header.keys == demos.header.keys
    assert back.header.fps == demos.header.fps
    assert back.groups.tolist() == [
        "train/house_7",
        "val/house_12",
        "train/house_7",
        "train/house_3",
    ]
    for name in ("ids", "lengths", "seeds", "successes", "instructions", "tasks"):
        assert getattr(back, name).tolist() == getattr(demos, name).tolist()
    for i in range(len(demos)):
        mine, theirs = demos.episode(i), back.episode(i)
        for key, values in mine.items():
            if key.startswith("obs/rgb/"):
                assert videos.psnr(theirs[key], values) > FILM
            else:
                np.testing.assert_allclose(
                    theirs[key], values, atol=1e-6 if modes is None else 3e-6
                )


def test_arm_deltas(tmp_path: Path) -> None:
    demos = house_store(tmp_path / "demos", HOUSES, card=DELTA)
    folder = export(demos, tmp_path / "files", task=CARD, say=quiet)  # finds the protocol itself
    with h5py.File(find(folder)[0].file) as file:
        assert json.loads(file.attrs["action_modes"])["right_arm"] == "delta"
    back = import_(folder, tmp_path / "back", task=DELTA, say=quiet)
    for i in range(len(demos)):
        got, expected = back.episode(i)["action"], demos.episode(i)["action"]
        np.testing.assert_allclose(got, expected, atol=1e-6)


def test_rows_are_those_of_the_sheet(demos: TrajectoryStore, tmp_path: Path) -> None:
    """T = steps + 2: an empty row, the actions, done; state i goes with action i + 1."""
    folder = export(demos, tmp_path / "files", task=CARD, say=quiet)
    path = folder / "train" / "house_7" / "trajectories_batch_1_of_1.h5"
    arrays = demos.episode(2)  # the second of its house
    steps = len(arrays["action"])
    physical = CARD.action.to_physical(arrays["action"])
    with h5py.File(path) as file:
        assert file.attrs["schema"] == "mjthor-spoc-13/1"
        assert json.loads(file.attrs["action_modes"]) == OWN
        assert [g["name"] for g in json.loads(file.attrs["action_spec"])["groups"]] == list(OWN)
        assert file.attrs["fps"] == 10.0
        assert sorted(file) == ["traj_0", "traj_1"]
        data = file["traj_1"]
        rows = {n: decode_rows(v[()], n) for n, v in data["actions"].items()}
        commanded, qpos = rows["commanded_action"], decode_rows(data["obs/agent/qpos"][()], "qpos")
        name = decode_text(data["obs/sensor_data/head_camera"][()])
        scene = json.loads(data["obs_scene"][()])
        state = data["obs/extra/state"][()]
        rewards = data["rewards"][()]
    assert commanded[0] == {}
    assert commanded[-1] == {"done": [1.0]}
    assert rows["joint_pos"][-1] == {} == rows["joint_pos_rel"][-1]
    assert {len(values) for values in rows.values()} == {steps + 2}
    assert list(commanded[1]) == sorted(OWN)
    np.testing.assert_allclose(commanded[4]["right_arm"], physical[3, 5:12])
    np.testing.assert_allclose(rows["joint_pos"][4]["right_arm"], physical[3, 5:12])
    np.testing.assert_allclose(
        rows["joint_pos_rel"][4]["right_arm"], physical[3, 5:12] - qpos[3]["right_arm"]
    )
    assert rows["joint_pos_rel"][0]["base"] == [0.0, 0.0, 0.0]
    finger = -0.05 * arrays["obs/proprio"][3, 9]
    np.testing.assert_allclose(qpos[3]["right_gripper"], [finger, -finger])
    assert name == "episode_00000001_head_camera_batch_1_of_1.mp4"
    assert (path.parent / name).is_file()
    assert scene["task_description"] == "Pick up the mug number 2"
    assert scene["policy_dt_ms"] == 100.0
    np.testing.assert_array_equal(state[:steps], arrays["obs/state"])
    np.testing.assert_array_equal(state[steps:], arrays["obs/state"][[-1, -1]])
    np.testing.assert_array_equal(rewards[1 : steps + 1], arrays["reward"])


def test_velocity_is_written_in_the_axes_of_the_world(
    demos: TrajectoryStore, tmp_path: Path
) -> None:
    folder = export(demos, tmp_path / "files", task=CARD, say=quiet)
    arrays = demos.episode(1)
    with h5py.File(folder / "val" / "house_12" / "trajectories_batch_1_of_1.h5") as file:
        world = decode_rows(file["traj_0/obs/agent/qvel"][()], "qvel")[5]["base"]
    own, yaw = arrays["obs/proprio"][5, 10:13].astype(float), float(arrays["obs/state"][5, 2])
    ahead = np.array((np.cos(yaw), np.sin(yaw)))
    np.testing.assert_allclose(np.dot(world[:2], ahead), own[0], atol=1e-6)
    np.testing.assert_allclose(world[2], own[2])


def test_index_and_statistics(demos: TrajectoryStore, tmp_path: Path) -> None:
    folder = export(demos, tmp_path / "files", task=CARD, say=quiet)
    index = json.loads((folder / "train" / "valid_trajectory_index.json").read_text())
    lengths = demos.lengths
    file = "trajectories_batch_1_of_1.h5"
    assert index == {
        "house_3": {f"house_3/{file}": {"traj_0": lengths[3] + 2}},
        "house_7": {f"house_7/{file}": {"traj_0": lengths[0] + 2, "traj_1": lengths[2] + 2}},
    }
    facts = statistics(folder)["actions/commanded_action/base"]
    base = np.concatenate(
        [CARD.action.to_physical(demos.episode(i)["action"])[:, :3] for i in range(4)]
    )
    assert facts["count"] == len(base)  # the first row and done are not counted
    np.testing.assert_allclose(facts["mean"], base.mean(axis=0))
    np.testing.assert_allclose(facts["std"], base.std(axis=0))
    np.testing.assert_allclose(facts["sum_sq"], (base**2).sum(axis=0))
    assert json.loads(write_statistics(folder).read_text()) == statistics(folder)


def test_what_has_no_place_is_said(tmp_path: Path) -> None:
    demos = house_store(tmp_path / "demos", [None], sim_state=np.zeros((14, 3)))
    said: list[str] = []
    export(demos, tmp_path / "files", task=CARD, say=said.append)
    assert said == ["left out, as the layout has no place for it: sim_state"]


def test_refusals(demos: TrajectoryStore, tmp_path: Path) -> None:
    toy = envs.card("Toy/reach-v0")
    assert fits(CARD)
    assert not fits(toy)
    with pytest.raises(ManigymError, match="holds a moving base, joints and grippers; this task"):
        export(demos, tmp_path / "files", task=toy, say=quiet)
    with pytest.raises(ManigymError, match="exists already"):
        export(demos, demos.path, task=CARD, say=quiet)
    with pytest.raises(ManigymError, match=r"holds no trajectories; expected \{train,val,test\}"):
        import_(tmp_path, tmp_path / "back", task=CARD)
    odd = house_store(
        tmp_path / "odd", [None], **{"obs/rgb/head_camera": np.zeros((14, 31, 64, 3), np.uint8)}
    )
    with pytest.raises(ManigymError, match="pictures are 64 x 31, a film needs even sides"):
        export(odd, tmp_path / "files", task=CARD, say=quiet)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["odd"]  # nothing half-written
