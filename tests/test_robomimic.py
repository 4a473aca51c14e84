"""The robomimic tasks against bare robosuite, bit for bit, and against themselves."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

import envs
from envs.robomimic.tasks import CARDS, SCENES
from envs.schema import ManigymError

pytest.importorskip("robosuite")

from envs.robomimic.env import make_robosuite, seed_robosuite
from envs.robomimic.redraw import REDRAW

TASKS = [card.task for card in CARDS]


def make(task: str, **options: Any) -> Any:
    return gym.make(f"Robomimic/{task}-v0", **options).unwrapped


def actions(size: int, count: int, seed: int = 0) -> np.ndarray:
    """float32 (count, size): smooth enough to move far, random enough to touch things."""
    noise = np.random.default_rng(seed).uniform(-1, 1, (count, size))
    return np.clip(np.cumsum(noise, 0) * 0.5, -1, 1).astype(np.float32)


def assert_same(left: Any, right: Any) -> None:
    """Equality of nested dictionaries, lists and arrays."""
    if isinstance(left, dict):
        assert left.keys() == right.keys()
        left, right = list(left.values()), [right[key] for key in left]
    if isinstance(left, list | tuple):
        for a, b in zip(left, right, strict=True):
            assert_same(a, b)
    else:
        np.testing.assert_array_equal(left, right)


@pytest.fixture(scope="module")
def worn() -> dict[str, Any]:
    """One environment per task that has already run other episodes."""
    made = {task: make(task) for task in TASKS}
    for env in made.values():
        for seed in (11, 12):
            env.reset(seed=seed)
            for action in actions(env.card.action.size, 15, seed):
                env.advance(action)
    return made


@pytest.mark.parametrize("task", TASKS)
def test_observations_and_rewards_are_robosuites_own(task: str, worn: dict[str, Any]) -> None:
    env, bare = worn[task], make_robosuite(task, hard_reset=True)
    seed_robosuite(bare, 5)
    expected = bare.reset()
    observation, _ = env.reset(seed=5)
    for action in actions(env.card.action.size, 12):
        np.testing.assert_array_equal(
            observation["state"], expected["object-state"].astype(np.float32)
        )
        for i in range(SCENES[task].robots):
            proprio = observation["proprio"][9 * i : 9 * i + 9]
            np.testing.assert_array_equal(proprio[:3], np.float32(expected[f"robot{i}_eef_pos"]))
            xyzw = proprio[[4, 5, 6, 3]]
            np.testing.assert_array_equal(xyzw, np.float32(expected[f"robot{i}_eef_quat"]))
            np.testing.assert_array_equal(
                proprio[7:], np.float32(expected[f"robot{i}_gripper_qpos"])
            )
        observation, reward, _, _, info = env.step(action)
        expected, bare_reward, _, _ = bare.step(action)
        assert reward == bare_reward
        assert info["success"] == bare._check_success()
    np.testing.assert_array_equal(env.data.qpos, bare.sim.data.qpos)
    np.testing.assert_array_equal(env.data.qvel, bare.sim.data.qvel)


@pytest.mark.parametrize("task", TASKS)
def test_an_episode_depends_on_its_seed_alone(task: str, worn: dict[str, Any]) -> None:
    runs = []
    for env in (make(task), worn[task]):
        env.reset(seed=7)
        states = [env.state_hash()]
        for action in actions(env.card.action.size, 50 if task != "transport" else 25):
            env.advance(action)
            states.append(env.state_hash())
        runs.append(states)
    assert runs[0] == runs[1]
    worn[task].reset(seed=8)
    assert worn[task].state_hash() != runs[0][0]


@pytest.mark.parametrize("task", sorted(REDRAW))
def test_a_soft_reset_leaves_the_model_that_a_hard_reset_compiles(task: str) -> None:
    env, bare = make(task), make_robosuite(task, hard_reset=True)
    sizes = set()
    for seed in (1, 2):
        env.reset(seed=seed)
        seed_robosuite(bare, seed)
        bare.reset()
        model = bare.sim.model._model
        for name in dir(model):
            ours, theirs = getattr(env.model, name), getattr(model, name)
            if isinstance(ours, np.ndarray):
                np.testing.assert_array_equal(ours, theirs, err_msg=name)
        for name in ("extent", "meaninertia", "meanmass", "meansize"):
            assert getattr(env.model.stat, name) == getattr(model.stat, name), name
        sizes.add(env.model.geom_size.tobytes())
    assert len(sizes) == 2


@pytest.mark.parametrize("task", TASKS)
def test_restore_continues_exactly_even_in_another_environment(
    task: str, worn: dict[str, Any]
) -> None:
    env = make(task)
    todo = actions(env.card.action.size, 14, seed=3)
    env.reset(seed=21)
    saved = {0: env.snapshot()}
    seen = {0: env.observe()}
    expected = []
    for count, action in enumerate(todo, start=1):
        expected.append((env.step(action), env.state_hash()))
        saved[count], seen[count] = env.snapshot(), env.observe()
    for other, start in ((env, 7), (env, 0), (worn[task], 7), (worn[task], 0)):
        other.restore(saved[start])
        assert_same(other.snapshot(), saved[start])
        for key in seen[start]:
            np.testing.assert_array_equal(other.observe()[key], seen[start][key])
        for action, (step, state) in zip(todo[start:], expected[start:], strict=True):
            observation, reward, *_ = other.step(action)
            assert other.state_hash() == state
            assert reward == step[1]
            for key in observation:
                np.testing.assert_array_equal(observation[key], step[0][key])


def test_transport_deltas_are_in_the_world_frame() -> None:
    """Both arms, whose bases are turned by +90 and -90 degrees, follow +x along the world's x."""
    env = make("transport")
    start = env.reset(seed=0)[0]["proprio"]
    action = np.zeros(14, np.float32)
    action[[0, 7]] = 1.0
    for _ in range(10):
        end = env.step(action)[0]["proprio"]
    for arm in (0, 9):
        moved = end[arm : arm + 3] - start[arm : arm + 3]
        assert moved[0] > 0.1
        assert np.abs(moved[1:]).max() < 0.02


@pytest.mark.parametrize("task", ["lift", "can", "square"])
def test_the_expert_succeeds_and_repeats_itself(task: str, worn: dict[str, Any]) -> None:
    env = worn[task]
    lengths = []
    for _ in range(2):
        env.reset(seed=3)
        expert, terminated, steps = env.expert(noise=0.05), False, 0
        while not terminated and steps < 200:
            reward, terminated, _ = env.advance(expert.act())
            steps += 1
        assert terminated
        assert env.succeeded
        assert reward == 1.0
        lengths.append(steps)
    assert lengths[0] == lengths[1]


def test_what_is_not_offered_says_so() -> None:
    with pytest.raises(ManigymError, match="no expert"):
        make("tool_hang").expert()
    with pytest.raises(ManigymError, match="no dense reward"):
        make("transport", reward_shaping=True)


def test_dense_reward_is_robosuites(worn: dict[str, Any]) -> None:
    env = make("lift", reward_shaping=True)
    env.reset(seed=0)
    assert 0.0 < env.advance(np.zeros(7, np.float32))[0] < 1.0
    worn["lift"].reset(seed=0)
    assert worn["lift"].advance(np.zeros(7, np.float32))[0] == 0.0


@pytest.mark.parametrize("backend", [None, "disable"])
def test_importing_robosuite_is_silent_and_leaves_the_gl_backend_alone(backend: str | None) -> None:
    environment = {k: v for k, v in os.environ.items() if k != "MUJOCO_GL"}
    if backend:
        environment["MUJOCO_GL"] = backend
    code = "import os, envs.robomimic.env as e; e.import_robosuite(); print(os.getenv('MUJOCO_GL'))"
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert (done.stdout.strip(), done.stderr) == (str(backend), "")


@pytest.mark.parametrize("task", TASKS)
def test_pictures_equal_robosuites_cameras(task: str, gl: None) -> None:
    cameras = CARDS[TASKS.index(task)].cameras[:2]
    options = {"observations": ("rgb",), "cameras": cameras, "image_size": (84, 84)}
    env = make(task, render_profile="upstream", **options)
    bare = make_robosuite(task, has_offscreen_renderer=True, hard_reset=True)
    seed_robosuite(bare, 2)
    bare.reset()
    env.reset(seed=1)
    env.observe()  # what was drawn of another episode must not show
    env.reset(seed=2)
    for action in actions(env.card.action.size, 2):
        env.advance(action)
        bare.step(action)
    # robosuite draws with, and frees, the GL objects of whichever context is current
    bare.sim._render_context_offscreen.gl_ctx.make_current()
    expected = {c: bare.sim.render(84, 84, camera_name=c)[::-1] for c in cameras}
    bare.close()
    pictures = env.observe()["rgb"]
    for camera in cameras:
        np.testing.assert_array_equal(pictures[camera], expected[camera])


def test_a_restored_snapshot_shows_the_same_picture(gl: None) -> None:
    env = make("lift", observations=("rgb",), cameras=("agentview",))
    env.reset(seed=2)
    for action in actions(7, 6):
        env.advance(action)
    saved, picture = env.snapshot(), env.observe()["rgb"]["agentview"]
    env.reset(seed=9)
    assert (env.observe()["rgb"]["agentview"] != picture).any()
    env.restore(saved)
    np.testing.assert_array_equal(env.observe()["rgb"]["agentview"], picture)


def test_the_point_cloud_finds_the_cube_in_the_base_frame(gl: None) -> None:
    env = make("lift", observations=("point_cloud",), num_points=1024)
    cloud = env.reset(seed=4)[0]["point_cloud"]
    red = cloud[(cloud[:, 3] > 0.4) & (cloud[:, 4] < 0.3) & (cloud[:, 5] < 0.3), :3]
    base = env.data.body("robot0_base").xpos
    cube = env.data.body("cube_main").xpos - base
    assert len(red) >= 3
    assert np.abs(red - cube).max() < 0.045
    low, high = (np.array(corner) - base for corner in SCENES["lift"].workspace)
    assert (cloud[:, :3] >= low - 1e-6).all() and (cloud[:, :3] <= high + 1e-6).all()


@pytest.fixture(scope="session")
def gl() -> None:
    """Skips where no off-screen OpenGL can be had."""
    try:
        make("lift", observations=("rgb",)).reset(seed=0)
    except ManigymError as error:
        pytest.skip(str(error).splitlines()[0])


def test_the_cards_need_no_simulator() -> None:
    assert {card.id for card in CARDS} == {i for i in envs.CARDS if i.startswith("Robomimic/")}
    sizes = {card.task: sum(group.size for group in card.state) for card in CARDS}
    assert sizes == {"lift": 10, "can": 14, "square": 14, "transport": 41, "tool_hang": 44}
    horizons = {c.task: [p.horizon for p in c.protocols] for c in CARDS}
    assert horizons["lift"] == [400, 500]
    assert horizons["transport"] == [700, 1100]
    assert horizons["tool_hang"] == [700]
