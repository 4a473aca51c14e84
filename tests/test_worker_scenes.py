"""Several environments in one worker: whoever shares a process, the results are the same."""

from __future__ import annotations

from contextlib import closing

import numpy as np
import pytest
from conftest import needs_gl
from faulty import workers
from pooled import episodes
from toy import TOY

from envs.make import Workers, make_vec
from envs.pool import make_pool
from envs.schema import ManigymError

LAYOUTS = {
    "in process": Workers(4, "in_process"),
    "4 x 1": Workers(4),
    "2 x 2": Workers(2, scenes=2),
    "1 x 4": Workers(1, scenes=4),
}
PICTURES = {"observations": ("proprio", "rgb"), "image_size": (24, 32)}
TASKS = {
    "numbers": (TOY, {"observations": ("proprio", "state", "expert"), "horizon": 20}),
    "pictures": (TOY, PICTURES | {"horizon": 20, "observations": ("proprio", "rgb", "depth")}),
    "house": ("MJThor/pick-v0", PICTURES | {"horizon": 6}),
}


@pytest.fixture(autouse=True)
def no_worker_is_left():
    yield
    assert workers() == set()


@needs_gl
@pytest.mark.parametrize("task", TASKS)
def test_results_do_not_depend_on_who_shares_a_worker(task):
    env_id, options = TASKS[task]
    seeds, results = range(4 if task == "house" else 9), {}
    for name, layout in LAYOUTS.items():
        with make_pool(env_id, options, layout, n_obs=3) as pool:
            results[name], failures = episodes(pool, seeds, n_obs=3)
            assert failures == []
            assert len({getattr(link, "pid", 0) for link in pool.links}) == (
                1 if name == "in process" else layout.count
            )
    assert set(results["in process"]) == set(seeds)
    assert len(set(results["in process"].values())) == len(seeds)
    assert all(found == results["in process"] for found in results.values())


def test_a_vector_of_five_in_three_workers_is_a_vector_of_five():
    rows = np.random.default_rng(0).uniform(-1, 1, (25, 5, 2)).astype(np.float32)
    seen = []
    for scenes in (1, 2):
        with closing(make_vec(TOY, 5, scenes=scenes, horizon=15)) as env:
            assert len(workers()) == (5, 3)[scenes - 1]
            seen.append([env.reset(seed=3), *map(env.step, rows)])
    np.testing.assert_equal(*seen)


def test_neighbours_are_in_different_workers(tmp_path):
    layout = Workers(2, scenes=2, logs=tmp_path)
    with make_pool(TOY, {"observations": ()}, layout) as pool:
        first, second, *others = [link.pid for link in pool.links]
        assert first != second
        assert others == [first, second]
        assert pool.place == "process:host"
        assert len(list(tmp_path.iterdir())) == 2


def test_sizes_of_a_layout():
    assert Workers(3, scenes=4).slots == 12
    fewer = [Workers(4, scenes=2).at_most(n) for n in (1, 3, 4, 5, 6, 99)]
    assert [(w.count, w.scenes) for w in fewer] == [(1, 1), (3, 1), (4, 1), (4, 2), (4, 2), (4, 2)]
    for bad in ({"count": 0}, {"scenes": 0}):
        with pytest.raises(ManigymError, match=r"at least 1 .* is needed, got 0"):
            Workers(**bad)
    with pytest.raises(ManigymError, match="at least 1 scene"):
        make_vec(TOY, 2, scenes=0)
