"""Fine-tuning on the toy: the same bits whatever happens in between, and what comes out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from finetuning import curve, make_job, reacher, same_weights
from omegaconf import OmegaConf
from toy import TOY, bench

from benchmark.finetuning.job import finetune
from benchmark.finetuning.loop import Trainer
from benchmark.finetuning.monitor import Monitor
from benchmark.results.leaderboard import read_rows
from benchmark.results.records import read_records
from policies.maniflow import ManiFlowPolicy


@pytest.fixture(scope="session")
def start(tmp_path_factory):
    return reacher(tmp_path_factory.getbasetemp())


@pytest.fixture(scope="module")
def whole(start, tmp_path_factory):
    """What every interruption and every number of simulators must reproduce."""
    job = make_job(start, tmp_path_factory.mktemp("whole"), "training.ema_decay=0.5")
    return job, finetune(job)


def test_from_a_checkpoint_to_another(start, whole):
    job, result = whole
    content = torch.load(result.checkpoint, weights_only=True)
    steps = [validation["env_steps"] for validation in result.history]
    assert steps[0] == 0
    assert steps[-2] < 700 <= steps[-1]
    assert all(validation["episodes"] == 4 for validation in result.history)
    assert not same_weights(result.checkpoint, start)
    record = content["finetuning"]
    assert (record["env"], record["training"]["ema_decay"]) == (TOY, 0.5)
    assert content["train_episodes"] == torch.load(start, weights_only=True)["train_episodes"]
    config = OmegaConf.to_container(OmegaConf.load(job.folder / "config.yaml"))
    assert config["checkpoint_sha256"] == record["checkpoint_sha256"]
    assert not (job.folder / "resume.pt").exists()
    assert list((job.folder / "tensorboard").glob("events*"))


def test_every_iteration_is_on_the_curve(whole):
    job, result = whole
    lines = curve(job.folder)
    iterations = [line for line in lines if "rollout_success" in line]
    assert [line["step"] for line in iterations] == [v["env_steps"] for v in result.history[1:]]
    lengths = [line["episode_length"] * 4 for line in iterations]
    np.testing.assert_allclose(np.cumsum(lengths), [line["step"] for line in iterations])
    assert iterations[0]["updates"] == 0  # the critic's warm-up
    assert all(line["updates"] > 0 for line in iterations[1:])
    assert all(abs(line["ratio_max"] - 1) < 1 for line in iterations[1:])


def test_a_finished_fine_tuning_is_not_repeated(whole):
    job, result = whole
    written = result.checkpoint.stat().st_mtime_ns
    again = finetune(job)
    assert (again.existed, again.checkpoint) == (True, result.checkpoint)
    assert result.checkpoint.stat().st_mtime_ns == written


@pytest.mark.parametrize(("simulators", "workers"), [(1, 1), (3, 1), (2, 2)])
def test_weights_do_not_depend_on_how_many_simulators_run(
    start, whole, tmp_path, simulators, workers
):
    more = ("training.ema_decay=0.5", f"training.num_envs={simulators}")
    job = make_job(start, tmp_path, *more, workers=workers)
    result = finetune(job)
    assert job.folder.name == whole[0].folder.name
    assert result.history == whole[1].history
    assert curve(job.folder) == curve(whole[0].folder)
    assert same_weights(result.checkpoint, whole[1].checkpoint)


def interrupted(monkeypatch, at, where="write"):
    """Ctrl-C in the monitor's ``at``-th call of ``where``, before it does anything."""
    honest, left = getattr(Monitor, where), iter(range(at - 1))

    def stopped(self, *arguments):
        if next(left, None) is None:
            raise KeyboardInterrupt
        return honest(self, *arguments)

    monkeypatch.setattr(Monitor, where, stopped)


@pytest.mark.parametrize(
    ("at", "where", "more"),
    [
        (3, "write", ()),  # two iterations are stored
        (4, "validate", ("training.save_every=2",)),  # two of three
    ],
)
def test_an_interrupted_fine_tuning_goes_on_with_the_same_bits(
    start, whole, tmp_path, monkeypatch, at, where, more
):
    job = make_job(start, tmp_path, "training.ema_decay=0.5", *more)
    with monkeypatch.context() as patch:
        interrupted(patch, at, where)
        with pytest.raises(KeyboardInterrupt):
            finetune(job)
    assert not (job.folder / "checkpoint.pt").exists()
    torch.manual_seed(99)  # nothing of this process may leak in
    result = finetune(job)
    assert result.history == whole[1].history
    assert curve(job.folder) == curve(whole[0].folder)
    assert same_weights(result.checkpoint, whole[1].checkpoint)


def test_an_interruption_before_anything_was_stored(start, whole, tmp_path, monkeypatch):
    """The first validation is on the curve already; it must not be there twice."""
    job = make_job(start, tmp_path, "training.ema_decay=0.5")
    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "_save", _ctrl_c)
        with pytest.raises(KeyboardInterrupt):
            finetune(job)
    assert same_weights(finetune(job).checkpoint, whole[1].checkpoint)
    assert curve(job.folder) == curve(whole[0].folder)


def test_an_interruption_at_the_very_end(start, whole, tmp_path, monkeypatch):
    """When the checkpoint has its name already."""
    job = make_job(start, tmp_path, "training.ema_decay=0.5")
    unlink = Path.unlink

    def stopped(path, missing_ok=False):
        _ctrl_c() if path.name == "resume.pt" else unlink(path, missing_ok)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", stopped)
        with pytest.raises(KeyboardInterrupt):
            finetune(job)
    assert (job.folder / "checkpoint.pt").exists()
    assert same_weights(finetune(job).checkpoint, whole[1].checkpoint)
    assert not (job.folder / "resume.pt").exists()


def _ctrl_c(*_):
    raise KeyboardInterrupt


def test_other_settings_have_other_folders_and_weights(start, whole, tmp_path):
    other = finetune(make_job(start, tmp_path, "training.ema_decay=0.5", "training.seed=1"))
    assert other.checkpoint.parent.name != whole[0].folder.name
    assert not same_weights(other.checkpoint, whole[1].checkpoint)
    names = {
        replace(whole[0], **change).folder.name
        for change in ({"seed": 1}, {"env_options": {"protocol": "hold"}}, {})
    }
    assert len(names) == 3


def test_the_result_is_run_as_it_was_trained(start, out):
    """Steps of the chain, their hop and the length of a chunk come with the file."""
    changed = ("policy.num_inference_steps=3", "policy.n_action=5", "training.total_timesteps=100")
    result = finetune(make_job(start, out, *changed))
    config = ManiFlowPolicy.load(result.checkpoint).config
    assert (config.num_inference_steps, config.hop, config.n_action) == (3, "instant", 5)
    command = ("run", "--policy", "maniflow", "--checkpoint", result.checkpoint, "--env", TOY)
    assert bench(*command, "--episodes", 3, "run.videos=0", "--out", out) == 0
    (row,) = read_rows(out / "leaderboard.csv")
    assert row["nfe"] == "3"
    episodes = read_records(out / row["run"])
    assert [len(e.policy_ms) for e in episodes] == [-(-e.steps // 5) for e in episodes]
