"""Where the time went: shares of made-up records, and stages of a real run."""

import pytest
from test_records import record

from benchmark.__main__ import main
from benchmark.results.records import read_records
from benchmark.results.stages import time_spent


def test_shares_of_the_mean_episode_largest_first():
    records = [
        record(0, stages={"simulate": 1.0, "render": 5.0, "act": 0.001}),
        record(1, stages={"simulate": 1.0, "render": 3.0}),
        record(2, "error", stages={}),
    ]
    assert time_spent(records) == {"A/b-v0": "5 s an episode: render 80%, simulate 20%"}


def test_a_run_says_where_its_time_went(out, capsys):
    asked = ["run", "--policy", "expert", "--env", "Toy/reach-v0", "--episodes", "2"]
    assert main([*asked, "run.videos=1", "--out", str(out)]) == 0
    assert "s an episode: " in capsys.readouterr().out
    (run,) = out.glob("expert-*")
    first, second = read_records(run)
    assert {"reset", "simulate", "sense", "expert", "track", "act"} <= {*second.stages}
    assert "film" in first.stages and "film" not in second.stages
    assert all(seconds >= 0 for seconds in second.stages.values())
    simulated = {k: v for k, v in first.stages.items() if k not in ("act", "film")}
    assert first.sim_seconds == pytest.approx(sum(simulated.values()))
