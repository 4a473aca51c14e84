"""The free things of generated houses: kinds, spacing, and whether the robot can reach them."""

import math
from collections import Counter
from itertools import combinations

import numpy as np
import pytest
from mjthor_houses import sample

from envs.mjthor.house.categories import KINDS
from envs.mjthor.house.facts import House, Support, Thing
from envs.mjthor.house.free_space import FreeSpace
from envs.mjthor.house.ground import approaches


@pytest.fixture(scope="module")
def houses() -> tuple[House, ...]:
    return sample()


def support_of(house: House, thing: Thing) -> Support:
    return next(s for s in house.supports if s.name == thing.support)


def local(support: Support, point: tuple[float, ...]) -> tuple[float, float]:
    """A world point in the frame of a support."""
    x, y = point[0] - support.centre[0], point[1] - support.centre[1]
    c, s = math.cos(support.yaw), math.sin(support.yaw)
    return c * x + s * y, c * y - s * x


def corners(thing: Thing) -> np.ndarray:
    """World positions (4, 2) of the corners of a thing's bounding box."""
    signs = np.array([(1, 1), (1, -1), (-1, -1), (-1, 1)])
    c, s = math.cos(thing.yaw), math.sin(thing.yaw)
    offsets = signs * np.array(thing.size[:2]) / 2 @ np.array([(c, s), (-s, c)])
    return offsets + thing.position[:2]


def gap(a: Thing, b: Thing) -> float:
    """A lower bound of the distance of two boxes: the widest separation along their axes."""
    widest = -math.inf
    for yaw in (a.yaw, a.yaw + math.pi / 2, b.yaw, b.yaw + math.pi / 2):
        axis = np.array((math.cos(yaw), math.sin(yaw)))
        p, q = corners(a) @ axis, corners(b) @ axis
        widest = max(widest, p.min() - q.max(), q.min() - p.max())
    return widest


def behind_edge(support: Support, thing: Thing, yaw: float) -> float:
    """Metres from the edge that a robot heading ``yaw`` faces to the thing."""
    side = yaw + math.pi - support.yaw
    x, y = local(support, thing.position)
    half = abs(math.cos(side)) * support.half[0] + abs(math.sin(side)) * support.half[1]
    return half - (math.cos(side) * x + math.sin(side) * y)


def test_supports_lie_inside_their_furniture(houses: tuple[House, ...]) -> None:
    for house in houses:
        for support in house.supports:
            piece = next(p for p in house.furniture if p.name == support.furniture)
            assert support.room == piece.room and support.sides
            assert support.centre[2] <= piece.size[2] + 1e-9
            offset = np.abs(local(support, piece.position))
            assert (offset + support.half <= np.array(piece.size[:2]) / 2 + 2e-3).all()
            assert bool(support.opening) == (piece.category == "fridge")


def test_how_many_things_of_which_kinds(houses: tuple[House, ...]) -> None:
    for house in houses:
        assert 24 <= len(house.things) <= 36
        assert len({thing.category for thing in house.things}) >= 14
        assert len({thing.colour for thing in house.things}) >= 6
        graspable = [thing for thing in house.things if thing.grasp]
        assert len({support_of(house, thing).room for thing in graspable}) >= 2
        pairs = Counter((thing.colour, thing.category) for thing in graspable)
        assert sum(pairs[t.colour, t.category] == 1 for t in graspable) >= len(graspable) / 2
        for thing in house.things:
            assert thing.receptacle == KINDS[thing.category].receptacle == (thing.grasp == 0)
            if thing.grasp:
                assert 0.025 <= thing.grasp <= 0.075 and thing.grasp == thing.size[1]
                assert 0.04 <= thing.size[2] <= 0.22


def test_things_stand_on_their_support_apart_from_each_other(houses: tuple[House, ...]) -> None:
    for house in houses:
        for thing in house.things:
            support = support_of(house, thing)
            assert thing.position[2] == support.centre[2]
            for corner in corners(thing):
                assert (np.abs(local(support, corner)) <= np.add(support.half, 1e-3)).all()
        for a, b in combinations(house.things, 2):
            if a.support == b.support:
                assert gap(a, b) >= 0.04
                for thing, other in ((a, b), (b, a)):
                    # Beside a graspable thing, within its depth: room for a finger.
                    c, s = math.cos(thing.yaw), math.sin(thing.yaw)
                    offsets = corners(other) - thing.position[:2]
                    depth, side = offsets @ (c, s), offsets @ (-s, c)
                    beside = depth.min() < thing.size[0] / 2 and depth.max() > -thing.size[0] / 2
                    if thing.grasp and beside:
                        assert np.abs(side).min() >= thing.size[1] / 2 + 0.05


def test_the_robot_stands_where_it_can_grasp(houses: tuple[House, ...]) -> None:
    for house in houses:
        space = FreeSpace(house)
        for thing in house.things:
            poses = approaches(house, thing)
            assert poses, (house.split, house.index, thing.name)
            for x, y, yaw in poses:
                assert space.rectangle_free(x, y, yaw, 0.01)
                dx, dy = thing.position[0] - x, thing.position[1] - y
                ahead = math.cos(yaw) * dx + math.sin(yaw) * dy
                left = math.cos(yaw) * dy - math.sin(yaw) * dx
                assert (ahead, left) == pytest.approx((0.55, -0.25), abs=1e-6)
                if thing.grasp:
                    assert 0.059 <= behind_edge(support_of(house, thing), thing, yaw) <= 0.171


def test_a_receptacle_has_things_beside_it(houses: tuple[House, ...]) -> None:
    for house in houses:
        groups = 0
        for bowl in (thing for thing in house.things if thing.receptacle):
            near = [
                thing
                for thing in house.things
                if thing.grasp
                and thing.support == bowl.support
                and 0.15 <= math.dist(thing.position[:2], bowl.position[:2]) <= 0.5
            ]
            yaws = {round(pose[2], 3) for pose in approaches(house, bowl)}
            same = [t for t in near if yaws & {round(p[2], 3) for p in approaches(house, t)}]
            on_top = bowl.support.startswith(("counter", "table"))
            groups += on_top and len(same) >= 2
        assert groups >= 1
