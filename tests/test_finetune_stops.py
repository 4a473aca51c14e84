"""What fine-tuning keeps, and when it gives up."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from finetuning import curve, make_job, reacher, weights_of
from toy import TOY, bench

from benchmark.engine.plan import planned_episode
from benchmark.finetuning import episodes, monitor
from benchmark.finetuning.job import finetune
from benchmark.finetuning.monitor import Monitor
from benchmark.finetuning.ppo import Diverged
from envs.schema import ManigymError, SimulationError
from envs.toy.env import ToyEnv

TRY = "try a third of training.learning_rate, training.target_kl=.*best checkpoint so far is .*"


@pytest.fixture(scope="session")
def start(tmp_path_factory):
    return reacher(tmp_path_factory.getbasetemp())


@pytest.fixture
def scored(monkeypatch):
    """Invents the successes of the validations; the weights that were validated."""

    def invent(scores):
        seen, validate, honest = [], Monitor.validate, monitor.rollout

        def validated(self, policy, step):
            seen.append({k: v.clone() for k, v in policy.module.state_dict().items()})
            return validate(self, policy, step)

        def rollout(pool, policy, plan, on_end, options, **more):
            def judged(outcome):
                success = outcome.episode.index < scores[len(seen) - 1]
                on_end(replace(outcome, summary=replace(outcome.summary, success=success)))

            honest(pool, policy, plan, judged, options, **more)

        monkeypatch.setattr(Monitor, "validate", validated)
        monkeypatch.setattr(monitor, "rollout", rollout)
        return seen

    return invent


def position(path, seen):
    """Which of the validated weights a checkpoint holds."""
    found = weights_of(path)
    return [all(torch.equal(found[k], v) for k, v in w.items()) for w in seen].index(True)


@pytest.mark.parametrize(
    ("scores", "kept"), [([1, 4, 2, 0], 1), ([1, 3, 3, 0], 2), ([4, 3, 2, 3], 0)]
)
def test_the_best_on_validation_is_kept_and_of_equals_the_latest(
    start, tmp_path, scored, scores, kept
):
    seen = scored([*scores, 0, 0])
    settings = ("training.total_timesteps=500", "training.collapse=0", "training.critic_warmup=0")
    result = finetune(make_job(start, tmp_path, *settings))
    assert [v["successes"] for v in result.history] == scores
    assert position(result.checkpoint, seen) == kept
    step = torch.load(result.checkpoint, weights_only=True)["step"]
    assert step == result.history[kept]["env_steps"]


@pytest.mark.parametrize(
    ("scores", "stopped"),
    [([4, 1, 1, 4, 4], 3), ([2, 4, 2, 1, 1], 5), ([4, 1, 4, 1, 4], None), ([4, 2, 2, 2, 2], None)],
)
def test_a_collapse_is_two_validations_below_half_of_the_best(
    start, tmp_path, scored, scores, stopped
):
    seen = scored([*scores, 4, 4])
    job = make_job(start, tmp_path, "training.critic_warmup=0")
    if stopped is None:
        finetune(job)
        assert len(seen) == 5
        return
    with pytest.raises(Diverged, match=rf"success fell from 4 to 1 of 4 validation .*{TRY}"):
        finetune(job)
    assert len(seen) == stopped
    assert position(job.folder / "checkpoint.pt", seen) == scores.index(4)


def test_too_large_a_step_stops_and_leaves_the_best_checkpoint(start, out, capsys):
    command = ("finetune", "--policy", "maniflow", "--checkpoint", start, "--env", TOY)
    settings = ("training.learning_rate=0.1", "training.critic_warmup=0", "training.videos=0")
    small = ("training.rollout_episodes=4", "training.batch_size=8", "training.epochs=4")
    few = ("training.num_envs=1", "training.validation_episodes=2", "training.device=cpu")
    assert bench(*command, *settings, *small, *few, "--out", out) == 2
    problem = capsys.readouterr().err
    assert "training.kl_limit=1.0" in problem
    (checkpoint,) = (out / "finetuning").glob("*/checkpoint.pt")
    assert f"The best checkpoint so far is {checkpoint}" in problem
    assert "Traceback" not in problem
    assert torch.load(checkpoint, weights_only=True)["step"] == 0
    run = ("run", "--policy", "maniflow", "--checkpoint", checkpoint, "--env", TOY)
    assert bench(*run, "--episodes", 1, "run.videos=0", "--out", out) == 0


def test_not_a_number_stops_and_leaves_the_best_checkpoint(start, tmp_path, monkeypatch):
    """Rewards that are none, after an iteration that went well."""
    honest, calls = episodes.batch_of, []

    def broken(outcomes):
        calls.append(1)
        batch = honest(outcomes)
        lost = np.full_like(batch.rewards, np.nan)
        return batch if len(calls) == 1 else replace(batch, rewards=lost)

    monkeypatch.setattr(episodes, "batch_of", broken)
    job = make_job(start, tmp_path, "advantage.reward=env", "training.critic_warmup=0")
    match = f"the actor's gradient is nan; .* {job.folder / 'checkpoint.pt'}"
    with pytest.raises(Diverged, match=match):
        finetune(job)
    assert torch.load(job.folder / "checkpoint.pt", weights_only=True)["step"] >= 0
    assert not (job.folder / "resume.pt").exists()
    assert all("nan" not in str(line).lower() for line in curve(job.folder))


def test_an_episode_that_fails_is_tried_again_and_then_left_out(start, tmp_path, monkeypatch):
    """The others are learned from."""
    honest, bad, runs = ToyEnv._advance, set(), []

    def advance(self, native):
        if self.np_random_seed in bad:
            runs.append(self.np_random_seed)
            raise SimulationError("the arm is stuck")
        return honest(self, native)

    job = make_job(start, tmp_path, "training.total_timesteps=1")
    bad.add(planned_episode(TOY, "finetuning", 1, 0).seed)
    monkeypatch.setattr(ToyEnv, "_advance", advance)
    finetune(job)
    assert len(runs) == episodes.TRIES
    (line,) = [line for line in curve(job.folder) if "episode_length" in line]
    assert line["step"] == pytest.approx(3 * line["episode_length"])


def test_a_simulator_that_always_fails_is_one_message(start, tmp_path, monkeypatch):
    def stuck(self, native):
        raise SimulationError("the arm is stuck")

    monkeypatch.setattr(ToyEnv, "_advance", stuck)
    with pytest.raises(ManigymError, match="all 4 episodes of an iteration ended in an error"):
        finetune(make_job(start, tmp_path))
