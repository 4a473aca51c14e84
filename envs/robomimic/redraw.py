"""What a hard reset of robosuite draws into a model, without rebuilding the model.

Two scenes draw the size of an object; a soft reset, 20-200 times cheaper, keeps it. Each function
draws what the rebuild draws, in its order, and leaves in the model what compiling it anew leaves.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Callable, Mapping
from typing import Any

import mujoco
import numpy as np

_CUBE_DENSITY = 1000.0  # kg/m^3, robosuite models/objects/objects.py
# What compiling an object of boxes and cylinders computes from their sizes. What follows from the
# whole scene (inertias in the start pose, statistics) is left to mj_setConst.
_BODY = ("body_mass", "body_inertia", "body_ipos", "body_iquat")
_GEOMS = ("geom_size", "geom_pos", "geom_quat", "geom_aabb", "geom_rbound")


def redraw_cube(simulator: Any) -> None:
    """Lift's cube, in closed form: 0.3 ms."""
    model, data = simulator.sim.model._model, simulator.sim.data._data
    size = np.array([simulator.rng.uniform(0.020, 0.022) for _ in range(3)])
    simulator.cube.size = size
    body = model.body("cube_main")
    geoms, boxes = _rows(model, body.id)
    model.geom_size[geoms] = model.geom_aabb[geoms, 3:] = size
    model.geom_rbound[geoms] = np.sqrt((size * size).sum())
    model.bvh_aabb[boxes, 3:] = size
    mass = _CUBE_DENSITY * (8 * size.prod())
    x, y, z = size * size
    model.body_mass[body.id] = mass
    model.body_inertia[body.id] = mass * np.array([y + z, x + z, x + y]) / 3
    mujoco.mj_setConst(model, data)


def redraw_hammer(simulator: Any) -> None:
    """Transport's hammer, by compiling it alone: 4 ms."""
    model, data = simulator.sim.model._model, simulator.sim.data._data
    payload = simulator.transport.payload
    hammer = type(payload)(
        name=payload.name,
        handle_shape=payload.handle_shape,
        handle_radius=payload.handle_radius_range,
        handle_length=payload.handle_length_range,
        handle_density=payload.handle_density_range,
        handle_friction=payload.handle_friction_range,
        head_density_ratio=payload.head_density_ratio,
        rng=simulator.rng,
    )
    payload.head_halfsize = hammer.head_halfsize  # all else is fixed by ranges of one value
    alone = _compiled(hammer.get_obj(), simulator.model.root.find("compiler"))
    body, source = model.body(payload.root_body).id, alone.body(payload.root_body).id
    for name in _BODY:
        getattr(model, name)[body] = getattr(alone, name)[source]
    (geoms, boxes), (from_geoms, from_boxes) = _rows(model, body), _rows(alone, source)
    for name in _GEOMS:
        getattr(model, name)[geoms] = getattr(alone, name)[from_geoms]
    model.bvh_aabb[boxes] = alone.bvh_aabb[from_boxes]
    mujoco.mj_setConst(model, data)


REDRAW: Mapping[str, Callable[[Any], None]] = {"lift": redraw_cube, "transport": redraw_hammer}


def _rows(model: mujoco.MjModel, body: int) -> tuple[slice, slice]:
    """The geoms and the boxes of the bounding volume tree that belong to a body."""
    geom, geoms = model.body_geomadr[body], model.body_geomnum[body]
    box, boxes = model.body_bvhadr[body], model.body_bvhnum[body]
    return slice(geom, geom + geoms), slice(box, box + boxes)


def _compiled(body: ET.Element, compiler: ET.Element) -> mujoco.MjModel:
    """A model of one body, without its materials, whose textures take long to read."""
    for geom in body.iter("geom"):
        geom.attrib.pop("material", None)
    root = ET.Element("mujoco")
    root.append(compiler)
    ET.SubElement(root, "worldbody").append(body)
    return mujoco.MjModel.from_xml_string(ET.tostring(root, encoding="unicode"))
