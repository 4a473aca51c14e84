"""Point clouds of DexArt: cropping, drawing and noise alone; then from pictures."""

from __future__ import annotations

import numpy as np
import pytest
from test_dexart import make, pytestmark  # noqa: F401  the same simulator

COUNT = 64


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def test_a_crop_keeps_what_is_strictly_inside():
    from envs.dexart.cloud import within
    from envs.sapien.cloud import world_points
    from envs.sapien.geometry import Pose

    forward = 0.2 + np.array([0.0, 0.1, 0.5, 1.0, 0.1 + 2e-6])  # metres; the origin is at 0.2
    picture = np.zeros((1, 5, 4), np.float32)
    picture[..., 2] = -forward
    box = within((0.1, -1, -1), (1.0, 1, 1), (0.2, 0.0, 0.0))
    kept = world_points(picture, np.zeros_like(picture), Pose(), box)
    np.testing.assert_allclose(kept[:, 0], [0.7, 0.3 + 2e-6], atol=1e-7)


@pytest.mark.parametrize("way", ["upstream", "maniflow"])
def test_too_few_points_keep_their_order_and_the_first_is_repeated(rng, way):
    from envs.dexart.cloud import sample

    cloud = rng.random((10, 6))
    drawn = sample(cloud, COUNT, way, rng)
    assert drawn.shape == (COUNT, 6)
    np.testing.assert_array_equal(drawn[:10, 3:], cloud[:, 3:])  # only places have noise
    np.testing.assert_array_equal(drawn[10:], np.repeat(drawn[:1], COUNT - 10, axis=0))


def test_of_too_many_points_any_are_taken(rng):
    from envs.dexart.cloud import sample

    cloud = np.tile(np.arange(200.0)[:, None], 6)
    draws = [sample(cloud, COUNT, "upstream", rng)[:, 3] for _ in range(2)]
    for drawn in draws:
        assert len(set(drawn)) == COUNT
        assert not (np.diff(drawn) > 0).all()
    assert set(draws[0]) != set(draws[1])


def test_every_point_is_scaled_by_its_own_factor_of_half_a_percent(rng):
    from envs.dexart.cloud import sample

    cloud = np.tile([1.0, 2.0, 0.5, 0.1, 0.2, 0.3], (5000, 1))
    drawn = sample(cloud, 4000, "upstream", rng)
    factors = drawn[:, :3] / cloud[:4000, :3]
    np.testing.assert_allclose(factors, factors[:, :1] * np.ones(3))
    assert factors[:, 0].std() == pytest.approx(0.005, rel=0.1)
    np.testing.assert_array_equal(drawn[:, 3:], cloud[:4000, 3:])


def test_maniflows_drawing_takes_the_farthest_of_4096(rng):
    from envs.dexart.cloud import sample

    # A dense cluster and eight far corners: the corners are all taken.
    corners = 2 * np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)])
    cloud = np.concatenate([0.01 * rng.random((3000, 3)), corners])
    drawn = sample(np.hstack([cloud, cloud]), COUNT, "maniflow", rng)
    assert (np.abs(drawn[:, 3:]) == 2).all(axis=1).sum() == 8
    assert not sample(np.zeros((0, 6)), COUNT, "maniflow", rng).any()


@pytest.fixture(params=["faucet", "bucket", "laptop", "toilet"])
def seeing(request):
    env = make(request.param, observations=("point_cloud", "rgb", "segmentation"))
    if not env._line.rendering.ok:
        pytest.skip(env._line.rendering.reason)
    env.reset(seed=1)
    return env


def test_a_cloud_shows_robot_and_object_in_the_robots_frame(seeing):
    cloud = seeing.observe()["point_cloud"]
    assert cloud.shape == (1024, 6)
    setting = seeing.setting
    # The noise may carry a point across the crop by half a percent, a few times.
    assert (cloud[:, :3] > np.asarray(setting.low) - 0.02).all()
    assert (cloud[:, :3] < np.asarray(setting.high) + 0.02).all()
    handle = seeing.thing.handle_point - seeing.base_pose.position
    assert np.linalg.norm(cloud[:, :3] - handle, axis=1).min() < 0.1
    palm = np.asarray(seeing.robot.palm.pose.position) - seeing.base_pose.position
    assert np.linalg.norm(cloud[:, :3] - palm, axis=1).min() < 0.1


def test_looking_twice_or_never_changes_nothing(seeing):
    first, second = (seeing.observe()["point_cloud"] for _ in range(2))
    np.testing.assert_array_equal(first, second)
    action = np.full(22, 0.2, np.float32)
    seeing.advance(action)
    seen = seeing.observe()["point_cloud"]
    seeing.reset(seed=1)
    seeing.advance(action)
    np.testing.assert_array_equal(seeing.observe()["point_cloud"], seen)


def test_pictures_show_the_object_and_the_hand(seeing):
    numbers = seeing.observe()["segmentation"]["instance_1"]
    names = seeing.object_names()
    shown = {names[i] for i in np.unique(numbers) if i >= 0}
    assert seeing.thing.handle.name in shown
    assert "base_link" in shown
    assert "table" in shown
