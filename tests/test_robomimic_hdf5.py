"""robomimic HDF5: the layout on disk, round trips, and files that cannot be read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from trajectories import episode, write_store

from benchmark.data.robomimic import export, import_
from benchmark.data.robomimic_layout import Part, robosuite_layout
from benchmark.data.splits import Split, split_store
from benchmark.data.store import TrajectoryStore
from envs.schema import ManigymError

TOY_LAYOUT = {"proprio": [Part("proprio")], "rgb/top": [Part("top_image")]}
LIFT = robosuite_layout(cameras=["agentview"])


def upstream_demo(data: h5py.Group, number: int, steps: int = 4) -> dict[str, np.ndarray]:
    """A demo as robomimic writes it for robosuite's Lift: float64, quaternion xyzw."""
    rng = np.random.default_rng(number)
    obs = {
        "robot0_eef_pos": rng.normal(size=(steps, 3)),
        "robot0_eef_quat": rng.normal(size=(steps, 4)),
        "robot0_gripper_qpos": rng.normal(size=(steps, 2)),
        "object": rng.normal(size=(steps, 10)),
        "agentview_image": rng.integers(0, 256, (steps, 8, 8, 3), np.uint8),
    }
    demo = data.create_group(f"demo_{number}")
    demo.attrs["num_samples"] = steps
    demo["actions"] = rng.uniform(-1, 1, (steps, 7))
    demo["states"] = rng.normal(size=(steps, 32))
    demo["rewards"] = (np.arange(steps) == steps - 1) * float(number != 2)
    demo["dones"] = np.arange(steps) == steps - 1
    for name, values in obs.items():
        demo[f"obs/{name}"] = values
    return obs


def upstream_file(path: Path) -> dict[int, dict[str, np.ndarray]]:
    with h5py.File(path, "w") as file:
        data = file.create_group("data")
        data.attrs["env_args"] = json.dumps({"env_name": "Lift", "type": 1, "env_kwargs": {}})
        demos = {number: upstream_demo(data, number) for number in (10, 2, 1)}
        file["mask/train"] = np.array([b"demo_10", b"demo_2"])
    return demos


def read_lift(source: Path, target: Path, **options: Any) -> TrajectoryStore:
    return import_(source, target, env="robomimic/lift-v0", layout=LIFT, **options)


def test_import_of_an_upstream_file(tmp_path: Path) -> None:
    demos = upstream_file(tmp_path / "lift.hdf5")
    store = read_lift(tmp_path / "lift.hdf5", tmp_path / "demos")
    assert store.ids.tolist() == [1, 2, 10]  # by number, not by name
    assert store.starts.tolist() == [0, 4, 8]  # and stored in that order
    assert store.successes.tolist() == [True, False, True]
    for i, number in enumerate((1, 2, 10)):
        obs, got = demos[number], store.episode(i)
        x, y, z, w = np.moveaxis(obs["robot0_eef_quat"], -1, 0)
        pose = [obs["robot0_eef_pos"], np.stack([w, x, y, z], -1), obs["robot0_gripper_qpos"]]
        expected = np.concatenate(pose, -1).astype(np.float32)
        np.testing.assert_array_equal(got["obs/proprio"], expected)
        np.testing.assert_array_equal(got["obs/state"], obs["object"].astype(np.float32))
        np.testing.assert_array_equal(got["obs/rgb/agentview"], obs["agentview_image"])
    kinds = {key: values.dtype.name for key, values in store.episode(0).items()}
    assert kinds == {
        "action": "float32",
        "reward": "float32",
        "sim_state": "float64",
        "obs/proprio": "float32",
        "obs/state": "float32",
        "obs/rgb/agentview": "uint8",
    }
    assert store.header.settings["env_args"]["env_name"] == "Lift"
    assert read_lift(
        tmp_path / "lift.hdf5", tmp_path / "some", filter_key="train"
    ).ids.tolist() == [2, 10]


def test_upstream_file_survives_import_and_export(tmp_path: Path) -> None:
    upstream_file(tmp_path / "a.hdf5")
    store = read_lift(tmp_path / "a.hdf5", tmp_path / "demos")
    export(store, tmp_path / "b.hdf5", layout=LIFT)
    with h5py.File(tmp_path / "a.hdf5") as a, h5py.File(tmp_path / "b.hdf5") as b:
        for number in (1, 2, 10):
            old, new = a[f"data/demo_{number}"], b[f"data/demo_{number}"]
            assert set(old) == set(new)
            assert set(old["obs"]) == set(new["obs"])
            for name in ("states", "rewards", "dones", "obs/agentview_image"):
                np.testing.assert_array_equal(old[name][()], new[name][()])
            for name in ("actions", *(f"obs/{key}" for key in old["obs"])):
                np.testing.assert_array_equal(old[name][()].astype(np.float32), new[name][()])


def test_layout_of_an_exported_file(tmp_path: Path) -> None:
    store = write_store(tmp_path / "demos", [12, 2, 3, 1])
    split = split_store(store, seed=0, val_fraction=0.25)
    args = {"env_name": "Reach", "type": 2, "env_kwargs": {"size": 3}}
    path = export(
        store,
        tmp_path / "toy.hdf5",
        split=split,
        env_args=args,
        model_files={3: "<mujoco/>"},
        next_obs=True,
    )
    with h5py.File(path) as file:
        assert file["data"].attrs["total"] == store.num_steps
        assert json.loads(file["data"].attrs["env_args"]) == args
        assert set(file["data"]) == {"demo_1", "demo_2", "demo_3", "demo_12"}
        demo = file["data/demo_3"]
        expected = episode(3).arrays
        assert demo.attrs["num_samples"] == 6
        assert demo.attrs["model_file"] == "<mujoco/>"
        assert "model_file" not in file["data/demo_1"].attrs
        assert demo["actions"].dtype == np.float64
        assert demo["dones"][()].tolist() == [0, 0, 0, 0, 0, 1]
        np.testing.assert_array_equal(demo["states"], expected["sim_state"])
        image = expected["obs/rgb/top"]
        np.testing.assert_array_equal(demo["obs/top_image"], image)
        np.testing.assert_array_equal(demo["next_obs/top_image"][:-1], image[1:])
        np.testing.assert_array_equal(demo["next_obs/top_image"][-1], image[-1])
        assert file["mask/valid"].dtype.kind == "S"
        masks = {name: [n.decode() for n in file[f"mask/{name}"]] for name in file["mask"]}
    assert masks["valid"] == [f"demo_{i}" for i in split.val]
    assert masks["train"] == [f"demo_{i}" for i in split.train]
    with h5py.File(export(store, tmp_path / "small.hdf5")) as file:
        assert "next_obs" not in file["data/demo_3"]
        assert "mask" not in file


def test_store_round_trip_keeps_the_content_hash(tmp_path: Path) -> None:
    store = write_store(tmp_path / "demos", [3, 1, 2])
    export(store, tmp_path / "toy.hdf5")
    back = import_(
        tmp_path / "toy.hdf5", tmp_path / "back", env="Toy/reach-v0", layout=TOY_LAYOUT, fps=10.0
    )
    assert back.content_hash() == store.content_hash()
    assert back.header.keys == store.header.keys


def test_two_arms_have_eighteen_numbers() -> None:
    parts = robosuite_layout(arms=2)["proprio"]
    assert [part.size for part in parts] == [3, 4, 2, 3, 4, 2]
    assert parts[4].name == "robot1_eef_quat"


def test_targets_are_never_overwritten(tmp_path: Path) -> None:
    store = write_store(tmp_path / "demos", [1])
    export(store, tmp_path / "toy.hdf5")
    with pytest.raises(ManigymError, match="exists already"):
        export(store, tmp_path / "toy.hdf5")
    with pytest.raises(ManigymError, match="exists already"):
        import_(tmp_path / "toy.hdf5", tmp_path / "demos", env="x", layout=TOY_LAYOUT)
    with pytest.raises(ManigymError, match="no episodes"):
        export(store, tmp_path / "b.hdf5", split=Split((1, 5), (), (), seed=0, groups=1))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["demos", "toy.hdf5"]


def test_files_that_are_no_robomimic_files(tmp_path: Path) -> None:
    upstream_file(tmp_path / "good.hdf5")
    whole = (tmp_path / "good.hdf5").read_bytes()
    (tmp_path / "cut.hdf5").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "text.hdf5").write_text("hello")
    with h5py.File(tmp_path / "other.hdf5", "w") as file:
        file["weights"] = np.zeros(3)
    for name, message in {
        "cut": "truncated",
        "text": "not an HDF5 file",
        "other": r"holds \['weights'\], expected a group 'data'",
        "nothing": "does not exist",
    }.items():
        with pytest.raises(ManigymError, match=message):
            read_lift(tmp_path / f"{name}.hdf5", tmp_path / "demos")
    assert not list(tmp_path.glob("*demos*"))


def edit_nan(file: h5py.File) -> None:
    file["data/demo_10/obs/object"][2, 5] = np.nan


def edit_inf_action(file: h5py.File) -> None:
    file["data/demo_2/actions"][0, 1] = np.inf


def edit_short(file: h5py.File) -> None:
    file["data/demo_2"].attrs["num_samples"] = 9


def edit_no_actions(file: h5py.File) -> None:
    del file["data/demo_1/actions"]


def edit_no_image(file: h5py.File) -> None:
    del file["data/demo_1/obs/agentview_image"]


def edit_name(file: h5py.File) -> None:
    file.move("data/demo_1", "data/first")


def edit_scalar(file: h5py.File) -> None:
    del file["data/demo_1/actions"]
    file["data/demo_1/actions"] = 3.0


def edit_empty(file: h5py.File) -> None:
    for name in list(file["data"]):
        del file[f"data/{name}"]


def edit_env_args(file: h5py.File) -> None:
    file["data"].attrs["env_args"] = "{"


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (edit_nan, r"demo_10, 'obs/state', step 2: nan at \(5,\)"),
        (edit_inf_action, r"demo_2, 'action', step 0: inf at \(1,\)"),
        (edit_short, "demo_2: num_samples 9, but lengths"),
        (edit_no_actions, "demo_1 has no 'actions'"),
        (edit_no_image, "demo_1 has no observation 'agentview_image', it holds"),
        (edit_name, r"got \['first'\]"),
        (edit_scalar, "not robomimic's"),
        (edit_empty, "got none"),
        (edit_env_args, "env_args is not JSON"),
    ],
)
def test_damaged_demos(tmp_path: Path, edit: Any, message: str) -> None:
    upstream_file(tmp_path / "lift.hdf5")
    with h5py.File(tmp_path / "lift.hdf5", "r+") as file:
        edit(file)
    with pytest.raises(ManigymError, match=message):
        read_lift(tmp_path / "lift.hdf5", tmp_path / "demos")
    assert [p.name for p in tmp_path.iterdir()] == ["lift.hdf5"]  # nothing half-read stays


def test_layouts_of_another_robot(tmp_path: Path) -> None:
    store = write_store(tmp_path / "demos", [1])
    with pytest.raises(ManigymError, match="'proprio' has 3 numbers per step, the layout names 9"):
        export(store, tmp_path / "toy.hdf5", layout=robosuite_layout(state=False))
    with pytest.raises(ManigymError, match="no key 'obs/state'"):
        export(store, tmp_path / "toy.hdf5", layout=LIFT)
    upstream_file(tmp_path / "lift.hdf5")
    wide = {"proprio": [Part("robot0_gripper_qpos", 6)]}
    with pytest.raises(ManigymError, match="expects 6 numbers"):
        import_(tmp_path / "lift.hdf5", tmp_path / "wide", env="x", layout=wide)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["demos", "lift.hdf5"]


def test_unknown_filter_key(tmp_path: Path) -> None:
    upstream_file(tmp_path / "lift.hdf5")
    with pytest.raises(ManigymError, match=r"no filter key 'valid'; it offers \['train'\]"):
        read_lift(tmp_path / "lift.hdf5", tmp_path / "demos", filter_key="valid")
