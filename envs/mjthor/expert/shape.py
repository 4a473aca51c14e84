"""Where to hold a thing: how it lies, and where two of its sides are parallel."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import mujoco
import numpy as np

from envs.mjthor.expert.scene import Array
from envs.mjthor.world import World

LOWEST = 0.028  # metres that the fingertips' middle stays above a support
_LEVELS = (0.3, 0.4, 0.5, 0.6, 0.72, 0.85)  # of a thing's height
_BACKS = (0.0, 0.015, 0.03, 0.045, -0.015)  # metres from the middle to who takes it
_PAD = 0.008  # metres from the middle of a finger's pad at which sides are felt
_MISSED = 0.05  # metres that a pad beside the thing counts as unevenness
_EVEN, _OFF = 0.004, 0.03  # metres of unevenness, and off the middle, that cost 1
_PALM, _THICK = 0.046, 0.0325  # metres: fingertips' middle to palm, half the palm's thickness
_OUTSIDE = 0.2  # metres from where rays start


@dataclass(frozen=True)
class Lie:
    """How a thing lies: ``middle`` (3,) in the house, ``height``, and for either horizontal pair of
    sides the direction across them in the house and the metres between them."""

    middle: Array
    height: float
    across: tuple[tuple[float, float], tuple[float, float]]

    @classmethod
    def of(cls, world: World, name: str) -> Lie:
        """Also of a thing that fell over."""
        axes, size = world.data.body(name).xmat.reshape(3, 3), world.things[name].size
        up = int(np.argmax(np.abs(axes[2])))
        first, second = (
            (float(np.arctan2(axes[1, k], axes[0, k])), size[k]) for k in range(3) if k != up
        )
        return cls(world.middle(name), size[up], (first, second))


def grips(world: World, name: str, lie: Lie, heading: float) -> list[tuple[float, Array]]:
    """Points (3,) of the house to take a thing at by a hand that comes along ``heading`` (rad, in
    the house), each with its cost: the more, the rounder its sides are there, from which a thing
    slips, and the further it is from the middle."""
    ahead = np.array((np.cos(heading), np.sin(heading), 0.0))
    foot = lie.middle[2] - lie.height / 2
    found = []
    for level, back in product(_LEVELS, _BACKS):
        point = lie.middle - back * ahead
        point[2] = foot + max(LOWEST, level * lie.height)
        cost = _unevenness(world, name, point, ahead) / _EVEN + abs(back) / _OFF
        found.append((cost + abs(point[2] - lie.middle[2]) / _OFF, point))
    return found


def palm_inside(lie: Lie, point: Array, heading: float, pitch: float) -> bool:
    """Whether the palm of a hand at a point, ``pitch`` below the horizontal, would be inside the
    bounding box of the thing: in the vertical plane of the hand."""
    depth = max(size * abs(np.cos(across - heading)) for across, size in lie.across)
    ahead = np.array((np.cos(heading), np.sin(heading), 0.0))
    centre = np.array(((point - lie.middle) @ ahead, point[2] - lie.middle[2]))
    centre -= _PALM * np.array((np.cos(pitch), -np.sin(pitch)))
    half = np.array((depth, lie.height)) / 2
    edges = (centre + s * _THICK * np.array((np.sin(pitch), np.cos(pitch))) for s in (-1.0, 1.0))
    return any(bool((np.abs(edge) < half).all()) for edge in edges)


def _unevenness(world: World, name: str, point: Array, ahead: Array) -> float:
    """Metres by which the two sides under the pads are not parallel planes, summed over both."""
    side, up = np.array((-ahead[1], ahead[0], 0.0)), np.array((0.0, 0.0, 1.0))
    total = 0.0
    for out, along in product((side, -side), (ahead, up)):
        low, middle, high = (
            _depth(world, name, point + shift * along, out) for shift in (-_PAD, 0.0, _PAD)
        )
        if low is None or middle is None or high is None:
            total += _MISSED
        else:
            total += max(abs(low - middle), abs(high - middle))
    return total


def _depth(world: World, name: str, point: Array, out: Array) -> float | None:
    """Metres from outside to where a ray that comes from ``out`` meets a thing; ``None`` beside it
    or behind its middle."""
    model, data = world.model, world.data
    body = model.body(name)
    start = point + _OUTSIDE * out
    hits = [
        mujoco.mju_rayGeom(
            *(data.geom_xpos[geom], data.geom_xmat[geom], model.geom_size[geom]),
            *(start, -out, model.geom_type[geom]),
        )
        for geom in range(body.geomadr[0], body.geomadr[0] + body.geomnum[0])
        if model.geom_contype[geom]
    ]
    met = [hit for hit in hits if 0.0 <= hit < _OUTSIDE]
    return min(met) if met else None
