"""Small houses by hand: one room, or two rooms with a door, furnished with boxes."""

from __future__ import annotations

import math

from envs.mjthor.house.facts import Door, Furniture, House, Room

WALL = 0.12


def block(
    x: float, y: float, depth: float, width: float, yaw: float = 0.0, height: float = 0.8
) -> Furniture:
    """A box of furniture by its middle and its extents along and across its front."""
    return Furniture(
        f"block_{x}_{y}", "counter", "grey", "hall", (x, y), yaw, (depth, width, height)
    )


def one_room(width: float, depth: float, *furniture: Furniture) -> House:
    """A hall from (0, 0) to (width, depth)."""
    room = Room("hall", "living room", (0.0, 0.0), (width, depth))
    outside = (-WALL / 2, -WALL / 2), (width + WALL / 2, depth + WALL / 2)
    return House("train", 0, *outside, (room,), (), furniture, (), (), ())


def two_rooms(*furniture: Furniture) -> House:
    """Halls 4 m x 4 m side by side; the middle of the doorway is (4.06, 2.0), 1.16 m wide."""
    hall = Room("hall", "living room", (0.0, 0.0), (4.0, 4.0))
    den = Room("den", "bedroom", (4.0 + WALL, 0.0), (8.0 + WALL, 4.0))
    across = 4.1  # the leaf is flush with the den
    door = Door(
        "door", ("hall", "den"), (across, 2.57), (across, 1.43), math.radians(97), "den", 1.0
    )
    outside = (-WALL / 2, -WALL / 2), (8.0 + 1.5 * WALL, 4.0 + WALL / 2)
    return House("train", 0, *outside, (hall, den), (door,), furniture, (), (), ())
