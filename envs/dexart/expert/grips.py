"""How a hand may take the lever of a faucet: candidates, the most promising first.

In a good one the lever lies aslant across palm and fingers, which then both press on it while the
hand carries it round. Candidates are weighed by inverse kinematics along the way, by how deep the
hand would be in the faucet, and by how far it has to turn; only trying tells whether one holds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from envs.dexart.expert.servo import rotation_vector
from envs.dexart.robot import PALM, URDF, Robot
from envs.dexart.things import Thing, vertices
from envs.sapien.geometry import Pose
from envs.sapien.kinematics import Chain, rotations

BACK = 0.08  # metres before the lever from which the palm goes straight to it
_START = np.array([0.1, 0.5, -1.2, -0.2, 0.7, 0.4])  # rad, arm: an elbow to solve from
_LEANS = np.radians((-60, -45, -30, -15, 0))  # of the palm, from the way to go towards the body
_ROLLS = np.radians((180, 110, 70, 260, 240, 0, 290))  # of the lever in the palm
_PREFERRED = -0.8  # rad, the lean that hooks and pushes alike
_FACE = 0.0111  # metres of the palm's face from its frame
_FROM_TIP, _LEAST = 0.045, 0.04  # metres of the grip from the lever's tip, and from the hinge
_AGAINST = 0.4  # how much the fingers may point the way to go: nothing holds the lever then
_TURN = 1.55  # rad the joint must allow
_ARC = (0.0, 0.5, 1.0, 1.55)  # rad at which the way is looked at
_SECTORS, _STRIP = 48, 0.025  # directions about the hinge; metres to either side of one
_CLEAR = 0.012, 0.003  # metres from the table and from the body


@dataclass(frozen=True)
class Grip:
    """``palm`` in the handle's frame; ``axis`` (3,) in the world about which it goes on."""

    palm: Pose
    axis: np.ndarray


@dataclass(frozen=True)
class _Many:
    """N grips: ``axes`` (N, 3) they turn about, palms at ``places`` (N, 3) with ``turns``
    (N, 3, 3), in the world; ``leans`` (N,) rad."""

    axes: np.ndarray
    places: np.ndarray
    turns: np.ndarray
    leans: np.ndarray


def grips(robot: Robot, thing: Thing, along: float) -> list[Grip]:
    """All that may do, best first; the lever touches the palm's frame at ``along``, metres along
    the fingers."""
    many = _candidates(thing, np.array([_FACE, 0.0, along]))
    costs = 0.5 * (1 - np.cos(many.leans - _PREFERRED))
    costs += _on_the_way(robot, thing, many) + _round(robot, thing, many)
    handle = thing.handle.pose.inverse
    return [
        Grip(handle @ Pose.of(many.places[i], many.turns[i]), many.axes[i])
        for i in np.argsort(costs, kind="stable")
    ]


# ------------------------------------------------------------------------------- candidates
def _candidates(thing: Thing, at: np.ndarray) -> _Many:
    hinge, limits = thing.hinge, thing.articulation.limits[thing.number]
    pose = thing.handle.pose
    points = vertices(thing.handle) @ pose.rotation.T + pose.position - hinge.position
    outwards = hinge.rotation[:, 0]
    outwards = outwards * (1.0 if abs((points @ outwards).max()) > 0.01 else -1.0)
    rows = []
    for sign in (1, -1):
        if max(sign * np.asarray(limits)) < _TURN:
            continue
        axis = sign * hinge.rotation[:, 0]
        for along, reach, height, thick in _arms(points, outwards):
            centre = hinge.position + max(reach - _FROM_TIP, _LEAST) * along + height * outwards
            rows += _holds(axis, along, outwards, (centre, at, thick))
    axes, places, turns, leans = zip(*rows, strict=True)
    return _Many(np.array(axes), np.array(places), np.array(turns), np.array(leans))


def _arms(points: np.ndarray, axis: np.ndarray) -> list[tuple[np.ndarray, float, float, float]]:
    """Where a handle of ``points`` (V, 3) about the hinge reaches far: direction (3,), how far,
    how high along the axis and half how thick, metres."""
    first = np.cross(axis, (0.3, 0.5, 0.8))
    first /= np.linalg.norm(first)
    ways = rotations(axis, np.arange(_SECTORS) * 2 * np.pi / _SECTORS) @ first
    near = np.abs(points @ np.cross(axis, ways).T) < _STRIP  # (V, sectors)
    reaches = np.where(near, points @ ways.T, 0.0)
    best, kept = reaches.max(0), list[int]()
    for i in np.argsort(-best, kind="stable"):
        apart = [abs((i - j + _SECTORS // 2) % _SECTORS - _SECTORS // 2) for j in kept]
        if best[i] >= 0.7 * best.max() and min(apart, default=_SECTORS) > 4:
            kept.append(int(i))
    arms = []
    for i in kept:
        high = (points @ axis)[reaches[:, i] > 0.6 * best[i]]
        arms.append((ways[i], float(best[i]), float(high.max() + high.min()) / 2, np.ptp(high) / 2))
    return arms


def _holds(
    axis: np.ndarray,
    along: np.ndarray,
    outwards: np.ndarray,
    touch: tuple[np.ndarray, np.ndarray, float],
) -> list[tuple[np.ndarray, np.ndarray, np.ndarray, float]]:
    """Rows of :class:`_Many` at one point of one arm; ``touch``: that point, where it is in the
    palm's frame, and half the arm's thickness."""
    rows, ahead = [], np.cross(axis, along)
    centre, at, thick = touch
    for lean in _LEANS:
        x = np.cos(lean) * ahead + np.sin(lean) * outwards
        half = abs(np.cos(lean)) * 0.008 + abs(np.sin(lean)) * thick
        for roll in _ROLLS:
            y = np.cos(roll) * along + np.sin(roll) * np.cross(x, along)
            turn = np.stack([x, y, np.cross(x, y)], axis=1)
            if ahead @ turn[:, 2] < _AGAINST:
                rows.append(
                    (axis, centre - turn @ (at + np.array([half, 0.0, 0.0])), turn, float(lean))
                )
    return rows


# ------------------------------------------------------------------------------------ costs
def _on_the_way(robot: Robot, thing: Thing, many: _Many) -> np.ndarray:
    """Cost (N,) of going there: how far the hand turns, and what it would run into."""
    now = robot.palm.pose
    solid = _boxes(thing, body=True) + _boxes(thing, body=False)
    before = many.places - BACK * many.turns[:, :, 0]
    vectors = np.stack([rotation_vector(turn @ now.rotation.T) for turn in many.turns])
    angles = np.linalg.norm(vectors, axis=1)
    costs = 0.15 * angles
    for share in (0.35, 0.55, 0.7, 0.85, 1.0):
        turned = np.stack(
            [
                rotations(v / max(a, 1e-9), np.array([share * a]))[0] @ now.rotation
                for v, a in zip(vectors, angles, strict=True)
            ]
        )
        places = now.position + share * (before - now.position)
        points = np.einsum("nij,mj->nmi", turned, _OPEN) + places[:, None]
        costs += 15 * _deepest(points, solid)
    return costs


def _round(robot: Robot, thing: Thing, many: _Many) -> np.ndarray:
    """Cost (N,) of taking the lever and following it: what the arm cannot do, and the faucet or
    the table in its way."""
    chain = Chain.read(URDF, PALM, base=robot.links["link_base"].pose)
    hinge, body = thing.hinge, _boxes(thing, body=True)
    angles, costs = np.tile(_START, (len(many.axes), 1)), np.zeros(len(many.axes))
    for i, (turn, back) in enumerate([(0.0, BACK), *((turn, 0.0) for turn in _ARC)]):
        ahead = np.stack([rotations(axis, np.array([turn]))[0] for axis in many.axes])
        turns = ahead @ many.turns
        places = np.einsum("nij,nj->ni", ahead, many.places - hinge.position) + hinge.position
        places = places - back * turns[:, :, 0]
        solved = chain.solve(places, turns, angles, 25 if i else 60)
        angles = solved.angles
        costs += 20 * np.clip(solved.distance - 3e-3, 0, 0.5) + 3 * np.clip(
            solved.turn - 0.02, 0, 3
        )
        weakest = np.linalg.svd(chain.forward(angles)[2], compute_uv=False)[:, -1]
        costs += 0.3 * np.clip(1 - weakest / 0.12, 0, 1)
        points = np.einsum("nij,mj->nmi", turns, _CURLED if i else _OPEN) + places[:, None]
        costs += 20 * (_deepest(points, body) + np.clip(_CLEAR[0] - points[..., 2].min(1), 0, 1))
    return costs


def _boxes(thing: Thing, body: bool) -> list[tuple[Pose, np.ndarray]]:
    """Boxes of the faucet's body, or of its handle: pose in the world, half sizes (3,)."""
    found = []
    for link in thing.articulation.links.values():
        if (link.name == thing.handle.name) == body:
            continue
        for shape in link.native.get_collision_shapes():
            place, half = shape.get_local_pose(), getattr(shape.geometry, "half_lengths", None)
            if half is not None:
                local = Pose(place.p.astype(np.float64), place.q.astype(np.float64))
                found.append((link.pose @ local, np.asarray(half, np.float64)))
    return found


def _deepest(points: np.ndarray, boxes: Sequence[tuple[Pose, np.ndarray]]) -> np.ndarray:
    """Metres (N,) by which the deepest of points (N, M, 3) is in a box."""
    deep = np.zeros(points.shape[:-1])
    for pose, half in boxes:
        local = (points - pose.position) @ pose.rotation
        deep = np.maximum(deep, (half + _CLEAR[1] - np.abs(local)).min(-1))
    return deep.max(-1)


# --------------------------------------------------------------- the hand, as points (M, 3)
def _grid(low: Sequence[float], high: Sequence[float], counts: Sequence[int]) -> np.ndarray:
    lines = [np.linspace(*ends) for ends in zip(low, high, counts, strict=True)]
    return np.stack(np.meshgrid(*lines), -1).reshape(-1, 3)


def _fingers(bends: Sequence[float]) -> np.ndarray:
    """Palmar and dorsal side of index, middle and ring finger at three joint angles, rad."""
    points, joint, angle = list[np.ndarray](), np.array([0.0, 0.0, 0.0164]), 0.0
    for length, bend in zip((0.054, 0.0384, 0.0387), bends, strict=True):
        angle += bend
        along = np.array([np.sin(angle), 0.0, np.cos(angle)])
        side = np.array([np.cos(angle), 0.0, -np.sin(angle)]) * 0.0098
        for share in (0.0, 0.5, 1.0):
            points += [joint + share * length * along + s * side for s in (-1, 1)]
        joint = joint + length * along
    edges = [y + e for y in (-0.0435, 0.0, 0.0435) for e in (-0.012, 0.012)]
    return np.concatenate([np.add(points, (0.0, y, 0.0)) for y in edges])


_FIXED = np.concatenate(
    [
        _grid((-0.03, -0.0565, -0.095), (0.0111, 0.0565, 0.0), (3, 5, 5)),  # palm
        _grid((-0.16, -0.037, -0.082), (-0.045, 0.037, -0.008), (5, 3, 3)),  # wrist
        _grid((0.0, 0.06, -0.1), (0.02, 0.16, -0.08), (2, 6, 2)),  # thumb, put aside
    ]
)
_OPEN = np.concatenate([_FIXED, _fingers((0.2, 0.2, 0.2))])
_CURLED = np.concatenate([_FIXED, _fingers((1.2, 1.0, 0.6))])
