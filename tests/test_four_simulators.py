"""SAPIEN 2, SAPIEN 3, robosuite and Adroit from one command, each in its own environment.

Runs where the environments are set up: ``python -m benchmark setup all``, ``tox -e isolation``.
"""

from __future__ import annotations

import csv
import os

import gymnasium as gym
import imageio.v3 as iio
import numpy as np
import pytest
from toy import bench

import envs
import envs.checks
from envs.checks import CHECKS
from envs.isolation.interpreter import available
from envs.schema import flatten

TASKS = ("DexArt/bucket-v0", "RoboTwin/beat_block_hammer-v0", "Robomimic/lift-v0", "Adroit/door-v0")
PLACES = {task: [i.name for i in available(task)] for task in TASKS}
MISSING = [task for task, places in PLACES.items() if places in ([], ["host"])]
pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"python -m benchmark setup all: {MISSING}")
SEEDS = int(os.environ.get("MANIGYM_TWIN_SEEDS", "2"))
STEPS = int(os.environ.get("MANIGYM_TWIN_STEPS", "15"))


# imageio leaves the pipe to ffmpeg to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_one_command_evaluates_four_simulators(tmp_path):
    run = ("run", "--policy", "expert", "--episodes", 2, "--isolation", "process", "--env", *TASKS)
    assert bench(*run, "--out", tmp_path) == 0
    with (tmp_path / "leaderboard.csv").open(newline="") as file:
        rows = {row["env"]: row for row in csv.DictReader(file)}
    assert list(rows) == list(TASKS)
    for task, row in rows.items():
        assert (row["successes"], row["errors"]) == ("2", "0")
        assert row["isolation"] == f"process:{envs.registry.simulator_of(task).extra}"
    assert "sapien=2.2.1" in rows["DexArt/bucket-v0"]["simulator_version"]
    assert "sapien=3.0.3" in rows["RoboTwin/beat_block_hammer-v0"]["simulator_version"]
    films = sorted((tmp_path / rows[TASKS[0]]["run"] / "videos").glob("*-0000.mp4"))
    assert len(films) == len(TASKS)
    for film in films:
        frames = iio.imread(film).astype(np.int16)
        assert frames[0].std() > 20, f"{film.name} shows nothing"
        assert np.abs(frames[-1] - frames[0]).max() > 50, f"nothing moves in {film.name}"


@pytest.mark.parametrize("task", TASKS)
def test_results_do_not_depend_on_how_they_are_made(tmp_path, capsys, task):
    short = ("--episodes", 3, "env.horizon=25", "--out", tmp_path)
    status = bench("invariance", "--policy", "uniform", "--env", task, *short)
    assert f"{task}, uniform: 0 differences in" in capsys.readouterr().out
    assert status == 0


def test_replayed_and_verified_in_other_processes(tmp_path, capsys):
    run = ("run", "--policy", "expert", "--episodes", 2, "--env", *TASKS, "run.videos=0")
    assert bench(*run, "--out", tmp_path) == 0
    again = ("verify", "--sample", "all", "--with-policy", "--isolation", "process")
    assert bench(*again, "--out", tmp_path) == 0
    assert "4 rows: 4 OK; 8 episodes executed again, all identical." in capsys.readouterr().out


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("task", TASKS)
def test_the_conformance_kit_where_a_simulator_runs_by_itself(monkeypatch, task, check):
    honest = envs.checks.make_env
    monkeypatch.setattr(
        envs.checks, "make_env", lambda i, options: honest(i, {**options, "isolation": "process"})
    )
    check(task)


@pytest.mark.parametrize("task", [task for task, places in PLACES.items() if "host" in places])
def test_a_simulator_gives_the_same_bits_here_and_in_its_own_environment(task):
    options = {
        "observations": ("proprio", "state", "rgb", "depth", "segmentation", "point_cloud"),
        "image_size": (48, 48),
        "terminate_on_success": False,
    }
    here, there = (
        gym.make(task, isolation=where, **options).unwrapped for where in ("in_process", "process")
    )
    try:
        for seed in range(SEEDS):
            rng = np.random.default_rng(seed)
            assert_equal(here.reset(seed=seed), there.reset(seed=seed))
            for _ in range(STEPS):
                action = rng.uniform(-1, 1, here.action_space.shape).astype(np.float32)
                assert_equal(here.step(action), there.step(action))
                assert here.state_bytes() == there.state_bytes()
    finally:
        here.close()
        there.close()


def assert_equal(ours, theirs):
    """Of two answers to reset or step: every array bit for bit, everything else equal."""
    assert ours[1:] == theirs[1:]
    one, other = flatten(ours[0]), flatten(theirs[0])
    assert set(one) == set(other)
    for key in one:
        assert one[key].dtype == other[key].dtype
        assert one[key].tobytes() == other[key].tobytes(), key
