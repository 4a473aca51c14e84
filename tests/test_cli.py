"""The command line: exit statuses, messages, interruptions."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
from toy import TINY, TOY, bench, toy_store

import envs
from benchmark.commands import doctor
from benchmark.data.store import TrajectoryStore
from benchmark.results.leaderboard import read_rows

RUN = ("run", "--policy", "uniform", "--env", TOY, "--episodes", 3, "run.videos=0")
TRAIN = ("train", "--policy", "maniflow", "--env", TOY, "--demonstrations", 4, *TINY)


@pytest.fixture
def says(capsys):
    """Run a command; return its status and everything it printed, without progress bars."""

    def run(*arguments):
        status = bench(*arguments)
        captured = capsys.readouterr()
        return status, captured.out + captured.err

    return run


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("run", "--policy", "uniform", "--env", "Toy/reech-v0"), "nearest: Toy/reach-v0"),
        (("collect", "--env", "Toy/reech-v0"), "nearest: Toy/reach-v0"),
        (("train", "--policy", "maniflow", "--env", "Toy/reech-v0"), "nearest: Toy/reach-v0"),
        (("run", "--policy", "manyflow", "--env", TOY), "unknown policy 'manyflow'; nearest: mani"),
        (("train", "--policy", "uniform", "--env", TOY), "'uniform' has nothing to train"),
        ((*RUN, "--episodes", 0), "--episodes: expected at least 1, got 0"),
        ((*RUN, "--episodes", "few"), "--episodes: expected a whole number, got 'few'"),
        ((*RUN, "--workers", 0), "--workers: expected at least 1, got 0"),
        ((*RUN, "--seed", -1), "--seed: expected at least 0, got -1"),
        ((*RUN, "run.exekute=1"), "unknown key in 'run': 'exekute'; did you mean 'execute'"),
        ((*RUN, "rum.execute=1"), "unknown section: 'rum'; did you mean 'run'"),
        ((*RUN, "training.stps=1"), "unknown key in 'training': 'stps'; did you mean 'steps'"),
        ((*RUN, "run.execute=5"), "run.execute=5: the policy predicts 1 actions; give 1..1"),
        ((*RUN, "policy.speed=1"), "'speed'; its settings: policy.n_action"),
        ((*RUN, "env.colour=red"), f"{TOY} has no option 'colour'; it takes: cameras"),
        ((*RUN, "env.horizon=long"), "horizon must be a whole number of at least 1, got 'long'"),
        ((*RUN, "env.horizon=0"), "horizon must be a whole number of at least 1, got 0"),
        ((*RUN, "env.image_size=64"), "command line env.image_size=[64,64]"),
        ((*TRAIN, "policy.image_size=64"), "policy.image_size: takes a list, written policy.im"),
        ((*RUN, "env.protocol=held"), "it offers: default, hold"),
        ((*RUN, "env.render_profile=nice"), "no render_profile 'nice'; it offers: fast, upstream"),
        ((*RUN, "env.observations=[rgb]"), "env.observations is not for you to set"),
        ((*RUN, "run.videos=-1"), "run.videos must be at least 0, got -1"),
        ((*RUN, "--checkpoint", "absent.pt"), "--checkpoint absent.pt: no such file"),
        ((*RUN, "--config", "absent.yaml"), "no configuration file at absent.yaml"),
        ((*TRAIN, "--data", "absent.hdf5"), "--data absent.hdf5: no such file or folder"),
        ((*TRAIN, "training.device=tpu"), "tpu"),
        ((*TRAIN, "training.seed=-1"), "training.seed must be at least 0, got -1"),
        ((*TRAIN, "training.learning_rate=nan"), "training.learning_rate must be above 0, got nan"),
        ((*TRAIN, "training.ema_max=2"), "training.ema_max must lie in [0, 1), got 2.0"),
        ((*TRAIN, "data.episodes=-3"), "data.episodes must be at least 1, got -3"),
        ((*TRAIN, "policy.heads=3"), "width 16 is not a multiple of its 3 heads"),
        (("leaderboard",), "make one with: python -m benchmark run"),
        (("data", "convert", "absent", "b.hdf5"), "absent: no such file or folder"),
        (("fly",), "invalid choice: 'fly'"),
        ((), "COMMAND"),
    ],
)
def test_what_was_asked_wrongly_is_one_message_and_status_2(
    says, tmp_path, monkeypatch, arguments, message
):
    monkeypatch.chdir(tmp_path)
    status, text = says(*arguments)
    assert status == 2
    assert message in text
    assert "Traceback" not in text
    assert not (tmp_path / "runs" / "leaderboard.csv").exists()


@pytest.mark.parametrize("command", ["run", "collect", "train"])
def test_a_missing_simulator_gives_the_pip_line(says, out, monkeypatch, command):
    monkeypatch.setattr("envs.isolation.interpreter.installed", lambda env_id: False)
    policy = (
        () if command == "collect" else ("--policy", "uniform" if command == "run" else "maniflow")
    )
    for env, extra in (("Adroit/door-v0", "adroit"), ("Robomimic/lift-v0", "robomimic")):
        here = ("--isolation", "in_process")
        status, text = says(command, *policy, "--env", env, "--out", out, *here)
        assert status == 2
        assert f'pip install -c constraints.txt -e ".[{extra}]"' in text


def test_existing_results_are_not_overwritten_by_accident(says, out):
    assert says(*RUN, "--out", out)[0] == 0
    status, text = says(*RUN, "--out", out)
    assert status == 2
    assert "already holds this run" in text
    assert "--overwrite" in text
    assert says(*RUN, "--out", out, "--overwrite")[0] == 0
    assert says(*RUN, "--out", out, "--episodes", 5)[0] == 0
    rows = read_rows(out / "leaderboard.csv")
    assert [row["episodes"] for row in rows] == ["3", "5"]  # the overwritten one has no records
    assert len({row["run"] for row in rows}) == 1


def test_a_task_without_an_expert_is_refused_before_anything_is_set_up(says, out):
    status, text = says(
        *("run", "--policy", "expert", "--env", "AI2THOR/object_nav-v0", "--out", out)
    )
    assert status == 2
    assert "AI2THOR/object_nav-v0 has no expert" in text
    assert not out.exists()


def test_a_run_that_ended_before_its_row_was_written_gets_it(says, out):
    assert says(*RUN, "--out", out)[0] == 0
    (row,) = read_rows(out / "leaderboard.csv")
    (out / "leaderboard.csv").unlink()
    assert says(*RUN, "--out", out)[0] == 0
    (again,) = read_rows(out / "leaderboard.csv")
    same = ("run", "episodes", "successes", "mean_return", "mean_steps", "config_hash")
    assert [again[c] for c in same] == [row[c] for c in same]


def test_naming_a_task_twice_runs_it_once(says, out):
    assert says(*RUN, "--env", TOY, TOY, "--out", out)[0] == 0
    assert len(read_rows(out / "leaderboard.csv")) == 1


def test_episodes_that_fail_make_the_status_1(says, out, monkeypatch):
    from envs.toy.env import ToyEnv

    honest = ToyEnv._advance
    monkeypatch.setattr(ToyEnv, "_advance", lambda self, native: float("nan"))
    status, text = says(*RUN, "--out", out)
    assert status == 1
    assert "3 episodes ended in an error, see" in text
    (row,) = read_rows(out / "leaderboard.csv")
    assert (row["episodes"], row["errors"], row["success_rate"]) == ("0", "3", "")
    assert says("leaderboard", "--out", out)[0] == 0
    monkeypatch.setattr(ToyEnv, "_advance", honest)
    assert says(*RUN, "--out", out)[0] == 0
    assert read_rows(out / "leaderboard.csv")[-1]["errors"] == "0"


def test_what_fails_at_once_shows_no_progress(says):
    status, text = says("collect", "--env", TOY, "env.colour=red")
    assert status == 2
    (line,) = text.splitlines()
    assert line.startswith(f"error: {TOY} has no option 'colour'")


def test_collect_adds_and_does_not_overwrite(says, out, tmp_path):
    collect = ("collect", "--env", TOY, "--out", out)
    assert says(*collect, "--episodes", 3, "--data", tmp_path / "grown")[0] == 0
    status, text = says(*collect, "--episodes", 2, "--data", tmp_path / "grown")
    assert status == 2
    assert "already holds 3 demonstrations" in text
    assert says(*collect, "--episodes", 8, "--data", tmp_path / "grown")[0] == 0
    at_once = ("--episodes", 8, "--data", tmp_path / "at_once", "--workers", 3)
    assert says(*collect, *at_once)[0] == 0
    grown, at_once = (TrajectoryStore.open(tmp_path / name) for name in ("grown", "at_once"))
    assert grown.content_hash() == at_once.content_hash()
    for other in (("--seed", 1), ("env.horizon=50",), ("--env", "MJThor/pick-v0")):
        for episodes in (2, 9):  # fewer than there are: what differs is said first
            asked = ("--episodes", episodes, "--data", tmp_path / "grown", *other)
            status, text = says(*collect, *asked)
            assert status == 2
            assert "choose another --data" in text


def test_a_folder_that_cannot_be_written_is_named(says, tmp_path):
    (tmp_path / "file").write_text("")  # root may write anywhere, but not below a file
    for command in (RUN, ("collect", "--env", TOY), TRAIN):
        status, text = says(*command, "--out", tmp_path / "file" / "runs")
        assert status == 1
        assert "Not a directory" in text
        assert str(tmp_path / "file") in text
        assert "Traceback" not in text


@pytest.fixture(scope="module")
def demos(tmp_path_factory):
    return toy_store(tmp_path_factory.mktemp("cli") / "demos", 4).path


def test_convert_both_ways_keeps_every_number(says, demos, tmp_path):
    file, back = tmp_path / "demos.hdf5", tmp_path / "back"
    assert says("data", "convert", demos, file)[0] == 0
    status, text = says("data", "convert", file, back)
    assert status == 2
    assert "--env ID is needed" in text
    assert says("data", "convert", file, back, "--env", TOY)[0] == 0
    ours, theirs = TrajectoryStore.open(demos), TrajectoryStore.open(back)
    assert theirs.seeds.tolist() == ours.seeds.tolist()
    for position in range(4):
        for key, values in theirs.episode(position).items():
            np.testing.assert_array_equal(values, ours.episode(position)[key])
    status, text = says("data", "convert", demos, file)
    assert status == 2
    assert "exists already" in text
    for source, target in ((demos, tmp_path / "neither"), (file, tmp_path / "both.hdf5")):
        status, text = says("data", "convert", source, target)
        assert status == 2
        assert "one side must end in .hdf5 or .h5" in text


def test_training_on_an_hdf5_file_and_on_bad_ones(says, demos, tmp_path, out):
    good, cut, foreign, text_file = (
        tmp_path / f"{n}.hdf5" for n in ("good", "cut", "foreign", "text")
    )
    assert says("data", "convert", demos, good)[0] == 0
    cut.write_bytes(good.read_bytes()[: good.stat().st_size // 2])
    with h5py.File(foreign, "w") as file:
        file["pictures"] = np.zeros(3)
    text_file.write_text("hello")
    train = (*TRAIN, "training.steps=2", "--out", out)
    for path, message in (
        (cut, "is truncated or damaged"),
        (foreign, "expected a group 'data'; this is not a robomimic file"),
        (text_file, "is not an HDF5 file"),
    ):
        status, text = says(*train, "--data", path)
        assert (status, message in text) == (2, True), text
    assert says(*train, "--data", good, "policy.observations=[proprio]")[0] == 0
    assert says(*train, "--data", good)[0] == 0
    status, text = says(*train, "--data", good)
    assert status == 2
    assert "is trained already; --overwrite trains it again" in text


def test_demonstrations_of_another_task_are_refused(says, demos, out):
    status, text = says(*TRAIN, "--env", "Robomimic/lift-v0", "--data", demos, "--out", out)
    assert status == 2
    assert f"holds demonstrations of {TOY}, asked for Robomimic/lift-v0" in text


def test_a_file_of_another_task_is_refused(says, demos, tmp_path):
    assert says("data", "convert", demos, tmp_path / "toy.hdf5")[0] == 0
    target = tmp_path / "store"
    status, text = says("data", "convert", tmp_path / "toy.hdf5", target, "--env", "Adroit/door-v0")
    assert status == 2
    assert "'proprio' has shape" in text
    assert "expects 28 numbers per step" in text
    with h5py.File(tmp_path / "toy.hdf5", "a") as file:
        for demo in file["data"].values():
            actions = demo["actions"][()]
            del demo["actions"]
            demo["actions"] = np.hstack([actions, actions])
    status, text = says("data", "convert", tmp_path / "toy.hdf5", target, "--env", TOY)
    assert status == 2
    assert "the task takes 2 numbers per step" in text
    assert not target.exists()


def test_a_full_disk_is_status_1(says, demos, out, monkeypatch):
    """What was finished stays, nothing half-written does, and the same command continues."""
    train = (*TRAIN, "training.steps=4", "training.save_every=2", "--data", demos, "--out", out)
    honest = Path.open

    def full(self, *rest, **options):
        name = "/dev/full" if self.name.startswith(".resume.pt") else self
        return honest(Path(name), *rest, **options)

    monkeypatch.setattr(Path, "open", full)
    status, text = says(*train)
    assert status == 1
    assert "No space left on device" in text
    assert not list(out.glob("training/*/*.pt"))
    monkeypatch.setattr(Path, "open", honest)
    assert says(*train)[0] == 0


def test_replay_of_another_recording_at_the_same_path_runs_again(says, tmp_path, out):
    data = tmp_path / "demos"
    run = ("run", "--policy", "replay", "--env", TOY, f"policy.data={data}", "--out", out)
    for seed in (0, 1):
        collect = ("collect", "--env", TOY, "--episodes", 3, "--seed", seed, "--data", data)
        assert says(*collect, "--overwrite")[0] == 0
        assert says(*run, "run.videos=0")[0] == 0
    rows = read_rows(out / "leaderboard.csv")
    assert [(row["successes"], row["errors"]) for row in rows] == [("3", "0")] * 2
    assert rows[0]["mean_return"] != rows[1]["mean_return"]


def test_not_a_number_in_demonstrations(says, demos, tmp_path, out):
    file = tmp_path / "nan.hdf5"
    assert says("data", "convert", demos, file)[0] == 0
    with h5py.File(file, "r+") as data:
        data["data"][sorted(data["data"])[1]]["actions"][2, 0] = np.nan
    status, text = says(*TRAIN, "--data", file, "--out", out)
    assert status == 2
    assert "nan" in text.lower()
    assert "'action'" in text


def test_a_checkpoint_of_another_action_size(says, out, tmp_path):
    from envs.schema import Interface
    from policies.maniflow.config import ManiFlowConfig
    from policies.maniflow.policy import ManiFlowPolicy
    from policies.normalize import Normalizer

    shapes = {"proprio": ((4,), "float32"), "state": ((2,), "float32")}
    config = ManiFlowConfig(layers=1, width=16, heads=2, state_size=16, device="cpu")
    data = {"action": np.zeros((2, 7)), "proprio": np.zeros((2, 4)), "state": np.zeros((2, 2))}
    policy = ManiFlowPolicy.build(config, Interface("Big/arm-v0", 7, shapes), Normalizer.fit(data))
    policy.save(tmp_path / "seven.pt")
    run = ("run", "--policy", "maniflow", "--env", TOY, "--episodes", 1, "--out", out)
    status, text = says(*run, "--checkpoint", tmp_path / "seven.pt")
    assert status == 2
    assert f"{TOY} takes actions of size 2, but this policy was trained for 7 (Big/arm-v0)" in text
    (tmp_path / "cut.pt").write_bytes((tmp_path / "seven.pt").read_bytes()[:3000])
    status, text = says(*run, "--checkpoint", tmp_path / "cut.pt")
    assert status == 2
    assert "it is truncated or of another program" in text


def test_list_names_all(says):
    status, text = says("list")
    assert status == 0
    assert all(env_id in text for env_id in envs.CARDS)
    assert "policies: expert, maniflow, replay, sb3, sb3-ppo, sb3-sac, uniform" in text


def test_doctor_tries_physics_and_pictures(says, monkeypatch):
    toy = tuple(s for s in envs.SIMULATORS if s.name == "Toy")
    monkeypatch.setattr(doctor, "SIMULATORS", toy)
    status, text = says("doctor")
    line = next(line for line in text.splitlines() if line.startswith("Toy"))
    assert line.split()[1:3] == ["host", "python"]
    assert " ok " in line
    assert status == (2 if "failed" in line else 0)


def test_doctor_names_what_keeps_a_simulator_from_starting(says, monkeypatch):
    broken = tuple(
        replace(s, entry_point="no.such:Env") for s in envs.SIMULATORS if s.name == "Toy"
    )
    monkeypatch.setattr(doctor, "SIMULATORS", broken)
    status, text = says("doctor")
    assert status == 2
    assert "Toy, host: Toy/reach-v0 cannot start in" in text
    assert "No module named 'no'" in text


def test_leaderboard_prints_best_first(says, out):
    for policy in ("uniform", "expert"):
        assert says(*RUN, "--policy", policy, "--out", out)[0] == 0
    status, text = says("leaderboard", "--markdown", "--out", out)
    lines = text.strip().splitlines()
    assert status == 0
    assert set(lines[1]) == set("|-")
    assert [line.split("|")[2].strip() for line in lines[2:]] == ["expert", "uniform"]


def test_help_names_every_command():
    done = subprocess.run(
        [sys.executable, "-m", "benchmark", "--help"], capture_output=True, text=True, check=True
    )
    for command in ("run", "collect", "train", "leaderboard", "data", "list", "doctor"):
        assert re.search(rf"^    {command}\s", done.stdout, re.MULTILINE)


def test_a_foreign_package_of_the_same_name_is_reported(tmp_path):
    """Our top-level names are common: a package of that name nearer on the path would be taken."""
    (tmp_path / "assets").mkdir()
    (tmp_path / "assets" / "__init__.py").write_text("")
    done = subprocess.run(
        [sys.executable, "-m", "benchmark", "list"], capture_output=True, text=True, cwd=tmp_path
    )
    assert done.returncode == 2
    assert f"the package 'assets' comes from {tmp_path.resolve()}" in done.stderr
