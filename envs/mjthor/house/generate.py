"""From a split and an index to a house; equal arguments, equal house."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from scipy.ndimage import label

from envs.mjthor.house import layout
from envs.mjthor.house.facts import Furniture, House, Opening, Split
from envs.mjthor.house.free_space import RADIUS, FreeSpace
from envs.mjthor.house.furnish import furnish, openings, supports
from envs.mjthor.house.rectangles import Rect, covered
from envs.mjthor.house.things import stand, standable, things
from envs.schema import ManigymError

HOUSES: Mapping[Split, int] = {"train": 10000, "val": 1000, "test": 1000}
ATTEMPTS = 200
_STREAM = 0x4D4A5468  # sets these streams apart from all others of the project
_BACK = 0.3  # metres: a place to stand is left backwards this far before the base turns


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
    pieces = furnish(rng, rooms, doors)
    if pieces is None:
        return None
    edge = layout.WALL / 2
    outline = Rect.around([room.low for room in rooms] + [room.high for room in rooms]).grown(edge)
    low, high = (outline.x0, outline.y0), (outline.x1, outline.y1)
    house = House(split, index, low, high, rooms, doors, pieces, openings(pieces), (), ())
    space = FreeSpace(house)
    blocked = [*_swept(pieces)]
    tops = [standable(support, space, blocked) for support in supports(pieces)]
    tops = [support for support in tops if support.sides]
    free = things(rng, tops, space, blocked)
    if free is None:
        return None
    house = replace(house, supports=tuple(tops), things=free)
    return house if _complete(house, space) else None


def _swept(pieces: tuple[Furniture, ...]) -> list[Rect]:
    """Where the open door of a fridge stands."""
    return [
        covered((d / 2 - 0.06, w / 2 - 0.06), (d / 2 + w + 0.06, w / 2 + 0.20), p.position, p.yaw)
        for p in pieces
        if p.category == "fridge"
        for d, w in [p.size[:2]]
    ]


def _complete(house: House, space: FreeSpace) -> bool:
    """All rooms, things and openings can be reached, and two rooms carry graspable things."""
    regions, _ = label(space.raster.field >= RADIUS, np.ones((3, 3)))
    centres = space.raster.centres
    main = regions == np.bincount(regions[regions > 0]).argmax()
    for room in house.rooms:
        inside = ((centres > room.low) & (centres < room.high)).all(-1)
        if not (main & inside).any():
            return False
    stocked = {
        support.room
        for support in house.supports
        for thing in house.things
        if thing.support == support.name and thing.grasp
    }
    return len(stocked) >= 2 and all(_free_before(o, house, space) for o in house.openings)


def _free_before(opening: Opening, house: House, space: FreeSpace) -> bool:
    """Whether the robot can stand 0.6 to 1.0 m before a handle."""
    piece = next(p for p in house.furniture if p.name == opening.furniture)
    ahead = (float(np.cos(piece.yaw)), float(np.sin(piece.yaw)))
    x, y, yaw = stand(opening.handle[:2], ahead)
    poses = [(x + s * ahead[0], y + s * ahead[1], yaw) for s in (0.1, 0.3)]
    return bool(space.rectangles_free(np.array(poses)).any())
