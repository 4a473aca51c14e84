"""Many environments as one: Gymnasium's semantics, and the bits of environments stepped alone."""

from __future__ import annotations

import gymnasium as gym
import numpy as np
import pytest
from conftest import needs_gl
from faulty import workers
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from gymnasium.wrappers.vector import RecordEpisodeStatistics
from toy import TOY

from envs.make import make_env, make_vec

SEEN = {"observations": ("proprio", "state", "instruction", "expert"), "horizon": 15}
PLACES = ("in_process", "process")
MODES = list(AutoresetMode)


@pytest.fixture
def vector():
    """``make_vec`` of the toy task; all of them are closed."""
    made = []

    def make(count=3, **options):
        made.append(make_vec(TOY, count, **(SEEN | options)))
        return made[-1]

    yield make
    for env in made:
        env.close()
    assert workers() == set()


def gymnasiums(mode, **options):
    return SyncVectorEnv([lambda: gym.make(TOY, **(SEEN | options))] * 3, autoreset_mode=mode)


def actions(count, steps, seed=0):
    return np.random.default_rng(seed).uniform(-1, 1, (steps, count, 2)).astype(np.float32)


def equal(got, expected):
    np.testing.assert_equal(got, expected)
    for key, value in expected.items():
        if isinstance(value, np.ndarray):
            assert got[key].dtype == value.dtype


# ----------------------------------------------------------------------------------- semantics
@pytest.mark.parametrize("place", PLACES)
def test_a_vector_is_separate_environments(vector, place):
    batch = vector(isolation=place)
    alone = [make_env(TOY, SEEN) for _ in range(3)]
    observations, infos = batch.reset(seed=[4, 9, 2])
    starts = [env.reset(seed=seed)[0] for env, seed in zip(alone, (4, 9, 2), strict=True)]
    _compare(observations, starts)
    assert not infos["success"].any()
    for row in actions(3, 10):
        observations, rewards, terminated, truncated, infos = batch.step(row)
        outcomes = [env.step(action) for env, action in zip(alone, row, strict=True)]
        _compare(observations, [outcome[0] for outcome in outcomes])
        assert rewards.tolist() == [outcome[1] for outcome in outcomes]
        assert terminated.tolist() == [outcome[2] for outcome in outcomes]
        assert truncated.tolist() == [outcome[3] for outcome in outcomes]
        for key in ("success", "is_success"):
            assert infos[key].tolist() == [outcome[4][key] for outcome in outcomes]
        assert batch.observation_space.contains(observations)


def _compare(batch, rows):
    for key in batch:
        np.testing.assert_array_equal(batch[key], [row[key] for row in rows], strict=False)


@pytest.mark.parametrize("mode", [AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP])
@pytest.mark.parametrize("place", PLACES)
def test_automatic_resets_are_gymnasiums(vector, place, mode):
    """The expert ends some episodes, the horizon the others; resets without a seed follow."""
    ours = vector(isolation=place, autoreset_mode=mode, horizon=25)
    theirs = gymnasiums(mode, horizon=25)
    assert ours.observation_space == theirs.observation_space
    assert ours.action_space == theirs.action_space
    assert ours.metadata["autoreset_mode"] == mode
    mine, _ = ours.reset(seed=11)
    yours, _ = theirs.reset(seed=11)
    ends = np.zeros(2, int)
    for row in actions(3, 90):
        equal(mine, yours)
        row = np.where([[True], [True], [False]], yours["expert"], row)
        mine, *outcome, infos = ours.step(row)
        yours, *expected, their_infos = theirs.step(row)
        np.testing.assert_equal(outcome, expected)
        assert [a.dtype for a in outcome] == [a.dtype for a in expected]
        assert ("final_obs" in infos) == ("final_obs" in their_infos)
        if "final_obs" in infos:
            np.testing.assert_array_equal(infos["_final_obs"], their_infos["_final_obs"])
            for slot in np.flatnonzero(infos["_final_obs"]):
                last = {key: value[slot] for key, value in infos["final_obs"].items()}
                np.testing.assert_equal(last, their_infos["final_obs"][slot])
        ends += [expected[1].sum(), expected[2].sum()]
    assert (ends > 2).all(), "both kinds of end must occur"
    theirs.close()


@pytest.mark.parametrize("place", PLACES)
def test_without_automatic_resets_the_caller_resets(vector, place):
    mode = AutoresetMode.DISABLED
    ours, theirs = vector(isolation=place, autoreset_mode=mode), gymnasiums(mode)
    equal(ours.reset(seed=1)[0], theirs.reset(seed=1)[0])
    over = np.zeros(3, bool)
    for step, row in enumerate(actions(3, 40)):
        if over.any():
            with pytest.raises(gym.error.ResetNeeded, match=r"slots .* must be reset .*reset_mask"):
                ours.step(row)
        if step == 5:  # from here on, episodes end at different steps
            over[0] = True
        if over.any():
            masks = [{"reset_mask": over.copy()} for _ in range(2)]  # Gymnasium's takes it out
            equal(ours.reset(options=masks[0])[0], theirs.reset(options=masks[1])[0])
        mine, *outcome, _ = ours.step(row)
        yours, *expected, _ = theirs.step(row)
        equal(mine, yours)
        np.testing.assert_equal(outcome, expected)
        over = expected[1] | expected[2]
        assert not over.all()
    assert ours.reset()[1]["steps"].tolist() == [0, 0, 0]
    theirs.close()


@pytest.mark.parametrize("place", PLACES)
def test_a_masked_reset_leaves_the_others_alone(vector, place):
    env = vector(isolation=place)
    env.reset(seed=0)
    before, *_ = env.step(actions(3, 1)[0])
    after, infos = env.reset(seed=[5, None, 6], options={"reset_mask": np.array([1, 0, 0], bool)})
    np.testing.assert_array_equal(after["proprio"][1:], before["proprio"][1:])
    fresh = make_env(TOY, SEEN).reset(seed=5)[0]
    np.testing.assert_array_equal(after["proprio"][0], fresh["proprio"])
    assert infos["steps"].tolist() == [0, 1, 1]


@pytest.mark.parametrize("seed", [7, np.int64(7), [7, 8, 9], (7, 8, 9), np.array([7, 8, 9])])
def test_seeds_of_a_vector(vector, seed):
    started, _ = vector(isolation="in_process").reset(seed=seed)
    expected = [make_env(TOY, SEEN).reset(seed=s)[0]["proprio"] for s in (7, 8, 9)]
    np.testing.assert_array_equal(started["proprio"], expected)


@pytest.mark.parametrize("place", PLACES)
def test_results_do_not_depend_on_the_number_of_environments(vector, place):
    rows = actions(5, 12)
    seen = {}
    for count in (1, 2, 5):
        env = vector(count, isolation=place)
        env.reset(seed=20)
        seen[count] = [env.step(row[:count]) for row in rows]
    for count in (1, 2):
        for few, many in zip(seen[count], seen[5], strict=True):
            np.testing.assert_array_equal(few[0]["proprio"], many[0]["proprio"][:count])
            np.testing.assert_array_equal(few[1], many[1][:count])


# ------------------------------------------------------------------------------- chunks, windows
@pytest.mark.parametrize("place", PLACES)
def test_a_chunk_is_its_steps_and_ends_with_the_episode(vector, place):
    """Also where one slot's episode ends in the middle: 15 steps in chunks of 4."""
    env, single = vector(isolation=place, max_chunk=4), vector(isolation=place)
    env.reset(seed=3)
    single.reset(seed=3)
    rows = actions(3, 16)
    for first in range(0, 16, 4):
        chunk = rows[first : first + 4].transpose(1, 0, 2)
        observations, rewards, terminated, truncated, infos = env.step_chunk(chunk)
        expected = np.zeros((3, 4))
        for k in range(min(4, 15 - first)):
            now, expected[:, k], *ends, now_infos = single.step(chunk[:, k])
        equal(observations, now)
        np.testing.assert_array_equal(rewards, expected)
        np.testing.assert_array_equal((terminated, truncated), ends)
        assert infos["steps"].tolist() == [min(4, 15 - first)] * 3
        np.testing.assert_array_equal(infos["success"], now_infos["success"])
    assert truncated.all()
    _, rewards, _, truncated, infos = env.step_chunk(chunk)
    assert not rewards.any()
    assert not truncated.any()
    assert infos["steps"].tolist() == [0, 0, 0], "this call has reset them"


@pytest.mark.parametrize("chunk", [1, 2, 5])
@pytest.mark.parametrize("place", PLACES)
def test_a_window_holds_the_last_frames(vector, place, chunk):
    """Before there is a history, the first frame repeated; whatever the chunks."""
    env, single = vector(isolation=place, n_obs=3, max_chunk=5), vector(isolation="in_process")
    window, _ = env.reset(seed=3)
    first, _ = single.reset(seed=3)
    history = [first["proprio"]] * 3
    np.testing.assert_array_equal(window["proprio"], np.stack(history, 1))
    assert env.observation_space.contains(window)
    for rows in actions(3, 10).reshape(-1, chunk, 3, 2):
        window, *_ = env.step_chunk(rows.transpose(1, 0, 2))
        history += [single.step(row)[0]["proprio"] for row in rows]
        np.testing.assert_array_equal(window["proprio"], np.stack(history[-3:], 1))
    assert window["instruction"] == ("reach the red disc",) * 3


@needs_gl
@pytest.mark.parametrize("place", PLACES)
def test_batches_are_copies_unless_asked_otherwise(vector, place):
    options = {"isolation": place, "observations": ("rgb",), "cameras": ("top",)}
    kept, view = vector(2, **options), vector(2, copy=False, **options)
    for env, shares in ((kept, False), (view, True)):
        first, _ = env.reset(seed=0)
        old = first["rgb"]["top"].copy()
        second, *_ = env.step(np.ones((2, 2), np.float32))
        assert np.shares_memory(first["rgb"]["top"], second["rgb"]["top"]) == shares
        assert np.array_equal(first["rgb"]["top"], old) != shares


# ----------------------------------------------------------------------------- other people's eyes
@pytest.mark.parametrize("place", PLACES)
def test_gymnasiums_statistics_wrapper(vector, place):
    env = RecordEpisodeStatistics(vector(isolation=place))
    env.reset(seed=0)
    total = np.zeros(3)
    for row in actions(3, 15):
        *_, infos = (outcome := env.step(row))
        total += outcome[1]
    assert infos["episode"]["l"].tolist() == [15, 15, 15]
    np.testing.assert_allclose(infos["episode"]["r"], total)


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.parametrize("place", PLACES)
def test_gymnasiums_own_vectors_take_our_ids(place):
    env = gym.make_vec(TOY, 2, vectorization_mode="async", isolation=place, **SEEN)
    started, _ = env.reset(seed=7)
    expected = [make_env(TOY, SEEN).reset(seed=s)[0]["proprio"] for s in (7, 8)]
    np.testing.assert_array_equal(started["proprio"], expected)
    env.close()


@needs_gl
@pytest.mark.parametrize("place", PLACES)
def test_a_vector_draws_every_environment(vector, place):
    env = vector(isolation=place, render_mode="rgb_array")
    env.reset(seed=3)
    pictures = env.render()
    assert env.render_mode == "rgb_array"
    for i, picture in enumerate(pictures):
        single = make_env(TOY, SEEN)
        single.reset(seed=3 + i)
        np.testing.assert_array_equal(picture, single.render())


def test_where_a_vector_runs(vector):
    assert vector(2).place == vector(2, isolation="process").place == "process:host"
    assert vector(1).place == vector(2, isolation="in_process").place == "in_process"
