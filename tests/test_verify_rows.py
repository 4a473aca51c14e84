"""Rows whose runs went on: made anew, reworded, asked twice."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace

import pytest
from ledger import rewrite_rows
from toy import TINY, TOY, bench

from benchmark.results.leaderboard import read_rows
from benchmark.verification import sample
from envs.schema import TaskCard
from envs.toy.env import ToyEnv
from policies.uniform import UniformPolicy

RUN = ("run", "--policy", "uniform", "--env", TOY, "run.videos=0", "env.horizon=10")


@pytest.fixture
def board(out):
    assert bench(*RUN, "--episodes", 4, "--out", out) == 0
    return out / "leaderboard.csv"


def run_anew(out):
    """As after the run's folder was removed by hand."""
    (folder,) = out.glob("uniform-*")
    shutil.rmtree(folder)
    assert bench(*RUN, "--episodes", 3, "--out", out) == 0


def verdicts(text):
    return re.findall(r"^([A-Z ]+?) +line \d+", text, re.MULTILINE)


def test_a_row_whose_run_was_made_anew_is_superseded(board, verified):
    run_anew(board.parent)
    status, text = verified("--sample", "all")
    assert (status, verdicts(text)) == (0, ["SUPERSEDED", "OK"])
    assert "its records were overwritten by the run of line 3; nothing is left" in text
    assert "2 rows: 1 superseded, 1 OK; 3 episodes executed again, all identical." in text


def test_a_superseded_row_with_a_broken_seal_is_damaged(board, verified):
    run_anew(board.parent)
    lines = board.read_text().splitlines(keepends=True)
    lines[1] = lines[1].replace("wilson 95 %", "wilson 99 %")
    board.write_text("".join(lines))
    status, text = verified()
    assert (status, verdicts(text)) == (1, ["DAMAGED", "OK"])


def test_a_superseded_row_must_still_fit_its_configuration(board, verified):
    rewrite_rows(board, sealed=True, seed="7")
    run_anew(board.parent)
    status, text = verified()
    assert (status, verdicts(text)) == (1, ["DAMAGED", "OK"])
    assert "seed is '7'; the run gives '0'" in text


def test_records_that_no_row_fits_are_damage_to_all(board, verified):
    """Nothing but a newer row that is whole verified that a run was made anew."""
    assert bench(*RUN, "--episodes", 5, "--out", board.parent) == 0
    (records,) = board.parent.glob("*/episodes.jsonl")
    first, *rest = records.read_text().splitlines(keepends=True)
    records.write_text("".join([*rest, first]))
    status, text = verified()
    assert (status, verdicts(text)) == (1, ["DAMAGED", "DAMAGED"])


def test_an_older_row_is_no_judge_of_a_newer_one(board, verified):
    """What was appended was removed again: the newer row has lost records, the older one none."""
    (records,) = board.parent.glob("*/episodes.jsonl")
    whole = records.read_bytes()
    assert bench(*RUN, "--episodes", 5, "--out", board.parent) == 0
    records.write_bytes(whole)
    assert verdicts(verified("--sample", "0")[1]) == ["OK", "DAMAGED"]


def test_another_wording_of_the_protocol_is_no_difference(board, verified, monkeypatch):
    reword(monkeypatch, lambda p: replace(p, description="in other words"))
    reword(monkeypatch, lambda p: replace(p, success=replace(p.success, source="elsewhere")))
    status, text = verified("--with-policy")
    assert (status, verdicts(text)) == (0, ["OK"]), text


def test_another_rule_of_the_protocol_is_a_difference_to_the_policy(board, verified, monkeypatch):
    reword(monkeypatch, lambda p: replace(p, success=replace(p.success, count=3)))
    status, text = verified("--with-policy")
    assert (status, verdicts(text)) == (1, ["DIFFERENT"])
    assert "run again with the policy: protocol success count is 3, recorded 1" in text


def reword(monkeypatch, change):
    honest = TaskCard.protocol
    monkeypatch.setattr(TaskCard, "protocol", lambda self, name=None: change(honest(self, name)))


def test_other_conditions_alone_are_no_difference(board, verified, monkeypatch):
    monkeypatch.setattr("benchmark.results.conditions.machine", lambda: "Pentium, 1 cores")
    status, text = verified("--with-policy")
    assert (status, "Pentium" in text) == (0, False)


def test_a_policy_that_acts_otherwise_is_shown_with_the_likely_causes(board, verified, monkeypatch):
    honest = UniformPolicy.act
    monkeypatch.setattr(UniformPolicy, "act", lambda self, *given: 0.5 * honest(self, *given))
    monkeypatch.setenv("MKL_CBWR", "COMPATIBLE")
    monkeypatch.setattr("benchmark.results.conditions.policy_code", lambda kind: "0" * 32)
    status, text = verified("--sample", "all", "--with-policy")
    assert (status, verdicts(text)) == (1, ["DIFFERENT"])
    assert text.count("the policy acts otherwise from step 1 on") == 1
    assert "episode 0, run again with the policy: " in text
    assert "and 3 more, run again with the policy: episode 1, 2, 3\n" in text
    assert re.search(r"recorded on policy_code: \w{32}, here: 0{32}$", text, re.MULTILINE)
    assert re.search(r"recorded on variables: .*, here: .*MKL_CBWR=COMPATIBLE", text)


def test_rows_of_one_run_execute_an_episode_once(board, verified, monkeypatch):
    assert bench(*RUN, "--episodes", 6, "--out", board.parent) == 0
    asked = []
    for name in ("replay", "rerun"):
        honest = getattr(sample, name)
        monkeypatch.setattr(
            sample,
            name,
            lambda *given, honest=honest: (
                asked.append([r.episode for r in given[2]]) or honest(*given)
            ),
        )
    status, text = verified("--sample", "all", "--with-policy")
    assert (status, verdicts(text)) == (0, ["OK", "OK"])
    assert asked == [[0, 1, 2, 3], [0, 1, 2, 3], [4, 5], [4, 5]]


def test_a_difference_is_told_to_every_row_that_counts_the_episode(board, verified, monkeypatch):
    assert bench(*RUN, "--episodes", 6, "--out", board.parent) == 0
    honest = ToyEnv._advance
    monkeypatch.setattr(ToyEnv, "_advance", lambda self, native: honest(self, 0.999 * native))
    monkeypatch.setattr("benchmark.results.conditions.machine", lambda: "Pentium, 1 cores")
    status, text = verified("--sample", "all")
    assert (status, verdicts(text)) == (1, ["DIFFERENT", "DIFFERENT"])
    assert text.count("episode 0, executed again: first difference at step 1 of 10") == 2
    assert text.count("here: Pentium, 1 cores") == 2


def test_a_checkpoint_moves_with_the_folder_of_the_leaderboard(out, capsys, tmp_path):
    asked = ("run", "--policy", "maniflow", "--env", TOY, "--episodes", 2, "run.videos=0")
    train = ("--demonstrations", 3, "training.steps=2", *TINY)
    assert bench(*asked, *train, "--out", out) == 0
    (row,) = read_rows(out / "leaderboard.csv")
    assert not row["checkpoint"].startswith("/")
    moved = tmp_path / "elsewhere" / "results"
    shutil.move(out, moved)
    capsys.readouterr()
    assert bench("verify", "--out", moved, "--with-policy") == 0
    assert verdicts(capsys.readouterr().out) == ["OK"]


def test_a_checkpoint_that_is_not_there_cannot_stand_in(board, verified):
    assert verified("--checkpoint", "no.pt")[0] == 2


def test_an_empty_leaderboard_is_said_to_be_empty(board, verified):
    board.write_bytes(b"")
    status, text = verified()
    assert status == 1
    assert f"DAMAGED        {board} is empty; restore it from a copy\n" in text
    assert "column" not in text
