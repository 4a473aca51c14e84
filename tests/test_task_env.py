"""What an environment says to those who use it wrongly."""

from __future__ import annotations

import gymnasium as gym
import numpy as np
import pytest
from conftest import needs_gl
from toy import TOY
from twins import complaint

from envs.schema import ManigymError
from envs.task_env import all_finite


@pytest.mark.parametrize("seed", ["a", 1.5, -1, 2**64, [1]])
def test_seeds_are_whole_numbers(twins, seed):
    here, there = twins()
    expected = complaint(lambda: here.reset(seed=seed))
    assert expected[0] is ManigymError
    assert f"seeds are whole numbers from 0 and below 2**64, got {seed!r}" in expected[1]
    assert complaint(lambda: there.reset(seed=seed)) == expected
    assert here.reset(seed=np.int64(3))[1]["seed"] == 3


def test_an_episode_that_never_began_is_not_over(twins):
    for env in twins():
        with pytest.raises(gym.error.ResetNeeded, match=r"^(?!.*over).*call reset\(\) first"):
            env.step(np.zeros(2, np.float32))
        env.reset(seed=0)
        while not any(env.step(np.zeros(2, np.float32))[2:4]):
            pass
        with pytest.raises(gym.error.ResetNeeded, match="the episode is over"):
            env.step(np.zeros(2, np.float32))


@pytest.mark.parametrize("cameras", [(), ("top", "top"), ("top", "side", "top")])
def test_cameras_are_different_ones(cameras):
    with pytest.raises(ManigymError, match="cameras must be one or more different ones of top, "):
        gym.make(TOY, cameras=cameras)


def test_a_film_camera_is_one_of_the_cards():
    with pytest.raises(ManigymError, match=r"has no film_camera 'moon'; it offers: top, side"):
        gym.make(TOY, film_camera="moon")


@needs_gl
def test_the_film_camera_films_whatever_is_observed():
    films = {}
    for camera in ("top", "side"):
        with gym.make(TOY, film_camera=camera, cameras=("top",), render_mode="rgb_array") as env:
            env.reset(seed=0)
            films[camera] = env.render()
    assert not np.array_equal(films["top"], films["side"])


@pytest.mark.parametrize(
    ("values", "finite"),
    [([0.5, -1.0], True), ([3e38, 1e30], True), ([0.0, np.nan], False), ([np.inf, 1.0], False)],
)
def test_finite_numbers_however_large(values, finite):
    """The square of the second row is infinite, its numbers are not."""
    assert all_finite(np.array(values, np.float32)) is finite
