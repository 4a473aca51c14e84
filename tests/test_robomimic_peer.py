"""Files we write, read by robomimic's own ``SequenceDataset``: the same windows, number by number.

Runs where robomimic 0.3.0 is installed (``tox -e robomimic``); its data set class needs only
h5py, torch, tqdm and termcolor, so it is installed without its dependencies.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from trajectories import write_store

from benchmark.data.robomimic import export
from benchmark.data.splits import split_store
from benchmark.data.store import TrajectoryStore
from benchmark.data.windows import Windows

dataset = pytest.importorskip(
    "robomimic.utils.dataset", reason="robomimic 0.3.0 is not installed (see tox -e robomimic)"
)
obs_utils = pytest.importorskip("robomimic.utils.obs_utils", reason="robomimic is not installed")

N_OBS, HORIZON = 2, 6
MODES = ["all", "low_dim", None]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> TrajectoryStore:
    obs_utils.initialize_obs_utils_with_obs_specs(
        {"obs": {"low_dim": ["proprio"], "rgb": ["top_image"]}}
    )
    return write_store(tmp_path_factory.mktemp("peer") / "demos", [10, 2, 7, 0, 3])


def load(path: Path, mode: str | None, **options: object) -> object:
    return dataset.SequenceDataset(
        hdf5_path=str(path),
        obs_keys=("proprio", "top_image"),
        dataset_keys=("actions", "rewards", "dones"),
        frame_stack=N_OBS,
        seq_length=HORIZON - N_OBS + 1,
        get_pad_mask=True,
        hdf5_cache_mode=mode,
        **options,
    )


@pytest.mark.parametrize("mode", MODES)
def test_every_window_is_the_same(tmp_path: Path, store: TrajectoryStore, mode: str | None) -> None:
    path = export(store, tmp_path / "toy.hdf5")
    theirs = load(path, mode, load_next_obs=False)
    windows = Windows(store, n_obs=N_OBS, horizon=HORIZON)
    ours = windows.batch(np.arange(len(windows)))
    assert len(theirs) == len(windows)
    for i in range(len(windows)):
        item = theirs[i]
        np.testing.assert_array_equal(item["actions"], ours["action"][i])
        np.testing.assert_array_equal(item["pad_mask"][:, 0], ~ours["action_is_pad"][i])
        np.testing.assert_array_equal(item["obs"]["proprio"][:N_OBS], ours["obs"]["proprio"][i])
        np.testing.assert_array_equal(item["obs"]["top_image"][:N_OBS], ours["obs"]["rgb/top"][i])


@pytest.mark.parametrize("mode", MODES)
def test_filter_keys_and_next_obs(tmp_path: Path, store: TrajectoryStore, mode: str | None) -> None:
    split = split_store(store, seed=0, val_fraction=0.4)
    path = export(store, tmp_path / "toy.hdf5", split=split, next_obs=True)
    for name, ids in (("train", split.train), ("valid", split.val)):
        theirs = load(path, mode, load_next_obs=True, filter_by_attribute=name)
        windows = Windows(store, n_obs=N_OBS, horizon=HORIZON, episodes=ids)
        assert theirs.demos == [f"demo_{i}" for i in ids]
        assert len(theirs) == len(windows)
        last = theirs[len(theirs) - 1]
        final = store.episode(int(store.positions(ids)[-1]))["obs/proprio"][-1]
        np.testing.assert_array_equal(last["next_obs"]["proprio"][N_OBS - 1], final)
