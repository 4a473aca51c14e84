"""From a split and an index to a house; equal arguments, equal house."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from scipy.ndimage import label

from envs.mjthor.house import layout
from envs.mjthor.house.facts import Furniture, House, Opening, Split
from envs.mjthor.house.free_space import RADIUS, FreeSpace
from envs.mjthor.house.furnish import furnish, openings, supports
from envs.mjthor.house.ground import Ground, Pose, sides, stand
from envs.mjthor.house.raster import CELL
from envs.mjthor.house.rectangles import Rect
from envs.mjthor.house.solid import Mask
from envs.mjthor.house.things import things
from envs.schema import ManigymError

HOUSES: Mapping[Split, int] = {"train": 10000, "val": 1000, "test": 1000}
ATTEMPTS = 200
_BACK = (0.2, 0.4)  # metres: the base leaves a place at furniture backwards before it turns
_STREAM = 0x4D4A5468  # sets these streams apart from all others of the project


def generate(split: Split, index: int) -> House:
    """The house ``index`` of ``split``. The splits' random streams never meet."""
    if split not in HOUSES or not 0 <= index < HOUSES[split]:
        sizes = ", ".join(f"{name} 0..{size - 1}" for name, size in HOUSES.items())
        raise ManigymError(f"no house {index} in split {split!r}; there are: {sizes}")
    key = (_STREAM, list(HOUSES).index(split), index)
    for attempt in range(ATTEMPTS):
        rng = np.random.default_rng(np.random.SeedSequence(key, spawn_key=(attempt,)))
        house = _draw(rng, split, index)
        if house is not None:
            return house
    raise ManigymError(
        f"house {index} of split {split!r}: none of {ATTEMPTS} drawn houses has room for all it "
        "needs; take another index"
    )


def _draw(rng: np.random.Generator, split: Split, index: int) -> House | None:
    """One attempt: ``None`` where something found no place or cannot be reached."""
    rooms = layout.rooms(rng)
    doors = layout.doors(rng, rooms)
    pieces = furnish(rng, rooms, doors) if doors else None
    if doors is None or pieces is None:
        return None
    ground = Ground.of(rooms, doors, pieces)
    if not all(_free_before(opening, pieces, ground) for opening in openings(pieces)):
        return None
    rects = [Rect(*room.low, *room.high) for room in rooms]
    outline = Rect.around([c for r in rects for c in (r[:2], r[2:])]).grown(layout.WALL / 2)
    plan = House(
        *(split, index, outline[:2], outline[2:], rooms, doors),
        *(pieces, openings(pieces), (), ()),
    )
    space = FreeSpace(plan)
    main = _connected(plan, space)
    if main is None:
        return None

    def reached(pose: Pose, open_too: bool) -> bool:
        return ground.holds(pose, swept=open_too) and _led_to(pose, space, main)

    tops = [replace(support, sides=sides(support, reached)) for support in supports(pieces)]
    tops = [support for support in tops if support.sides]
    free = things(rng, tops, reached)
    if free is None:
        return None
    of = {support.name: support for support in tops}
    if len({of[thing.support].room for thing in free if thing.grasp}) < 2:
        return None
    return replace(plan, supports=tuple(tops), things=free)


def _free_before(opening: Opening, pieces: tuple[Furniture, ...], ground: Ground) -> bool:
    """Whether the robot can stand at its arm's length before a handle and 0.35 m further back."""
    yaw = next(p.yaw for p in pieces if p.name == opening.furniture)
    ahead = (round(math.cos(yaw)) + 0.0, round(math.sin(yaw)) + 0.0)
    point = opening.handle[:2]
    return all(ground.holds(stand(point, ahead, away), swept=False) for away in (0.6, 0.95))


def _connected(house: House, space: FreeSpace) -> Mask | None:
    """The cells of the largest region where a disc moves with all doors open, if it leads into
    all rooms."""
    regions, count = label(space.raster.field >= RADIUS, np.ones((3, 3)))
    if not count:
        return None
    main = regions == 1 + np.argmax(np.bincount(regions.ravel())[1:])
    points = space.raster.centres[main]
    inside = (((points > room.low) & (points < room.high)).all(1).any() for room in house.rooms)
    return main if all(inside) else None


def _led_to(pose: Pose, space: FreeSpace, main: Mask) -> bool:
    """Whether the base leaves a pose backwards onto the floor that is ``main``."""
    x, y, yaw = pose
    for back in _BACK:
        point = np.array((x - back * math.cos(yaw), y - back * math.sin(yaw)))
        i, j = np.rint((point - space.raster.origin) / CELL).astype(int)
        if main[i, j]:
            return True
    return False
