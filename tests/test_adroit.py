"""The Adroit tasks against bare Gymnasium-Robotics, bit for bit, and against themselves."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import pytest

import envs
from envs.adroit.scenes import SCENES
from envs.adroit.tasks import CARDS
from envs.schema import ManigymError, group_slices

pytest.importorskip("gymnasium_robotics")

from envs.adroit.env import make_simulator
from envs.adroit.expert import NOMINAL, DoorPlanner, interpolate

TASKS = [card.task for card in CARDS]


def make(task: str, **options: Any) -> Any:
    return gym.make(f"Adroit/{task}-v0", **options).unwrapped


def actions(size: int, count: int, seed: int = 0) -> np.ndarray:
    """float32 (count, size): large, slowly changing, a little beyond the bounds."""
    rng = np.random.default_rng(seed)
    return np.clip(np.cumsum(rng.normal(0, 0.2, (count, size)), 0), -1.1, 1.1).astype(np.float32)


@pytest.fixture(scope="module")
def worn() -> dict[str, Any]:
    """One environment per task that has already run other episodes."""
    made = {task: make(task) for task in TASKS}
    for env in made.values():
        for seed in (11, 12):
            env.reset(seed=seed)
            for action in actions(env.card.action.size, 40, seed):
                env.advance(action)
    return made


# ------------------------------------------------------------------- against upstream
@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("kind", ["upstream", "sparse"])
def test_observations_rewards_and_success_are_upstreams(task: str, kind: str) -> None:
    env = make(task, reward=kind)
    bare = make_simulator(task, reward_type="sparse" if kind == "sparse" else "dense")
    for seed in (3, 4):
        observation, _ = env.reset(seed=seed)
        expected, _ = bare.reset(seed=seed)
        np.testing.assert_array_equal(env.observed(), expected)
        for action in actions(env.card.action.size, 120, seed):
            observation, reward, _, _, info = env.step(action)
            expected, bare_reward, _, _, bare_info = bare.step(action)
            assert reward == bare_reward
            assert info["success"] is bool(bare_info["success"])
            np.testing.assert_array_equal(env.observed(), expected)
            np.testing.assert_array_equal(observation["state"], expected.astype(np.float32))
        np.testing.assert_array_equal(env.data.qpos, bare.data.qpos)
        np.testing.assert_array_equal(env.data.qvel, bare.data.qvel)


@pytest.mark.parametrize("task", TASKS)
def test_the_added_camera_is_all_that_changes_in_the_model(task: str) -> None:
    env, bare = make(task), make_simulator(task)
    compared = 0
    index = ("cam_", "name_", "_sizes", "names")  # cameras and where names are stored
    for name in dir(bare.model):
        ours, theirs = getattr(env.model, name), getattr(bare.model, name)
        if isinstance(ours, np.ndarray) and not name.startswith(index):
            np.testing.assert_array_equal(ours, theirs, err_msg=name)
            compared += 1
    assert compared > 300
    for name in ("meaninertia", "meanmass", "extent"):
        assert getattr(env.model.stat, name) == getattr(bare.model.stat, name)
    added = SCENES[task].added_camera
    assert env.model.ncam == bare.model.ncam + (added is not None)
    for camera in env.card.cameras:
        assert env.model.camera(camera).id >= 0
    if added is not None:
        np.testing.assert_array_equal(env.model.camera(added.name).pos, added.position)


def test_the_top_cameras_stand_where_mj_envs_puts_them() -> None:
    """DAPG_door.xml and DAPG_hammer.xml: pos (0, 0, 1.5) and (0, 0, 1.1), euler (0, 0, 3.14)."""
    c, s = np.cos(3.14), np.sin(3.14)
    for task, height in (("door", 1.5), ("hammer", 1.1)):
        env = make(task)
        env.reset(seed=0)
        camera = env.data.camera("top")
        np.testing.assert_array_equal(camera.xpos, [0, 0, height])
        axes = [[c, -s, 0], [s, c, 0], [0, 0, 1]]
        np.testing.assert_allclose(camera.xmat.reshape(3, 3), axes, atol=1e-12)


# --------------------------------------------------------------------------- the cards
@pytest.mark.parametrize("task", TASKS)
def test_cards_name_the_models_joints_and_ranges(task: str, worn: dict[str, Any]) -> None:
    env = worn[task]
    labels = [label for group in env.card.action.groups for label in group.labels]
    model = env.model
    assert labels == [model.actuator(i).name.removeprefix("A_") for i in range(model.nu)]
    assert labels == [model.joint(i).name for i in range(model.nu)]
    np.testing.assert_array_equal(env.card.action.low, model.actuator_ctrlrange[:, 0])
    np.testing.assert_array_equal(env.card.action.high, model.actuator_ctrlrange[:, 1])
    env.reset(seed=1)
    for action in actions(model.nu, 5):
        observation = env.step(action)[0]
    np.testing.assert_array_equal(observation["proprio"], env.data.qpos[: model.nu].astype("f4"))
    # ManiFlow's agent_pos: door qpos[4:-2], hammer [2:-7], pen [:-6], relocate [6:-6]
    ends = {"door": (4, -2), "hammer": (2, -7), "pen": (0, -6), "relocate": (6, -6)}
    hand = observation["proprio"][group_slices(env.card.proprio)["hand"]]
    np.testing.assert_array_equal(hand, env.data.qpos[slice(*ends[task])].astype("f4"))


def test_horizons_and_rules_of_the_protocols() -> None:
    rules = {
        card.task: [
            (p.horizon, p.action_repeat, p.success.count, p.success.window) for p in card.protocols
        ]
        for card in CARDS
    }
    usual = [(200, 1, 1, None), (100, 2, 2, 2), (200, 1, 26, None)]
    assert rules["door"] == rules["hammer"] == rules["relocate"] == usual
    assert rules["pen"] == [(200, 1, 1, None), (50, 2, 2, 2), (100, 1, 21, None)]
    assert {c.id for c in CARDS} == {i for i in envs.CARDS if i.startswith("Adroit/")}
    sizes = {c.task: sum(g.size for g in c.state) for c in CARDS}
    assert sizes == {"door": 39, "hammer": 46, "pen": 45, "relocate": 39}


@pytest.mark.parametrize(
    ("protocol", "angle", "reached"),
    [
        ("gymnasium", 1.349, False),
        ("gymnasium", 1.35, True),
        ("dapg", 1.35, True),
        ("maniflow", 1.4, False),
        ("maniflow", 1.401, True),
    ],
)
def test_door_thresholds(protocol: str, angle: float, reached: bool) -> None:
    env = make("door", protocol=protocol)
    env.reset(seed=0)
    env.data.joint("door_hinge").qpos[0] = angle
    assert env._goal_reached() is reached


def test_pen_thresholds_and_a_dropped_pen() -> None:
    """ManiFlow's copy asks for alignment only; after a drop mj_envs has ended the episode."""
    strict, loose = make("pen"), make("pen", protocol="maniflow")
    for env in (strict, loose):
        env.reset(seed=0)
        sites = env.data.site_xpos
        sim = env.simulator
        sites[sim.obj_t_site_id] = sites[sim.obj_b_site_id] + (
            (sites[sim.tar_t_site_id] - sites[sim.tar_b_site_id]) * sim.pen_length / sim.tar_length
        )
        assert env._goal_reached()
        env.data.xpos[sim.obj_body_id, 0] += 0.2
    assert not strict._goal_reached()
    assert loose._goal_reached()
    loose.reset(seed=0)
    loose.data.joint("OBJTx").qpos[0] += 0.2  # along the body's x, which points down
    loose.advance(np.zeros(24, np.float32))
    assert loose.data.xpos[loose.simulator.obj_body_id, 2] < 0.075
    saved = loose.snapshot()
    loose.reset(seed=0)
    assert not loose._dropped
    loose.restore(saved)
    assert loose._dropped
    assert not loose._goal_reached()


def test_hammer_and_relocate_thresholds() -> None:
    for task, site, limit in (("hammer", "nail_goal", 0.01), ("relocate", "target", 0.1)):
        env = make(task)
        env.reset(seed=0)
        sim, data = env.simulator, env.data
        moved = (
            data.site_xpos[sim.target_obj_site_id]
            if task == "hammer"
            else data.xpos[sim.obj_body_id]
        )
        for distance, reached in ((0.99 * limit, True), (1.01 * limit, False)):
            moved[:] = np.add(data.site(site).xpos, [0, 0, distance])
            assert env._goal_reached() is reached


# ------------------------------------------------------------------------------ rewards
def test_corrected_door_reward_is_dapgs_formula() -> None:
    """mj_envs door_v0.py: -0.1 |palm - handle| - 0.1 (hinge - 1.57)^2 - 1e-5 |qvel|^2 + bonuses."""
    env = make("door")
    env.reset(seed=2)
    expert, bonuses = env.expert(), set()
    for _ in range(110):
        reward, _, _ = env.advance(expert.act())
        data = env.data
        hinge = data.joint("door_hinge").qpos[0]
        bonus = 2.0 * (hinge > 0.2) + 8.0 * (hinge > 1.0) + 10.0 * (hinge > 1.35)
        reach = np.linalg.norm(data.site("S_grasp").xpos - data.site("S_handle").xpos)
        motion = np.sum(data.qvel**2)
        expected = bonus - 0.1 * reach - 0.1 * (hinge - 1.57) ** 2 - 1e-5 * motion
        assert reward == pytest.approx(expected, abs=1e-9)
        bonuses.add(bonus)
    assert bonuses == {0.0, 2.0, 10.0, 20.0}


def test_corrected_hammer_and_relocate_rewards_are_dapgs_formulas() -> None:
    for task in ("hammer", "relocate"):
        env = make(task)
        env.reset(seed=2)
        for action in actions(env.card.action.size, 60):
            reward, _, _ = env.advance(action)
            data = env.data
            palm, thing = data.site("S_grasp").xpos, data.body("Object").xpos
            expected = -0.1 * np.linalg.norm(palm - thing)
            if task == "hammer":
                tool, nail = data.site("tool").xpos, data.site("S_target").xpos
                goal = data.site("nail_goal").xpos
                expected -= np.linalg.norm(tool - nail) + 10 * np.linalg.norm(nail - goal)
                expected -= 1e-2 * np.linalg.norm(data.qvel)
                expected += 2.0 * (thing[2] > 0.04 and tool[2] > 0.04)
            elif thing[2] > 0.04:
                goal = data.site("target").xpos
                expected += 1.0 - 0.5 * np.linalg.norm(palm - goal)
                expected -= 0.5 * np.linalg.norm(thing - goal)
            assert reward == pytest.approx(expected, abs=1e-9)


# ---------------------------------------------------------------- episodes and snapshots
@pytest.mark.parametrize("task", TASKS)
def test_an_episode_depends_on_its_seed_alone(task: str, worn: dict[str, Any]) -> None:
    runs = []
    for env in (make(task), worn[task]):
        env.reset(seed=7)
        states = [env.state_hash()]
        for action in actions(env.card.action.size, 60):
            env.advance(action)
            states.append(env.state_hash())
        runs.append(states)
    assert runs[0] == runs[1]
    worn[task].reset(seed=8)
    assert worn[task].state_hash() != runs[0][0]


@pytest.mark.parametrize("task", TASKS)
def test_restore_continues_exactly_even_in_another_environment(
    task: str, worn: dict[str, Any]
) -> None:
    env = make(task)
    todo = actions(env.card.action.size, 60, seed=3)
    env.reset(seed=21)
    saved, seen = {0: env.snapshot()}, {0: env.observe()}
    expected = []
    for count, action in enumerate(todo, start=1):
        expected.append((env.step(action), env.state_hash()))
        if count == 35:
            saved[count], seen[count] = env.snapshot(), env.observe()
    for other, start in ((env, 35), (env, 0), (worn[task], 35), (worn[task], 0)):
        other.reset(seed=99)
        other.restore(saved[start])
        for key, value in other.observe().items():
            np.testing.assert_array_equal(value, seen[start][key])
        for action, (step, state) in zip(todo[start:], expected[start:], strict=True):
            observation, reward, *_ = other.step(action)
            assert other.state_hash() == state
            assert reward == step[1]
            np.testing.assert_array_equal(observation["state"], step[0]["state"])


# ------------------------------------------------------------------------------- expert
@pytest.mark.parametrize(("protocol", "seed"), [("gymnasium", 0), ("maniflow", 1), ("dapg", 2)])
def test_the_expert_opens_the_door(protocol: str, seed: int) -> None:
    env = make("door", protocol=protocol)
    runs = []
    for _ in range(2):
        env.reset(seed=seed)
        before = env.state_bytes(), env.np_random.bit_generator.state
        expert = env.expert()
        assert (env.state_bytes(), env.np_random.bit_generator.state) == before
        over, taken = False, []
        while not over:
            taken.append(expert.act())
            np.testing.assert_array_equal(expert.act(), taken[-1])  # asking twice changes nothing
            _, terminated, truncated = env.advance(taken[-1])
            over = terminated or truncated
        assert env.succeeded
        assert env.data.joint("door_hinge").qpos[0] > 1.4
        runs.append(np.array(taken))
    np.testing.assert_array_equal(*runs)


def test_the_expert_goes_on_from_the_middle_of_an_episode() -> None:
    env = make("door")
    env.reset(seed=5)
    expert = env.expert()
    for _ in range(40):
        env.advance(expert.act())
    env.restore(env.snapshot())
    np.testing.assert_array_equal(env.expert().act(), expert.act())


def test_planning_predicts_the_environment_exactly_and_searches_where_it_must(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    env = make("door")
    env.reset(seed=6)
    spoilt = NOMINAL.copy()
    spoilt[:4, 0] -= 0.4  # the forearm stops short, the hand misses the handle ...
    monkeypatch.setattr("envs.adroit.expert.NOMINAL", spoilt)
    planner = DoorPlanner(env)
    assert planner._outcome(planner._actions(spoilt)) < 0.5
    plans = [DoorPlanner(env).plan(np.random.default_rng(0), 0) for _ in range(2)]
    np.testing.assert_array_equal(*plans)  # ... and a sample around it is taken, repeatably
    angle = planner._outcome(plans[0])
    assert angle > 1.42
    angles = []
    for action in (*plans[0], *[plans[0][-1]] * 30):
        env.advance(action)
        angles.append(env.data.joint("door_hinge").qpos[0])
    assert min(angles[-30:]) == angle


def test_interpolation_passes_through_its_knots_and_never_overshoots() -> None:
    knots = np.array([[0.0], [1.0], [1.0], [-2.0], [-2.5]])
    line = interpolate(knots, 41)[:, 0]
    np.testing.assert_allclose(line[::10], knots[:, 0], atol=1e-12)
    for i in range(4):
        piece = np.diff(line[10 * i : 10 * i + 11]) * np.sign(knots[i + 1, 0] - knots[i, 0])
        assert (piece >= -1e-12).all()
    straight = interpolate(np.arange(5.0)[:, None], 41)[10:31, 0]
    np.testing.assert_allclose(straight, np.linspace(1, 3, 21), atol=1e-12)


def test_what_is_not_offered_says_so() -> None:
    with pytest.raises(ManigymError, match="no expert"):
        make("pen").expert()
    with pytest.raises(ManigymError, match="corrected, upstream, sparse"):
        make("door", reward="dense")
    with pytest.raises(ManigymError, match="no point cloud"):
        make("relocate", point_cloud="maniflow")
