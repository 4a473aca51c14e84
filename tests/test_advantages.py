"""Masks, rewards and advantages over chunks, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from benchmark.finetuning.advantages import chunk_rewards, gae, loss_mask, targets
from benchmark.finetuning.episodes import Batch
from benchmark.finetuning.settings import AdvantageSettings
from envs.schema import ManigymError

STEPS = 2
ENDS = {  # chunks, terminated, succeeded
    "success": (3, True, True),
    "cut": (2, False, False),
    "success when cut": (1, False, True),
}
VALUES = np.array([0.5, 0.6, 0.7, 0.2, 0.3, 0.4])
LAST = np.array([0.9, 0.8, 0.7])
REWARDS = np.array([[1, 2], [3, 4], [5, 0], [6, 7], [8, 9], [10, 11]], np.float32)


@pytest.fixture
def batch():
    """Three episodes of different length; the first ends within its last chunk."""
    counts, terminated, succeeded = (np.array(x) for x in zip(*ENDS.values(), strict=True))
    rows = int(counts.sum())
    executed = np.ones((rows, STEPS), bool)
    executed[2, 1] = False
    nothing = np.zeros((rows, 1), np.float32)
    return Batch({}, {}, nothing, nothing, executed, REWARDS, counts, terminated, succeeded)


def settings(**given):
    return AdvantageSettings(**{"gamma": 0.9, "gae_lambda": 0.8, "normalize": False, **given})


def test_a_chunk_counts_up_to_and_with_the_first_end():
    dones = np.array([[0, 0, 1, 0], [1, 0, 0, 1], [0, 0, 0, 0], [0, 0, 0, 1]])
    expected = [[1, 1, 1, 0], [1, 0, 0, 0], [1, 1, 1, 1], [1, 1, 1, 1]]
    assert loss_mask(dones).astype(int).tolist() == expected


def test_rewards_of_chunks(batch):
    assert chunk_rewards(batch, settings(reward="success")).tolist() == [0, 0, 1, 0, 0, 1]
    expected = [3, 7, 5, 13, 17, 21]
    assert chunk_rewards(batch, settings(reward="env")).tolist() == expected
    scaled = chunk_rewards(batch, settings(reward="env", reward_scale=0.5))
    assert scaled.tolist() == [r / 2 for r in expected]


def test_shaping_adds_how_much_the_reward_has_risen_over_a_chunk(batch):
    """Before the first step of an episode its own reward stands in."""
    before = np.array([1, 2, 4, 6, 7, 10])
    after = np.array([2, 4, 5, 7, 9, 11])
    for given in ({"reward": "success"}, {"reward": "env", "reward_scale": 2.0}):
        plain = chunk_rewards(batch, settings(**given))
        shaped = chunk_rewards(batch, settings(shaping=0.5, **given))
        np.testing.assert_allclose(shaped, plain + 0.5 * (after - before))


def by_hand(rewards, last, gamma=0.9, lam=0.8):
    """Advantages of the three episodes: sums of discounted TD errors."""
    found = []
    for start, stop, after in ((0, 3, last[0]), (3, 5, last[1]), (5, 6, last[2])):
        values = [*VALUES[start:stop], after]
        deltas = [
            rewards[start + t] + gamma * values[t + 1] - values[t] for t in range(stop - start)
        ]
        for t in range(len(deltas)):
            found.append(sum((gamma * lam) ** k * d for k, d in enumerate(deltas[t:])))
    return found


@pytest.mark.parametrize(
    ("given", "last"),
    [
        ({"reward": "success"}, [0, 0.8, 0]),  # a success at the last moment leaves nothing to win
        ({"reward": "env"}, [0, 0.8, 0.7]),  # but goes on as far as the environment is concerned
        ({"reward": "env", "bootstrap_timeout": False}, [0, 0, 0]),
    ],
)
def test_advantages_are_discounted_td_errors(batch, given, last):
    chosen = settings(**given)
    found = targets(batch, VALUES, LAST, chosen)
    expected = by_hand(chunk_rewards(batch, chosen), last)
    np.testing.assert_allclose(found.advantages, expected, rtol=1e-6)
    np.testing.assert_allclose(found.returns, expected + VALUES, rtol=1e-6)
    assert (found.advantages.dtype, found.returns.dtype) == (np.float32, np.float32)


def test_lambda_zero_is_the_td_error_and_one_the_return(batch):
    rewards = chunk_rewards(batch, settings(reward="env"))
    td = targets(batch, VALUES, LAST, settings(reward="env", gae_lambda=0.0)).advantages
    after = [0.6, 0.7, 0.0, 0.3, 0.8, 0.7]
    np.testing.assert_allclose(td, rewards + 0.9 * np.array(after) - VALUES, rtol=1e-6)
    returns = targets(batch, VALUES, LAST, settings(reward="env", gae_lambda=1.0)).returns
    two = [13 + 0.9 * (17 + 0.9 * 0.8), 17 + 0.9 * 0.8]
    expected = [3 + 0.9 * (7 + 0.9 * 5), 7 + 0.9 * 5, 5, *two, 21 + 0.9 * 0.7]
    np.testing.assert_allclose(returns, expected, rtol=1e-6)


def test_nothing_after_the_end_reaches_an_advantage():
    dones = np.array([[0, 1, 0, 0]])
    noise = np.array([[1.0, 2, 30, 40]])
    found = gae(noise, noise, np.array([[2.0, 0, 50, 60]]), dones, 0.9, 0.8)
    short = gae(noise[:, :2], noise[:, :2], np.array([[2.0, 0]]), dones[:, :2], 0.9, 0.8)
    np.testing.assert_allclose(found, [[*short[0], 0, 0]])


def test_normalisation_is_over_the_chunks_that_took_place(batch):
    raw = targets(batch, VALUES, LAST, settings(reward="env"))
    normal = targets(batch, VALUES, LAST, settings(reward="env", normalize=True))
    expected = (raw.advantages - raw.advantages.mean()) / raw.advantages.std()
    np.testing.assert_allclose(normal.advantages, expected, rtol=1e-5)
    assert normal.advantages.std() == pytest.approx(1, rel=1e-5)
    np.testing.assert_array_equal(normal.returns, raw.returns)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"gamma": 1.1}, r"advantage.gamma must lie in \[0, 1\]: 1.1"),
        ({"gae_lambda": -0.1}, r"advantage.gae_lambda must lie in \[0, 1\]"),
        ({"reward": "dense"}, "advantage.reward must be one of success, env; got 'dense'"),
    ],
)
def test_wrong_settings_are_explained(given, message):
    with pytest.raises(ManigymError, match=message):
        AdvantageSettings(**given)
