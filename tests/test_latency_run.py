"""Latency in virtual time: whatever else the machine does, the same episodes.

``MANIGYM_REPEATS=20 pytest tests/test_latency_run.py -s`` for the long form.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from toy import TOY

import policies
from benchmark.config import RunSettings
from benchmark.engine.latency import LatencySettings
from benchmark.evaluate import Evaluation, evaluate
from benchmark.results.records import RunFolder
from envs.make import Workers
from envs.schema import ManigymError

REPEATS = int(os.environ.get("MANIGYM_REPEATS", "3"))
EPISODES = 6
WAYS = [
    LatencySettings("3"),
    LatencySettings("uniform:0:5"),
    LatencySettings("lognormal:2:0.8:9", "overlap", 3),
]


@contextmanager
def busy_machine() -> Iterator[None]:
    """Twice as many spinning processes as there are cores."""
    count = 2 * len(os.sched_getaffinity(0))
    spin = [sys.executable, "-c", "while True: pass"]
    others = [subprocess.Popen(spin) for _ in range(count)]
    try:
        yield
    finally:
        for process in others:
            process.kill()
            process.wait()


def outcomes(path, latency, workers=1, name="uniform", **options):
    job = Evaluation(
        TOY,
        policies.get(name).from_options(None, options),
        name,
        episodes=EPISODES,
        seed=0,
        workers=Workers(workers),
        settings=RunSettings(videos=0, execute=4 if options else None),
        latency=latency,
    )
    folder = RunFolder(path, {})
    evaluate(job, folder)
    return folder.records()


@pytest.mark.parametrize("latency", WAYS, ids=lambda way: f"{way.mode} {way.delay}")
def test_a_busy_machine_gives_the_same_episodes(tmp_path, latency):
    calm = outcomes(tmp_path / "calm", latency, n_action=8)
    with busy_machine():
        for repeat in range(REPEATS):
            again = outcomes(tmp_path / str(repeat), latency, workers=1 + repeat % 2, n_action=8)
            assert [r.outcome for r in again] == [r.outcome for r in calm]
    print(f"\n{latency.mode} {latency.delay}: {REPEATS} repeats of {EPISODES} episodes, identical")


def test_delays_are_recorded_and_cost_what_they_say(tmp_path):
    without = outcomes(tmp_path / "0", LatencySettings("0"), n_action=8)
    records = outcomes(tmp_path / "2", LatencySettings("2"), n_action=8)
    for before, after in zip(without, records, strict=True):
        assert before.delays == []
        assert after.delays[0] == 0
        assert set(after.delays[1:]) == {2}
        assert len(after.delays) < len(before.policy_ms)  # fewer answers fit into the horizon
    drawn = outcomes(tmp_path / "u", LatencySettings("uniform:0:5"), n_action=8)
    assert {d for r in drawn for d in r.delays[1:]} == set(range(6))


def test_the_experts_success_falls_with_the_delay(tmp_path):
    rates = [
        sum(bool(r.success) for r in outcomes(tmp_path / d, LatencySettings(d), name="expert"))
        for d in ("0", "4", "16")
    ]
    assert rates == sorted(rates, reverse=True)
    assert rates[0] > rates[-1]


def test_ensembling_needs_an_answer_at_every_step(tmp_path):
    with pytest.raises(ManigymError, match="use one or the other"):
        Evaluation(
            TOY,
            policies.get("uniform").from_options(None, {"n_action": 4}),
            "uniform",
            episodes=1,
            seed=0,
            workers=Workers(1),
            settings=RunSettings(ensemble="act"),
            latency=LatencySettings("1"),
        )
