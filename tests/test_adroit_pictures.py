"""Pictures and point clouds of the Adroit tasks."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from conftest import needs_gl

from envs.adroit.tasks import CARDS

pytest.importorskip("gymnasium_robotics")


def make(task: str, **options: Any) -> Any:
    return gym.make(f"Adroit/{task}-v0", **options).unwrapped


@needs_gl
@pytest.mark.parametrize("task", [card.task for card in CARDS])
def test_pictures_survive_the_making_and_freeing_of_others(task: str) -> None:
    options = {"observations": ("rgb",), "image_size": (64, 64)}
    env = make(task, **options)
    env.reset(seed=0)
    before = env.observe()["rgb"]
    assert all(before[camera].std() > 20 for camera in env.cameras[:2])
    other = make("hammer" if task != "hammer" else "pen", **options)
    other.reset(seed=1)
    other.observe()
    for during in (env.observe()["rgb"], other.close() or env.observe()["rgb"]):
        for camera, picture in before.items():
            np.testing.assert_array_equal(during[camera], picture)


@needs_gl
def test_the_door_moves_in_the_top_picture() -> None:
    """The frame's red posts are drawn at the pixels where the camera equations put them."""
    env = make("door", observations=("segmentation",), cameras=("top",), image_size=(84, 84))
    for seed in (0, 1):
        ids = env.reset(seed=seed)[0]["segmentation"]["top"]
        frame = env.model.body("frame").id
        posts = np.isin(ids, np.flatnonzero(env.model.geom_bodyid == frame))
        columns = np.argwhere(posts)[:, 1]
        # Pinhole, fovy 45: the left edge of the left post's upper end, x to the picture's left.
        x, _, z = env.model.body_pos[frame] + [0.65, 0.0, 0.25]
        focal = 42 / np.tan(np.radians(22.5))
        edge = 42 - focal * x / (1.5 - z)
        assert abs(columns.min() - max(edge, 0)) < 1.5


@needs_gl
def test_maniflows_cloud_is_the_top_cameras_own_frame() -> None:
    env = make("door", observations=("point_cloud",), point_cloud="maniflow")
    cloud = env.reset(seed=0)[0]["point_cloud"]
    assert cloud.shape == (512, 6)
    assert cloud.dtype == np.float32
    assert (cloud[:, 2] > -0.499).all()
    # x_c = -x_w and y_c = -y_w up to 3.14 for pi, z_c = z_w - 1.5 + 1: back in the world, the
    # points must be on the door, the posts or the hand, all of it above the table.
    world = cloud[:, :3] * [-1, -1, 1] + [0, 0, 0.5]
    frame = env.model.body_pos[env.model.body("frame").id]
    top = world[world[:, 2] > frame[2] + 0.2]
    assert len(top) > 20
    assert abs(top[:, 2].max() - (frame[2] + 0.25)) < 0.01
    assert frame[0] - 0.08 < top[:, 0].min()
    assert top[:, 0].max() < frame[0] + 0.66
    standard = make("door", observations=("point_cloud",), cameras=("top",))
    same = standard.reset(seed=0)[0]["point_cloud"]
    assert abs(same[:, 2].max() - (frame[2] + 0.25)) < 0.01


@needs_gl
def test_maniflows_pen_cloud_is_level_and_cropped_at_the_table() -> None:
    env = make("pen", observations=("point_cloud",), point_cloud="maniflow")
    cloud = env.reset(seed=0)[0]["point_cloud"]
    kept = cloud[np.abs(cloud).sum(1) > 0]
    assert len(kept) > 300
    world = kept[:, :3] + [0, -0.8, 0.8]
    assert world[:, 2].min() > 0.009
    pen = env.data.body("Object").xpos
    assert np.linalg.norm(world - pen, axis=1).min() < 0.03


@needs_gl
def test_pictures_cost_nothing_when_not_asked_for() -> None:
    env = make("door")
    env.reset(seed=0)
    env.step(np.zeros(28, np.float32))
    assert env._renderer is None
