"""Perturbations and delays in a run: named in the row, the same for any number of workers."""

from __future__ import annotations

import re

import pytest
from toy import TOY, bench

from benchmark.results.leaderboard import read_rows
from benchmark.results.records import read_records

RUN = ("run", "--env", TOY, "--episodes", 5, "run.videos=0")


def runs(out):
    """Row and outcomes of every run, in the order they were made."""
    rows = read_rows(out / "leaderboard.csv")
    return [(row, [r.outcome for r in read_records(out / row["run"])]) for row in rows]


@pytest.mark.parametrize(
    ("policy", "settings", "named"),
    [
        ("expert", ["perturb.action_noise=0.4"], ("", "action_noise=0.4")),
        ("expert", ["perturb.drop_frames=0.5"], ("", "drop_frames=0.5")),
        ("expert", ["perturb.stale_frames=3"], ("", "stale_frames=3")),
        ("expert", ["perturb.missing=[expert]"], ("", "missing=expert")),
        ("expert", ["latency.delay=uniform:0:4"], ("hold uniform:0:4", "")),
        (
            "uniform",
            [
                "policy.n_action=6",
                "run.execute=3",
                "latency.delay=lognormal:2:0.5:6",
                "latency.mode=overlap",
                "latency.lead=2",
                "perturb.action_noise=0.1",
            ],
            ("overlap(lead=2) lognormal:2:0.5:6", "action_noise=0.1"),
        ),
    ],
    ids=lambda value: value[0].partition("=")[0] if isinstance(value, list) else None,
)
def test_it_is_named_changes_the_run_and_not_with_the_workers(out, policy, settings, named):
    plain = [s for s in settings if s.startswith(("policy.", "run."))]
    assert bench(*RUN, "--policy", policy, *plain, "--out", out) == 0
    assert bench(*RUN, "--policy", policy, *settings, "--out", out) == 0
    assert bench(*RUN, "--policy", policy, *settings, "--workers", 3, "--out", out / "3") == 0
    (before, calm), (row, outcomes) = runs(out)
    assert (before["latency"], before["perturbation"]) == ("", "")
    assert (row["latency"], row["perturbation"]) == named
    assert row["run"] != before["run"]
    assert outcomes != calm
    assert [seed for _, _, seed, *_ in outcomes] == [seed for _, _, seed, *_ in calm]
    ((_, again),) = runs(out / "3")
    assert again == outcomes


def test_noise_on_actions_leaves_the_commands_of_the_policy_as_they_were(out):
    """The policy's own stream is another one: without noise the same actions are asked for."""
    run = (*RUN, "--policy", "uniform", "--out", out)
    assert bench(*run) == 0
    assert bench(*run, "perturb.action_noise=1e-9") == 0
    (_, calm), (_, noisy) = runs(out)
    for one, other in zip(calm, noisy, strict=True):
        assert one[7] == pytest.approx(other[7], abs=1e-4)  # the return


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["perturb.missing=[rgb]"], "the policy does not see 'rgb'; it sees expert"),
        (["perturb.camera_noise=3"], "the policy does not see 'rgb'"),
        (["perturb.drop_frames=2"], "perturb.drop_frames must lie in [0, 1], got 2"),
        (["perturb.drop_frame=0.1"], "did you mean 'drop_frames'"),
        (["latency.delay=soon"], "latency.delay='soon' is none of TICKS, uniform:LEAST:MOST"),
        (["latency.delay=profile:absent"], "no run 'absent' below"),
        (["latency.delay=1", "run.ensemble=act"], "use one or the other"),
        (["latency.mode=overlap", "latency.lead=1", "latency.delay=1"], "policy predicts 1"),
        (["run.stop_rate=1.5"], "run.stop_rate must lie between 0 and 1, got 1.5"),
        (["run.stop_rate=0.5", "run.stop_against=x"], "are two rules; give one"),
        (["run.interval=wald"], "run.interval must be one of wilson, jeffreys, exact"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_runs(out, capsys, settings, message):
    assert bench(*RUN, "--policy", "expert", *settings, "--out", out) == 2
    assert message in capsys.readouterr().err
    assert not (out / "leaderboard.csv").exists()


def test_a_recorded_profile_is_a_distribution_of_delays(out):
    assert bench(*RUN, "--policy", "expert", "--out", out) == 0
    ((row, _),) = runs(out)
    for named in ("latest", out / row["run"], row["run"]):
        profile = f"latency.delay=profile:{named}"
        assert bench(*RUN, "--policy", "expert", profile, "--out", out) in (0, 2)  # the same run
        assert len(runs(out)) == 2
    late, outcomes = runs(out)[1]
    assert re.fullmatch(r"hold profile:[0-9a-f]{8}\(median=1,most=\d+\)", late["latency"])
    assert all(delay >= 1 for *_, delays in outcomes for delay in delays[1:])
