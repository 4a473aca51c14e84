"""The engine: same results for any number of workers, and trouble costs one episode's try."""

from __future__ import annotations

import hashlib
import os
import signal
from pathlib import Path

import numpy as np
import pytest
from toy import TOY

import policies
from benchmark.config import RunSettings
from benchmark.engine.plan import plan_episodes
from benchmark.engine.rollout import RolloutOptions, rollout
from benchmark.evaluate import Evaluation, evaluate
from benchmark.results.records import EpisodeRecord, RunFolder
from benchmark.rows import row_of
from envs.episode import EpisodeRunner
from envs.make import Workers, make_env
from envs.pool import Failure, make_pool
from envs.schema import ManigymError, SimulationError, flatten
from envs.toy.env import ToyEnv
from policies.expert import ExpertPolicy
from policies.uniform import UniformPolicy

PLAN = plan_episodes(TOY, "test", 7, 0)


def outcomes(pool, policy, plan=PLAN, **options):
    """Outcomes by episode index."""
    found = {}
    rollout(
        pool, policy, plan, lambda o: found.update({o.episode.index: o}), RolloutOptions(**options)
    )
    return found


def hashes(found):
    return {
        i: (o.summary.state_hash, o.summary.action_hash, o.summary.steps, o.summary.total_reward)
        for i, o in sorted(found.items())
        if o.summary
    }


@pytest.fixture(scope="module")
def alone():
    """What every other number of workers has to reproduce."""
    with make_pool(TOY, {"observations": ()}, Workers(1)) as pool:
        return hashes(outcomes(pool, UniformPolicy(3)))


@pytest.mark.parametrize("workers", [2, 3])
def test_results_do_not_depend_on_workers_or_order(alone, workers):
    with make_pool(TOY, {"observations": ()}, Workers(workers)) as pool:
        assert hashes(outcomes(pool, UniformPolicy(3), PLAN[::-1])) == alone
    assert len({states for states, *_ in alone.values()}) == len(PLAN)


def test_hashes_chain_over_all_actions_and_all_states(alone):
    """Of the actions that the episode's own stream gives, and the states they lead to."""
    episode = PLAN[0]
    env = make_env(TOY, {})
    env.reset(seed=episode.seed)
    rng = np.random.default_rng(episode.policy_seed)
    actions = rng.uniform(-1, 1, (20, 3, 2)).astype(np.float32).reshape(-1, 2)
    states = [env.state_bytes()]
    for action in actions:
        env.step(action)
        states.append(env.state_bytes())
    assert alone[0][:3] == (_hash(states), _hash(a.tobytes() for a in actions), 60)


def _hash(pieces):
    chain = hashlib.blake2b(digest_size=16)
    for piece in pieces:
        chain.update(piece)
    return chain.hexdigest()


class Killer(UniformPolicy):
    """Uniform, but ends worker 0 with a signal at its ``at``-th call."""

    def __init__(self, pool, at, number=signal.SIGKILL):
        super().__init__(3)
        self.pool, self.left, self.number = pool, at, number

    def act(self, observations, states):
        self.left -= 1
        if self.left == 0:
            os.kill(self.pool.links[0].pid, self.number)
        return super().act(observations, states)


@pytest.mark.parametrize("at", [1, 12])
def test_a_killed_worker_is_replaced_and_costs_one_try(alone, at):
    with make_pool(TOY, {"observations": ()}, Workers(2)) as pool:
        found = outcomes(pool, Killer(pool, at))
        failed = [i for i, o in found.items() if o.failure]
        assert len(found) == len(PLAN)
        assert len(failed) == 1
        assert "exit code -9" in str(found[failed[0]].failure)
        again = outcomes(pool, UniformPolicy(3), [PLAN[failed[0]]])
    assert hashes(found | again) == alone


def test_a_worker_that_hangs_is_replaced_at_its_deadline(alone):
    with make_pool(TOY, {"observations": ()}, Workers(2, deadline=1.0)) as pool:
        found = outcomes(pool, Killer(pool, 3, signal.SIGSTOP))
    assert [str(o.failure) for o in found.values() if o.failure] == [
        "worker process ended with exit code -9 (SIGKILL) after 1 s, "
        "the last 1 s of them without a simulator step"
    ]


def test_the_death_of_an_idle_worker_is_met_by_its_next_episode():
    with make_pool(TOY, {"observations": ()}, Workers(2)) as pool:
        pool.reset(1, seed=1)
        assert [slot for slot, _ in pool.wait()] == [1]
        os.kill(pool.links[1].pid, signal.SIGKILL)
        pool.reset(0, seed=1)
        assert [slot for slot, _ in pool.wait()] == [0]
        pool.reset(1, seed=1)
        ((slot, answer),) = pool.wait()
        assert slot == 1
        assert isinstance(answer, Failure)


def test_workers_end_with_the_pool():
    with make_pool(TOY, {}, Workers(2)) as pool:
        pids = [link.pid for link in pool.links]
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_bad_option_is_one_message_from_any_pool(workers):
    with pytest.raises(ManigymError, match="no option 'colour'; it takes: cameras"):
        make_pool(TOY, {"colour": 3}, Workers(workers))


@pytest.fixture
def evaluation():
    return Evaluation(TOY, UniformPolicy(3), "uniform", 4, 0, Workers(), RunSettings(videos=0))


def break_episode(monkeypatch, seed, times):
    """Let the simulator fail ``times`` times in the episode of ``seed``."""
    honest, left = ToyEnv._advance, iter(range(times))

    def advance(self, native):
        if self.seed_used == seed and len(self._goals) == 5 and next(left, None) is not None:
            raise SimulationError("the arm fell off")
        return honest(self, native)

    monkeypatch.setattr(ToyEnv, "_advance", advance)


def evaluated(job, folder):
    return row_of(job, folder, evaluate(job, folder))


def test_a_failed_episode_is_recorded_and_tried_again(monkeypatch, evaluation, tmp_path):
    expected = evaluated(evaluation, RunFolder(tmp_path / "whole", {}))
    break_episode(monkeypatch, PLAN[2].seed, times=1)
    folder = RunFolder(tmp_path / "broken", {})
    row = evaluated(evaluation, folder)
    lines = (tmp_path / "broken" / "episodes.jsonl").read_text().splitlines()
    errors = [r for r in map(EpisodeRecord.from_json, lines) if r.status == "error"]
    assert [(r.episode, r.success, r.error) for r in errors] == [
        (2, None, "SimulationError: the arm fell off")
    ]
    assert "the arm fell off" in (tmp_path / "broken" / "errors.log").read_text()
    assert (row.episodes, row.errors) == (4, 0)
    assert row.mean_return == expected.mean_return


def test_an_episode_that_always_fails_is_not_counted_as_a_failure(
    monkeypatch, evaluation, tmp_path
):
    break_episode(monkeypatch, PLAN[2].seed, times=9)
    row = evaluated(evaluation, RunFolder(tmp_path, {}))
    assert (row.episodes, row.errors, row.low, row.high) == (3, 1, 0.0, 0.5615)
    assert (row.rate_errors_fail, row.rate_errors_succeed) == (0.0, 0.25)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (np.full((1, 3, 2), np.nan, np.float32), "6 non-finite numbers"),
        (np.zeros((1, 3, 5), np.float32), r"shape \(3, 5\)"),
        (np.zeros((1, 2, 2), np.float32), r"expected finite actions \(3, 2\)"),
    ],
)
def test_a_policy_that_answers_nonsense_ends_the_run(monkeypatch, answer, message):
    """As errors of the simulator these episodes would drop out of the success rate."""
    monkeypatch.setattr(UniformPolicy, "act", lambda self, observations, states: answer)
    with make_pool(TOY, {}, Workers(1)) as pool, pytest.raises(ManigymError, match=message):
        outcomes(pool, UniformPolicy(3))


@pytest.mark.parametrize(("k", "n_obs"), [(4, 1), (4, 3), (2, 3), (5, 5)])
def test_a_chunk_returns_the_frames_of_single_steps(k, n_obs):
    actions = np.random.default_rng(0).uniform(-1, 1, (20, 2)).astype(np.float32)
    env = make_env(TOY, {})
    env.reset(seed=4)
    single = [flatten(env.step(action)[0]) for action in actions]
    runner = EpisodeRunner(make_env(TOY, {}))
    runner.reset(4)
    for end in range(k, 21, k):
        frames = runner.run(actions[end - k : end], n_obs).observations
        assert len(frames) == min(k, n_obs)
        for got, expected in zip(frames, single[end - len(frames) : end], strict=True):
            for key in expected:
                np.testing.assert_array_equal(got[key], expected[key])


def test_recording_and_filming_do_not_change_an_episode(alone):
    with make_pool(TOY, {"observations": ("proprio",)}, Workers(1)) as pool:
        found = outcomes(pool, UniformPolicy(3), record=True, film=0)
    assert hashes(found) == alone
    arrays = found[0].summary.trajectory
    assert {len(rows) for rows in arrays.values()} == {found[0].summary.steps}
    assert arrays["reward"].sum() == pytest.approx(found[0].summary.total_reward, rel=1e-5)


def test_policies_see_the_frames_before_their_actions(monkeypatch):
    """Row t of a trajectory is what the policy saw when it chose row t's action."""
    seen = []
    expert = policies.get("expert")
    honest = expert.act
    monkeypatch.setattr(
        expert, "act", lambda self, o, s: seen.append(o["proprio"][0, -1]) or honest(self, o, s)
    )
    options = {"observations": ("proprio", "expert")}
    with make_pool(TOY, options, Workers(1)) as pool:
        found = outcomes(pool, expert(), PLAN[:1], record=True)
    np.testing.assert_array_equal(np.stack(seen), found[0].summary.trajectory["obs/proprio"])
    assert found[0].summary.success


def test_following_the_expert_in_the_worker_is_asking_it_step_by_step():
    """The same states, actions and recorded frames, with a sixteenth of the messages."""
    plan = plan_episodes("Toy/reach-v0", "demonstrations", 3, 0)
    runs = []
    for observations, follow in ((("proprio", "state", "expert"), 0), (("proprio", "state"), 16)):
        outcomes = []
        with make_pool("Toy/reach-v0", {"observations": observations}) as pool:
            options = RolloutOptions(record=True, follow=follow)
            rollout(pool, ExpertPolicy(), plan, outcomes.append, options)
        runs.append(outcomes)
    for asked, followed in zip(*runs, strict=True):
        assert asked.summary.state_hash == followed.summary.state_hash
        assert asked.summary.action_hash == followed.summary.action_hash
        assert asked.summary.trajectory.keys() == followed.summary.trajectory.keys()
        for key, rows in asked.summary.trajectory.items():
            np.testing.assert_array_equal(rows, followed.summary.trajectory[key])
        assert followed.policy_seconds == []
