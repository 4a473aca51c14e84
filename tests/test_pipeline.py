"""Collect, train and run on the toy task: the whole main job, and what it leaves on disk."""

from __future__ import annotations

import csv
import json

import imageio.v2 as imageio
import pytest
from conftest import HAS_GL
from omegaconf import OmegaConf
from toy import TINY, TOY, bench

from benchmark.engine.plan import plan_episodes

SETTINGS = (*TINY, "policy.width=32", "policy.num_inference_steps=1", "training.learning_rate=3e-3")
STEPS = ("training.steps=250", "training.validate_every=125", "training.warmup_steps=20")
EPISODES = 12


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    """The output of one ``run`` without a checkpoint: it collects and trains first."""
    out = tmp_path_factory.mktemp("pipeline")
    run = ("run", "--policy", "maniflow", "--env", TOY, "--episodes", EPISODES, "--out", out)
    assert bench(*run, "--demonstrations", 60, "run.videos=1", *SETTINGS, *STEPS) == 0
    return out


@pytest.fixture(scope="module")
def row(out):
    with (out / "leaderboard.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    return row


@pytest.fixture(scope="module")
def records(out, row):
    lines = (out / row["run"] / "episodes.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def test_training_learns(out):
    (curve,) = out.glob("training/*/metrics.jsonl")
    lines = [json.loads(line) for line in curve.read_text().splitlines()]
    losses = [line["loss"] for line in lines if "loss" in line]
    assert losses[-1] < 0.7 * losses[0]
    assert [line["step"] for line in lines if "validation_loss" in line] == [125, 250]
    assert any((curve.parent / "tensorboard").iterdir())


def test_the_row_counts_the_records(row, records):
    assert (row["env"], row["policy"]) == (TOY, "maniflow")
    assert int(row["episodes"]) == len(records) == EPISODES
    assert int(row["successes"]) == sum(record["success"] for record in records)
    assert float(row["success_rate"]) == pytest.approx(int(row["successes"]) / EPISODES, abs=1e-4)
    assert float(row["low"]) <= float(row["success_rate"]) <= float(row["high"])
    assert float(row["mean_steps"]) == pytest.approx(
        sum(record["steps"] for record in records) / EPISODES, abs=0.05
    )
    assert (row["nfe"], row["train_episodes"], row["errors"]) == ("1", "54", "0")


def test_every_planned_episode_has_its_record(records):
    plan = plan_episodes(TOY, "test", EPISODES, 0)
    found = sorted((r["episode"], r["env"], r["seed"], r["status"]) for r in records)
    assert found == [(e.index, TOY, e.seed, "ok") for e in plan]
    for record in records:
        assert {"success", "steps", "return", "state_hash", "action_hash"} <= set(record)
        assert len(record["state_hash"]) == len(record["action_hash"]) == 32
    assert len({record["state_hash"] for record in records}) == EPISODES


def test_the_resolved_configuration_is_there(out, row):
    config = OmegaConf.load(out / row["run"] / "config.yaml")
    assert (config.policy, config.seed) == ("maniflow", 0)
    task = config.tasks[TOY]
    assert task.checkpoint_sha256 == row["checkpoint_sha256"]
    assert (task.protocol.name, task.protocol.horizon) == ("default", 60)
    assert list(task.env_options.observations) == ["proprio", "state"]
    assert (task.n_obs, task.n_action, task.policy.width) == (2, 8, 32)
    (training,) = out.glob("training/*/config.yaml")
    assert OmegaConf.load(training).policy.width == 32
    assert OmegaConf.load(training).training.steps == 250


def test_a_film_shows_the_first_episode(out, row, records):
    films = list((out / row["run"]).glob("videos/*.mp4"))
    assert len(films) == int(HAS_GL)
    first = next(record for record in records if record["episode"] == 0)
    if films:
        assert first["video"] == f"videos/{films[0].name}"
        with imageio.get_reader(films[0]) as reader:
            assert reader.count_frames() == first["steps"] + 1
            assert reader.get_data(0).shape == (256, 256, 3)
    else:
        assert first["video"] is None


def test_the_same_command_reuses_demonstrations_and_checkpoint(out, row, records, capsys):
    """Other workers, the same records: nothing is trained, nothing differs."""
    run = ("run", "--policy", "maniflow", "--env", TOY, "--episodes", EPISODES, "--out", out)
    before = {p: p.stat().st_mtime_ns for p in out.glob("training/*/checkpoint.pt")}
    settings = ("--demonstrations", 60, "run.videos=0", *SETTINGS, *STEPS)
    assert bench(*run, *settings, "--workers", 2, "--overwrite") == 0
    assert {p: p.stat().st_mtime_ns for p in out.glob("training/*/checkpoint.pt")} == before
    lines = (out / row["run"] / "episodes.jsonl").read_text().splitlines()
    again = sorted((json.loads(line) for line in lines), key=lambda r: r["episode"])
    for one, other in zip(sorted(records, key=lambda r: r["episode"]), again, strict=True):
        for key in ("seed", "success", "steps", "return", "state_hash", "action_hash"):
            assert one[key] == other[key]


def test_other_ways_of_running_use_the_same_weights(out, row):
    run = ("run", "--policy", "maniflow", "--env", TOY, "--episodes", 2, "--out", out)
    settings = [s for s in (*SETTINGS, *STEPS) if "inference" not in s]
    more = ("policy.num_inference_steps=3", "--demonstrations", 60, "run.videos=0")
    assert bench(*run, *settings, *more) == 0
    with (out / "leaderboard.csv").open(newline="") as file:
        newest = list(csv.DictReader(file))[-1]
    assert (row["nfe"], newest["nfe"]) == ("1", "3")
    assert newest["checkpoint_sha256"] == row["checkpoint_sha256"]


def test_a_settings_file_serves_every_command(tmp_path):
    """One YAML for collect-train-run: sections of other commands are allowed, and none is lost."""
    file = tmp_path / "settings.yaml"
    nested = OmegaConf.from_dotlist([*TINY, "training.steps=2", "run.videos=0", "env.horizon=50"])
    OmegaConf.save(nested, file)
    common = ("--policy", "maniflow", "--env", TOY, "--config", file, "--out", tmp_path / "runs")
    assert bench("run", *common, "--episodes", 1, "--demonstrations", 3) == 0
    (training,) = tmp_path.glob("runs/training/*/config.yaml")
    assert OmegaConf.load(training).training.steps == 2
    assert (
        bench("train", *common, "--demonstrations", 3) == 2
    )  # the same checkpoint: trained already
