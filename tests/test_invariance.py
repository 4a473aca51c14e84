"""The same episodes in many ways: the covering, what is found, and policies that are refused."""

from __future__ import annotations

from dataclasses import asdict, replace
from itertools import combinations
from types import SimpleNamespace

import numpy as np
import pytest
from peers import gymnasium_vector as peer
from toy import TOY, bench

from benchmark.config import RunSettings
from benchmark.evaluate import Evaluation, evaluate
from benchmark.results.records import RunFolder, read_records
from benchmark.rows import row_of
from benchmark.verification import invariance
from benchmark.verification.invariance import (
    Difference,
    Way,
    covering,
    differences,
    every_way,
    places,
    play,
)
from envs.make import Workers
from envs.schema import ManigymError
from policies.base import Policy, PolicySpec
from policies.uniform import UniformPolicy

PLAIN = Way(1, "in_process", "forward", 1, resumed=False)
PLACES = invariance.FACTORS["isolation"]


def job(policy, episodes=4, **settings):
    options = {"horizon": 12}
    return Evaluation(
        TOY, policy, "test", episodes, 0, Workers(), RunSettings(videos=0, **settings), options
    )


@pytest.mark.parametrize("isolations", [PLACES, ("process",)])
def test_every_pair_of_values_meets_in_a_few_ways(isolations):
    ways = every_way(isolations)
    chosen = covering(ways)
    assert chosen[0] == ways[0]
    assert len(set(ways)) == len(ways) == 3 * len(isolations) * 3 * 2 * 2
    assert 9 <= len(chosen) <= 12  # 3 workers x 3 orders need 9
    factors = {**invariance.FACTORS, "isolation": isolations}
    for (a, first), (b, second) in combinations(factors.items(), 2):
        met = {(asdict(way)[a], asdict(way)[b]) for way in chosen}
        assert met == {(x, y) for x in first for y in second}


def test_the_toy_runs_in_every_place():
    assert places(TOY) == PLACES


@pytest.mark.parametrize(
    ("way", "called"),
    [
        (Way(2, "in_process", "reversed", 32, resumed=False), "batched 2"),
        (Way(4, "in_process", "shuffled", 32, resumed=True), "batched 2 4"),
        (Way(2, "process", "shuffled", 1, resumed=True), "alone"),
    ],
    ids=str,
)
def test_nothing_differs_with_an_honest_policy(tmp_path, way, called):
    honest = job(UniformPolicy(3), episodes=6)
    play(honest, PLAIN, tmp_path / "a")
    assert play(honest, way, tmp_path / "b") == called
    assert differences(str(way), tmp_path / "a", tmp_path / "b") == []
    assert len({r.state_hash for r in read_records(tmp_path / "b")}) == 6


def test_a_resumed_run_stops_half_way_and_runs_only_what_is_missing(tmp_path, monkeypatch):
    asked = []
    honest = invariance.rollout
    monkeypatch.setattr(
        invariance,
        "rollout",
        lambda pool, policy, plan, *rest: (
            asked.append([e.index for e in plan]) or honest(pool, policy, plan, *rest)
        ),
    )
    play(job(UniformPolicy(3)), replace(PLAIN, order="reversed", resumed=True), tmp_path)
    assert asked == [[3, 2, 1, 0], [1, 0]]
    assert len((tmp_path / "episodes.jsonl").read_text().splitlines()) == 4


class Leaky(Policy):
    """Counts the calls of all episodes together; an episode shows it from its ``late`` call on."""

    spec = PolicySpec(n_action=2)

    def __init__(self, late):
        self.late, self.calls = late, 0

    def start(self, interface, seeds):
        return [SimpleNamespace(calls=0) for _ in seeds]

    def act(self, observations, states):
        return np.stack([self._chunk(state) for state in states])

    def _chunk(self, state):
        self.calls, state.calls = self.calls + 1, state.calls + 1
        shown = self.calls if state.calls >= self.late else 0
        return np.full((2, 2), 1e-3 * shown, np.float32)


def test_a_leak_that_shows_late_is_found_with_its_first_step(tmp_path):
    """Trying the policy beforehand sees two calls of an episode; this shows at the third."""
    play(job(Leaky(late=3)), PLAIN, tmp_path / "a")
    play(job(Leaky(late=3)), replace(PLAIN, order="reversed"), tmp_path / "b")
    found = differences("reversed", tmp_path / "a", tmp_path / "b")
    fields = ("total_reward", "state_hash", "action_hash")
    assert found == [Difference("reversed", TOY, i, fields, 5, 5) for i in range(4)]
    assert str(found[0]) == (
        f"{TOY} episode 0: total_reward, state_hash, action_hash (actions from step 5 on, states "
        "from step 5 on)"
    )


def test_a_missing_episode_is_a_difference(tmp_path):
    play(job(UniformPolicy(3), 3), PLAIN, tmp_path / "a")
    play(job(UniformPolicy(3), 2), PLAIN, tmp_path / "b")
    found = differences("b", tmp_path / "a", tmp_path / "b")
    assert found == [Difference("b", TOY, 2, ("missing",))]


def test_a_leaky_policy_is_refused_or_its_row_says_so(tmp_path):
    folder = RunFolder(tmp_path, {})
    with pytest.raises(ManigymError, match="depend on the number of workers"):
        evaluate(job(Leaky(late=1)), folder)
    assert folder.records() == []
    allowed = job(Leaky(late=1), allow_unrepeatable=True)
    row = row_of(allowed, folder, evaluate(allowed, folder))
    assert (row.episodes, row.inference) == (4, "unrepeatable")


COMMAND = ("invariance", "--policy", "uniform", "--env", TOY, "--episodes", 2, "env.horizon=12")


@pytest.fixture
def few_ways(monkeypatch):
    few = {"workers": (1, 2), "order": ("forward", "reversed"), "isolation": ("in_process",)}
    monkeypatch.setattr(invariance, "FACTORS", {**invariance.FACTORS, **few})


@pytest.mark.usefixtures("few_ways")
def test_the_command_finds_nothing(capsys):
    assert bench(*COMMAND) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"{TOY}, uniform, 2 episodes a way"
    assert lines[1].endswith("workers 1, in_process, forward, batch 1, whole (alone)")
    assert lines[-2] == f"{TOY}, uniform: 0 differences in {2 * (len(lines) - 4)} episodes compared"
    assert len([line for line in lines if line.startswith("  same  ")]) == len(lines) - 4


@pytest.mark.usefixtures("few_ways")
def test_the_command_finds_what_another_process_does_otherwise(capsys, monkeypatch):
    """The fresh Python does not know of the change made in this one."""
    honest = UniformPolicy.act
    monkeypatch.setattr(UniformPolicy, "act", lambda *given: honest(*given) * np.float32(0.5))
    assert bench(*COMMAND) == 1
    printed = capsys.readouterr().out
    assert printed.count("DIFFERENT") == 1
    way = "workers 2, in_process, run by a fresh Python, OMP_NUM_THREADS=2, filmed"
    assert f"DIFFERENT  {way}\n" in printed
    assert f"{TOY}, uniform: 2 differences" in printed


def test_a_score_from_vector_environments_depends_on_their_number():
    """The peer: other start states, shared randomness and stale chunks; ours does not move."""
    task = replace(peer.TASKS[0], episodes=12)
    (one, two, four, same), ours = peer.peer_rows(task), peer.planned_rows(task)
    assert four[1:] == same[1:]  # it is not about processes
    assert one[-2] == 12
    assert two[-2] < 12
    assert four[-2] < 12
    assert one[3] == 12 > two[3] > four[3]
    assert one[-1] == 0 < four[-1]
    assert {row[1:] for row in ours} == {ours[0][1:]}
    assert ours[0][-2] == 12
