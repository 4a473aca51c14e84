"""Windows per second against other loaders on the same data, in turn, in one process.

Batches of 64, two frames of 84x84 with low-dimensional keys, 16 actions. Run with
``--benchmark-enable``; others take part where they are installed (see ``PEERS``).
"""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from benchmark.throughput.contest import Contender, contest
from benchmark.throughput.job import LoaderJob
from benchmark.throughput.loading import (
    CAMERAS,
    data_bytes,
    memory_growth,
    ours,
    synthetic_store,
)
from benchmark.throughput.peers import PEERS, peers_of

ROUNDS = 5
RATIOS = {  # how many times as many windows per second ours gives, at least
    "robomimic:all": 4.0,
    "robomimic:low_dim": 4.0,
    "robomimic:none": 4.0,
    "zarr:ram": 50.0,
    "zarr:disk": 50.0,
    "lerobot:image": 50.0,
}


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> LoaderJob:
    path = synthetic_store(tmp_path_factory.mktemp("speed") / "demos", cameras=CAMERAS[:1])
    return LoaderJob(path, ("proprio", "state", f"rgb/{CAMERAS[0]}"), seconds=1.0)


def peer(name: str, job: LoaderJob) -> Contender:
    return peers_of("loader", [name], job)[0]


@pytest.mark.parametrize("in_memory", [False, True], ids=["mapped", "in_memory"])
@pytest.mark.parametrize("name", RATIOS)
@pytest.mark.benchmark(group="loader")
def test_windows_per_second(benchmark: Any, job: LoaderJob, name: str, in_memory: bool) -> None:
    who = PEERS[name.partition(":")[0]]
    if not who.installed:
        pytest.skip(f"{name} is not installed: {who.install}")
    both = [ours(job, in_memory), peer(name, job)]
    rounds = 1 if benchmark.disabled else ROUNDS
    found = benchmark.pedantic(contest, (both, rounds), rounds=1)
    mine, theirs = found.results
    times, low, high = mine.against(theirs)
    benchmark.extra_info.update(
        windows_per_second=[round(mine.rate), round(theirs.rate)],
        times=[round(times, 1), round(low, 1), round(high, 1)],
        load=found.load,
    )
    if not benchmark.disabled:
        assert times >= RATIOS[name]


@pytest.mark.parametrize("in_memory", [False, True], ids=["mapped", "in_memory"])
@pytest.mark.benchmark(group="memory")
def test_memory(benchmark: Any, job: LoaderJob, in_memory: bool) -> None:
    make = partial(ours, in_memory=in_memory)
    found = benchmark.pedantic(memory_growth, (make, job), rounds=1)
    batches = 4 * job.batch_size * job.n_obs * 84 * 84 * 3
    assert found < data_bytes(job) + batches + 8_000_000  # what torch loads when first used


@pytest.mark.parametrize("name", ["robomimic:all", "zarr:ram"])  # those that keep windows in RAM
@pytest.mark.benchmark(group="memory")
def test_memory_of_others(benchmark: Any, job: LoaderJob, name: str) -> None:
    if not PEERS[name.partition(":")[0]].installed:
        pytest.skip(f"{name} is not installed")
    found = benchmark.pedantic(memory_growth, (partial(peer, name), job), rounds=1)
    benchmark.extra_info["times_the_data"] = round(found / data_bytes(job), 1)
    assert found > 4 * data_bytes(job)
