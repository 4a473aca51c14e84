"""What `run` makes of its arguments: sweeps, the choice of a checkpoint, stopping early."""

from __future__ import annotations

from pathlib import Path

import pytest
from test_records import record
from toy import TINY, TOY, bench

import policies
from benchmark.commands.arguments import variants
from benchmark.config import RunSettings
from benchmark.evaluate import Evaluation, counted
from benchmark.results.leaderboard import read_rows
from benchmark.results.records import read_records
from benchmark.stopping import stopping_rule
from envs.make import Workers
from envs.schema import ManigymError, SimulationError
from envs.toy.env import ToyEnv

QUICK = ("--env", TOY, "run.videos=0")


def board(out):
    return read_rows(out / "leaderboard.csv")


def test_variants_are_every_combination():
    assert variants([]) == [[]]
    assert variants(["a.b=1,2", "c.d=[x,y],[z]"]) == [
        ["a.b=1", "c.d=[x,y]"],
        ["a.b=1", "c.d=[z]"],
        ["a.b=2", "c.d=[x,y]"],
        ["a.b=2", "c.d=[z]"],
    ]


@pytest.mark.parametrize("sweep", ["a.b", "ab=1,2", "a.b=", "a.b=,1", "a.b=1,"])
def test_a_sweep_that_is_none_is_refused(sweep):
    with pytest.raises(ManigymError, match=r"write section.key=V1,V2"):
        variants([sweep])


def test_a_sweep_gives_a_row_for_each_value(out):
    sweep = ("--sweep", "latency.delay=0,2", "--sweep", "perturb.action_noise=0,0.5")
    assert bench("run", "--policy", "expert", *QUICK, "--episodes", 3, *sweep, "--out", out) == 0
    named = [(row["latency"], row["perturbation"]) for row in board(out)]
    noise = "action_noise=0.5"
    assert named == [("", ""), ("", noise), ("hold 2", ""), ("hold 2", noise)]
    assert len({row["run"] for row in board(out)}) == 4
    assert bench("run", "--policy", "expert", *QUICK, "--episodes", 3, *sweep, "--out", out) == 2


def test_of_several_checkpoints_the_best_on_validation_episodes_is_taken(out):
    long, short = (
        (*TINY, "policy.width=32", "policy.layers=2", "training.steps=600"),
        (*TINY, "training.steps=1"),
    )
    train = ("train", "--policy", "maniflow", "--env", TOY, "--demonstrations", 20, "--out", out)
    for settings in (short, long):
        assert bench(*train, *settings) == 0
    files = sorted(out.glob("training/*/checkpoint.pt"), key=lambda f: f.stat().st_mtime)
    given = ("--checkpoint", *files, "--validation-episodes", 6)
    assert bench("run", "--policy", "maniflow", *QUICK, *given, "--episodes", 3, "--out", out) == 0
    *trials, chosen = board(out)
    assert [row["split"] for row in trials] == ["validation", "validation"]
    rates = [float(row["success_rate"]) for row in trials]
    assert rates[0] < rates[1]
    assert chosen["checkpoint"] == str(files[1].relative_to(out))
    assert chosen["selection"] == "best of 2 on 6 validation episodes"
    assert (chosen["split"], chosen["episodes"]) == ("test", "3")
    seeds = [{r.seed for r in read_records(out / row["run"])} for row in board(out)]
    assert seeds[0] == seeds[1]
    assert not seeds[0] & seeds[2]


def test_how_a_policy_is_run_has_no_effect_on_the_training_before_it(out):
    first = ("run", "--policy", "maniflow", *QUICK, "--episodes", 2, "--demonstrations", 4)
    settings = (*TINY, "training.steps=2", "--out", out)
    assert bench(*first, *settings) == 0
    assert bench(*first, *settings, "latency.delay=1", "perturb.action_noise=0.1") == 0
    assert len(list(out.glob("training/*/checkpoint.pt"))) == 1
    assert board(out)[0]["checkpoint_sha256"] == board(out)[1]["checkpoint_sha256"]


def test_training_keeps_checkpoints_to_choose_from(out):
    train = ("train", "--policy", "maniflow", "--env", TOY, "--demonstrations", 4, "--out", out)
    assert bench(*train, *TINY, "training.steps=7", "training.keep_every=3") == 0
    kept = sorted(f.name for f in out.glob("training/*/checkpoint*.pt"))
    assert kept == ["checkpoint-000003.pt", "checkpoint-000006.pt", "checkpoint.pt"]


def job(episodes, **settings):
    policy = policies.get("uniform").from_options(None, {})
    run = RunSettings(videos=0, **settings)
    rule = stopping_rule(TOY, run, Path())
    return Evaluation(TOY, policy, "uniform", episodes, 0, Workers(1), run, stopping=rule)


def finished(plan, outcomes):
    return [
        record(e.index, env=TOY, seed=e.seed, status=status, success=status == "ok" and success)
        for e, (status, success) in zip(plan, outcomes, strict=False)
    ]


def test_a_stopping_rule_judges_the_unbroken_beginning_of_the_plan():
    stopped = job(30, stop_rate=0.5)
    plan = stopped.plan()
    failures = finished(plan, [("ok", False)] * 30)
    end = len(counted(stopped, failures))
    assert 5 < end < 30
    assert len(counted(stopped, failures[: end - 1])) == 30
    assert len(counted(stopped, failures[:2] + failures[3:])) == 30  # the third is not known yet
    assert counted(stopped, failures[::-1]) == plan[:end]
    assert len(counted(job(30), failures)) == 30


def test_errors_are_no_outcomes_for_a_stopping_rule():
    stopped = job(30, stop_rate=0.5)
    mixed = finished(stopped.plan(), [("error", None)] * 3 + [("ok", False)] * 27)
    clean = finished(stopped.plan(), [("ok", False)] * 30)
    assert len(counted(stopped, mixed)) == len(counted(stopped, clean)) + 3


def break_episode(monkeypatch, seed, times):
    honest, left = ToyEnv._advance, [times]

    def advance(self, native):
        if self.seed_used == seed and len(self._goals) == 3 and left[0]:
            left[0] -= 1
            raise SimulationError("the arm fell off")
        return honest(self, native)

    monkeypatch.setattr(ToyEnv, "_advance", advance)


@pytest.mark.parametrize("workers", [1, 3])
def test_an_error_is_tried_again_before_a_stopping_rule_looks_past_it(out, monkeypatch, workers):
    """Otherwise whether an episode counts would depend on when the simulator fails."""
    run = ("run", "--policy", "uniform", *QUICK, "--episodes", 40, "run.stop_rate=0.5")
    several = ("--workers", workers, "--isolation", "in_process")
    assert bench(*run, "--out", out / "calm") == 0
    (calm,) = board(out / "calm")
    break_episode(monkeypatch, job(40).plan()[4].seed, times=1)
    assert bench(*run, *several, "--out", out / "shaky") == 0
    (shaky,) = board(out / "shaky")
    same = ("episodes", "successes", "errors", "stopping", "mean_return")
    assert [shaky[c] for c in same] == [calm[c] for c in same]


def test_an_error_for_good_is_passed_over_and_mended_by_the_same_command(out, monkeypatch):
    run = ("run", "--policy", "uniform", *QUICK, "--episodes", 40, "run.stop_rate=0.5")
    assert bench(*run, "--out", out / "calm") == 0
    (calm,) = board(out / "calm")
    break_episode(monkeypatch, job(40).plan()[4].seed, times=2)
    assert bench(*run, "--out", out / "shaky") == 1
    assert bench(*run, "--out", out / "shaky") == 0
    assert bench(*run, "--out", out / "shaky") == 2  # complete
    errored, mended = board(out / "shaky")
    assert (errored["errors"], errored["successes"]) == ("1", "0")
    assert f"decided after {int(calm['episodes']) + 1} of 40" in errored["stopping"]
    same = ("episodes", "successes", "errors", "stopping", "mean_return")
    assert [mended[c] for c in same] == [calm[c] for c in same]


def test_another_question_to_the_same_episodes_is_another_row(out):
    run = ("run", "--policy", "uniform", *QUICK, "--episodes", 12, "--out", out)
    for settings in (
        (),
        ("run.interval=exact",),
        ("run.interval=exact", "run.confidence=0.9"),
        ("run.stop_rate=0.5",),
        ("run.stop_rate=0.501",),
    ):
        assert bench(*run, *settings) == 0
        assert bench(*run, *settings) == 2
    assert bench(*run, "--sweep", "run.interval=wilson,jeffreys") == 0
    named = [(row["interval"], row["stopping"].partition(" at")[0]) for row in board(out)]
    assert named == [
        ("wilson 95 %", ""),
        ("exact 95 %", ""),
        ("exact 90 %", ""),
        ("sequence 95 %", "rate against 0.5"),
        ("sequence 95 %", "rate against 0.501"),
        ("jeffreys 95 %", ""),
    ]
    (folder,) = out.glob("*/episodes.jsonl")
    assert len(read_records(folder.parent)) == 12


def test_the_run_stopped_against_may_go_on(out):
    run = ("run", *QUICK, "--out", out)
    assert bench(*run, "--policy", "expert", "--episodes", 5) == 0
    against = ("run.stop_against=expert", "--episodes", 30)
    assert bench(*run, "--policy", "uniform", *against) == 0
    assert "undecided in 30" in board(out)[-1]["stopping"]  # five different outcomes are too few
    assert bench(*run, "--policy", "expert", "--episodes", 30) == 0
    assert bench(*run, "--policy", "uniform", *against) == 2  # the rule is as it was


def test_a_sweep_takes_every_value_once(out):
    sweep = ("--sweep", "latency.delay=0,2,0")
    assert bench("run", "--policy", "uniform", *QUICK, "--episodes", 2, *sweep, "--out", out) == 0
    assert [row["latency"] for row in board(out)] == ["", "hold 2"]


@pytest.mark.parametrize("workers", [2, 3])
def test_a_stopped_run_is_the_same_for_any_number_of_workers(out, workers):
    stop = ("run", "--policy", "expert", *QUICK, "--episodes", 60, "run.stop_rate=0.5")
    noise = ("perturb.action_noise=0.3",)
    assert bench(*stop, *noise, "--out", out / "1") == 0
    assert bench(*stop, *noise, "--out", out / "n", "--workers", workers) == 0
    (alone,), (several,) = board(out / "1"), board(out / "n")
    same = ("episodes", "successes", "low", "high", "interval", "stopping", "mean_return")
    assert [alone[c] for c in same] == [several[c] for c in same]
    assert alone["stopping"].startswith("rate against 0.5 at 95 %: decided after ")
    assert alone["interval"] == "sequence 95 %"
    assert int(alone["episodes"]) < 60
    assert bench(*stop, *noise, "--out", out / "1") == 2  # complete
    assert bench(*stop[:-1], *noise, "--out", out / "1") == 0  # the rest of the plan
    assert [row["episodes"] for row in board(out / "1")] == [alone["episodes"], "60"]


def test_stopping_against_an_earlier_run_looks_at_different_outcomes_only(out):
    run = ("run", *QUICK, "--episodes", 60, "--out", out)
    assert bench(*run, "--policy", "expert") == 0
    (expert,) = board(out)
    against = f"run.stop_against={expert['run']}"
    assert bench(*run, "--policy", "uniform", against) == 0
    row = board(out)[-1]
    name, _, result = row["stopping"].partition(": ")
    assert name == f"against {expert['run']} at 95 %"
    assert result == f"decided after {row['episodes']} of 60"
    # All outcomes differ in one direction: evidence 2 ** n / (n + 1) passes 20 at n = 8.
    assert row["episodes"] == "8"
    assert bench(*run, "--policy", "uniform", "run.stop_against=nobody") == 2


@pytest.mark.parametrize(
    ("settings", "columns"),
    [
        (("run.interval=jeffreys",), {"interval": "jeffreys 95 %", "low": "0.0"}),
        (("run.interval=exact", "run.confidence=0.9"), {"interval": "exact 90 %"}),
    ],
)
def test_intervals_on_request(out, settings, columns):
    run = ("run", "--policy", "uniform", *QUICK, "--episodes", 3, *settings, "--out", out)
    assert bench(*run) == 0
    (row,) = board(out)
    assert {name: row[name] for name in columns} == columns
