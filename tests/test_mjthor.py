"""MJThor: the robot, its 13 actions, houses of splits, rules on states made by hand."""

from __future__ import annotations

import os

import mujoco
import numpy as np
import pytest

from envs.make import make_env
from envs.mjthor.env import MJThorEnv
from envs.mjthor.robot import ARM_REACH, REST_ARM, robot_spec
from envs.mjthor.tasks import ACTION, CARDS
from envs.schema import ManigymError, SimulationError
from envs.seeds import planned_seed


def made(task: str, **options: object) -> MJThorEnv:
    env = make_env(f"MJThor/{task}-v0", options)
    assert isinstance(env, MJThorEnv)
    return env


def still(env: MJThorEnv) -> np.ndarray:
    """The action that changes nothing."""
    target = env.world.robot.target
    target[:3] = 0.0
    return ACTION.from_physical(target)


def put(env: MJThorEnv, thing: str, at: str, off: tuple[float, float, float]) -> None:
    """Move a thing to where another is and ``off`` metres from there, upright."""
    joint = env.data.joint(thing)
    joint.qpos[:] = [*np.add(env.world.position(at), off), 1.0, 0.0, 0.0, 0.0]
    joint.qvel[:] = (0.0, 0.0, -1e-3, 0.0, 0.0, 0.0)  # moving wakes what sleeps
    mujoco.mj_forward(env.model, env.data)


# ---------------------------------------------------------------------------------- robot
def test_the_chain_has_the_heights_and_lengths_of_the_real_robot() -> None:
    model = robot_spec().compile()
    data = mujoco.MjData(model)
    mujoco.mj_kinematics(model, data)
    # Sheet of measurements on upstream's model, crouch of 0.738 rad; zero pose: arm hanging.
    shoulder, wrist = data.body("right_arm_0").xpos, data.body("right_arm_6").xpos
    assert shoulder == pytest.approx([0.0, -0.22, 1.204], abs=1e-3)
    assert shoulder[2] - wrist[2] == pytest.approx(0.532, abs=1e-6)
    tip = data.geom("right_finger_1").xpos[2] - 0.0305
    assert shoulder[2] - tip == pytest.approx(0.793, abs=2e-3)
    assert model.nu == 13


def test_the_robot_holds_its_pose() -> None:
    spec = robot_spec()
    spec.option.timestep = 0.004
    spec.option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
    model = spec.compile()
    data = mujoco.MjData(model)
    data.qpos[5:12] = data.ctrl[5:12] = REST_ARM
    start = data.qpos.copy()
    mujoco.mj_step(model, data, 2500)
    assert np.abs(data.qpos - start).max() < 1e-6


def test_base_actions_are_displacements_in_the_robots_frame() -> None:
    env = made("room_visit")
    env.reset(seed=3)
    robot = env.world.robot
    start = robot.target[:3]
    action = ACTION.to_physical(still(env))
    action[:3] = (0.03, -0.02, 0.05)
    env.advance(ACTION.from_physical(action))
    c, s = np.cos(start[2]), np.sin(start[2])
    moved = (c * 0.03 + s * 0.02, s * 0.03 - c * 0.02, 0.05)
    assert robot.target[:3] - start == pytest.approx(moved, abs=1e-5)


def test_the_base_gets_where_its_displacements_add_up_to() -> None:
    env = made("room_visit")
    env.reset(seed=3)
    start = env.world.robot.base_pose
    action = ACTION.to_physical(still(env))
    for turn in [0.06] * 10 + [0.0] * 10:
        action[:3] = (0.0, 0.0, turn)
        env.advance(ACTION.from_physical(action))
    assert env.world.robot.base_pose - start == pytest.approx((0.0, 0.0, 0.6), abs=2e-3)


def test_arm_targets_move_at_most_at_the_joints_speed() -> None:
    env = made("pick")
    env.reset(seed=3)
    before = env.world.robot.target[5:12]
    env.advance(np.ones(13, np.float32))
    moved = env.world.robot.target[5:12] - before
    assert (np.abs(moved) <= ARM_REACH + 1e-12).all()
    assert moved[0] == pytest.approx(ARM_REACH[0])  # far from its target: the full step


def test_the_delta_variant_adds_to_the_measured_joints() -> None:
    env = made("pick", protocol="delta")
    env.reset(seed=3)
    before, measured = env.world.robot.target[5:12], env.world.robot.arm
    physical = np.zeros(13)
    physical[3:5] = env.world.robot.target[3:5]
    physical[5:12] = 0.05
    env.advance(env.card.action.from_physical(physical))
    limited = np.minimum(measured + 0.05, np.array(ACTION.high[5:12])) - before
    assert env.world.robot.target[5:12] - before == pytest.approx(limited, abs=1e-6)
    held = env.world.robot.target[5:12]
    physical[5:12] = 0.0
    env.advance(env.card.action.from_physical(physical))
    assert (env.world.robot.target[5:12] == held).all()  # although the joints still lag


def test_the_head_moves_its_camera() -> None:
    env = made("pick")
    env.reset(seed=3)
    before = env.data.camera("head_camera").xmat.copy()
    action = still(env)
    action[3:5] = 1.0
    for _ in range(10):
        env.advance(action)
    assert env.world.robot.head == pytest.approx([0.523, 1.57], abs=0.02)
    assert np.abs(env.data.camera("head_camera").xmat - before).max() > 0.3


def test_random_full_range_actions_stay_stable() -> None:
    env = made("pick", horizon=400, terminate_on_success=False)
    rng = np.random.default_rng(0)
    env.reset(seed=5)
    fastest = 0.0
    for _ in range(400):
        env.advance(rng.uniform(-1, 1, 13).astype(np.float32))
        fastest = max(fastest, float(np.abs(env.world.robot.joint_speed).max()))
    assert all(warning.number == 0 for warning in env.data.warning)
    assert fastest < 40.0


def test_a_state_that_goes_bad_is_an_error_of_the_episode() -> None:
    env = made("pick")
    env.reset(seed=3)
    env.data.qvel[0] = np.inf
    with pytest.raises(SimulationError, match="went bad"):
        env.advance(still(env))


# --------------------------------------------------------------------------------- houses
@pytest.mark.parametrize(
    ("split", "houses"),
    [("demonstrations", "train"), ("finetuning", "train"), ("validation", "val"), ("test", "test")],
)
def test_the_seeds_split_chooses_the_houses(split: str, houses: str) -> None:
    env = made("room_visit")
    env.reset(seed=planned_seed(split, 12345))  # type: ignore[arg-type]
    assert env.house.split == houses


def test_a_house_can_be_chosen() -> None:
    env = made("pick", houses="val", house=7)
    for seed in (0, 1):
        env.reset(seed=seed)
        assert (env.house.split, env.house.index) == ("val", 7)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"houses": "trian"}, "houses are train, val, test"),
        ({"house": "x"}, "index of a house"),
        ({"house": True}, "index of a house"),
        ({"house": 1000}, "of every split, a whole number below 1000"),
        ({"house": 1000, "houses": "val"}, "of 'val', a whole number below 1000"),
    ],
)
def test_wrong_houses_are_refused(options: dict[str, object], said: str) -> None:
    with pytest.raises(ManigymError, match=said):
        made("pick", **options)


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.task)
def test_no_episode_starts_at_its_goal(card: object) -> None:
    env = made(card.task)  # type: ignore[attr-defined]
    for seed in range(4):
        env.reset(seed=seed)
        assert not env.goal.reached()
        env.advance(still(env))
        assert not env.goal_reached


# ---------------------------------------------------------------------------------- rules
def test_a_thing_that_only_hangs_in_the_air_is_not_lifted() -> None:
    env = made("pick")
    env.reset(seed=3)
    target = env.episode.target
    put(env, target, target, (0.0, 0.0, 0.5))
    assert not env.goal.reached()  # high enough, but the robot does not touch it


def test_a_thing_in_the_receptacle_is_placed_and_beside_it_is_not() -> None:
    env = made("pick_and_place", terminate_on_success=False)
    env.reset(seed=0)
    target, goal = env.episode.target, env.episode.goal
    top = env.world.things[goal].size[2]
    put(env, target, goal, (0.0, 0.0, top + 0.005))
    for _ in range(15):
        env.advance(still(env))
    assert env.goal.reached() and env.succeeded
    assert env.goal.subgoals() == {"held": False, "placed": True}  # it was put there by hand
    put(env, target, goal, (0.5, 0.5, 0.2))
    assert not env.goal.reached()


def test_a_receptacle_that_was_pushed_away_does_not_count() -> None:
    env = made("pick_and_place", terminate_on_success=False)
    env.reset(seed=0)
    goal = env.episode.goal
    put(env, goal, goal, (0.0, 0.0, 0.11))
    assert not env.goal.reached()


def test_carried_weight_is_that_of_the_thing() -> None:
    env = made("pick_and_place", terminate_on_success=False)
    env.reset(seed=0)
    target, goal = env.episode.target, env.episode.goal
    put(env, target, goal, (0.0, 0.0, env.world.things[goal].size[2] + 0.002))
    carried = []
    for _ in range(8):
        env.advance(still(env))
        carried.append(env.world.carried_by(target, goal))
    awake = [share for share in carried if share]
    assert awake and awake[-1] == pytest.approx(1.0, abs=0.2)


@pytest.mark.parametrize(("share", "open_enough"), [(0.60, False), (0.70, True)])
def test_a_drawer_is_open_from_two_thirds_of_its_travel(share: float, open_enough: bool) -> None:
    env = made("open_drawer")
    env.reset(seed=0)
    name = env.episode.openings[0]
    env.data.joint(name).qpos[0] = share * env.world.openings[name].travel
    assert env.goal.reached() == open_enough
    assert env.goal.reward(open_enough) == pytest.approx(share)


def test_a_door_may_turn_either_way() -> None:
    env = made("open_door")
    signs = set()
    for seed in range(6):
        env.reset(seed=seed)
        door = env.world.doors[env.episode.openings[0]]
        signs.add(np.sign(door.open_angle))
        env.data.joint(door.name).qpos[0] = 0.8 * door.open_angle
        assert env.world.opened(door.name) == pytest.approx(0.8)
        assert env.goal.reached()
    assert signs == {-1.0, 1.0}


def test_an_object_behind_the_robot_is_near_but_not_seen() -> None:
    env = made("nav_to_object")
    env.reset(seed=2)
    name = env.episode.instances[0]
    support = next(s for s in env.house.supports if s.name == env.world.things[name].support)
    x, y, _ = env.world.position(name)
    side = np.array(support.sides[0])
    for facing, seen in ((-side, True), (side, False)):
        yaw = float(np.arctan2(facing[1], facing[0]))
        env.world.robot.place((*(np.array((x, y)) + 1.0 * side), yaw), (0.0, 0.4), REST_ARM)
        mujoco.mj_forward(env.model, env.data)
        assert env.world.sees(env.world.things[name]) == seen
        assert env.goal.reached() == seen


def test_rooms_once_visited_stay_visited() -> None:
    env = made("room_visit")
    env.reset(seed=3)
    for room in env.house.rooms:
        x, y = np.add(room.low, room.high) / 2
        env.world.robot.place((x, y, 0.0), (0.0, 0.6), REST_ARM)
        reached = env.goal.reached()
    assert reached
    assert env.measures()["subgoals"] == 1.0


def test_a_chain_passes_its_sub_goals_in_order() -> None:
    env = made("tidy")
    env.reset(seed=0)
    fridge = env.episode.openings[0]
    env.data.joint(fridge).qpos[0] = env.world.openings[fridge].travel
    env.goal.reached()
    assert not any(env.goal.subgoals().values())  # open, but nobody is in the room
    room = next(r for r in env.house.rooms if r.name == env.episode.room)
    x, y = np.add(room.low, room.high) / 2
    env.world.robot.place((x, y, 0.0), (0.0, 0.6), REST_ARM)
    for _ in range(3):
        env.goal.reached()
    assert [name for name, done in env.goal.subgoals().items() if done] == ["room", "opened"]


# ------------------------------------------------------------------------------- measures
def test_measures_follow_the_robot() -> None:
    env = made("nav_to_object")
    env.reset(seed=1)
    expert, over = env.expert(), False
    while not over:
        _, terminated, truncated = env.advance(expert.act())
        over = terminated or truncated
    measures = env.measures()
    assert measures["success_at_end"] == measures["success_at_any_step"] == 1.0
    assert measures["path_length"] >= 0.98 * measures["shortest_path"] - 0.1
    assert 0.5 < measures["spl"] <= 1.0


def test_a_snapshot_of_one_house_continues_in_an_environment_of_another() -> None:
    env, other = made("pick"), made("pick")
    env.reset(seed=1)
    for _ in range(5):
        env.advance(still(env))
    snapshot = env.snapshot()
    action = still(env)
    action[5:12] += 0.2
    hashes = []
    for _ in range(5):
        env.advance(action)
        hashes.append(env.state_hash())
    other.reset(seed=2)
    other.restore(snapshot)
    for expected in hashes:
        other.advance(action)
        assert other.state_hash() == expected


def test_a_snapshot_of_another_house_is_refused_where_its_seed_stands_for_other_scenes() -> None:
    env, other = made("pick"), made("pick", houses="val")
    env.reset(seed=1)
    with pytest.raises(ManigymError, match="restore it with the options it was made with"):
        other.restore(env.snapshot())


def test_the_shortest_way_ends_where_the_rule_can_hold() -> None:
    env, spoc = made("nav_to_object"), made("nav_to_object", protocol="spoc")
    for seed in range(6):
        shortest = []
        for one in (env, spoc):
            one.reset(seed=seed)
            shortest.append(one.measures()["shortest_path"])
        assert 0 < shortest[1] <= shortest[0]  # 2 m are reached before 1.5 m


@pytest.mark.skipif(os.environ.get("MUJOCO_GL") is None, reason="needs a renderer")
def test_point_clouds_hold_the_house_and_not_the_sky() -> None:
    env = made("pick", observations=("point_cloud",), image_size=(64, 64))
    for seed in range(3):
        cloud = env.reset(seed=seed)[0]["point_cloud"]
        assert np.linalg.norm(cloud[:, :2], axis=1).max() < 16.0  # the longest house's diagonal
        assert cloud[:, 2].min() > -0.3 and cloud[:, 2].max() < 2.7
        assert (np.linalg.norm(cloud[:, :3], axis=1) > 0).mean() > 0.9
