"""Which furniture there is, how large, of what colour, and in which room it belongs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from envs.mjthor.house import furniture, obstacles
from envs.mjthor.house.facts import RoomKind
from envs.mjthor.house.furniture import Build, Piece
from envs.mjthor.house.parts import Vector


@dataclass(frozen=True)
class Design:
    """``low`` to ``high``: sizes (depth, width, height); ``front``: metres of floor kept free
    before it, ``left`` and ``right`` more of it beside that, as seen by one who looks at it.
    ``where``: with its back at a wall, there in a corner, anywhere, or lying flat."""

    build: Build
    low: Vector
    high: Vector
    colours: tuple[str, ...]
    front: float
    where: Literal["wall", "corner", "free", "flat"] = "wall"
    left: float = 0.1
    right: float = 0.0


_WOODS = ("oak", "walnut", "birch", "wood")
_CLOTHS = ("teal", "grey", "blue", "green", "brown")
DESIGNS: dict[str, Design] = {
    "counter": Design(
        furniture.counter, (0.62, 1.75, 0.85), (0.66, 2.5, 0.90), ("front", "teal", "oak"), 1.0
    ),
    "fridge": Design(
        furniture.fridge,
        (0.66, 0.68, 1.65),
        (0.72, 0.76, 1.85),
        ("steel", "white", "red"),
        1.35,
        left=0.52,
        right=0.22,
    ),
    "table": Design(furniture.table, (0.75, 1.15, 0.70), (0.90, 1.60, 0.75), _WOODS, 0.95, "free"),
    "desk": Design(
        furniture.table, (0.60, 1.05, 0.71), (0.70, 1.30, 0.75), (*_WOODS, "white"), 1.0, "wall"
    ),
    "dresser": Design(
        furniture.dresser, (0.45, 0.80, 0.82), (0.52, 1.10, 0.92), _WOODS, 1.4, left=0.2
    ),
    "shelf": Design(furniture.shelf, (0.40, 0.90, 1.6), (0.46, 1.25, 1.9), _WOODS, 1.0),
    "washbasin": Design(
        furniture.washbasin, (0.48, 1.10, 0.82), (0.54, 1.40, 0.88), ("oak", "teal", "white"), 1.0
    ),
    "sofa": Design(obstacles.sofa, (0.85, 1.7, 0.78), (0.95, 2.1, 0.88), _CLOTHS, 0.5),
    "armchair": Design(obstacles.sofa, (0.80, 0.85, 0.78), (0.85, 0.95, 0.86), _CLOTHS, 0.4),
    "bed": Design(obstacles.bed, (2.0, 1.4, 0.85), (2.1, 1.7, 1.0), _CLOTHS, 0.0, "corner"),
    "side table": Design(obstacles.side_table, (0.38, 0.38, 0.42), (0.45, 0.48, 0.52), _WOODS, 0.0),
    "wardrobe": Design(
        obstacles.wardrobe, (0.55, 1.0, 1.85), (0.60, 1.4, 2.05), (*_WOODS, "white"), 0.5
    ),
    "tv bench": Design(obstacles.tv_bench, (0.38, 1.2, 0.42), (0.42, 1.6, 0.48), _WOODS, 0.3),
    "plant": Design(
        obstacles.plant,
        (0.40, 0.40, 1.0),
        (0.46, 0.46, 1.3),
        ("cream", "red", "grey"),
        0.0,
        "corner",
    ),
    "bathtub": Design(
        obstacles.bathtub, (0.72, 1.5, 0.54), (0.78, 1.7, 0.58), ("white",), 0.3, "corner"
    ),
    "toilet": Design(obstacles.toilet, (0.62, 0.38, 0.76), (0.66, 0.40, 0.82), ("white",), 0.4),
    "rug": Design(obstacles.rug, (1.3, 1.8, 0.0), (1.8, 2.4, 0.0), _CLOTHS, 0.0, "flat"),
}
# What a house needs so that every task can be set in it, by the kinds of its rooms.
REQUIRED: dict[RoomKind, tuple[str, ...]] = {
    "kitchen": ("counter", "fridge"),
    "living room": ("sofa", "shelf"),
    "bedroom": ("bed", "dresser"),
    "bathroom": ("washbasin", "toilet"),
}
OPTIONAL: dict[RoomKind, tuple[str, ...]] = {
    "kitchen": ("plant", "rug"),
    "living room": ("tv bench", "armchair", "plant", "rug"),
    "bedroom": ("wardrobe", "desk", "side table", "rug", "plant"),
    "bathroom": ("bathtub", "plant"),
}


def piece(category: str, size: Vector) -> Piece:
    """The parts, openings and surfaces of a piece of furniture."""
    return DESIGNS[category].build(size)
