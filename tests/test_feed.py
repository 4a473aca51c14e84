"""Batches on their way to the device: the same ones in the same order, and a thread that ends."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import partial

import numpy as np
import pytest
import torch
from trajectories import write_store

from benchmark.config import TrainingSettings
from benchmark.data.windows import Empty, Windows
from benchmark.training import bc
from benchmark.training.feed import AHEAD, Buffers, feed

CPU = torch.device("cpu")
SETTINGS = TrainingSettings(steps=30, batch_size=4)
WAYS = pytest.mark.parametrize("threaded", [False, True])


@pytest.fixture(scope="module")
def windows(tmp_path_factory: pytest.TempPathFactory) -> Windows:
    store = write_store(tmp_path_factory.mktemp("feed") / "demos", range(6))
    keys = ["proprio", "rgb/top", "instruction"]
    return Windows(store, n_obs=2, horizon=4, obs_keys=keys)


def feeders() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("feed")]


@WAYS
@pytest.mark.parametrize("step", [0, 13])
def test_the_batches_of_training_from_any_step_on(
    windows: Windows, step: int, threaded: bool
) -> None:
    expected = list(bc._batches(windows, SETTINGS, step))
    with feed(partial(bc._batches, windows, SETTINGS, step), CPU, threaded) as batches:
        got = list(batches)  # kept: no batch may be written over while somebody has it
    assert len(got) == len(expected) == SETTINGS.steps - step
    for mine, theirs in zip(got, expected, strict=True):
        for key, value in {**theirs["obs"], "action": theirs["action"]}.items():
            tensor = mine["obs"].get(key, mine["action"])
            if key == "instruction":
                assert tensor.tolist() == value.tolist()
            else:
                assert tensor.dtype == torch.from_numpy(value).dtype  # pictures are uint8
                np.testing.assert_array_equal(tensor.numpy(), value)
        np.testing.assert_array_equal(mine["action_is_pad"].numpy(), theirs["action_is_pad"])


@WAYS
def test_an_error_arrives_where_its_batch_was_to_be(threaded: bool) -> None:
    def source(empty: Empty) -> Iterator[dict[str, np.ndarray]]:
        for i in range(3):
            yield {"i": np.array([i])}
        raise OSError("disk gone")

    seen = []
    with pytest.raises(OSError, match="disk gone"), feed(source, CPU, threaded) as batches:
        for batch in batches:
            seen.append(batch["i"].item())
    assert seen == [0, 1, 2]
    assert not feeders()


def test_the_thread_is_a_little_ahead_and_ends_with_the_loop() -> None:
    made = []

    def source(empty: Empty) -> Iterator[dict[str, np.ndarray]]:
        for i in range(1000):
            made.append(threading.current_thread().name)
            yield {"i": np.array([i])}

    with (
        pytest.raises(ValueError, match="diverged"),
        feed(source, CPU, threaded=True) as batches,
    ):
        for batch in batches:
            assert len(feeders()) == 1
            if batch["i"].item() == 10:
                raise ValueError("diverged")
    assert not feeders()
    assert 11 <= len(made) <= 11 + AHEAD
    assert all(name.startswith("feed") for name in made)


def test_on_a_cpu_there_is_no_thread(windows: Windows) -> None:
    with feed(partial(bc._batches, windows, SETTINGS, 0), CPU) as batches:
        next(batches)
        assert not feeders()


def test_memory_is_used_again_only_when_nobody_looks_at_it() -> None:
    made = []

    def allocate(size: int) -> np.ndarray:
        made.append(size)
        return np.empty(size, np.uint8)

    buffers = Buffers(allocate)
    float32 = np.dtype(np.float32)
    first = buffers.empty((2, 3), float32)
    address = first.ctypes.data
    assert (first.shape, first.dtype, first.flags.c_contiguous) == ((2, 3), float32, True)
    assert buffers.empty((2, 3), float32).ctypes.data != address
    row = torch.from_numpy(first)[1]  # a view of a tensor of the array
    del first
    assert buffers.empty((2, 3), float32).ctypes.data != address
    del row
    assert buffers.empty((3, 2), float32).ctypes.data == address
    assert made == [24, 24]


def test_a_feed_allocates_a_handful_of_batches(windows: Windows) -> None:
    addresses = set()
    with feed(partial(bc._batches, windows, SETTINGS, 0), CPU, threaded=True) as batches:
        for batch in batches:
            addresses.add(batch["obs"]["rgb/top"].data_ptr())
    assert 1 < len(addresses) <= AHEAD + 3  # waiting, being made, in use, just let go


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU: nothing to copy to")
@WAYS
def test_on_a_gpu_the_batches_are_the_same(windows: Windows, threaded: bool) -> None:
    device = torch.device("cuda")
    expected = list(bc._batches(windows, SETTINGS, 0))
    with feed(partial(bc._batches, windows, SETTINGS, 0), device, threaded) as batches:
        got = list(batches)
    for mine, theirs in zip(got, expected, strict=True):
        assert mine["obs"]["rgb/top"].device.type == "cuda"
        assert mine["obs"]["rgb/top"].dtype == torch.uint8
        np.testing.assert_array_equal(mine["obs"]["rgb/top"].cpu(), theirs["obs"]["rgb/top"])
        np.testing.assert_array_equal(mine["action"].cpu(), theirs["action"])
