"""Behaviour cloning: exact resumption, closed forms, bad data."""

from __future__ import annotations

import copy
import io
import json
import math
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from toy import TINY, TOY, toy_store

import policies
from benchmark.config import DataSettings, TrainingSettings, parse
from benchmark.data.store import TrajectoryStore
from benchmark.data.windows import Windows
from benchmark.training import bc, job
from benchmark.training.job import TrainJob, train
from envs.schema import ManigymError
from policies.checkpoint import save_whole

STEPS = 12


@pytest.fixture(scope="module")
def demos(tmp_path_factory):
    return toy_store(tmp_path_factory.mktemp("training") / "demos", 10).path


def make_job(demos, *overrides):
    cls = policies.get("maniflow")
    kinds = {"policy": cls.Config, "training": TrainingSettings, "data": DataSettings}
    defaults = (f"training.steps={STEPS}", "training.save_every=5", "training.validate_every=4")
    found = parse(kinds, [*TINY, *defaults, "training.warmup_steps=3", *overrides])
    return TrainJob(cls, found["policy"], demos, found["data"], found["training"])


def fit(job_, folder):
    folder.mkdir(exist_ok=True)
    return torch.load(train(job_, folder, {}), weights_only=True)


def curve(folder):
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [{k: v for k, v in line.items() if k != "seconds"} for line in lines]


def same_weights(one, other):
    return all(torch.equal(value, other["weights"][name]) for name, value in one["weights"].items())


@pytest.mark.parametrize("stop", [3, 7, 11])
def test_a_resumed_training_ends_with_the_same_bits(demos, tmp_path, monkeypatch, stop):
    """Interrupted before the first save, between two saves, and before the last step."""
    job_ = make_job(demos, "policy.dropout=0.1", "training.validate_every=1")
    whole = fit(job_, tmp_path / "whole")
    update = bc._update

    def interrupted(state, *rest):
        if state.step == stop:
            raise KeyboardInterrupt
        return update(state, *rest)

    monkeypatch.setattr(bc, "_update", interrupted)
    with pytest.raises(KeyboardInterrupt):
        fit(job_, tmp_path / "cut")
    assert (tmp_path / "cut" / "resume.pt").exists() == (stop >= 5)
    monkeypatch.setattr(bc, "_update", update)
    torch.manual_seed(99)  # nothing of this process may leak in
    resumed = fit(job_, tmp_path / "cut")
    assert resumed["step"] == STEPS
    assert same_weights(resumed, whole)
    assert curve(tmp_path / "cut") == curve(tmp_path / "whole")
    assert not (tmp_path / "cut" / "resume.pt").exists()


def test_ctrl_c_in_the_middle_of_a_save_is_ctrl_c(tmp_path, monkeypatch):
    """torch's writer turns it into a RuntimeError; the old file stays."""
    path = tmp_path / "resume.pt"
    save_whole(path, {"step": torch.tensor(1)})

    class Interrupted(io.RawIOBase):
        def writable(self):
            return True

        def write(self, data):
            raise KeyboardInterrupt

    monkeypatch.setattr(Path, "open", lambda *_: Interrupted())
    with pytest.raises(KeyboardInterrupt):
        save_whole(path, {"step": torch.tensor(2)})
    monkeypatch.undo()
    assert torch.load(path, weights_only=True)["step"] == 1
    assert list(tmp_path.iterdir()) == [path]


def test_another_seed_gives_other_weights(demos, tmp_path):
    one, other = (
        fit(make_job(demos, f"training.seed={seed}"), tmp_path / str(seed)) for seed in (0, 1)
    )
    assert not same_weights(one, other)


def test_a_save_that_was_cut_at_the_end_does_not_leave_an_old_checkpoint(
    demos, tmp_path, monkeypatch
):
    job_ = make_job(demos)
    whole = fit(job_, tmp_path / "whole")
    cls, save = job_.policy_class, job_.policy_class.save

    def full_disk(self, path, extra):
        if extra["step"] == STEPS:
            raise OSError("no space left on device")
        save(self, path, extra)

    monkeypatch.setattr(cls, "save", full_disk)
    with pytest.raises(OSError, match="no space"):
        fit(job_, tmp_path / "cut")
    monkeypatch.setattr(cls, "save", save)
    assert (tmp_path / "cut" / "resume.pt").exists()
    assert same_weights(fit(job_, tmp_path / "cut"), whole)


def test_the_checkpoint_says_what_it_was_trained_on(demos, tmp_path):
    content = fit(make_job(demos, "data.max_train=4"), tmp_path)
    assert content["train_episodes"] == 4
    assert content["data_sha256"] == TrajectoryStore.open(demos).content_hash()
    assert content["step"] == STEPS
    assert content["interface"]["env"] == TOY


def test_schedule_is_linear_then_cosine():
    settings = TrainingSettings(steps=110, warmup_steps=10)
    factor = [bc.schedule(step, settings) for step in range(111)]
    np.testing.assert_allclose(factor[:10], np.arange(1, 11) / 10)
    np.testing.assert_allclose(
        factor[10:], 0.5 * (1 + np.cos(np.pi * np.arange(101) / 100)), atol=1e-15
    )
    assert bc.schedule(0, TrainingSettings(steps=5, warmup_steps=0)) == 1.0


def test_ema_is_the_published_weighted_mean():
    settings = TrainingSettings(ema_power=0.75, ema_max=0.6)
    student = torch.nn.Linear(1, 1, bias=False)
    state = SimpleNamespace(policy=SimpleNamespace(module=student), teacher=copy.deepcopy(student))
    expected = 0.0
    for step in range(12):
        student.weight.data.fill_(value := float(step**2))
        state.step = step
        bc._update_ema(state, settings)
        decay = min(1 - (1 + step) ** -0.75, 0.6)
        expected = decay * expected + (1 - decay) * value
        assert state.teacher.weight.item() == pytest.approx(expected, rel=1e-5)
    assert 1 - 12**-0.75 > 0.6  # the cap was met


def test_the_learning_rate_follows_the_schedule_and_gradients_are_clipped(
    demos, tmp_path, monkeypatch
):
    norms = []
    step = torch.optim.AdamW.step

    def watched(self, *rest):
        grads = [
            p.grad for group in self.param_groups for p in group["params"] if p.grad is not None
        ]
        norms.append(math.sqrt(sum(float((g.double() ** 2).sum()) for g in grads)))
        return step(self, *rest)

    monkeypatch.setattr(torch.optim.AdamW, "step", watched)
    monkeypatch.setattr(bc, "LOG_EVERY", 1)
    job_ = make_job(demos, "training.gradient_clip=0.05")
    fit(job_, tmp_path)
    rates = [line["learning_rate"] for line in curve(tmp_path) if "learning_rate" in line]
    expected = [1e-3 * bc.schedule(i, job_.settings) for i in range(STEPS)]
    np.testing.assert_allclose(rates, expected)
    assert len(norms) == STEPS
    assert max(norms) <= 0.0501


def test_batches_are_a_function_of_seed_and_step(demos):
    windows = Windows(TrajectoryStore.open(demos), n_obs=2, horizon=4)
    settings = TrainingSettings(steps=40, batch_size=32)
    whole = [batch["action"] for batch in bc._batches(windows, settings, 0)]
    late = [batch["action"] for batch in bc._batches(windows, settings, 23)]
    assert (len(whole), len(late)) == (40, 17)
    assert all(map(np.array_equal, whole[23:], late))


@pytest.fixture
def captured(monkeypatch):
    """Windows and normaliser that training would have used."""
    found = SimpleNamespace()

    def fake(policy, train, val, settings, folder, record):
        found.train, found.val, found.policy, found.record = train, val, policy, record
        return folder / "checkpoint.pt"

    monkeypatch.setattr(job, "fit", fake)
    return found


def test_validation_does_not_change_with_the_cap(demos, tmp_path, captured):
    splits = []
    for cap in ("null", 5, 2):
        train(make_job(demos, f"data.max_train={cap}", "data.val_fraction=0.3"), tmp_path, {})
        splits.append((set(captured.train.episodes), set(captured.val.episodes)))
    (all_, val), (five, val_five), (two, val_two) = splits
    assert val == val_five == val_two
    assert two < five < all_
    assert (len(two), len(five), len(all_), len(val)) == (2, 5, 7, 3)
    assert not all_ & val


def test_the_normaliser_sees_training_episodes_only(demos, tmp_path, captured):
    train(make_job(demos, "data.max_train=2"), tmp_path, {})
    store = TrajectoryStore.open(demos)
    rows = [store.episode(int(i))["action"] for i in store.positions(captured.train.episodes)]
    actions = np.concatenate(rows)
    centre = captured.policy.module.normalizer.to_dict()["action"]["centre"]
    np.testing.assert_allclose(centre, (actions.min(0) + actions.max(0)) / 2, rtol=1e-6)


def test_no_validation_is_possible(demos, tmp_path, captured):
    train(make_job(demos, "data.val_fraction=0"), tmp_path, {})
    assert captured.val is None


def test_validation_uses_the_same_noise_every_time(demos, tmp_path):
    job_ = make_job(demos, "training.learning_rate=1e-30", "training.validate_every=1")
    fit(job_, tmp_path)
    losses = {line["validation_loss"] for line in curve(tmp_path) if "validation_loss" in line}
    assert max(losses) - min(losses) < 1e-6


def test_not_a_number_in_the_demonstrations_is_named(tmp_path):
    store = toy_store(tmp_path / "demos", 3)
    rows = np.load(store.path / "obs" / "state.npy", mmap_mode="r+")
    rows[5, 1] = np.nan
    rows.flush()
    with pytest.raises(ManigymError, match=r"state.*nan|nan.*state"):
        fit(make_job(store.path), tmp_path / "run")
    assert not (tmp_path / "run" / "checkpoint.pt").exists()


def test_a_modality_that_was_not_recorded_is_named(demos, tmp_path):
    job_ = make_job(demos, "policy.observations=[proprio,point_cloud]")
    with pytest.raises(ManigymError, match=r"no 'point_cloud'; it has .*--observations proprio"):
        fit(job_, tmp_path)


def test_training_that_diverges_says_so(demos, tmp_path):
    with pytest.raises(ManigymError, match=r"diverged at step \d+.*training.learning_rate="):
        fit(make_job(demos, "training.learning_rate=1e30", "training.warmup_steps=0"), tmp_path)


def test_weights_and_biases_asked_for_but_missing_gives_the_pip_line(demos, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(ManigymError, match=r'pip install -c constraints.txt -e "\.\[wandb\]"'):
        fit(make_job(demos, "training.wandb=true"), tmp_path)


def test_every_figure_reaches_the_curves(demos, tmp_path):
    """JSON lines and TensorBoard hold the same numbers."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    fit(make_job(demos), tmp_path)
    events = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    lines = [line for line in curve(tmp_path) if "validation_loss" in line]
    assert [line["step"] for line in lines] == [4, 8, 12]
    scalars = events.Scalars("validation_loss")
    assert [s.step for s in scalars] == [4, 8, 12]
    np.testing.assert_allclose([s.value for s in scalars], [x["validation_loss"] for x in lines])
