"""Windows against a loop written step by step, and the order of an epoch."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
from trajectories import episode, write_store

from benchmark.data.windows import Windows
from envs.schema import ManigymError


def expected_window(id_: int, t: int, n_obs: int, horizon: int) -> dict[str, np.ndarray]:
    arrays = episode(id_).arrays
    length = len(arrays["action"])
    steps, pad = [], []
    for step in range(t - (n_obs - 1), t - (n_obs - 1) + horizon):
        steps.append(0 if step < 0 else length - 1 if step >= length else step)
        pad.append(step < 0 or step >= length)
    return {
        "proprio": np.stack([arrays["obs/proprio"][s] for s in steps[:n_obs]]),
        "rgb/top": np.stack([arrays["obs/rgb/top"][s] for s in steps[:n_obs]]),
        "action": np.stack([arrays["action"][s] for s in steps]),
        "action_is_pad": np.array(pad),
    }


@pytest.mark.parametrize(("n_obs", "horizon"), [(1, 1), (2, 4), (3, 3), (2, 16), (5, 9)])
@pytest.mark.parametrize("in_memory", [False, True])
def test_every_window_equals_the_loop(
    tmp_path: Path, n_obs: int, horizon: int, in_memory: bool
) -> None:
    store = write_store(tmp_path / "demos", [8, 3, 5, 0, 6])
    windows = Windows(store, n_obs=n_obs, horizon=horizon, in_memory=in_memory)
    assert len(windows) == store.num_steps
    batch = windows.batch(np.arange(len(windows)))
    places = [(id_, t) for id_ in (0, 3, 5, 6, 8) for t in range(3 + id_ % 4)]
    for i, (id_, t) in enumerate(places):
        expected = expected_window(id_, t, n_obs, horizon)
        for key in ("proprio", "rgb/top"):
            np.testing.assert_array_equal(batch["obs"][key][i], expected[key])
        for key in ("action", "action_is_pad"):
            np.testing.assert_array_equal(batch[key][i], expected[key])


def test_current_step_is_at_index_n_obs_minus_one(tmp_path: Path) -> None:
    windows = Windows(write_store(tmp_path / "demos", [2]), n_obs=3, horizon=4)
    batch = windows.batch(np.arange(5))
    np.testing.assert_array_equal(batch["action"][:, 2], episode(2).arrays["action"])
    np.testing.assert_array_equal(batch["obs"]["proprio"][:, 2], episode(2).arrays["obs/proprio"])
    assert batch["action_is_pad"].astype(int).tolist() == [
        [1, 1, 0, 0],
        [1, 0, 0, 0],
        [0, 0, 0, 0],
        [0, 0, 0, 0],
        [0, 0, 0, 1],
    ]


def test_batch_layout(tmp_path: Path) -> None:
    windows = Windows(write_store(tmp_path / "demos", [1, 2]), n_obs=2, horizon=4)
    batch = windows.batch([3, 0, 3])
    arrays = {**batch["obs"], "action": batch["action"], "pad": batch["action_is_pad"]}
    assert {key: (a.shape, a.dtype.name) for key, a in arrays.items()} == {
        "proprio": ((3, 2, 3), "float32"),
        "rgb/top": ((3, 2, 4, 5, 3), "uint8"),
        "action": ((3, 4, 2), "float32"),
        "pad": ((3, 4), "bool"),
    }
    assert all(type(a) is np.ndarray and a.flags.c_contiguous for a in arrays.values())
    assert all(a.flags.writeable for a in arrays.values())  # torch.from_numpy asks for it


def test_arrays_are_made_where_the_caller_says(tmp_path: Path) -> None:
    windows = Windows(write_store(tmp_path / "demos", [1, 2]), n_obs=2, horizon=4)
    made = []

    def empty(shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
        made.append(np.full(shape, 77, dtype))
        return made[-1]

    (got,) = windows.epoch(3, 0, 9, empty=empty)
    (expected,) = windows.epoch(3, 0, 9)
    arrays = [*got["obs"].values(), got["action"]]
    assert all(mine is given for mine, given in zip(arrays, made, strict=True))
    for key in ("proprio", "rgb/top"):
        np.testing.assert_array_equal(got["obs"][key], expected["obs"][key])
    np.testing.assert_array_equal(got["action"], expected["action"])


def test_memory_holds_the_chosen_episodes_only(tmp_path: Path) -> None:
    store = write_store(tmp_path / "demos", [4, 1, 2, 3])
    parts = {
        in_memory: Windows(store, n_obs=2, horizon=4, episodes=[3, 1], in_memory=in_memory)
        for in_memory in (False, True)
    }
    for array in parts[True]._held.values():
        assert len(array) == len(parts[True]) < store.num_steps
    numbers = np.arange(len(parts[True]))
    mapped, held = (parts[in_memory].batch(numbers) for in_memory in (False, True))
    for key in ("proprio", "rgb/top"):
        np.testing.assert_array_equal(held["obs"][key], mapped["obs"][key])
    np.testing.assert_array_equal(held["action"], mapped["action"])
    np.testing.assert_array_equal(held["action_is_pad"], mapped["action_is_pad"])


def test_a_file_that_shrank_is_named(tmp_path: Path) -> None:
    store = write_store(tmp_path / "demos", [1, 2])
    path = tmp_path / "demos" / "action.npy"
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(ManigymError, match=r"action\.npy became shorter"):
        Windows(store, n_obs=1, horizon=1, in_memory=True)


@pytest.mark.parametrize("in_memory", [False, True])
def test_chosen_keys_and_episodes(tmp_path: Path, in_memory: bool) -> None:
    store = write_store(tmp_path / "demos", [4, 1, 2, 3])
    windows = Windows(
        store, n_obs=1, horizon=1, obs_keys=["proprio"], episodes=[3, 1], in_memory=in_memory
    )
    batch = windows.batch(np.arange(len(windows)))
    assert list(batch["obs"]) == ["proprio"]
    both = [episode(i).arrays["action"] for i in (1, 3)]
    np.testing.assert_array_equal(batch["action"][:, 0], np.concatenate(both))


def test_arrival_order_is_irrelevant(tmp_path: Path) -> None:
    one, two = (
        Windows(write_store(tmp_path / name, ids), n_obs=2, horizon=4)
        for name, ids in (("a", [1, 2, 3]), ("b", [3, 1, 2]))
    )
    for a, b in zip(one.epoch(0, 0, 4), two.epoch(0, 0, 4), strict=True):
        np.testing.assert_array_equal(a["action"], b["action"])
        np.testing.assert_array_equal(a["obs"]["rgb/top"], b["obs"]["rgb/top"])


def test_an_epoch_shows_every_window_once(tmp_path: Path) -> None:
    windows = Windows(write_store(tmp_path / "demos", [1, 2, 3]), n_obs=2, horizon=4)
    everything = windows.batch(np.arange(len(windows)))["action"]
    batches = [b["action"] for b in windows.epoch(7, 0, 4)]
    assert [len(b) for b in batches] == [4, 4, 4, 3]
    shown = {row.tobytes() for row in np.concatenate(batches)}
    assert shown == {row.tobytes() for row in everything}
    assert [len(b["action"]) for b in windows.epoch(7, 0, 4, drop_last=True)] == [4, 4, 4]
    assert windows.num_batches(4) == 4
    assert windows.num_batches(4, drop_last=True) == 3
    assert windows.num_batches(5) == windows.num_batches(5, drop_last=True) == 3


def test_epochs_repeat_differ_and_resume(tmp_path: Path) -> None:
    windows = Windows(write_store(tmp_path / "demos", range(6)), n_obs=2, horizon=4)

    def actions(seed: int, epoch: int, start: int = 0) -> list[bytes]:
        return [b["action"].tobytes() for b in windows.epoch(seed, epoch, 4, start=start)]

    first = actions(7, 0)
    assert actions(7, 0) == first
    assert actions(7, 1) != first
    assert actions(8, 0) != first
    assert actions(7, 0, start=2) == first[2:]


def test_travels_to_other_processes(tmp_path: Path) -> None:
    windows = Windows(write_store(tmp_path / "demos", range(50)), n_obs=2, horizon=4)
    expected = windows.batch([5, 9])
    data = pickle.dumps(windows)
    assert len(data) < 20_000
    got = pickle.loads(data).batch([5, 9])
    np.testing.assert_array_equal(got["obs"]["rgb/top"], expected["obs"]["rgb/top"])


def test_errors(tmp_path: Path) -> None:
    store = write_store(tmp_path / "demos", [1])
    with pytest.raises(ManigymError, match="n_obs 3, horizon 2"):
        Windows(store, n_obs=3, horizon=2)
    with pytest.raises(ManigymError, match="no key 'obs/rgb/side'"):
        Windows(store, n_obs=1, horizon=2, obs_keys=["rgb/side"])
    with pytest.raises(ManigymError, match=r"no episodes \[8\]"):
        Windows(store, n_obs=1, horizon=2, episodes=[8])
    with pytest.raises(ManigymError, match="no episodes to draw"):
        Windows(write_store(tmp_path / "empty", []), n_obs=1, horizon=2)
    with pytest.raises(IndexError, match=r"0\.\.3"):
        Windows(store, n_obs=1, horizon=2).batch([4])
