"""DexArt's control steps and clouds against the plain way: states, rewards, observations."""

from __future__ import annotations

import numpy as np
import pytest
import sapien_plain as plain
from test_dexart import TASKS, make, pytestmark  # noqa: F401  the same simulator

LOOK = ("proprio", "state", "rgb", "depth", "segmentation", "point_cloud", "robot_points")


@pytest.mark.parametrize("cloud", ["maniflow", "upstream"])
@pytest.mark.parametrize("task", TASKS)
def test_an_episode_shows_the_same_bits(task, cloud, monkeypatch):
    env = make(task, observations=LOOK, cloud=cloud)
    if not env._line.rendering.ok:
        pytest.skip(env._line.rendering.reason)
    chunks = np.random.default_rng(1).uniform(-0.5, 0.5, (3, 8, 22)).astype(np.float32)
    fast = plain.episode(env, 3, chunks)
    plain.install(monkeypatch)
    assert plain.episode(env, 3, chunks) == fast
