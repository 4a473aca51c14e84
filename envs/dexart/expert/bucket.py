"""How the expert does the bucket: it hooks its fingers under the bail, swings it up, and rises.

The bail lies on the robot's side of the bucket. The palm faces forward and down, so that the arm
stays above, and the fingers curl under the bail from the robot's side.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from envs.dexart.expert.servo import Command
from envs.dexart.robot import Robot
from envs.dexart.things import Thing, vertices
from envs.sapien.geometry import Pose

_TILT = -np.pi / 3  # of the palm's normal, from straight forward
# Metres in the palm: where the bail's bar should be, at first and in the closed hand.
_TIPS, _HOOK = np.array([0.080, 0.0, -0.031]), np.array([0.034, 0.0, 0.036])
_FRONT = np.array([-0.04, 0.0, -0.025])  # metres in the world: before it goes under the bar
_SCOOP, _FIST = (0.0, 1.45, 0.65, 0.5), (0.0, 1.45, 1.5, 1.2)  # radians of a finger
_AWAY, _THUMB = (0.263, 0.0, 0.0, 0.0), (0.9, 0.0, 0.6, 0.6)
_BAR = 0.015  # metres: corners so near to the farthest belong to the bar
_BACK = 0.0  # metres that the tips stay out of the way of the rim at first
_LEAD = 0.35  # radians that the hand is ahead of the bail while it swings it up
# Radians that the bail has swung: from when to when the hand moves in, when the fingers close,
# when the bucket is lifted.
_IN, _CLOSE, _UP = (0.3, 0.8), 0.6, 1.3
_FAST = 1.7  # m/s and rad/s
_SWING = 1.7  # while it swings


def bucket(robot: Robot, thing: Thing) -> Iterator[Command]:
    """Scoop, swing, close, rise."""
    turn = _orientation()
    open_hand, fist = _hand(_SCOOP, _AWAY), _hand(_FIST, _THUMB)
    tips = _TIPS + turn.T @ (_BACK, 0.0, 0.0)
    middle = _middle(thing)
    for offset, near in ((_FRONT, 0.02), (np.zeros(3), 0.012)):
        while True:
            bar = thing.handle.pose.apply(middle)
            palm = _holding(bar + offset, turn, tips)
            if _missing(robot, palm) < near:
                break
            yield Command(palm, open_hand, _FAST)
    start = thing.angle
    while abs(thing.angle - start) < _UP:
        swung = abs(thing.angle - start)
        fingers = fist if swung > _CLOSE else open_hand
        bar = thing.handle.pose.apply(middle)
        hook = tips + float(np.interp(swung, _IN, (0.0, 1.0))) * (_HOOK - tips)
        yield Command(_holding(_ahead(thing, bar, _LEAD), turn, hook), fingers, _SWING)
    bar = thing.handle.pose.apply(middle)
    for rise in np.minimum(np.arange(1, 100) * 0.03, 0.4):
        yield Command(_holding(bar + (0, 0, rise + 0.1), turn, _HOOK), fist, _FAST)


def _orientation() -> np.ndarray:
    """float64 (3, 3) of the palm: its normal leans by ``_TILT``, the fingers point down."""
    cosine, sine = np.cos(_TILT), np.sin(_TILT)
    normal, fingers = np.array([cosine, 0.0, sine]), np.array([sine, 0.0, -cosine])
    return np.stack([normal, np.cross(fingers, normal), fingers], axis=1)


def _holding(bar: np.ndarray, turn: np.ndarray, hook: np.ndarray) -> Pose:
    """The palm whose point ``hook`` (3,) is at ``bar`` (3,)."""
    return Pose.of(bar - turn @ hook, turn)


def _middle(thing: Thing) -> np.ndarray:
    """float64 (3,) in the bail: the middle of the bar that is farthest from the hinge. As thick as
    it is across, so deep is it taken to be."""
    place, hinge = thing.handle.pose, thing.hinge
    axis = hinge.rotation[:, 0]
    arm = thing.handle_point - hinge.position
    out = arm - (arm @ axis) * axis
    out /= np.linalg.norm(out)
    corners = vertices(thing.handle) @ place.rotation.T + place.position - hinge.position
    far = corners @ out
    across = (corners @ np.cross(axis, out))[far > far.max() - _BAR]
    low, high = across.min(), across.max()
    depth = far.max() - (high - low) / 2
    middle = (arm @ axis) * axis + depth * out + (low + high) / 2 * np.cross(axis, out)
    return place.inverse.apply(hinge.position + middle)


def _ahead(thing: Thing, bar: np.ndarray, angle: float) -> np.ndarray:
    """float64 (3,) where the bar is once it has swung ``angle`` radians more."""
    hinge = thing.hinge
    arm = bar - hinge.position
    side = np.array([0.0, 1.0, 0.0])
    return np.asarray(hinge.position) + np.cos(angle) * arm + np.sin(angle) * np.cross(side, arm)


def _missing(robot: Robot, palm: Pose) -> float:
    """Metres, and a tenth of the radians, that the palm is away."""
    there = robot.palm.pose
    turn = np.trace(palm.rotation.T @ there.rotation)
    angle = float(np.arccos(np.clip((turn - 1) / 2, -1.0, 1.0)))
    return float(np.linalg.norm(np.asarray(palm.position) - there.position)) + 0.1 * angle


def _hand(finger: tuple[float, ...], thumb: tuple[float, ...]) -> np.ndarray:
    """float64 (16,) radians."""
    return np.array([*finger, *finger, *finger, *thumb])
