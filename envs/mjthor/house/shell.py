"""The shell of a house in MuJoCo: floors, walls with doorways, windows, door leaves."""

from __future__ import annotations

import math

import mujoco
import numpy as np

from envs.mjthor.house import look
from envs.mjthor.house.facts import Door, House, Room
from envs.mjthor.house.ground import footprint
from envs.mjthor.house.layout import (
    DOORWAY,
    LEAF_HEIGHT,
    LEAF_THICKNESS,
    WALL,
    WALL_HEIGHT,
    doorway,
)
from envs.mjthor.house.rectangles import Rect

_HALF = WALL / 2  # each room brings its own half of a wall, in its own colour
_LINTEL = LEAF_HEIGHT + 0.03
_SKIRTING = 0.08
LEAF_MASS, LEAF_DAMPING, LEAF_FRICTION = 18.0, 8.0, 8.0
_LEVER = 0.13  # length of a door handle
_OFF = 0.06  # from the leaf's face to the middle of the handle
_FROM_LATCH = 0.12  # from the leaf's end to the middle of the handle
_WINDOW = (1.3, 1.1, 1.45)  # width, height, height of its middle


def add_room(spec: mujoco.MjSpec, house: House, room: Room, rng: np.random.Generator) -> None:
    """Floor and four walls of a room, windows in the outer ones."""
    floor, wall = (str(rng.choice(of[room.kind])) for of in (look.FLOORS, look.WALLS))
    (x0, y0), (x1, y1) = room.low, room.high
    spec.worldbody.add_geom(
        name=f"{room.name}/floor",
        type=mujoco.mjtGeom.mjGEOM_PLANE,
        pos=((x0 + x1) / 2, (y0 + y1) / 2, 0.001),
        size=((x1 - x0) / 2 + _HALF, (y1 - y0) / 2 + _HALF, 1),
        material=look.material(spec, floor),
        contype=0,
        conaffinity=0,
        group=1,
    )
    for axis in (0, 1):
        for outward, face in ((-1, room.low[axis]), (1, room.high[axis])):
            _add_wall(spec, house, room, axis, outward, face, wall)


def _add_wall(
    spec: mujoco.MjSpec, house: House, room: Room, axis: int, outward: int, face: float, paint: str
) -> None:
    """One side of a room, pieces between its doorways."""
    low, high = room.low[1 - axis], room.high[1 - axis]
    across = (face, face + outward * _HALF)
    gaps = []
    for door in house.doors:
        of, start, end = doorway(door)
        if room.name in door.rooms and of == axis and abs(door.hinge[axis] - face) < WALL:
            gaps.append((start, end))
    edge = low - _HALF
    for start, end in [*sorted(gaps), (high + _HALF, 0.0)]:
        _slab(spec, axis, across, (edge, start), (0.0, WALL_HEIGHT), paint)
        _slab(
            spec,
            axis,
            (face, face - outward * 0.008),
            (max(edge, low), min(start, high)),
            (0.0, _SKIRTING),
            "trim",
            drawn=True,
        )
        edge = end
    for gap in gaps:
        _slab(spec, axis, across, gap, (_LINTEL, WALL_HEIGHT), paint)
    outer = (house.low, house.high)[outward > 0][axis]
    if abs(outer - face) < WALL and not _covered(house, axis, face, (low + high) / 2):
        _add_window(spec, axis, face, outward, (low + high) / 2)


def _covered(house: House, axis: int, face: float, middle: float) -> bool:
    """Whether something tall would hide a window in the middle of a wall."""
    lines = [(face, middle - _WINDOW[0] / 2), (face, middle + _WINDOW[0] / 2)]
    place = Rect.around(p if axis == 0 else p[::-1] for p in lines).grown(0.2)
    tall = (piece for piece in house.furniture if piece.size[2] > 1.0)
    counters = (piece for piece in house.furniture if piece.category == "counter")
    return place.hits(footprint(piece) for piece in (*tall, *counters))


def _slab(
    spec: mujoco.MjSpec,
    axis: int,
    across: tuple[float, float],
    along: tuple[float, float],
    height: tuple[float, float],
    paint: str,
    drawn: bool = False,
) -> None:
    """A box of the world from its three intervals; ``drawn``: it does not collide."""
    spans = (across, along, height) if axis == 0 else (along, across, height)
    spec.worldbody.add_geom(
        type=mujoco.mjtGeom.mjGEOM_BOX,
        pos=[(a + b) / 2 for a, b in spans],
        size=[abs(b - a) / 2 for a, b in spans],
        material=look.material(spec, paint),
        contype=0 if drawn else 1,
        conaffinity=0,
        group=1 if drawn else 0,
    )


def _add_window(spec: mujoco.MjSpec, axis: int, face: float, outward: int, middle: float) -> None:
    """A pane in a frame on the inner face of a wall."""
    width, height, z = _WINDOW
    for depth, grown, paint in ((0.012, 0.05, "trim"), (0.016, 0.0, "glass")):
        along = (middle - width / 2 - grown, middle + width / 2 + grown)
        rise = (z - height / 2 - grown, z + height / 2 + grown)
        _slab(spec, axis, (face, face - outward * depth), along, rise, paint, drawn=True)


def add_door(spec: mujoco.MjSpec, house: House, door: Door) -> None:
    """Threshold, frame and the hinged leaf with a lever on both faces.

    Sites: ``<door>/handle`` on the face that is pulled, ``<door>/push`` on the other.
    """
    _add_frame(spec, house, door)
    span = np.subtract(door.latch, door.hinge)
    length, yaw = float(np.hypot(*span)), math.atan2(span[1], span[0])
    body = spec.worldbody.add_body(
        name=door.name,
        pos=(*door.hinge, 0.0),
        quat=(math.cos(yaw / 2), 0, 0, math.sin(yaw / 2)),
    )
    body.add_joint(
        name=door.name,
        type=mujoco.mjtJoint.mjJNT_HINGE,
        axis=(0, 0, 1),
        range=sorted((0.0, door.open_angle)),
        limited=mujoco.mjtLimited.mjLIMITED_TRUE,
        damping=LEAF_DAMPING,
        frictionloss=LEAF_FRICTION,
    )
    leaf = {"contype": 1, "conaffinity": 0, "condim": 4}
    drawn = {"contype": 0, "conaffinity": 0, "group": 1, "mass": 0.0}
    box = {"type": mujoco.mjtGeom.mjGEOM_BOX, "material": look.material(spec, "door")}
    half = LEAF_THICKNESS / 2
    size = (length / 2, half, LEAF_HEIGHT / 2 - 0.005)
    body.add_geom(pos=(length / 2, 0, LEAF_HEIGHT / 2), size=size, mass=LEAF_MASS, **box, **leaf)
    box["material"] = look.material(spec, "cream")
    for z, tall in ((0.55, 0.35), (1.45, 0.4)):
        panel = (length / 2 - 0.18, half + 0.004, tall)
        body.add_geom(pos=(length / 2, 0, z), size=panel, **box, **drawn)
    metal = look.material(spec, "metal")
    pulled = math.copysign(1.0, door.open_angle)  # the face that looks into the room it swings to
    x, z, off = length - _FROM_LATCH, door.handle_height, half + _OFF
    for face, site in ((pulled, "handle"), (-pulled, "push")):
        ends = (x - _LEVER / 2, face * off, z, x + _LEVER / 2, face * off, z)
        capsule = {"type": mujoco.mjtGeom.mjGEOM_CAPSULE, "material": metal}
        body.add_geom(fromto=ends, size=(0.010, 0, 0), mass=0.3, **capsule, **leaf)
        post = (x + _LEVER / 2, face * half, z, x + _LEVER / 2, face * off, z)
        body.add_geom(fromto=post, size=(0.009, 0, 0), mass=0.1, **capsule, **leaf)
        body.add_site(name=f"{door.name}/{site}", pos=(x, face * off, z), size=(0.01,) * 3, group=4)


def _add_frame(spec: mujoco.MjSpec, house: House, door: Door) -> None:
    """Jambs and lintel seen from both rooms, and the floor under the leaf."""
    axis, start, end = doorway(door)
    rooms = [room for room in house.rooms if room.name in door.rooms]
    faces = [f for room in rooms for f in (room.low[axis], room.high[axis])]
    low, high = sorted(f for f in faces if abs(f - door.hinge[axis]) < WALL)
    for across in ((low - 0.012, low), (high, high + 0.012)):
        for along in ((start - 0.07, start), (end, end + 0.07)):
            _slab(spec, axis, across, along, (0.0, _LINTEL + 0.07), "trim", drawn=True)
        _slab(spec, axis, across, (start, end), (_LINTEL, _LINTEL + 0.07), "trim", drawn=True)
    _slab(spec, axis, (low, high), (start, start + DOORWAY), (-0.01, 0.003), "wood", drawn=True)
