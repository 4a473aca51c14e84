"""``compare``: pairs by seed, names every other difference, concludes no more than it may."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from test_records import record

from benchmark.__main__ import main
from benchmark.comparison.runs import Run, compare_runs
from benchmark.comparison.verdict import judge
from benchmark.results import conditions
from benchmark.results.records import RunFolder
from benchmark.statistics.intervals import wilson
from benchmark.statistics.paired import PairedTable
from benchmark.statistics.sequential import evidence
from envs.schema import ManigymError

TASK = {
    "protocol": {"name": "ph", "horizon": 400},
    "env_options": {"observations": ["proprio"]},
    "seed_rule": "seedsequence-v1",
    "n_obs": 1,
    "n_action": 1,
    "policy": {},
    "checkpoint_sha256": None,
}


CONDITIONS = {"machine": "here", "simulator": "mujoco=3.9.0", "inference": "batched", "code": "c"}


def write(path, records, *, envs=("A/b-v0",), task=None, made=None, **config):
    """A run's folder as ``run`` leaves it; ``made`` under other conditions."""
    tasks = {env: TASK | (task or {}) for env in envs}
    folder = RunFolder(path, {"policy": path.name, "seed": 0, "tasks": tasks} | config)
    name = conditions.store(path, CONDITIONS | (made or {}))
    for entry in records:
        folder.append(replace(entry, conditions=name))
    return Run.read(path)


def outcomes(text, env="A/b-v0", **fields):
    """One record per letter: 1 success, 0 failure, e error."""
    return [
        record(i, "error", env=env, success=None, **fields)
        if letter == "e"
        else record(i, env=env, success=letter == "1", **fields)
        for i, letter in enumerate(text)
    ]


def test_episodes_are_paired_by_seed_not_by_position(tmp_path):
    moved = [record(i, seed=10 + (i + 1) % 4, success=i == 0) for i in range(4)]
    comparison = compare_runs(write(tmp_path / "a", outcomes("0100")), write(tmp_path / "b", moved))
    (task,) = comparison.tasks
    assert task.table == PairedTable(both=1, only_a=0, only_b=0, neither=3)
    assert task.left_out == {}


def test_what_is_left_out_is_counted_with_its_reason(tmp_path):
    repeated = [*outcomes("1e10"), record(4, seed=10)]
    a = write(tmp_path / "a", repeated)
    b = write(tmp_path / "b", outcomes("110e11"))
    (task,) = compare_runs(a, b).tasks
    assert task.table == PairedTable(both=1, only_a=1, only_b=0, neither=0)
    assert task.left_out == {
        "only in B": 2,
        "ended in an error": 2,
        "with a seed that came before": 1,
    }


def test_a_policy_may_differ_and_nothing_else(tmp_path):
    a = write(tmp_path / "a", outcomes("10"))
    other = {"n_obs": 2, "n_action": 8, "policy": {"nfe": 4}, "checkpoint_sha256": "ab"}
    eyes = {"observations": ["rgb"], "image_size": [84, 84], "protocol": "ph"}
    same = write(
        tmp_path / "b", outcomes("11"), task=other | {"env_options": eyes}, execute=4, ensemble=None
    )
    assert compare_runs(a, same).rules == []
    changed = {
        "protocol": {"name": "mh", "horizon": 400},
        "env_options": {"observations": [], "terminate_on_success": False},
    }
    c = write(
        tmp_path / "c",
        outcomes("11"),
        task=changed,
        made={"simulator": "mujoco=3.8.0"},
        seed=1,
        latency={"mode": "overlap"},
    )
    assert compare_runs(a, c).rules == [
        "seed: 0 in A, 1 in B",
        "latency: not given in A, {'mode': 'overlap'} in B",
        "A/b-v0, protocol.name: ph in A, mh in B",
        "A/b-v0, env_options.terminate_on_success: not given in A, False in B",
        "A/b-v0, simulator: mujoco=3.9.0 in A, mujoco=3.8.0 in B",
    ]
    assert judge(compare_runs(a, c), 0.95, wilson).sentence.startswith("The runs were made by diff")


def test_circumstances_are_told_but_are_no_rules(tmp_path):
    a = write(tmp_path / "a", outcomes("10"))
    made = {"machine": "there", "inference": "one by one", "torch": "2.13"}
    comparison = compare_runs(a, write(tmp_path / "b", outcomes("11"), made=made))
    assert comparison.rules == []
    assert comparison.circumstances == ["machine: here in A, there in B"]


def test_a_difference_is_concluded_in_its_direction(tmp_path):
    a = write(tmp_path / "a", outcomes("1" * 10 + "0" * 20 + "1" * 10))
    b = write(tmp_path / "b", outcomes("1" * 10 + "1" * 20 + "0" * 4 + "1" * 6))
    verdict = judge(compare_runs(a, b), 0.95, wilson)
    (task,) = verdict.tasks
    assert task.table == PairedTable(16, 4, 20, 0)
    assert task.difference == pytest.approx(0.4)
    assert task.p == verdict.p == task.p_holm == pytest.approx(0.001544, abs=1e-6)
    assert verdict.sentence.startswith("B succeeds more often than A on this task: B - A is +40.0")
    assert "p = 0.002. Valid where the number of episodes was fixed" in verdict.sentence
    back = judge(compare_runs(b, a), 0.95, wilson)
    assert back.sentence.startswith("A succeeds more often than B on this task: B - A is -40.0")


def test_no_difference_shown_says_what_it_would_take(tmp_path):
    a = write(tmp_path / "a", outcomes("10" * 25))
    b = write(tmp_path / "b", outcomes("1" * 26 + "0" * 24))
    sentence = judge(compare_runs(a, b), 0.95, wilson).sentence
    assert sentence.startswith("No difference shown on this task: B - A is +2.0 points (95 %: ")
    assert "50 shared episodes can find differences of about 29 points with 80% power" in sentence
    assert "plan 408 (python -m benchmark plan --difference 0.1 --rate 0.5)" in sentence


def test_tasks_that_disagree_give_no_conclusion(tmp_path):
    """By tasks B is better, by episodes A: the test's evidence must not pass for B's."""
    few, many = "A/b-v0", "A/c-v0"
    left = [*outcomes("0" * 18 + "1" * 2, few), *outcomes("1" * 40 + "0" * 60, many)]
    right = [*outcomes("1" * 18 + "1" * 2, few), *outcomes("0" * 40 + "0" * 60, many)]
    both = (few, many)
    a, b = write(tmp_path / "a", left, envs=both), write(tmp_path / "b", right, envs=both)
    verdict = judge(compare_runs(a, b), 0.95, wilson)
    assert verdict.these.low > 0
    assert verdict.p < 0.05
    assert verdict.sentence.startswith("No conclusion over these 2 tasks: B - A is +25.0 points")


def test_where_a_run_was_stopped_early_evidence_decides(tmp_path):
    a = write(tmp_path / "a", outcomes("1" * 10 + "0" * 20 + "1" * 10))
    b = write(tmp_path / "b", outcomes("1" * 10 + "1" * 20 + "0" * 4 + "1" * 6))
    fixed = judge(compare_runs(a, b), 0.95, wilson)
    watched = judge(compare_runs(a, replace(b, stopped=frozenset({"A/b-v0"}))), 0.95, wilson)
    assert watched.evidence == fixed.evidence == pytest.approx(evidence(20, 24, 0.5))
    assert "evidence 63.2" in watched.sentence
    assert "evidence decides" in watched.sentence
    weak = write(tmp_path / "c", outcomes("1" * 10 + "1" * 9 + "0" * 11 + "0" * 1 + "1" * 9))
    assert judge(compare_runs(a, weak), 0.95, wilson).sentence.startswith("B succeeds")
    peeked = compare_runs(replace(a, stopped=frozenset({"A/b-v0"})), weak)
    assert judge(peeked, 0.95, wilson).sentence.startswith("No difference shown")


def test_several_tasks_weigh_the_same_and_are_adjusted_for(tmp_path):
    envs = ("A/b-v0", "A/c-v0")
    left = [*outcomes("0" * 20), *outcomes("1" * 4, "A/c-v0")]
    right = [*outcomes("1" * 8 + "0" * 12), *outcomes("1110", "A/c-v0")]
    comparison = compare_runs(
        write(tmp_path / "a", left, envs=envs), write(tmp_path / "b", right, envs=envs)
    )
    verdict = judge(comparison, 0.95, wilson)
    assert verdict.these.value == pytest.approx((0.4 - 0.25) / 2)
    assert verdict.like_these.low < verdict.these.low
    assert verdict.p == pytest.approx(2 * 10 / 2**9)  # 8 to 1 discordant pairs
    assert [task.p_holm for task in verdict.tasks] == pytest.approx([4 / 2**8, 1.0])
    # The sign test alone would conclude; the average over tasks does not.
    assert verdict.p < 0.05
    assert verdict.sentence.startswith("No difference shown on these 2 tasks")


def test_runs_of_one_name_are_compared_bit_by_bit(tmp_path, capsys):
    for machine, state in (("here", "00"), ("there", "00"), ("elsewhere", "ff")):
        records = [record(0), record(1, state_hash=state), record(2, "error", success=None)]
        write(tmp_path / machine / "uniform-0123456789ab", records)
    name = "uniform-0123456789ab"
    runs = [str(tmp_path / machine / name) for machine in ("here", "there", "elsewhere")]
    assert main(["compare", *runs[:2]]) == 0
    assert "in 2 of 2 shared episodes: the runs are bit-identical" in capsys.readouterr().out
    assert main(["compare", *runs[1:]]) == 0
    shown = capsys.readouterr().out
    assert "actions identical in 2 and states in 1 of 2 shared episodes" in shown
    assert "the first that differs: A/b-v0 episode 1 seed 11" in shown


def test_the_command_prints_and_writes_the_same_figures(tmp_path, capsys):
    envs = ("A/b-v0", "A/c-v0")
    left = [*outcomes("110e"), *outcomes("ee", "A/c-v0")]
    write(tmp_path / "a-1", left, envs=envs)
    write(tmp_path / "b-2", [*outcomes("0111"), *outcomes("11", "A/c-v0")], envs=envs)
    file = tmp_path / "figures.json"
    arguments = ["compare", "a", "b", "--out", str(tmp_path), "--interval", "exact"]
    assert main([*arguments, "--json", str(file)]) == 0
    shown = capsys.readouterr().out
    assert shown.index("Comparable: the same protocols") < shown.index("A/b-v0")
    assert "A/b-v0: left out 1 ended in an error" in shown
    assert "A/c-v0: left out 2 ended in an error" in shown
    assert "66.7 % (9.4 - 99.2)" in shown  # Clopper-Pearson of 2 in 3
    figures = json.loads(file.read_text())
    assert figures["tasks"][0]["table"] == {"both": 1, "only_a": 1, "only_b": 1, "neither": 0}
    assert figures["sentence"] in shown
    assert figures["rules"] == []


@pytest.mark.parametrize(
    ("records", "envs", "message"),
    [
        (outcomes("11", "A/c-v0"), ("A/c-v0",), "share no task"),
        ([record(0, seed=99)], ("A/b-v0",), "same --seed"),
        (outcomes("ee"), ("A/b-v0",), "2 ended in an error"),
        ([], ("A/b-v0",), "no episodes yet"),
    ],
)
def test_runs_that_share_nothing_are_refused_with_the_remedy(tmp_path, records, envs, message):
    a = write(tmp_path / "a", outcomes("10"))
    with pytest.raises(ManigymError, match=message):
        compare_runs(a, write(tmp_path / "b", records, envs=envs))


def test_a_run_is_not_compared_with_itself(tmp_path, capsys):
    write(tmp_path / "a", outcomes("10"))
    assert main(["compare", "a", "a", "--out", str(tmp_path)]) == 2
    assert "name two" in capsys.readouterr().err
