"""DexArt's environment in SAPIEN 2: start states, controller, contacts, what policies see."""

from __future__ import annotations

import numpy as np
import pytest

from envs.registry import card, install_hint, installed
from envs.schema import ManigymError

TASKS = ("faucet", "bucket", "laptop", "toilet")
pytestmark = pytest.mark.skipif(
    not installed("DexArt/faucet-v0"), reason=install_hint("DexArt/faucet-v0")
)


def make(task, **options):
    from envs.dexart.env import DexArtEnv

    return DexArtEnv(card(f"DexArt/{task}-v0"), **options)


def hold(env, steps, **twist):
    """Move the wrist with the hand half closed; the palm's position before and after."""
    action = np.zeros(22, np.float32)
    for name, speed in twist.items():
        action[("vx", "vy", "vz", "wx", "wy", "wz").index(name)] = speed
    before = np.asarray(env.robot.palm.pose.position)
    for _ in range(steps):
        env.advance(action)
    return before, np.asarray(env.robot.palm.pose.position)


# ------------------------------------------------------------------------------ start states
@pytest.mark.parametrize("task", TASKS)
def test_the_seed_moves_the_object_one_way_and_turns_it_both_ways(task):
    env = make(task, instance=0)
    setting = env.setting
    shifts, yaws = [], []
    for seed in range(30):
        env.reset(seed=seed)
        root = next(iter(env.thing.articulation.links.values())).pose
        corner = np.asarray(env.base_pose.position) + env.thing.instance.place
        shifts.append(root.position - corner)
        yaw = 2 * np.arctan2(root.quaternion[3], root.quaternion[0]) - setting.yaw
        yaws.append((yaw + np.pi) % (2 * np.pi) - np.pi)
    assert np.min(shifts) > -1e-6
    assert np.max(shifts) < setting.shift + 1e-6
    assert np.ptp(shifts, axis=0).min() > 0.7 * setting.shift
    assert np.abs(yaws).max() <= setting.turn + 1e-5
    if setting.turn:
        assert min(yaws) < -0.5 * setting.turn
        assert max(yaws) > 0.5 * setting.turn


def test_without_randomization_only_the_object_differs():
    env = make("laptop", randomize=False)
    roots = set()
    for seed in range(4):
        env.reset(seed=seed)
        root = next(iter(env.thing.articulation.links.values())).pose
        place = np.asarray(root.position) - env.base_pose.position - env.thing.instance.place
        roots.add((*np.round(place, 6) + 0.0, *np.round(root.quaternion, 6) + 0.0))
    assert roots == {(0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0)}


@pytest.mark.parametrize("split", ["seen", "unseen"])
def test_every_object_of_a_split_is_drawn(split):
    env = make("faucet", instances=split)
    names = set()
    for seed in range(80):
        env.reset(seed=seed)
        names.add(env.thing.instance.name)
    assert len(names) == {"seen": 11, "unseen": 7}[split]


@pytest.mark.parametrize("task", TASKS)
def test_a_task_starts_as_upstreams_does(task):
    env = make(task)
    observation, _ = env.reset(seed=5)
    setting = env.setting
    # dexart.md: palm at this place for joints at 0, above a base of each task's height.
    np.testing.assert_allclose(
        env.robot.palm.pose.position, (-0.293, -0.045, 0.067 + setting.base), atol=1e-5
    )
    assert env.robot.palm.pose.rotation[2, 0] == pytest.approx(-1.0, abs=1e-3)  # faces down
    assert env.thing.progress == pytest.approx(0.0, abs=1e-5)
    assert not observation["proprio"][:22].any()
    assert observation["proprio"][-1] == 0
    env.advance(np.zeros(22, np.float32))
    assert env.observe()["proprio"][-1] == pytest.approx(1 / 250)


def test_the_same_seed_has_the_same_bits_after_another_episode():
    env, actions = make("laptop"), np.random.default_rng(0).uniform(-1, 1, (60, 22))
    hashes = []
    for seed in (3, 4, 3):
        env.reset(seed=seed)
        for action in actions.astype(np.float32):
            env.advance(action)
        hashes.append(env.state_hash())
    assert hashes[0] == hashes[2] != hashes[1]


# -------------------------------------------------------------------------------- controller
def test_the_wrist_follows_its_commanded_velocity():
    env = make("laptop")
    env.reset(seed=0)
    hold(env, 8, wy=0.5, vz=1.0)  # out of the starting singularity
    before, after = hold(env, 10, vx=0.5)
    np.testing.assert_allclose(after - before, (0.2, 0.0, 0.0), atol=0.04)
    assert env.reading.cartesian_error < 0.005


def test_fingers_go_to_their_limits():
    env = make("bucket")
    env.reset(seed=0)
    # Bent as far as they go the two outer links meet the palm first.
    for end, side, free in ((1.0, 1, 2), (-1.0, 0, 4)):
        action = np.zeros(22, np.float32)
        action[14:18] = end  # the ring finger
        for _ in range(40):
            env.advance(action)
        reached, limits = env.robot.qpos[14:18], env.robot.limits[14:18, side]
        np.testing.assert_allclose(reached[:free], limits[:free], atol=0.05)


# ------------------------------------------------------------------------------------ contacts
def test_contacts_are_counted_by_finger_and_only_when_firm():
    from envs.sapien.bodies import Contact

    env = make("bucket")
    env.reset(seed=0)
    handle, body = env.thing.handle.name, env.thing.body.name

    def contact(first, second, *impulse):
        return Contact(first, second, np.array([impulse]), np.zeros((1, 3)))

    on_handle, on_body, arm = env.table._touch.of(
        [
            contact("link_15.0_tip", handle, 0.02, 0.0, 0.0),  # thumb
            contact(handle, "link_2.0", -0.006, 0.0, 0.005),  # index: 0.011 without signs
            contact("link_6.0", handle, 0.009, 0.0, 0.0),  # middle: too weak
            contact("link_8.0", handle, 1.0, 0.0, 0.0),  # no part of the ring finger that counts
            contact("base_link", body, 0.0, 0.5, 0.0),
            contact("link3", body, 1.0, 0.0, 0.0),
            contact("link3", handle, 1.0, 0.0, 0.0),
            contact("link5", handle, 0.0, 0.0, 0.3),
            contact("link5", "table", 1.0, 0.0, 0.0),
            contact(handle, "table", 1.0, 0.0, 0.0),
        ]
    )
    assert on_handle.tolist() == [True, True, False, False, False]
    assert on_body.tolist() == [False, False, False, False, True]
    assert arm == 2


# -------------------------------------------------------------------------------- observations
def test_the_bucket_has_one_number_more():
    sizes = {task: make(task).observation_space["proprio"].shape[0] for task in TASKS}
    assert sizes == {"faucet": 32, "bucket": 33, "laptop": 32, "toilet": 32}


def test_the_known_hand_lies_on_its_links():
    from envs.dexart.cloud import KNOWN_LINKS
    from envs.dexart.things import vertices

    env = make("faucet", observations=("robot_points",))
    env.reset(seed=2)
    hold(env, 20, vz=1.0, wx=0.5)
    points = env.observe()["robot_points"]
    assert points.shape == (96, 7)
    np.testing.assert_array_equal(points[:, 3:], np.tile([0, 0, 1, 0], (96, 1)))
    world = points[:, :3].reshape(12, 8, 3) + env.base_pose.position
    for name, placed in zip(KNOWN_LINKS, world, strict=True):
        link = env.robot.links[name]
        local = (placed - link.pose.position) @ link.pose.rotation
        if name.endswith("_tip"):
            np.testing.assert_allclose(np.linalg.norm(local, axis=1), 0.012, atol=1e-5)
            continue
        corners = vertices(link)
        middle, half = (corners.max(0) + corners.min(0)) / 2, np.ptp(corners, axis=0) / 2
        # On a face: as far out as the box along one axis, not farther along any.
        np.testing.assert_allclose((np.abs(local - middle) / half).max(axis=1), 1.0, atol=1e-3)
        assert np.ptp(local, axis=0).min() > 0.5 * half.min()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"instances": "all"}, "seen, unseen"),
        ({"instance": 11}, "from 0 to 10"),
        ({"instance": True}, "from 0 to 10"),
        ({"cloud": ["upstream"]}, "maniflow, upstream"),
        ({"cloud": "dense"}, "maniflow, upstream"),
        ({"randomize": 1}, "true or false"),
        ({"asset_folder": 3}, "path of a folder"),
    ],
)
def test_wrong_options_are_refused(options, message):
    with pytest.raises(ManigymError, match=message):
        make("faucet", **options)
