"""Free floor: clearances, distances and poses that are known in closed form."""

from __future__ import annotations

import math

import numpy as np
import pytest
from mjthor_floors import block, one_room, two_rooms

from envs.mjthor.house.free_space import RADIUS, TIGHT, TURNING, FreeSpace
from envs.mjthor.stand import stand_poses, start_poses, view_poses

EXCESS = 1.028  # of the raster's 16 directions over a straight line, at most
FRONT, SIDE = 0.35, 0.30


def length(way: np.ndarray) -> float:
    return float(np.hypot(*np.diff(way, axis=0).T).sum())


def least_clearance(space: FreeSpace, way: np.ndarray) -> float:
    parts = np.linspace(0, 1, 200)[:, None, None]
    return float(space.clearance((way[:-1] + parts * np.diff(way, axis=0)).reshape(-1, 2)).min())


def test_clearance_across_a_corridor() -> None:
    space = FreeSpace(one_room(6.0, 1.2))
    y = np.array([0.6, 0.35, 0.1, 1.1, -0.05])
    expected = [0.6, 0.35, 0.1, 0.1, -0.05]
    points = np.column_stack((np.full(5, 3.0), y))
    np.testing.assert_allclose(space.clearance(points), expected, atol=0.025)
    assert space.clearance(np.array([(-3.0, 0.6)]))[0] < 0  # outside the house is solid


def test_clearance_of_turned_furniture() -> None:
    yaw = 0.5
    space = FreeSpace(one_room(6.0, 6.0, block(3.0, 3.0, 1.0, 0.6, yaw)))
    front = np.array((math.cos(yaw), math.sin(yaw)))
    left = np.array((-front[1], front[0]))
    points = np.array([(3.0, 3.0) + front * 0.9, (3.0, 3.0) - left * 0.7])
    np.testing.assert_allclose(space.clearance(points), (0.4, 0.4), atol=0.01)
    corner = (3.0, 3.0) + front * 0.8 + left * 0.7
    assert space.clearance(corner[None])[0] == pytest.approx(0.5, abs=0.01)  # of 3-4-5


def test_a_closed_door_separates_rooms() -> None:
    here, there = (1.0, 2.0), (7.0, 2.0)
    closed = FreeSpace(two_rooms(), {"door": 0.0})
    assert closed.distance(here, there) == math.inf
    assert closed.path(here, there) is None
    field = closed.distances(here)
    den = closed.raster.centres[..., 0] > 4.12
    assert np.isfinite(field[~den]).sum() > 1000
    assert not np.isfinite(field[den]).any()
    open_ = FreeSpace(two_rooms())
    assert open_.distance(here, there) == pytest.approx(6.0, abs=0.01)
    assert np.isfinite(open_.distances(here)[den]).sum() > 1000


def test_a_door_half_open_leaves_its_leaf_in_the_way() -> None:
    space = FreeSpace(two_rooms(), {"door": 0.5})
    turn = math.radians(48.5) - math.pi / 2
    middle = np.array((4.1 + 0.57 * math.cos(turn), 2.57 + 0.57 * math.sin(turn)))
    assert space.clearance(middle[None])[0] < 0.02
    assert not space.rectangle_free(*middle, 0.0)
    assert FreeSpace(two_rooms()).rectangle_free(*middle, 0.0)


def round_a_wall(radius: float) -> float:
    """From (1, 1) to (5, 1) over a wall 0.2 m thick from (3, 0) to (3, 2): two tangents, two arcs
    about its corners and its thickness."""
    span, rise = 1.9, 1.0
    reach = math.hypot(span, rise)
    arc = math.pi / 2 + math.atan2(rise, span) - math.acos(radius / reach)
    return 2 * (math.sqrt(reach**2 - radius**2) + radius * arc) + 0.2


@pytest.mark.parametrize("radius", [0.30, 0.42])
def test_distance_round_a_wall(radius: float) -> None:
    space = FreeSpace(one_room(6.0, 4.0, block(3.0, 1.0, 0.2, 2.0)))
    exact = round_a_wall(radius)
    start, goal = (1.0, 1.0), (5.0, 1.0)
    assert space.distance(start, goal, radius) == pytest.approx(exact, rel=0.01)
    cell = np.round((np.array(start) - space.raster.origin) / 0.05).astype(int)
    centre = space.raster.centres[tuple(cell)]
    assert np.hypot(*(centre - start)) < 0.04
    field = space.distances(goal, radius)[tuple(cell)]
    assert exact - 0.1 <= field <= EXCESS * exact + 0.1


def test_distances_over_open_floor_exceed_straight_lines_by_the_stated_bound() -> None:
    space = FreeSpace(one_room(8.0, 8.0))
    field = space.distances((4.015, 4.015))  # the centre of a cell
    free = np.isfinite(field)
    straight = np.hypot(*(space.raster.centres[free] - (4.015, 4.015)).T)
    far = straight > 0.5
    ratio = field[free][far] / straight[far]
    assert 1.0 - 1e-9 <= ratio.min() < 1.0001
    assert 1.02 < ratio.max() <= EXCESS
    assert space.distance((1.0, 1.0), (6.0, 3.5)) == pytest.approx(math.hypot(5, 2.5), abs=1e-3)


def test_the_nearest_of_several_goals_counts() -> None:
    space = FreeSpace(two_rooms(block(2.0, 3.0, 0.8, 0.8)))
    goals = [(1.0, 1.0), (7.0, 3.0)]
    each = [space.distances(goal) for goal in goals]
    np.testing.assert_array_equal(space.distances(goals), np.minimum(*each))


def test_the_rectangle_touches_a_wall_where_it_should() -> None:
    space = FreeSpace(one_room(4.0, 4.0))
    diagonal = (FRONT + SIDE) / math.sqrt(2)
    for yaw, half in ((0.0, FRONT), (math.pi / 2, SIDE), (math.pi / 4, diagonal)):
        assert space.rectangle_free(half + 1e-3, 2.0, yaw, margin=0.0)
        assert not space.rectangle_free(half - 1e-3, 2.0, yaw, margin=0.0)
    assert not space.rectangle_free(FRONT + 0.04, 2.0, 0.0, margin=0.05)
    assert not space.rectangle_free(-2.0, 2.0, 0.0)


def test_the_rectangle_meets_a_corner_between_its_own() -> None:
    """A thin post in the middle of the base touches none of its corners."""
    space = FreeSpace(one_room(4.0, 4.0, block(2.0, 2.0, 0.04, 0.04)))
    poses = np.array([(2.2, 2.1, 0.3), (2.0, 2.4, 0.0), (2.0, 2.3, 0.0), (2.0, 2.4, math.pi / 2)])
    np.testing.assert_array_equal(space.rectangles_free(poses, 0.0), [False, True, False, True])
    assert not space.rectangle_free(2.0, 2.36, math.pi / 2, 0.0)  # the long side reaches farther


def test_a_start_at_a_counter_is_reached_from_the_free_floor() -> None:
    space = FreeSpace(one_room(4.0, 4.0))
    assert space.distance((0.36, 2.0), (3.0, 2.0)) == pytest.approx(2.64, abs=0.01)
    way = space.path((3.0, 2.0), (0.36, 2.0))
    assert way is not None
    np.testing.assert_allclose(way[[0, -1]], [(3.0, 2.0), (0.36, 2.0)])


def test_a_goal_in_furniture_stands_for_its_own_side_of_a_wall() -> None:
    """The thing is nearer to the free floor of the other room, but lies in this one."""
    space = FreeSpace(two_rooms(block(3.5, 3.6, 1.0, 0.8)))
    thing = (3.9, 3.6)
    way = space.path((1.0, 2.0), thing)
    assert way is not None
    assert way[-1][0] < 4.0
    assert space.clearance(way[-1:])[0] >= TIGHT
    den, hall = space.distance((6.0, 3.6), thing), space.distance((2.0, 2.0), thing)
    assert hall < 3.0 < den  # from the other room it is a walk through the door


def test_ends_in_the_same_cell() -> None:
    space = FreeSpace(one_room(4.0, 4.0, block(0.3, 2.0, 0.6, 4.0)))
    for start, goal in (((2.0, 2.0), (2.01, 2.0)), ((1.03, 2.0), (0.9, 2.0)), ((0.9, 2.0),) * 2):
        way = space.path(start, goal)
        assert way is not None
        np.testing.assert_allclose(way[[0, -1]], [start, goal])
        assert length(way) < 0.35
    into = space.path((1.03, 2.0), (0.3, 2.0))  # the goal is in the counter
    assert into is not None
    assert into[:, 0].min() > 1.0


def test_paths_keep_away_from_walls_and_their_disc_fits() -> None:
    space = FreeSpace(two_rooms(block(2.0, 1.0, 1.0, 0.6), block(6.0, 2.2, 0.6, 1.0)))
    start, goal = (1.0, 0.5), (7.5, 3.4)
    way = space.path(start, goal)
    assert way is not None
    np.testing.assert_allclose(way[[0, -1]], [start, goal])
    assert least_clearance(space, way) >= RADIUS - 0.01
    shortest = space.distance(start, goal)
    assert shortest <= length(way) < 1.15 * shortest
    inside = way[1:-1]
    assert space.clearance(inside).min() > RADIUS + 0.04  # it turns where there is room


def test_samples_are_free_and_of_the_room_asked_for() -> None:
    space = FreeSpace(two_rooms(block(2.0, 1.0, 1.0, 0.6)))
    poses = space.sample(np.random.default_rng(3), 500, room="hall")
    assert len(poses) > 450
    assert space.rectangles_free(poses).all()
    assert (poses[:, :2].max(0) < 4.0).all()
    assert np.ptp(poses[:, 0]) > 2.5 and np.ptp(poses[:, 2]) > 6.0
    again = space.sample(np.random.default_rng(3), 500, room="hall")
    np.testing.assert_array_equal(poses, again)


def test_the_place_to_turn_is_reached_by_sliding() -> None:
    space = FreeSpace(one_room(4.0, 4.0, block(0.3, 2.0, 0.6, 4.0)))
    pose = (0.97, 2.0, math.pi)  # front 2 cm from the counter
    spot = space.turning_point(pose)
    np.testing.assert_allclose(spot, (0.6 + TURNING, 2.0), atol=0.06)
    np.testing.assert_allclose(space.turning_point((2.0, 2.0, 1.0)), (2.0, 2.0))


def test_stand_poses_hold_the_target_where_asked_and_face_a_side() -> None:
    space = FreeSpace(one_room(4.0, 4.0, block(0.3, 2.0, 0.6, 4.0)))
    target, ahead, lateral = np.array((0.5, 2.0)), 0.55, -0.25
    poses = stand_poses(space, tuple(target), [(1.0, 0.0)], ahead=ahead, lateral=lateral)
    assert len(poses) >= 5
    assert space.rectangles_free(poses).all()
    cos, sin = np.cos(poses[:, 2]), np.sin(poses[:, 2])
    gap = target - poses[:, :2]
    np.testing.assert_allclose(cos * gap[:, 0] + sin * gap[:, 1], ahead)
    np.testing.assert_allclose(cos * gap[:, 1] - sin * gap[:, 0], lateral)
    assert abs(poses[0, 2]) == pytest.approx(math.pi, abs=1e-6)  # squarely, looking along -x
    deep = stand_poses(space, (0.3, 2.0), [(1.0, 0.0)], ahead=0.55, lateral=lateral)
    assert len(deep) == 0  # 0.30 m behind the edge: the base would be in the counter


def test_view_poses_face_a_target_and_see_it() -> None:
    table = block(3.4, 1.0, 0.8, 0.8)
    space = FreeSpace(two_rooms(table, block(1.2, 1.0, 0.4, 1.0, height=2.0)))
    target = np.array(table.position)
    poses = view_poses(space, table.position, 0.8, 3.2)
    assert len(poses) > 500
    gap = target - poses[:, :2]
    reach = np.hypot(*gap.T)
    assert reach.min() >= 0.8 and reach.max() <= 3.2
    np.testing.assert_allclose(np.arctan2(gap[:, 1], gap[:, 0]), poses[:, 2])
    # Only through the doorway is it seen from the den, and not at all behind the wardrobe.
    den = poses[poses[:, 0] > 4.12]
    through = den[:, 1] + (4.06 - den[:, 0]) * np.tan(den[:, 2])
    assert ((through > 1.42) & (through < 2.58)).all()
    assert not space.sees(np.array([(0.5, 1.0)]), table.position)[0]
    assert space.sees(np.array([(0.5, 3.0)]), table.position)[0]
    closed = view_poses(FreeSpace(two_rooms(table), {"door": 0.0}), table.position, 0.8, 3.2)
    assert closed[:, 0].max() < 4.0


def test_start_poses_are_the_walk_away_that_was_asked_for() -> None:
    space = FreeSpace(two_rooms())
    target = (1.0, 1.0)
    poses = start_poses(np.random.default_rng(0), space, target, 4.0, 5.0, 40)
    assert len(poses) == 40
    walks = [space.distance(tuple(pose[:2]), target) for pose in poses]
    assert min(walks) >= 4.0 / EXCESS - 0.1 and max(walks) <= 5.1
    assert space.rectangles_free(poses).all()
    assert len(start_poses(np.random.default_rng(0), space, target, 40.0, 50.0)) == 0


def pocket() -> FreeSpace:
    """A nook at (0.55, 3.45) behind two blocks, too narrow to get out of; a shelf closes it in."""
    return FreeSpace(
        one_room(
            6.0,
            4.0,
            block(1.4, 3.2, 0.4, 1.6),
            block(0.4, 2.7, 0.8, 0.2),
            block(0.1, 3.9, 0.1, 0.1),
        )
    )


def test_a_thing_at_a_pocket_of_floor_is_approached_from_the_room() -> None:
    space = pocket()
    inside = (0.6, 3.4)
    ways = space.ways()
    assert 0 < (~ways.roomy).sum() < 100
    assert space.distance(inside, (4.0, 2.0)) == math.inf  # the disc fits there: no way
    assert space.distance((1.3, 3.2), (4.0, 2.0)) < 3.2  # on the block: from its other side
    assert not space.can_leave((*inside, 0.0))
    assert space.can_leave((4.0, 2.0, 0.0))
    samples = space.sample(np.random.default_rng(0), 2000)
    assert not ((samples[:, 0] < 1.2) & (samples[:, 1] > 2.8)).any()


def test_a_target_in_a_nook_is_seen_from_where_the_base_slides() -> None:
    """A dead end 0.80 m wide: the base (0.60 m) slides in, the disc (0.84 m) does not fit."""
    space = FreeSpace(one_room(6.0, 4.0, block(0.9, 1.1, 1.8, 2.2), block(0.9, 3.5, 1.8, 1.0)))
    poses = view_poses(space, (0.1, 2.6), 0.6, 1.4)
    assert len(poses) > 0
    assert poses[:, 0].max() < 1.8 - 0.2
    assert np.abs(poses[:, 1] - 2.6).max() < 0.1
    assert space.rectangles_free(poses).all()
    assert all(space.can_leave(pose) for pose in poses)
