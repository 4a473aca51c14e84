"""Contests with a clock that we turn, figures, forecasts, pictures and the command itself."""

from __future__ import annotations

import csv
from contextlib import contextmanager
from itertools import count
from xml.etree import ElementTree

import numpy as np
import pytest
import torch

from benchmark.__main__ import main
from benchmark.engine.inference import ask
from benchmark.throughput import contest as contests
from benchmark.throughput.chart import write_chart
from benchmark.throughput.contest import Contender, contest
from benchmark.throughput.figures import append_csv, figures, table
from benchmark.throughput.job import EnvJob, LoaderJob
from benchmark.throughput.loading import drawing, synthetic_store
from benchmark.throughput.peers.recomputing import straightforward
from benchmark.throughput.policies import first_windows, load
from benchmark.throughput.scaling import EpisodeCost, forecast
from policies.maniflow.config import ManiFlowConfig

TINY = ManiFlowConfig(width=32, layers=1, heads=2)


@pytest.fixture
def clock(monkeypatch):
    """Seconds on the clock; CPU time runs twice as fast, as with two busy processes."""
    now = [0.0]
    monkeypatch.setattr(contests, "perf_counter", lambda: now[0])
    monkeypatch.setattr(contests, "cpu_seconds", lambda: 2 * now[0])
    return now


def contender(name, clock, seconds, log=None, units=10.0):
    """Does ``units`` of work in so many seconds, turn after turn."""
    durations = iter(seconds)

    def once():
        clock[0] += next(durations)
        if log is not None:
            log.append(name)
        return units

    @contextmanager
    def opened():
        yield once

    return Contender(name, opened)


def test_contenders_take_turns_and_none_always_follows_the_same(clock):
    log: list[str] = []
    contest([contender(name, clock, [1] * 4, log) for name in "abc"], repeats=3)
    assert "".join(log) == "abc" + "abc" + "bca" + "cab"  # the first three warm up


def test_ratios_are_of_the_same_round(clock):
    """The machine gets three times slower in the second round: rates change, the ratio does not."""
    ours = contender("ours", clock, [9, 1, 3, 1])
    theirs = contender("theirs", clock, [9, 2, 6, 2])
    mine, other = contest([ours, theirs], repeats=3).results
    assert mine.rate == 10 and mine.spread == (10 / 3, 10)
    assert mine.against(other) == (2, 2, 2)
    assert other.against(mine) == (0.5, 0.5, 0.5)
    assert mine.cpu_seconds == pytest.approx(0.2)


def test_everything_is_closed_when_one_cannot_start(clock):
    closed = []

    @contextmanager
    def opened():
        try:
            yield lambda: 1.0
        finally:
            closed.append("first")

    def broken():
        raise OSError("no such simulator")

    with pytest.raises(OSError, match="no such simulator"):
        contest([Contender("a", opened), Contender("b", broken)], repeats=1)
    assert closed == ["first"]


@pytest.fixture
def rows(clock):
    found = contest(
        [contender("manigym", clock, [1, 1, 2]), contender("a <peer>", clock, [1, 4, 4])], repeats=2
    )
    return figures("episodes", "Toy/reach-v0", "proprio", found)


def test_figures_are_in_the_unit_of_the_measure(rows):
    ours, theirs = rows
    assert (ours.unit, ours.median, ours.low, ours.high) == ("episodes/h", 27000, 18000, 36000)
    assert (theirs.median, theirs.times, theirs.times_low, theirs.times_high) == (9000, 3, 2, 4)
    assert theirs.cpu_ms == 800
    assert ours.observed is None  # steps only


def test_the_file_grows_and_keeps_its_header(rows, tmp_path):
    for _ in range(2):
        append_csv(tmp_path / "sub" / "throughput.csv", rows)
    with (tmp_path / "sub" / "throughput.csv").open() as file:
        read = list(csv.DictReader(file))
    assert [row["contender"] for row in read] == ["manigym", "a <peer>"] * 2
    assert float(read[1]["times"]) == 3


def test_the_table_names_repeats_load_and_ratios(rows):
    text = table(rows)
    assert "episodes: Toy/reach-v0, proprio (2 repeats in turn, load up to" in text
    assert "3.00 (2.00 to 4.00)" in text


def test_the_picture_has_a_bar_for_each_as_long_as_its_figure(rows, tmp_path):
    write_chart(tmp_path / "chart.svg", rows)
    root = ElementTree.parse(tmp_path / "chart.svg").getroot()
    space = "{http://www.w3.org/2000/svg}"
    ours, theirs = (float(r.get("width")) for r in root.iter(f"{space}rect") if r.get("x"))
    assert ours / theirs == pytest.approx(3, rel=0.01)
    assert "a <peer>" in [text.text for text in root.iter(f"{space}text")]


COST = EpisodeCost(simulator=0.8, engine=0.01, policy=0.19, calls=10)


def test_few_cores_are_limited_by_work_many_by_the_one_caller():
    assert COST.on_cpu(2) == pytest.approx(2 * 3600)
    assert COST.on_cpu(4) == pytest.approx(4 * 3600)
    assert COST.on_cpu(96) == pytest.approx(5 * 3600)  # 0.2 s of the caller per episode


def test_a_gpu_frees_the_caller_until_it_is_the_limit_itself():
    assert COST.with_gpu(9, latency=0.01, batch=8) == pytest.approx(10 * 3600)  # 8 cores / 0.8 s
    assert COST.with_gpu(1000, latency=0.01, batch=8) == pytest.approx(80 * 3600)  # 8 / (10 * 10ms)
    assert COST.with_gpu(1000, latency=0.0001, batch=8) == pytest.approx(100 * 3600)  # 1 / engine


def test_the_forecast_says_what_it_assumes():
    assert "answers 8 episodes within 10 ms" in forecast([("Toy/reach-v0", COST)])
    assert "GPU" not in forecast([("Toy/reach-v0", COST)], with_gpu=False)


def run(tmp_path, *arguments):
    common = ["--repeats", "1", "--seconds", "1", "--out", str(tmp_path), "--workers", "1"]
    return main(["throughput", *arguments, *common])


def test_steps_and_episodes_of_the_toy(tmp_path, capsys):
    assert run(tmp_path, "steps", "episodes", "--env", "Toy/reach-v0", "--episodes", "2") == 0
    said = capsys.readouterr().out
    assert "env steps/s" in said and "episodes/h" in said and "Predicted episodes" in said
    assert " s an episode: " in said and "simulate" in said
    with (tmp_path / "throughput.csv").open() as file:
        read = list(csv.DictReader(file))
    assert [(row["measure"], row["detail"]) for row in read] == [
        ("steps", "every frame"),
        ("steps", "chunks of 8, 2 seen"),
        ("episodes", "chunks of 8, 2 seen"),
    ]
    steps = float(read[1]["median"])
    assert float(read[1]["observed"]) == pytest.approx(steps / 4, rel=1e-3)
    assert (tmp_path / "throughput.svg").exists()


def test_a_network_without_a_checkpoint_has_random_weights(tmp_path, capsys):
    asked = ["policy", "--env", "Toy/reach-v0", "--policy", "maniflow", "--batch-sizes", "1", "2"]
    assert run(tmp_path, *asked, "policy.width=32", "policy.layers=1", "policy.heads=2") == 0
    said = capsys.readouterr().out
    assert "policy: maniflow on Toy/reach-v0" in said and "batch 2" in said


def test_recomputing_answers_alike_and_takes_part(tmp_path, capsys):
    policy = load("maniflow", None, TINY, "Toy/reach-v0", {}, tmp_path)
    assert torch.get_num_threads() == TINY.threads
    with torch.no_grad():
        for weight in policy.module.parameters():
            weight.normal_(std=0.2, generator=torch.Generator().manual_seed(weight.numel()))
    job = EnvJob("Toy/reach-v0", {"observations": policy.spec.observations}, policy)
    interface, windows = first_windows(job, 2)
    chunks = [
        ask(one, windows, one.start(interface, [0, 1])) for one in (policy, straightforward(policy))
    ]
    assert np.ptp(chunks[0]) > 0.1
    np.testing.assert_allclose(*chunks, atol=1e-5)
    asked = ["policy", "--env", "Toy/reach-v0", "--policy", "maniflow", "--batch-sizes", "1"]
    small = ["policy.width=32", "policy.layers=1", "policy.heads=2"]
    assert run(tmp_path, *asked, "--against", "recomputing", *small) == 0
    assert "recomputing (batch 1)" in capsys.readouterr().out


def test_a_wrong_folder_is_known_before_anything_runs(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("benchmark.commands.throughput.contest", None)
    (tmp_path / "file").touch()
    asked = ["throughput", "steps", "--env", "Toy/reach-v0", "--out", str(tmp_path / "file" / "x")]
    assert main(asked) == 1
    assert "Not a directory" in capsys.readouterr().err


def test_a_batch_counts_the_windows_that_there_are(tmp_path):
    store = synthetic_store(tmp_path / "noise", episodes=1, steps=5, cameras=())
    job = LoaderJob(store, ("proprio",), batch_size=1000, seconds=0.01)
    drawn: list[int] = []
    counted = drawing(map(drawn.append, count()), job)()
    assert counted == 5 * len(drawn) > 0


def test_several_scenes_in_a_process_take_part(tmp_path, capsys):
    asked = ["episodes", "--env", "Toy/reach-v0", "--scenes", "1", "2", "--episodes", "4"]
    assert run(tmp_path, *asked) == 0
    assert "2 scenes each" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["speed"], "no measure 'speed'; choose of steps, episodes"),
        (["policy"], "give --policy NAME"),
        (["steps", "--against", "runner"], "takes part in episodes, not in steps"),
        (["steps", "--against", "async:foo"], "behind a peer's name stands"),
        (["steps", "--checkpoint", __file__], "whose weights are these?"),
        (["steps", "--policy", "maniflow", "--chunk", "4"], "are for the stand-in"),
        (["training", "--policy", "uniform"], "give a --policy that trains"),
        (["steps", "--against", "nobody"], "no such peer; there are"),
        (["policy", "--policy", "maniflow", "--checkpoint", "no.pt"], "no.pt: no such file"),
    ],
)
def test_what_cannot_be_measured_is_refused(tmp_path, capsys, arguments, words):
    assert run(tmp_path, *arguments, "--env", "Toy/reach-v0") == 2
    assert words in capsys.readouterr().err
