"""What is learned from is what happened: observations, chains, masks, the last look."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from finetuning import make_job, reacher
from toy import TOY

from benchmark.engine.chunking import History
from benchmark.engine.plan import plan_episodes
from benchmark.engine.rollout import RolloutOptions
from benchmark.finetuning.episodes import Explorer, run_episodes
from benchmark.finetuning.job import actor_critic_of, opened
from envs.make import make_env
from envs.schema import flatten

PLAN = plan_episodes(TOY, "finetuning", 8, 0)
CHUNK = 8
HORIZON = 60  # no multiple of the chunk


@pytest.fixture(scope="session")
def start(tmp_path_factory):
    return reacher(tmp_path_factory.getbasetemp())


@pytest.fixture(scope="module")
def job(start, tmp_path_factory):
    return make_job(start, tmp_path_factory.mktemp("episodes"))


@pytest.fixture(scope="module")
def actor_critic(job):
    return actor_critic_of(job)


@pytest.fixture(scope="module")
def batch(job, actor_critic):
    with opened(job, job.folder) as pool:
        return run_episodes(pool, Explorer(actor_critic), PLAN, RolloutOptions(gather=2))


@pytest.fixture(scope="module")
def stepped(job, actor_critic, batch):
    """The same episodes in an environment of ours, driven by the chains in the batch."""
    env = make_env(TOY, job.options)
    actions = actor_critic.actions(torch.from_numpy(batch.chain))
    return [
        _step(env, episode.seed, actions[rows])
        for episode, rows in zip(PLAN, _rows(batch), strict=True)
    ]


def _rows(batch):
    ends = np.cumsum(batch.counts)
    return [slice(end - count, end) for end, count in zip(ends, batch.counts, strict=True)]


def _step(env, seed, chunks):
    """Windows before every chunk and after the last, rewards, and how it ended."""
    history, windows, rewards = History(2), [], []
    history.extend([flatten(env.reset(seed=seed)[0])])
    terminated = truncated = False
    for chunk in chunks:
        assert not (terminated or truncated)
        windows.append(history.window())
        rewards.append([])
        for action in chunk:
            observation, reward, terminated, truncated, info = env.step(action)
            history.extend([flatten(observation)])
            rewards[-1].append(reward)
            if terminated or truncated:
                break
    assert terminated or truncated
    return windows, history.window(), rewards, terminated, info["is_success"]


def test_the_episodes_are_of_both_kinds(batch):
    """Otherwise the tests below would say little."""
    assert {True, False} == set(batch.terminated.tolist())
    assert any(0 < row.sum() < CHUNK for row in batch.executed[batch.counts.cumsum() - 1])
    assert len(batch) == batch.counts.sum()


def test_what_was_seen_is_what_the_environment_showed(batch, stepped):
    for rows, (windows, *_) in zip(_rows(batch), stepped, strict=True):
        for key in ("proprio", "state"):
            expected = np.stack([window[key] for window in windows])
            assert np.array_equal(batch.obs[key][rows], expected)


def test_a_time_out_is_worth_what_the_critic_says_of_its_last_look(batch, stepped):
    """The true one, after the last step: not the one before its chunk, nor of another episode."""
    for i, (windows, last, _, terminated, success) in enumerate(stepped):
        assert batch.terminated[i] == terminated
        assert batch.succeeded[i] == success
        shown = slice(-1, None) if terminated else slice(None)  # nobody looks after a success
        for key in ("proprio", "state"):
            assert np.array_equal(batch.last[key][i][shown], last[key][shown])
        assert not np.array_equal(last["proprio"], windows[-1]["proprio"])


def test_only_steps_that_took_place_are_marked_and_rewarded(batch, stepped):
    for rows, (_, _, rewards, terminated, _) in zip(_rows(batch), stepped, strict=True):
        lengths = [len(chunk) for chunk in rewards]
        assert batch.executed[rows].sum(1).tolist() == lengths
        assert sum(lengths) == HORIZON or terminated
        for got, mask, expected in zip(
            batch.rewards[rows], batch.executed[rows], rewards, strict=True
        ):
            assert mask.tolist() == [k < len(expected) for k in range(CHUNK)]
            np.testing.assert_allclose(got[mask], expected, rtol=1e-6)
            assert (got[~mask] == 0).all()
    assert batch.steps == sum(len(chunk) for *_, r, _, _ in stepped for chunk in r)


def test_densities_are_those_of_the_weights_that_acted(batch, actor_critic):
    obs = actor_critic.tensors(batch.obs)
    found, _ = actor_critic.logprob(obs, torch.from_numpy(batch.chain))
    difference = (found.detach().numpy() - batch.logprob).sum((1, 2))
    assert np.abs(np.expm1(difference)).max() < 1e-4


def test_noise_is_new_in_every_chunk_and_follows_from_the_plan(batch):
    for episode, rows in zip(PLAN, _rows(batch), strict=True):
        generator = torch.Generator().manual_seed(episode.policy_seed)
        for chain in batch.chain[rows]:
            drawn = torch.randn(chain.shape, generator=generator)
            assert np.array_equal(chain[0], drawn[0].numpy())


def test_success_need_not_end_an_episode(job, actor_critic, tmp_path, start):
    """With env.terminate_on_success=false everything counts up to the horizon."""
    other = make_job(start, tmp_path, "env.terminate_on_success=false")
    with opened(other, tmp_path) as pool:
        found = run_episodes(pool, Explorer(actor_critic), PLAN[:4], RolloutOptions())
    assert found.steps == 4 * HORIZON
    assert not found.terminated.any()
    assert found.counts.tolist() == [8] * 4
    assert found.executed.sum(1).tolist() == [*[8] * 7, 4] * 4
