"""What a house is: plain data that the generator writes and everything else reads.

Metres and radians in the world frame: x to the east, y to the north, z up, the floor at z = 0. A
piece of furniture faces the direction of its ``yaw``: at yaw 0 its front looks along +x. Names are
unique in a house and are those of the MuJoCo model: a piece of furniture and a thing are bodies, an
opening and a door are joints (with a site ``<name>/handle`` where a hand takes hold).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Split = Literal["train", "val", "test"]
Point = tuple[float, float]
RoomKind = Literal["kitchen", "living room", "bedroom", "bathroom"]


@dataclass(frozen=True)
class Room:
    """A rectangle of floor from ``low`` to ``high`` (x, y), wall to wall."""

    name: str
    kind: RoomKind
    low: Point
    high: Point

    def holds(self, point: Point) -> bool:
        """Whether a point of the floor lies in this room."""
        return all(a <= p <= b for a, p, b in zip(self.low, point, self.high, strict=True))


@dataclass(frozen=True)
class Door:
    """A doorway between two rooms with one hinged leaf; the joint ``name`` turns it.

    ``hinge`` and ``latch``: the ends (x, y) of the closed leaf. The joint's angle is 0 when closed
    and ``open_angle`` (signed: the leaf turns about +z) when fully open; the leaf swings into
    ``swings_into``, so it is pushed open from the other room and pulled open from this one.
    """

    name: str
    rooms: tuple[str, str]
    hinge: Point
    latch: Point
    open_angle: float
    swings_into: str
    handle_height: float


@dataclass(frozen=True)
class Opening:
    """A drawer or a hinged door of a piece of furniture; joint ``name``, closed at 0.

    ``travel``: the joint's value when fully open (metres, or radians with its sign). ``axis``: for
    a drawer the world direction (x, y) it comes out; for a hinge the position (x, y) of its axis.
    ``handle``: world position (x, y, z) of the site ``<name>/handle`` when closed.
    """

    name: str
    furniture: str
    kind: Literal["drawer", "door"]
    travel: float
    axis: Point
    handle: tuple[float, float, float]


@dataclass(frozen=True)
class Support:
    """A flat, horizontal place where things stand: a rectangle turned by ``yaw`` about ``centre``.

    ``centre``: (x, y, z) with z the height of the surface; ``half``: half sizes along its own x and
    y. ``sides``: world directions (x, y) that point away from the support, one for each side at
    which the robot can stand; ``opening``: the opening behind which it lies (drawer, fridge).
    """

    name: str
    furniture: str
    room: str
    centre: tuple[float, float, float]
    half: Point
    yaw: float
    sides: tuple[Point, ...]
    opening: str = ""


@dataclass(frozen=True)
class Furniture:
    """A piece of furniture: ``size`` (depth along its front direction, width, height); its
    footprint is that rectangle turned by ``yaw`` about ``position``."""

    name: str
    category: str
    colour: str
    room: str
    position: Point
    yaw: float
    size: tuple[float, float, float]


@dataclass(frozen=True)
class Thing:
    """A free object standing on a support: body and free joint ``name``.

    ``size``: (x, y, z) extents of its bounding box in its own frame, whose origin is the middle of
    its foot; ``position``: (x, y, z) of that foot. ``grasp``: metres between the fingers that take
    it, or 0 where it is too large to be taken; ``receptacle``: things can be placed in or on it.
    """

    name: str
    category: str
    colour: str
    support: str
    position: tuple[float, float, float]
    yaw: float
    size: tuple[float, float, float]
    grasp: float
    receptacle: bool = False


@dataclass(frozen=True)
class House:
    """One house: ``index`` of its split; outer walls run from ``low`` to ``high``."""

    split: Split
    index: int
    low: Point
    high: Point
    rooms: tuple[Room, ...]
    doors: tuple[Door, ...]
    furniture: tuple[Furniture, ...]
    openings: tuple[Opening, ...]
    supports: tuple[Support, ...]
    things: tuple[Thing, ...]

    def room_at(self, point: Point) -> Room | None:
        """The room of a point of the floor; ``None`` outside and in a doorway."""
        return next((room for room in self.rooms if room.holds(point)), None)

    def things_in(self, room: str) -> Iterator[Thing]:
        """The things that stand in a room at the start."""
        here = {support.name for support in self.supports if support.room == room}
        return (thing for thing in self.things if thing.support in here)
