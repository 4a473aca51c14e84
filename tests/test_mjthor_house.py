"""Generated houses: every promise about rooms, doors and furniture, counted on many of them."""

import math
from collections import Counter
from itertools import combinations, permutations

import numpy as np
import pytest
from mjthor_houses import sample
from scipy.ndimage import label

from envs.mjthor.house.facts import House, Point
from envs.mjthor.house.free_space import RADIUS, FreeSpace
from envs.mjthor.house.generate import HOUSES, generate
from envs.schema import ManigymError


@pytest.fixture(scope="module")
def houses() -> tuple[House, ...]:
    return sample()


def sweep(hinge: Point, end: Point, angle: float) -> np.ndarray:
    """Points (21, 8, 2) along a leaf from ``hinge`` to ``end`` while it turns by ``angle``."""
    turns = np.linspace(0.0, angle, 21)
    x, y = np.subtract(end, hinge)
    ends = np.stack(
        (np.cos(turns) * x - np.sin(turns) * y, np.sin(turns) * x + np.cos(turns) * y), 1
    )
    return hinge + ends[:, None] * np.linspace(0.3, 1.0, 8)[:, None]


def footprints(house: House) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Lowest and highest corner (2,) of what stands on the floor, by name."""
    boxes = {}
    for piece in (p for p in house.furniture if p.size[2] > 0):
        turned = abs(math.sin(piece.yaw)) > 0.5
        half = np.array(piece.size[:2][::-1] if turned else piece.size[:2]) / 2
        boxes[piece.name] = (piece.position - half, piece.position + half)
    return boxes


def test_equal_arguments_give_equal_houses_and_others_differ() -> None:
    assert generate("train", 7) == generate("train", 7)
    drawn = [generate(split, 7) for split in HOUSES] + [generate("train", 8)]
    for a, b in combinations(drawn, 2):
        assert a.rooms != b.rooms and a.things != b.things


def test_an_index_outside_the_split_is_refused() -> None:
    for index in (-1, 1000):
        with pytest.raises(ManigymError, match=f"no house {index} in split 'val'"):
            generate("val", index)


def test_rooms_fill_the_outline_and_doors_join_them(houses: tuple[House, ...]) -> None:
    sizes = Counter(len(house.rooms) for house in houses)
    assert set(sizes) == {2, 3, 4}
    for house in houses:
        for room in house.rooms:
            width, height = np.subtract(room.high, room.low)
            assert 3.2 <= min(width, height) <= 5.5 and max(width, height) <= 9
            assert all(np.greater_equal(room.low, house.low))
            assert all(np.less_equal(room.high, house.high))
        for a, b in combinations(house.rooms, 2):
            apart = np.maximum(np.subtract(a.low, b.high), np.subtract(b.low, a.high))
            assert apart.max() > 0.119  # a wall between them
        assert len(house.doors) >= len(house.rooms) - 1
        assert "kitchen" in {room.kind for room in house.rooms}


def test_doorways_are_wide_and_leaves_swing_into_their_room(houses: tuple[House, ...]) -> None:
    for house in houses:
        for door in house.doors:
            span = np.subtract(door.latch, door.hinge)
            assert np.hypot(*span) >= 1.05
            assert math.radians(90) <= abs(door.open_angle) <= math.radians(100)
            assert 0.95 <= door.handle_height <= 1.05
            quarter = math.copysign(math.pi / 2, door.open_angle)
            c, s = math.cos(quarter), math.sin(quarter)
            end = door.hinge + np.array((c * span[0] - s * span[1], s * span[0] + c * span[1]))
            inside = house.room_at((float(end[0]), float(end[1])))
            assert inside is not None and inside.name == door.swings_into


def test_a_leaf_swings_without_meeting_anything(houses: tuple[House, ...]) -> None:
    for house in houses:
        swept = {d.name: sweep(d.hinge, d.latch, d.open_angle) for d in house.doors}
        for door in house.doors:
            room = next(r for r in house.rooms if r.name == door.swings_into)
            end = swept[door.name][-1, -1]  # the latch end, fully open: its handles clear the walls
            assert (end >= np.add(room.low, 0.1)).all()
            assert (end <= np.subtract(room.high, 0.1)).all()
            points = swept[door.name].reshape(-1, 2)
            for low, high in footprints(house).values():
                assert not ((points > low - 0.05) & (points < high + 0.05)).all(1).any()
        for a, b in permutations(swept.values(), 2):
            assert np.linalg.norm(b - a[-1, -1], axis=-1).min() > 0.1


def test_a_fridge_opens_without_meeting_anything(houses: tuple[House, ...]) -> None:
    for house in houses:
        for fridge in (o for o in house.openings if o.kind == "door"):
            points = sweep(fridge.axis, fridge.handle[:2], fridge.travel)
            room = next(r for r in house.rooms if r.holds(fridge.axis))
            assert (points >= room.low).all() and (points <= room.high).all()
            for name, (low, high) in footprints(house).items():
                if name != fridge.furniture:
                    assert not ((points > low) & (points < high)).all(-1).any()


def test_the_robot_stands_on_both_sides_of_every_door(houses: tuple[House, ...]) -> None:
    for house in houses:
        closed = FreeSpace(house, {door.name: 0.0 for door in house.doors})
        for door in house.doors:
            middle = np.add(door.hinge, door.latch) / 2
            along = np.subtract(door.latch, door.hinge)
            across = np.array((-along[1], along[0])) / np.hypot(*along)
            for sign in (-1, 1):
                for away in np.linspace(0.6, 1.2, 5):
                    x, y = middle + sign * away * across
                    yaw = math.atan2(-sign * across[1], -sign * across[0])
                    assert closed.rectangle_free(x, y, yaw)


def test_what_every_house_contains(houses: tuple[House, ...]) -> None:
    for house in houses:
        kinds = Counter(piece.category for piece in house.furniture)
        assert all(kinds[name] for name in ("counter", "fridge", "table", "dresser"))
        obstacles = ("sofa", "armchair", "bed", "wardrobe", "tv bench", "plant", "side table")
        assert sum(kinds[name] for name in obstacles) >= 2
        opening = Counter(o.kind for o in house.openings)
        assert opening["drawer"] >= 2 and opening["door"] >= 1
        names = [x.name for group in (house.rooms, house.doors, house.furniture) for x in group]
        names += [x.name for group in (house.openings, house.supports, house.things) for x in group]
        assert len(names) == len(set(names))


def test_heights_that_the_arm_needs(houses: tuple[House, ...]) -> None:
    ranges = {"counter": (0.85, 0.90), "table": (0.70, 0.75), "dresser": (0.80, 0.95)}
    for house in houses:
        for support in house.supports:
            assert 0.70 <= support.centre[2] <= 0.95
        for piece in house.furniture:
            low, high = ranges.get(piece.category, (0, 3))
            assert low <= piece.size[2] <= high
        for opening in house.openings:
            if opening.kind == "door":
                assert 0.7 <= opening.handle[2] <= 1.1
        tops = [o.handle[2] for o in house.openings if o.name.endswith("drawer_2")]
        assert tops and all(0.65 <= z <= 0.85 for z in tops)


def test_furniture_stands_apart_inside_its_room(houses: tuple[House, ...]) -> None:
    for house in houses:
        boxes = footprints(house)
        for piece in (p for p in house.furniture if p.name in boxes):
            room = next(r for r in house.rooms if r.name == piece.room)
            assert (boxes[piece.name][0] >= room.low).all()
            assert (boxes[piece.name][1] <= room.high).all()
        for a, b in combinations(boxes.values(), 2):
            assert np.maximum(a[0] - b[1], b[0] - a[1]).max() >= 0


def test_a_disc_gets_from_every_room_to_every_other(houses: tuple[House, ...]) -> None:
    for house in houses:
        raster = FreeSpace(house).raster
        regions, _ = label(raster.field >= RADIUS, np.ones((3, 3)))
        common = None
        for room in house.rooms:
            inside = ((raster.centres > room.low) & (raster.centres < room.high)).all(-1)
            found = set(regions[inside & (regions > 0)].tolist())
            common = found if common is None else common & found
        assert common
