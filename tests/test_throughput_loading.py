"""Loaders and training as contenders: the same windows, counted right, no memory but the data."""

from __future__ import annotations

import threading
from functools import partial

import numpy as np
import pytest
import torch
from toy import TINY

import policies
from benchmark.config import TrainingSettings, parse
from benchmark.data.store import TrajectoryStore
from benchmark.data.windows import Windows
from benchmark.throughput import loading
from benchmark.throughput.contest import contest
from benchmark.throughput.job import LoaderJob
from benchmark.throughput.loading import data_bytes, memory_growth, ours, synthetic_store
from benchmark.throughput.peers import PEERS, peers_of
from benchmark.throughput.training import TrainingJob
from benchmark.throughput.training import ours as training
from envs.schema import ManigymError

KEYS = ("proprio", "state", *(f"rgb/{camera}" for camera in loading.CAMERAS))


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> LoaderJob:
    path = synthetic_store(tmp_path_factory.mktemp("noise") / "demos", episodes=3, steps=40)
    return LoaderJob(path, KEYS, batch_size=16, seconds=0.02)


def peer(name: str, job: LoaderJob) -> loading.Contender:
    if not PEERS[name.partition(":")[0]].installed:
        pytest.skip(f"{name} is not installed")
    return peers_of("loader", [name], job)[0]


def test_the_made_up_data_is_what_it_says(job: LoaderJob) -> None:
    store = TrajectoryStore.open(job.data)
    assert (len(store), store.num_steps) == (3, 120)
    assert store.verify().warnings == ()
    assert data_bytes(job) == 120 * (2 * 84 * 84 * 3 + 4 * (7 + 9 + 10))
    pictures = [store.array(f"obs/rgb/{camera}") for camera in loading.CAMERAS]
    assert all(array.min() == 0 and array.max() == 255 for array in pictures)
    assert not np.array_equal(*pictures)


def test_the_windows_are_those_of_training(job: LoaderJob, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = []
    monkeypatch.setattr(loading, "drawing", lambda batches, _: partial(next, batches))
    windows = Windows(TrajectoryStore.open(job.data), n_obs=2, horizon=16, obs_keys=KEYS)
    expected = [*windows.epoch(0, 0, 16, drop_last=True), *windows.epoch(0, 1, 16, drop_last=True)]
    for in_memory in (False, True):
        with ours(job, in_memory).open() as take:
            drawn = [take() for _ in expected]
        for mine, theirs in zip(drawn, expected, strict=True):
            assert all(torch.is_tensor(value) for value in mine["obs"].values())
            for key in KEYS:
                np.testing.assert_array_equal(mine["obs"][key], theirs["obs"][key])
            np.testing.assert_array_equal(mine["action"], theirs["action"])


def test_units_are_windows(job: LoaderJob) -> None:
    taken = iter(range(10**9))
    windows = loading.drawing(taken, job)()
    assert windows == 16 * next(taken)


@pytest.mark.parametrize("in_memory", [False, True])
def test_ours_holds_the_data_and_a_few_batches(job: LoaderJob, in_memory: bool) -> None:
    batch = 16 * 2 * 2 * 84 * 84 * 3
    torch_itself = 8_000_000  # what it loads when it is first used
    found = memory_growth(partial(ours, in_memory=in_memory), job)
    assert found < data_bytes(job) + 4 * batch + torch_itself
    if in_memory:
        assert found > data_bytes(job)


@pytest.mark.parametrize("place", ["ram", "disk"])
def test_zarr_has_the_same_windows(
    job: LoaderJob, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    contender = peer(f"zarr:{place}", job)
    from benchmark.throughput.peers import zarr_data

    monkeypatch.setattr(zarr_data, "shuffled", lambda dataset, _: dataset)
    monkeypatch.setattr(zarr_data, "drawing", lambda dataset, _: dataset)
    windows = Windows(TrajectoryStore.open(job.data), n_obs=2, horizon=16, obs_keys=KEYS)
    expected = windows.batch(np.arange(len(windows)))
    with contender.open() as items:
        assert len(items) == len(windows)
        for i in (0, 1, 20, 39, 40, 77, 119):
            item = items[i]
            picture = item["rgb_agentview"]
            assert (picture.shape, picture.dtype) == ((16, 3, 84, 84), torch.float32)
            seen = (picture[:2] * 255).round().to(torch.uint8).permute(0, 2, 3, 1)
            np.testing.assert_array_equal(seen, expected["obs"]["rgb/agentview"][i])
            np.testing.assert_array_equal(item["action"], expected["action"][i])


@pytest.mark.parametrize("name", ["robomimic", "robomimic:low_dim", "zarr", "lerobot"])
def test_others_take_part(job: LoaderJob, name: str) -> None:
    with peer(name, job).open() as once:
        assert once() % 16 == 0


@pytest.mark.parametrize("name", ["robomimic:some", "zarr:tape", "lerobot:film"])
def test_unknown_variants_are_named(job: LoaderJob, name: str) -> None:
    with pytest.raises(ManigymError, match=name.partition(":")[2]):
        peer(name, job)


def tiny(job: LoaderJob, *overrides: str) -> TrainingJob:
    cls = policies.get("maniflow")
    kinds = {"policy": cls.Config, "training": TrainingSettings}
    found = parse(kinds, [*TINY, *overrides])
    return TrainingJob(cls, found["policy"], job.data, found["training"], seconds=0.05)


def test_training_in_both_precisions(job: LoaderJob) -> None:
    both = [training(tiny(job, f"training.precision={p}")) for p in ("float32", "bfloat16")]
    assert [c.detail for c in both] == ["float32 on cpu", "bfloat16 on cpu"]
    threads = torch.get_num_threads()
    found = contest(both, 2)
    for result in found.results:
        for sample in result.samples:
            assert sample.units >= 16
            assert sample.units % 16 == 0
    assert torch.get_num_threads() == threads
    assert not [t for t in threading.enumerate() if t.name.startswith("feed")]


def test_training_steps_change_the_weights(job: LoaderJob, monkeypatch: pytest.MonkeyPatch) -> None:
    states = []
    from benchmark.throughput import training as module

    def watched(*rest: object) -> object:
        states.append(module_begin(*rest))
        return states[0]

    module_begin = module.begin
    monkeypatch.setattr(module, "begin", watched)
    with training(tiny(job)).open() as once:
        first = [value.clone() for value in states[0].policy.module.parameters()]
        samples = once()
    assert samples == 16 * states[0].step
    now = list(states[0].policy.module.parameters())
    assert any(not torch.equal(a, b) for a, b in zip(first, now, strict=True))


def test_training_says_what_the_data_lacks(job: LoaderJob) -> None:
    contender = training(tiny(job, "policy.observations=[point_cloud]"))
    with pytest.raises(ManigymError, match=r"has no point_cloud"), contender.open():
        pass
