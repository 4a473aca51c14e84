"""Recorded actions executed again: the same bits, or exactly where they part."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys

import imageio.v2 as imageio
import numpy as np
import pytest
from conftest import needs_gl
from toy import TOY, bench

from benchmark.data.mjthor_videos import read
from benchmark.results.records import read_records
from benchmark.verification.reexecution import RecordedTask, replay, stage
from envs import card
from envs.make import Workers
from envs.toy.env import ToyEnv

RUN = ("run", "--policy", "uniform", "--env", TOY, "--episodes", 6, "run.videos=0")


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    out = tmp_path_factory.mktemp("replay") / "runs"
    assert bench(*RUN, "--out", out, "policy.n_action=3", "env.horizon=30") == 0
    return out


@pytest.fixture
def run(recorded, out):
    """The folder of a run that a test may damage."""
    shutil.copytree(recorded, out)
    (folder,) = out.glob("uniform-*")
    return folder


@pytest.fixture
def says(run, capsys):
    def command(*arguments):
        capsys.readouterr()
        status = bench("replay", *arguments, "--out", run.parent)
        captured = capsys.readouterr()
        return status, captured.out + captured.err

    return command


def counts(text):
    """Episodes, identical ones and errors of the table's only line."""
    ((*numbers,),) = re.findall(rf"^{TOY} +(\d+) +(\d+) +(\d+)$", text, re.MULTILINE)
    return tuple(map(int, numbers))


def nudge_at(monkeypatch, step):
    """Physics that is a little other from one step (1 is the first) of every episode on."""
    honest = ToyEnv._advance

    def advance(self, native):
        return honest(self, native * (0.999 if len(self._goals) == step - 1 else 1.0))

    monkeypatch.setattr(ToyEnv, "_advance", advance)


@pytest.mark.parametrize(
    "place",
    [(), ("--workers", 3), ("--isolation", "process")],
    ids=["here", "three workers", "a worker"],
)
def test_every_episode_is_identical_wherever_it_is_replayed(says, place):
    status, text = says("uniform", *place)
    assert status == 0
    assert counts(text) == (6, 6, 0)


def test_a_new_process_comes_to_the_same_bits(run):
    command = [sys.executable, "-m", "benchmark", "replay", str(run)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=run.parent, check=False)
    assert (done.returncode, counts(done.stdout)) == (0, (6, 6, 0))


@pytest.mark.parametrize("step", [1, 4, 30])
def test_the_first_step_that_differs_is_named(says, monkeypatch, step):
    nudge_at(monkeypatch, step)
    status, text = says("uniform", "--episodes", 0, 5)
    assert status == 1
    for episode in (0, 5):
        line = f"{TOY} episode {episode}: first difference at step {step} of 30 (0 = the start"
        assert line in text
    assert "Machine, versions and files are those recorded: either" in text


def test_another_start_state_is_step_0(says, monkeypatch):
    honest = ToyEnv._reset
    monkeypatch.setattr(ToyEnv, "_reset", lambda self, seed: honest(self, seed + 1))
    status, text = says("uniform", "--episodes", 2)
    assert status == 1
    assert "first difference at step 0 of 30" in text


def test_what_differs_from_the_recorded_conditions_is_the_likely_cause(says, monkeypatch):
    nudge_at(monkeypatch, 7)
    monkeypatch.setattr("benchmark.results.conditions.machine", lambda: "Pentium, 1 cores")
    status, text = says("uniform")
    assert status == 1
    assert "The likely cause:\n  recorded on machine: " in text
    assert ", here: Pentium, 1 cores" in text
    assert "recorded on python" not in text


def test_other_conditions_alone_are_no_difference(says, monkeypatch):
    monkeypatch.setattr("benchmark.results.conditions.machine", lambda: "Pentium, 1 cores")
    status, text = says("uniform")
    assert (status, "Pentium" in text) == (0, False)


def test_an_episode_that_ends_elsewhere_says_so(run):
    """The same states, but the recorded protocol stops earlier or goes on for longer."""
    task = RecordedTask.read(run, TOY)
    record = read_records(run)[0]
    for horizon in (20, 40):
        options = task.config["env_options"] | {"horizon": horizon}
        other = RecordedTask(run, TOY, task.config | {"env_options": options})
        with stage(other, Workers()) as pool:
            (one,) = replay(pool, other, [record])
        assert (
            one.differences[0] == f"the same states, but it ends after step {horizon} instead of 30"
        )
        assert f"steps {horizon}, recorded 30" in one.differences


def test_a_trace_that_is_missing_cut_or_swapped_is_named(says, run):
    first, second, third, *_ = sorted((run / "traces").iterdir())
    first.unlink()
    second.write_bytes(second.read_bytes()[:100])
    third.write_bytes((run / "traces" / "Toy-reach-v0-0005.npz").read_bytes())
    status, text = says("uniform")
    assert status == 1
    assert f"{first} is missing" in text
    for file, episode in ((second, 1), (third, 2)):
        assert f"{file} is not the trace of {TOY} episode {episode}: sha256 " in text
    assert text.count(": first difference") == 0
    assert "The likely cause" not in text
    assert "does not repeat itself" not in text  # they were not executed


def test_a_long_list_of_differences_is_cut(says, monkeypatch):
    nudge_at(monkeypatch, 3)
    text = says("uniform")[1]
    assert text.count("first difference at step 3") == 5
    assert f"{TOY} and 1 more: episode 5\n" in text


def test_a_simulator_that_fails_is_a_difference(says, monkeypatch):
    monkeypatch.setattr(ToyEnv, "_advance", lambda self, native: float("nan"))
    status, text = says("uniform", "--episodes", 1)
    assert status == 1
    assert "it cannot be executed here: SimulationError" in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("expert",), "no run 'expert' below"),
        (("uniform", "--episodes", 9), "has no episode 9; it has 6: 0..5"),
        (("uniform", "--env", "Toy/reech-v0"), "nearest: Toy/reach-v0"),
        (("uniform", "--env", "Adroit/door-v0"), "no episodes of Adroit/door-v0; it has those of"),
        (("uniform", "--camera", "front"), "--camera front is for --video; give both"),
        (("uniform", "--video", "--camera", "moon"), "has no camera 'moon'; it has: "),
    ],
)
def test_what_was_asked_wrongly(says, arguments, message):
    status, text = says(*arguments)
    assert (status, message in text) == (2, True), text


@needs_gl
def test_the_overview_of_a_run_films_again(out):
    """By default through the camera that the run filmed with, which is none of those observed."""
    task, common = "MJThor/pick-v0", ("--out", out)
    short = ("--episodes", 1, "env.horizon=3", "run.videos=1")
    assert bench("run", "--policy", "uniform", "--env", task, *short, *common) == 0
    (run,) = out.glob("uniform-*")
    (film,) = run.glob("videos/*.mp4")
    before = read(film)
    for camera in ((), ("--camera", "camera_follower"), ("--camera", "wrist_camera_r")):
        assert bench("replay", "uniform", "--video", *camera, *common) == 0
    frames = {
        name: read(run / "videos" / f"MJThor-pick-v0-0000-{name}.mp4")
        for name in ("camera_follower", "wrist_camera_r")
    }
    assert len(before) == 4
    assert np.array_equal(frames["camera_follower"], before)
    assert not np.array_equal(frames["wrist_camera_r"], before)
    assert len(list(run.glob("videos/*.mp4"))) == 3


@needs_gl
def test_any_camera_films_afterwards_and_changes_no_bit(says, run):
    for camera in card(TOY).cameras:
        status, text = says("uniform", "--episodes", 3, "--video", "--camera", camera)
        film = run / "videos" / f"Toy-reach-v0-0003-{camera}.mp4"
        assert status == 0
        assert str(film) in text
        assert counts(text) == (1, 1, 0)
        assert imageio.get_reader(film).count_frames() == 31  # the start and every step
