"""RoboTwin's control steps and pictures against the plain way: states, rewards, observations."""

from __future__ import annotations

import numpy as np
import pytest
import sapien_plain as plain
from episodes import needs_sapien_3, start

from envs.sapien.line import line

pytestmark = needs_sapien_3
LOOK = ("proprio", "state", "rgb", "depth", "segmentation", "point_cloud")
# Between them: success from poses, from contacts, from a hinge; both timings, both actions.
EPISODES = [
    ("beat_block_hammer", {}),
    ("press_stapler", {"variant": "randomized"}),
    ("pick_dual_bottles", {"protocol": "rate_ee"}),
    ("open_laptop", {"protocol": "waypoint"}),
]


@pytest.mark.parametrize(("task", "options"), EPISODES, ids=[task for task, _ in EPISODES])
def test_an_episode_shows_the_same_bits(task, options, monkeypatch):
    look = LOOK if line().rendering.ok else LOOK[:2]
    env = start(task, observations=look, cameras=("head_camera", "left_camera"), **options)
    size = env.action_space.shape[0]
    chunks = np.random.default_rng(1).uniform(-0.2, 0.2, (2, 4, size)).astype(np.float32)
    chunks[1, 2:] = chunks[1, 1]  # holding still
    fast = plain.episode(env, 3, chunks)
    plain.install(monkeypatch)
    # Every file anew: the episode before may have found what it was built from.
    monkeypatch.setattr(line().scene, "_load", lambda self, *urdf: self._parse(*urdf).build())
    assert plain.episode(env, 3, chunks) == fast


def test_the_expert_wins_by_the_same_bits(monkeypatch):
    """In contact, to the end: the experts' own poses included."""

    def play(env):
        env.reset(seed=2)
        expert, states, over = env.expert(), [], False
        while not over:
            _, terminated, truncated = env.advance(expert.act())
            states.append(env.state_bytes())
            over = terminated or truncated
        return env.succeeded, states

    env = start("press_stapler")
    fast = play(env)
    assert fast[0]
    plain.install(monkeypatch)
    assert play(env) == fast


def test_what_was_read_keeps_no_scene():
    from envs.sapien.v3 import _BUILDERS

    env = start("open_laptop")
    before = len(_BUILDERS)
    env.reset(seed=1)
    assert len(_BUILDERS) >= 2 and all(builder.scene is None for builder in _BUILDERS.values())
    env.reset(seed=1)
    assert len(_BUILDERS) <= before + 1, "of another laptop at most"


def test_drawing_for_a_cloud_is_time_of_the_pictures():
    if not line().rendering.ok:
        pytest.skip(line().rendering.reason)
    env = start("click_bell", observations=("point_cloud",))
    env.stopwatch.take()
    env.observe()
    stages = env.stopwatch.take()
    assert set(stages) == {"sense", "render"} and min(stages.values()) > 0
