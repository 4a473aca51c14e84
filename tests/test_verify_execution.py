"""What only execution tells: of recorded actions, and of the policy."""

from __future__ import annotations

import re
import shutil

import numpy as np
import pytest
from ledger import make_rows_fit, rewrite_record, rewrite_rows
from toy import TINY, TOY, bench

from benchmark.results.leaderboard import read_rows
from benchmark.results.records import read_records
from benchmark.results.traces import Trace, read_trace, write_trace
from benchmark.verification.checks import verify
from benchmark.verification.reexecution import RecordedTask, stage
from benchmark.verification.sample import sampled
from envs.make import Workers
from envs.toy.env import ToyEnv

RUN = ("run", "--policy", "uniform", "--env", TOY, "run.videos=0", "env.horizon=20")
CLAIMED = ("success", "steps", "total_reward", "state_hash", "action_hash")


@pytest.fixture
def board(out):
    assert bench(*RUN, "--episodes", 4, "--out", out) == 0
    return out / "leaderboard.csv"


@pytest.fixture
def run(board):
    (folder,) = board.parent.glob("uniform-*")
    return folder


def executed(task, record, actions):
    """What becomes of other actions from the start state of a record."""
    with stage(task, Workers()) as pool:
        pool.reset(0, record.seed)
        pool.wait()
        pool.run(0, actions, 0)
        ((_, reply),) = pool.wait()
    return reply.summary


def test_an_untouched_board_verifies_by_every_means(board, verified):
    before = {f: f.read_bytes() for f in board.parent.rglob("*") if f.is_file()}
    status, text = verified("--sample", "all", "--with-policy")
    assert status == 0
    assert re.search(r"^OK +line 2 .* 4 episodes$", text, re.MULTILINE)
    assert "1 rows: 1 OK; 4 episodes executed again, all identical." in text
    assert {f: f.read_bytes() for f in board.parent.rglob("*") if f.is_file()} == before


def test_a_forger_who_makes_every_figure_fit_is_found_by_execution(run, board, verified):
    rewrite_record(run, 2, success=not read_records(run)[2].success)
    make_rows_fit(board, run)
    assert verified("--sample", 0)[0] == 0
    status, text = verified("--sample", "all")
    assert status == 1
    assert re.search(r"^DIFFERENT +line 2 ", text, re.MULTILINE)
    assert "episode 2, executed again: success False, recorded True" in text


def test_a_forger_who_makes_other_actions_is_found_by_the_policy(run, board, verified):
    """States that really follow from actions that are not the policy's."""
    record = read_records(run)[1]
    file = run / record.trace
    summary = executed(RecordedTask.read(run, TOY), record, np.zeros_like(read_trace(file).actions))
    rewrite_record(
        run,
        1,
        trace_sha256=write_trace(file, Trace(summary.actions, summary.state_chain)),
        **{name: getattr(summary, name) for name in CLAIMED},
    )
    make_rows_fit(board, run)
    assert verified("--sample", "all")[0] == 0
    status, text = verified("--sample", "all", "--with-policy")
    assert status == 1
    assert "episode 1, run again with the policy: the policy acts otherwise from step 1 on" in text


def test_physics_that_changed_is_a_difference_with_its_likely_cause(board, verified, monkeypatch):
    honest = ToyEnv._advance
    monkeypatch.setattr(ToyEnv, "_advance", lambda self, native: honest(self, 0.999 * native))
    monkeypatch.setattr("benchmark.results.conditions.machine", lambda: "Pentium, 1 cores")
    status, text = verified()
    assert status == 1
    assert text.count("first difference at step 1 of 20") == 1
    assert "and 1 more, executed again: episode " in text  # the sample is of two
    assert text.count("here: Pentium, 1 cores") == 1


def test_the_sample_is_repeatable_and_another_seed_takes_others(board, out):
    (row,) = verify(out).rows
    chosen = {seed: [r.episode for r in sampled(row, 2, seed)] for seed in range(20)}
    assert all(len(set(episodes)) == 2 for episodes in chosen.values())
    assert len({tuple(episodes) for episodes in chosen.values()}) > 2
    assert [r.episode for r in sampled(row, 2, 5)] == chosen[5]
    assert [r.episode for r in sampled(row, None, 0)] == [0, 1, 2, 3]


def test_rows_of_a_continued_run_all_verify(board, verified):
    for episodes in (7, 2):  # the second is counted from records that are there
        assert bench(*RUN, "--episodes", episodes, "--out", board.parent) == 0
    status, text = verified("--sample", "all", "--with-policy")
    assert (status, text.count("OK  ")) == (0, 3)
    assert "3 rows: 3 OK; 7 episodes executed again, all identical." in text


def test_a_row_made_before_an_error_was_mended_verifies(out, verified, monkeypatch):
    honest = ToyEnv._advance

    def fails(self, native):
        late = len(self._goals) == 9 and self.seed_used % 2 == 0
        return float("nan") if late else honest(self, native)

    monkeypatch.setattr(ToyEnv, "_advance", fails)
    assert bench(*RUN, "--episodes", 6, "--out", out) == 1
    monkeypatch.setattr(ToyEnv, "_advance", honest)
    assert bench(*RUN, "--episodes", 6, "--out", out) == 0
    rows = read_rows(out / "leaderboard.csv")
    assert int(rows[0]["errors"]) > 0
    assert rows[1]["errors"] == "0"
    status, text = verified("--sample", "all")
    assert (status, text.count("OK  ")) == (0, 2)


@pytest.mark.parametrize(
    "settings",
    [
        ("--episodes", 40, "run.stop_rate=0.5"),
        ("--episodes", 3, "run.stop_rate=0.5", "run.confidence=0.9"),
        ("--episodes", 3, "run.interval=jeffreys", "run.confidence=0.99", "--split", "validation"),
        ("--episodes", 3, "latency.delay=uniform:0:3", "perturb.action_noise=0.2"),
        ("--episodes", 3, "perturb.stale_frames=2", "perturb.drop_frames=0.3", "--seed", 5),
    ],
    ids=["stopped", "undecided", "jeffreys", "late and noisy", "bad sensors"],
)
def test_every_way_of_running_verifies_with_its_policy(out, verified, settings):
    asked = ("run", "--policy", "expert", "--env", TOY, "run.videos=0", "--workers", 2)
    assert bench(*asked, *settings, "--out", out) == 0
    status, text = verified("--sample", 3, "--with-policy")
    assert status == 0
    assert re.search(r"^OK +line 2 ", text, re.MULTILINE), text


def test_a_profile_of_delays_is_kept_with_the_run_and_bound_to_it(board, verified, run):
    late = ("policy.n_action=4", f"latency.delay=profile:{run}")
    assert bench(*RUN, "--episodes", 2, "--out", board.parent, *late) == 0
    status, text = verified("--with-policy")
    assert (status, text.count("OK  ")) == (0, 2)
    shutil.move(run, board.parent.parent / "elsewhere")
    name = read_rows(board)[1]["run"]
    status, text = verified("--with-policy", "--run", name)
    assert (status, text.count("OK  ")) == (0, 1)
    profile = board.parent / name / "profile.json"
    content = profile.read_text()
    profile.write_text(content.replace("[", "[9.5, "))
    status, text = verified("--run", name)
    assert (status, f"{profile} was changed: its timings have the sha256" in text) == (1, True)
    profile.unlink()
    assert verified("--run", name)[0] == 1


def test_episodes_from_recorded_start_states(out, verified, tmp_path):
    data = tmp_path / "demos"
    assert bench("collect", "--env", TOY, "--episodes", 3, "--data", data, "--out", out) == 0
    asked = ("run", "--policy", "replay", "--env", TOY, "run.videos=0", f"policy.data={data}")
    assert bench(*asked, "--episodes", 3, "--out", out) == 0
    assert verified("--sample", "all", "--with-policy")[0] == 0
    shutil.rmtree(data)
    status, text = verified("--sample", "all", "--with-policy")
    assert status == 0
    assert re.search(r"^NOT CHECKABLE +line 2 ", text, re.MULTILINE)
    assert "no trajectory store there" in text


def test_a_checkpoint_that_changed_or_is_gone(out, verified, tmp_path):
    train = ("--demonstrations", 3, "training.steps=2", *TINY)
    asked = ("run", "--policy", "maniflow", "--env", TOY, "--episodes", 2, "run.videos=0")
    assert bench(*asked, *train, "--out", out) == 0
    status, text = verified("--with-policy")
    assert (status, text.count("OK  ")) == (0, 1), text
    (checkpoint,) = out.glob("training/*/checkpoint.pt")
    content = checkpoint.read_bytes()
    copy, other = tmp_path / "copy.pt", tmp_path / "other.pt"
    copy.write_bytes(content)
    other.write_bytes(content[:-1])
    checkpoint.write_bytes(content[:-1])
    status, text = verified()
    assert (status, f"another file is at {checkpoint} now: sha256 " in text) == (1, True)
    assert verified("--with-policy", "--checkpoint", other, copy)[0] == 0
    checkpoint.unlink()
    status, text = verified("--with-policy", "--checkpoint", other)
    assert status == 0
    assert re.search(r"^NOT CHECKABLE +line 2 ", text, re.MULTILINE)
    assert re.search(rf"the checkpoint {checkpoint} \(sha256 \w+\) is not here; ", text)
    assert "2 episodes executed again" in text
    assert re.search(
        r"^OK +line 2 ", verified("--with-policy", "--checkpoint", copy)[1], re.MULTILINE
    )


def test_a_row_that_stopped_against_another_run_verifies_and_its_end_is_recounted(out, verified):
    run = ("run", "--env", TOY, "--episodes", 30, "run.videos=0", "--out", out)
    assert bench(*run, "--policy", "expert") == 0
    (expert,) = read_rows(out / "leaderboard.csv")
    assert bench(*run, "--policy", "uniform", f"run.stop_against={expert['run']}") == 0
    assert verified("--sample", "1")[0] == 0
    stopped = read_rows(out / "leaderboard.csv")[1]
    wrong = stopped["stopping"].replace("after 8 of", "after 9 of")
    assert wrong != stopped["stopping"]
    rewrite_rows(out / "leaderboard.csv", sealed=True, stopping=wrong)
    status, text = verified("--run", stopped["run"])
    assert status == 1
    assert "decided after 8 of 30" in text


def test_what_a_run_stopped_against_is_kept_and_bound(out, verified):
    run = ("run", "--env", TOY, "run.videos=0", "--out", out)
    assert bench(*run, "--policy", "expert", "--episodes", 30) == 0
    (expert,) = read_rows(out / "leaderboard.csv")
    stop = f"run.stop_against={expert['run']}"
    assert bench(*run, "--policy", "uniform", "--episodes", 30, stop) == 0
    name = read_rows(out / "leaderboard.csv")[1]["run"]
    shutil.rmtree(out / expert["run"])
    assert verified("--sample", "0", "--run", name)[0] == 0
    kept = out / name / "reference" / f"{expert['run']}.json"
    content = kept.read_text()
    kept.write_text(content.replace("true", "false"))
    status, text = verified("--sample", "0", "--run", name)
    assert (status, "stopping is 'against" in text) == (1, True)
    kept.unlink()
    status, text = verified("--sample", "0", "--run", name)
    assert (status, f"{kept} is missing" in text, kept.exists()) == (1, True, False)
