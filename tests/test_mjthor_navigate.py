"""Driving along paths with the base's lag: arrives, within limits, and touches nothing."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
from mjthor_floors import block, one_room, two_rooms

from envs.mjthor.expert.navigate import Follower, route
from envs.mjthor.house import solid
from envs.mjthor.house.facts import House
from envs.mjthor.house.free_space import BASE_HALF, FreeSpace

LIMITS = np.array((0.05, 0.05, 0.10))
# Of the way to its target that the servo has left after a step of 0.1 s: 95 % in 0.32 s, 0.19 s.
LEFT = 0.05 ** (0.1 / np.array((0.32, 0.32, 0.19)))


def drive(follower: Follower, start: Sequence[float], limit: int = 1500) -> np.ndarray:
    """The poses (T, 3) of a base with first-order lag until the follower is done."""
    pose = np.array(start, float)
    target, poses = pose.copy(), [pose]
    while not follower.done(pose):
        assert len(poses) < limit, "never arrives"
        step = follower.command(pose)
        assert (np.abs(step) <= LIMITS + 1e-9).all()
        cos, sin = math.cos(pose[2]), math.sin(pose[2])
        target = target + np.array(((cos, -sin, 0), (sin, cos, 0), (0, 0, 1))) @ step
        pose = target + LEFT * (pose - target)
        poses.append(pose)
    return np.array(poses)


def touches(space: FreeSpace, poses: np.ndarray, margin: float) -> np.ndarray:
    """Whether (T,) the base, grown by ``margin``, meets something solid. Exact."""
    half = np.broadcast_to(np.add(BASE_HALF, margin), (len(poses), 2))
    return solid.overlaps(np.column_stack((poses[:, :2], half, poses[:, 2])), space.boxes)


def wrapped(angle: np.ndarray | float) -> np.ndarray:
    return (np.asarray(angle) + np.pi) % (2 * np.pi) - np.pi


def test_a_straight_path_at_full_speed_facing_along() -> None:
    follower = Follower(np.array([(0, 0), (3, 0)]), 0.0)
    assert follower.remaining == pytest.approx(3.0)
    poses = drive(follower, (0.0, 0.0, 0.0))
    assert 60 <= len(poses) <= 72  # 3 m at 0.05 m per step, then the servo settles
    np.testing.assert_allclose(poses[-1], (3.0, 0.0, 0.0), atol=0.02)
    assert np.abs(poses[:, 1:]).max() < 1e-9
    assert poses[:, 0].max() < 3.02
    assert follower.remaining < 0.06


def test_it_turns_on_the_spot_before_it_drives_off() -> None:
    poses = drive(Follower(np.array([(0, 0), (3, 0)]), 0.0), (0.0, 0.0, 2.0))
    askew = np.abs(wrapped(poses[:, 2])) > 0.35
    assert askew.sum() > 15
    assert np.abs(poses[askew][:, :2]).max() < 1e-9


def test_a_bend_is_taken_facing_along_and_close_to_the_path() -> None:
    path = np.array([(0, 0), (2, 0), (2, 2)])
    poses = drive(Follower(path, None), (0.0, 0.0, 0.0))
    moves = np.diff(poses[:, :2], axis=0)
    moving = np.hypot(*moves.T) > 0.02
    askew = np.abs(wrapped(np.arctan2(moves[:, 1], moves[:, 0]) - poses[1:, 2]))
    assert np.quantile(askew[moving], 0.9) < 0.15
    first = np.abs(poses[:, 1]) + 10 * np.maximum(poses[:, 0] - 2, 0)
    second = np.abs(poses[:, 0] - 2) + 10 * np.maximum(-poses[:, 1], 0)
    assert np.minimum(first, second).max() < 0.12
    np.testing.assert_allclose(poses[-1, :2], path[-1], atol=0.02)


def test_the_last_metres_are_slid_at_the_final_heading() -> None:
    follower = Follower(np.array([(0, 0), (3, 0), (3, 0.5)]), 0.0, approach=0.5)
    poses = drive(follower, (0.0, 0.0, 0.0))
    assert np.abs(poses[:, 2]).max() < 0.05  # it never turns to the side
    np.testing.assert_allclose(poses[-1], (3.0, 0.5, 0.0), atol=0.03)


def test_the_first_metres_are_slid_at_the_heading_of_the_start() -> None:
    follower = Follower(np.array([(0, 0), (0.5, 0), (0.5, 3)]), None, leave=0.5)
    poses = drive(follower, (0.0, 0.0, math.pi))
    backing = poses[:, 0] < 0.45
    assert backing.sum() >= 8
    assert np.abs(wrapped(poses[backing][:, 2] - math.pi)).max() < 1e-9


@pytest.mark.parametrize("yaw", [-3.0, -1.0, 0.5, 3.1])
def test_it_turns_to_the_final_heading(yaw: float) -> None:
    follower = Follower(np.array([(0, 0), (1, 0)]), yaw)
    pose = drive(follower, (0.0, 0.0, 0.0))[-1]
    assert abs(float(wrapped(pose[2] - yaw))) < 0.03
    assert follower.done((1.0, 0.0, yaw + 2 * math.pi))
    assert not follower.done((1.0, 0.0, yaw + 0.1))
    assert not follower.done((1.03, 0.0, yaw))


def test_a_path_of_one_point_is_a_pose_to_take() -> None:
    pose = drive(Follower(np.array([(1.0, 1.0)]), 1.0), (0.9, 1.1, 0.0))[-1]
    np.testing.assert_allclose(pose, (1.0, 1.0, 1.0), atol=0.03)


def test_from_counter_to_counter_through_the_doorway() -> None:
    house = two_rooms(block(0.3, 1.2, 0.6, 2.4), block(7.82, 2.9, 0.6, 2.2, math.pi))
    space = FreeSpace(house)
    start, goal = (0.97, 1.0, math.pi), (7.15, 2.9, 0.0)
    assert space.rectangle_free(*start, 0.015) and space.rectangle_free(*goal, 0.015)
    follower = route(space, start, goal)
    assert follower is not None
    poses = drive(follower, start)
    assert not touches(space, poses, 0.0).any()
    doorway = np.abs(poses[:, 0] - 4.06) < 0.3
    assert doorway.sum() > 5
    assert np.abs(wrapped(poses[doorway][:, 2])).max() < 0.3
    np.testing.assert_allclose(poses[-1, :2], goal[:2], atol=0.02)
    closed = FreeSpace(house, {"door": 0.0})
    assert route(closed, start, goal) is None


def cluttered(seed: int) -> House:
    """Two rooms with up to six blocks at random places and headings, the doorway left free."""
    rng = np.random.default_rng(seed)
    blocks = []
    for _ in range(6):
        x, y = rng.uniform((0.3, 0.3), (7.8, 3.7))
        if abs(x - 4.06) > 1.8:
            blocks.append(block(x, y, *rng.uniform(0.3, 0.9, 2), rng.uniform(-3, 3)))
    return two_rooms(*blocks)


def test_nothing_is_touched_between_random_poses_of_cluttered_rooms() -> None:
    routes = 0
    for seed in range(15):
        space = FreeSpace(cluttered(seed))
        rng = np.random.default_rng(seed)
        poses = np.column_stack((rng.uniform(0.3, (7.8, 3.7), (300, 2)), rng.uniform(-3, 3, 300)))
        poses = poses[space.rectangles_free(poses)]
        poses = np.array([pose for pose in poses if space.can_leave(pose)])[:6]
        for start, goal in zip(poses[::2], poses[1::2], strict=True):
            follower = route(space, start, goal)
            if follower is None:
                continue
            routes += 1
            driven = drive(follower, start, limit=int(80 + 2.0 * follower.length / 0.05))
            assert not touches(space, driven, -0.02).any(), (seed, start, goal)
            np.testing.assert_allclose(driven[-1, :2], goal[:2], atol=0.02)
    assert routes >= 35  # of 45: few of the poses are walled in


def test_no_way_round_is_said() -> None:
    wall = block(3.0, 2.0, 0.2, 4.0)
    assert route(FreeSpace(one_room(6.0, 4.0, wall)), (1, 2, 0), (5, 2, 0)) is None
