"""A house in MuJoCo: bodies, joints and sites named as in :mod:`envs.mjthor.house.facts`.

Collisions need no exclusion lists. What belongs to the house has contype 1 and conaffinity 0, so
its parts (a drawer and its case, a door and its frame) never meet; free things have both bits, and
so must a robot. Geom groups: 0 collides and is drawn, 1 is drawn only, 3 collides only.
"""

from __future__ import annotations

import math

import mujoco
import numpy as np

from envs.mjthor.house import look
from envs.mjthor.house.catalogue import piece
from envs.mjthor.house.categories import KINDS
from envs.mjthor.house.facts import Furniture, House, Thing
from envs.mjthor.house.furniture import Moving
from envs.mjthor.house.parts import Part
from envs.mjthor.house.shell import add_door, add_room

_SHAPES = {
    "box": mujoco.mjtGeom.mjGEOM_BOX,
    "cylinder": mujoco.mjtGeom.mjGEOM_CYLINDER,
    "capsule": mujoco.mjtGeom.mjGEOM_CAPSULE,
    "sphere": mujoco.mjtGeom.mjGEOM_SPHERE,
    "ellipsoid": mujoco.mjtGeom.mjGEOM_ELLIPSOID,
}
_H = math.sqrt(0.5)
_ALONG = {"x": (_H, 0.0, _H, 0.0), "y": (_H, -_H, 0.0, 0.0)}
FRICTION = (1.0, 0.005, 0.0001)


def empty_spec() -> mujoco.MjSpec:
    """A spec without bodies: physics at 4 ms where what rests sleeps, soft light, 640 x 480."""
    spec = mujoco.MjSpec()
    spec.compiler.degree = False  # joint ranges in radians
    option = spec.option
    option.timestep = 0.004
    option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
    option.cone = mujoco.mjtCone.mjCONE_ELLIPTIC
    option.impratio = 10
    option.enableflags |= mujoco.mjtEnableBit.mjENBL_SLEEP
    spec.visual.global_.offwidth, spec.visual.global_.offheight = 1280, 960
    head = spec.visual.headlight
    head.ambient, head.diffuse, head.specular = (0.48,) * 3, (0.30,) * 3, (0.05,) * 3
    # The shadows of a whole house from one light, its depths fine enough for things on tables.
    spec.visual.map.znear, spec.visual.map.zfar, spec.visual.map.shadowclip = 0.01, 10.0, 2.5
    # Fewer triangles: primitives are many and small, and a picture costs half as much on a CPU.
    quality = spec.visual.quality
    quality.numquads, quality.numslices, quality.numstacks = 1, 20, 10
    spec.stat.extent, spec.stat.meansize = 4.0, 0.1
    return spec


def add_house(spec: mujoco.MjSpec, house: House) -> None:
    """Add the whole house to ``spec``: shell, furniture, free things, lights."""
    _add_surroundings(spec, house)
    # Colours of walls and floors are the model's own: they decide nothing.
    rng = np.random.default_rng((*house.split.encode(), house.index))
    for room in house.rooms:
        add_room(spec, house, room, rng)
    for door in house.doors:
        add_door(spec, house, door)
    for furniture in house.furniture:
        _add_furniture(spec, furniture)
    for thing in house.things:
        _add_thing(spec, thing)


def _add_surroundings(spec: mujoco.MjSpec, house: House) -> None:
    """One infinite floor to stand on (the rooms' floors are only drawn), sky and sun."""
    world = spec.worldbody
    world.add_geom(
        name="floor",
        type=mujoco.mjtGeom.mjGEOM_PLANE,
        size=(0, 0, 1),
        contype=1,
        conaffinity=0,
        group=3,
        friction=FRICTION,
    )
    spec.add_texture(
        name="house/sky",
        type=mujoco.mjtTexture.mjTEXTURE_SKYBOX,
        builtin=mujoco.mjtBuiltin.mjBUILTIN_GRADIENT,
        rgb1=(0.80, 0.88, 0.95),
        rgb2=(0.62, 0.64, 0.62),
        width=64,
        height=64,
    )
    middle = np.add(house.low, house.high) / 2
    world.add_light(
        name="house/sun",
        type=mujoco.mjtLightType.mjLIGHT_DIRECTIONAL,
        pos=(*middle, 6.0),
        dir=(0.35, 0.25, -0.9),
        diffuse=(0.40, 0.39, 0.36),
        specular=(0.15, 0.15, 0.15),
        ambient=(0.0, 0.0, 0.0),
    )


def _add_furniture(spec: mujoco.MjSpec, furniture: Furniture) -> None:
    body = spec.worldbody.add_body(
        name=furniture.name, pos=(*furniture.position, 0.0), quat=yaw_quat(furniture.yaw)
    )
    design = piece(furniture.category, furniture.size)
    for part in design.parts:
        add_part(spec, body, part, furniture.colour)
    for moving in design.moving:
        _add_moving(spec, body, furniture, moving)


def _add_moving(
    spec: mujoco.MjSpec, parent: mujoco.MjsBody, furniture: Furniture, moving: Moving
) -> None:
    """A drawer or door as a body in its furniture; without springs it stays where it is left."""
    name = f"{furniture.name}/{moving.name}"
    body = parent.add_body(name=name)
    hinged = moving.kind == "door"
    body.add_joint(
        name=name,
        type=mujoco.mjtJoint.mjJNT_HINGE if hinged else mujoco.mjtJoint.mjJNT_SLIDE,
        axis=(0, 0, 1) if hinged else (*moving.axis, 0),
        pos=(*moving.axis, 0) if hinged else (0, 0, 0),
        range=sorted((0.0, moving.travel)),
        limited=mujoco.mjtLimited.mjLIMITED_TRUE,
        damping=moving.damping,
        frictionloss=moving.friction,
    )
    solid = sum(part.solid for part in moving.parts)
    for part in moving.parts:
        add_part(spec, body, part, furniture.colour, mass=moving.mass / solid)
    body.add_site(name=f"{name}/handle", pos=moving.handle, size=(0.01,) * 3, group=4)


def _add_thing(spec: mujoco.MjSpec, thing: Thing) -> None:
    kind = KINDS[thing.category]
    body = spec.worldbody.add_body(name=thing.name, pos=thing.position, quat=yaw_quat(thing.yaw))
    body.add_freejoint(name=thing.name)
    middle = np.add(kind.low, kind.high) / 2
    mass = kind.mass * np.prod(thing.size) / np.prod(middle)
    parts = [part.scaled(thing.size) for part in kind.parts]
    volumes = np.array([np.prod(p.size) if p.solid else 0.0 for p in parts])
    for part, share in zip(parts, volumes / volumes.sum(), strict=True):
        add_part(spec, body, part, thing.colour, mass=mass * share, free=True)


def add_part(
    spec: mujoco.MjSpec,
    body: mujoco.MjsBody,
    part: Part,
    colour: str,
    mass: float = 0.0,
    free: bool = False,
) -> None:
    """One part as a geom; only solid parts weigh and collide."""
    x, y, z = (extent / 2 for extent in part.size)
    sizes = {
        "box": (x, y, z),
        "ellipsoid": (x, y, z),
        "sphere": (min(x, y, z), 0.0, 0.0),
        "cylinder": _rod(part, 0.0),
        "capsule": _rod(part, 1.0),
    }
    body.add_geom(
        type=_SHAPES[part.shape],
        pos=part.at,
        quat=_ALONG.get(part.axis, yaw_quat(part.turn)),
        size=sizes[part.shape],
        material=look.material(spec, colour if part.paint == "main" else part.paint),
        contype=int(part.solid),
        conaffinity=int(part.solid and free),
        condim=4,
        friction=FRICTION,
        group=(0 if part.solid else 1) if part.seen else 3,
        mass=mass if part.solid else 0.0,
    )


def _rod(part: Part, cap: float) -> tuple[float, float, float]:
    """(radius, half length, 0) of a cylinder or, its caps taken off, of a capsule."""
    half = dict(zip("xyz", (extent / 2 for extent in part.size), strict=True))
    length = half.pop(part.axis)
    radius = min(half.values())
    return (radius, max(length - cap * radius, 1e-3), 0.0)


def yaw_quat(yaw: float) -> tuple[float, float, float, float]:
    """wxyz of a turn about z."""
    return (math.cos(yaw / 2), 0.0, 0.0, math.sin(yaw / 2))
