"""The scripted experts: solve their tasks, plan exactly, act the same for the same seed."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import mujoco
import numpy as np
import pytest

from envs.make import make_env
from envs.mjthor.env import MJThorEnv
from envs.mjthor.expert.arm import arm, grasp_axes
from envs.mjthor.expert.scene import Scene, about_z, in_frame
from envs.mjthor.expert.script import ScriptedExpert
from envs.mjthor.expert.shape import Lie, grips
from envs.mjthor.robot import REST_ARM
from envs.mjthor.tasks import ARM_HIGH, ARM_LOW

SEEDS = {
    "nav_to_object": (2000,),
    "pick": (2000, 2001),
    "pick_and_place": (1000, 1002),
    "open_drawer": (2000,),
    "open_door": (2000, 2001),
    "fetch": (2000,),
    "room_visit": (2000,),
    "tidy": (1000,),
}


def made(task: str, seed: int, **options: object) -> MJThorEnv:
    env = make_env(f"MJThor/{task}-v0", {"houses": "test", **options})
    assert isinstance(env, MJThorEnv)
    env.reset(seed=seed)
    return env


def played(env: MJThorEnv, limit: int | None = None) -> Iterator[np.ndarray]:
    """The expert's actions up to the end of the episode."""
    expert = env.expert()
    done, steps = False, 0
    while not done and steps != limit:
        action = expert.act()
        yield action
        _, terminated, truncated = env.advance(action)
        done, steps = terminated or truncated, steps + 1


@pytest.mark.parametrize(("task", "seed"), [(t, s) for t, seeds in SEEDS.items() for s in seeds])
def test_it_solves_every_task_in_houses_of_the_test_split(task: str, seed: int) -> None:
    env = made(task, seed)
    actions = list(played(env))
    assert env.house.split == "test"
    assert env.succeeded
    assert len(actions) < env.protocol.horizon
    assert np.abs(actions).max() <= 1.0


def test_the_delta_protocol_is_solved_too() -> None:
    env = made("pick", 2000, protocol="delta")
    actions = list(played(env))
    assert env.succeeded
    arm_steps = np.array(actions)[:, 5:12]
    assert 0.0 < np.abs(arm_steps).max() <= 1.0  # of 0.2 rad


def test_equal_seeds_have_equal_actions_whatever_the_global_generator_says() -> None:
    runs = []
    for state in (1, 2):
        np.random.seed(state)  # noqa: NPY002
        runs.append(np.array(list(played(made("pick_and_place", 1000)))))
    np.testing.assert_array_equal(*runs)


def test_asked_twice_about_a_state_it_says_the_same() -> None:
    env = made("pick", 2000)
    expert = env.expert()
    assert expert.act() is expert.act()


def test_the_gripper_is_closed_before_the_lift_and_the_head_looks_at_the_target() -> None:
    env = made("pick", 2000)
    name, height = env.episode.target, env.world.position(env.episode.target)[2]
    for action in played(env):
        risen = env.world.position(name)[2] - height
        assert risen < 0.005 or action[12] == -1.0
    camera = env.data.camera("head_camera")
    gap = env.world.middle(name) - camera.xpos
    ahead = -camera.xmat.reshape(3, 3)[:, 2] @ gap / np.linalg.norm(gap)
    assert env.world.held(name) and ahead > np.cos(np.radians(12.0))


def test_what_is_out_of_reach_is_said_and_the_episode_goes_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    env = made("pick", 2000)
    name = env.episode.target
    x, y, _ = env.world.robot.base_pose
    env.data.joint(name).qpos[:3] = [x + 0.8, y, 0.0]
    mujoco.mj_forward(env.model, env.data)
    with caplog.at_level(logging.WARNING, ScriptedExpert.__module__):
        actions = list(played(env, limit=30))
    assert len(actions) == 30 and not env.succeeded
    assert f"no place to stand from which the hand gets to {name}" in caplog.text
    assert "seed 2000" in caplog.text and f"house test/{env.house.index}" in caplog.text
    np.testing.assert_array_equal(actions[-1][:3], 0.0)


@pytest.mark.parametrize("seed", range(3))
def test_inverse_kinematics_reaches_the_pose_it_is_given(seed: int) -> None:
    rng = np.random.default_rng(seed)
    solved = 0
    for _ in range(40):
        goal = np.clip(
            np.array((-0.6, -0.3, -0.3, -1.3, 0.0, 0.9, -1.2)) + rng.uniform(-0.5, 0.5, 7),
            np.array(ARM_LOW) + 0.02,
            np.array(ARM_HIGH) - 0.02,
        )
        position, axes = arm().pose(goal)
        angles = arm().solve(position, axes, np.array(REST_ARM))
        if angles is None:
            continue
        solved += 1
        there, frame = arm().pose(angles)
        assert np.linalg.norm(there - position) < 0.005
        turn = np.arccos(np.clip((np.trace(frame @ axes.T) - 1) / 2, -1.0, 1.0))
        assert turn < 0.04
        assert (angles >= ARM_LOW).all() and (angles <= ARM_HIGH).all()
    assert solved >= 38  # every one of these poses is reached by some posture


def test_what_is_further_than_the_arm_is_long_has_no_posture() -> None:
    axes = grasp_axes(0.0, 0.8)
    assert arm().in_range(np.array((0.55, -0.25, 0.85)), axes)
    assert not arm().in_range(np.array((0.95, -0.25, 0.85)), axes)
    assert arm().solve(np.array((0.95, -0.25, 0.85)), axes, np.array(REST_ARM)) is None
    # At the stretched arm's length itself: hanging straight down.
    position, hanging = arm().pose(np.zeros(7))
    assert arm().in_range(position, hanging)
    assert not arm().in_range(position - (0.0, 0.0, 0.02), hanging)


def test_the_hand_points_where_the_axes_say() -> None:
    ahead = grasp_axes(0.0, 0.0)
    np.testing.assert_allclose(-ahead[:, 2], (1, 0, 0), atol=1e-12)  # approaches along x
    np.testing.assert_allclose(ahead[:, 0], (0, -1, 0), atol=1e-12)  # fingers side by side
    above = grasp_axes(0.0, 0.0, upright=True)
    assert abs(above[2, 0]) == pytest.approx(1.0)  # one above the other
    down = grasp_axes(np.pi / 2, np.pi / 4)
    np.testing.assert_allclose(-down[:, 2], (0, np.sqrt(0.5), -np.sqrt(0.5)), atol=1e-12)
    for axes in (ahead, above, down, grasp_axes(0.3, 0.4, True)):
        np.testing.assert_allclose(axes @ axes.T, np.eye(3), atol=1e-12)
        assert np.linalg.det(axes) == pytest.approx(1.0)


def test_an_opened_fridge_is_in_the_way_and_a_closed_one_is_not() -> None:
    env = made("tidy", 1000)
    scene, name = Scene(env.world), env.episode.openings[0]
    opening = env.world.openings[name]
    out = np.array(scene.outward(name))
    before = np.array(opening.axis) + 0.4 * out  # where the leaf stands when it is open
    assert scene.space.clearance(before[None])[0] > 0.1
    env.data.joint(name).qpos[0] = np.sign(opening.travel) * np.pi / 2
    assert scene.space.clearance(before[None])[0] < 0.05
    assert scene.upright(name)
    drawer = next(o.name for o in env.world.openings.values() if o.kind == "drawer")
    assert not scene.upright(drawer)


def test_a_ball_is_taken_at_its_middle_and_a_fallen_box_by_its_short_side() -> None:
    env = made("pick", 2000)
    world = env.world
    ball = next(t.name for t in world.things.values() if t.category in ("orange", "apple"))
    best = min(grips(world, ball, Lie.of(world, ball), 0.3), key=lambda item: item[0])[1]
    np.testing.assert_allclose(best, world.middle(ball), atol=0.006)

    box = next(t for t in world.things.values() if t.grasp and t.size[2] > 1.5 * t.size[0])
    half = np.sqrt(0.5)
    env.data.joint(box.name).qpos[3:] = [half, 0.0, half, 0.0]  # its top now looks along x
    env.data.qvel[:] = 0.0
    mujoco.mj_forward(env.model, env.data)
    lie = Lie.of(world, box.name)
    assert lie.height == box.size[0]
    assert sorted(size for _, size in lie.across) == sorted(box.size[1:])


def test_points_in_the_frame_of_a_base() -> None:
    point = in_frame(np.array((2.0, 3.0, 0.5)), np.array((1.0, 1.0, np.pi / 2)))
    np.testing.assert_allclose(point, (2.0, -1.0, 0.5), atol=1e-12)
    np.testing.assert_allclose(about_z(np.pi / 2) @ (1, 0, 0), (0, 1, 0), atol=1e-12)
