"""How the expert does the bucket: it hooks its fingers under the bail, closes them, and rises.

The bail lies on the robot's side of the bucket. The palm faces forward and down, so that the arm
stays above; the fingers come from the robot's side and curl up behind the bar. The hand rises over
the hinge, and the bucket swings under it.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from envs.dexart.expert.postures import missing
from envs.dexart.expert.servo import Command
from envs.dexart.robot import Robot
from envs.dexart.tabletop import Tabletop
from envs.dexart.things import Thing, vertices
from envs.sapien.geometry import Pose

_TILT = -1.0946  # radians, of the palm's normal from straight forward
_BAR = 0.015  # metres: corners so near to the farthest belong to the bar
_HOOK = np.array([0.0298, 0.0, -0.0026])  # metres in the palm: where the bar should be
# Metres in the world from there: where the hand comes in, and where it closes.
_ENTRY, _LIFT = np.array([-0.0722, 0.0, -0.0267]), np.array([0.0, 0.0, 0.0065])
# Off the bar, how near the hand must come, within how many control steps.
_WAY = ((_ENTRY, 0.03, 40), (np.zeros(3), 0.015, 7))
_SCOOP, _FIST = (0.0, 1.115, 0.745, 0.534), (0.0, 1.6, 1.65, 1.6)  # radians of a finger
_AWAY, _THUMB = (0.263, 0.0, 0.0, 0.0), (0.9, 0.0, 0.6, 0.6)
_GRIP = 9  # control steps that the hand closes before it rises
# Metres: in a control step, ahead of the hand, in all; how far it goes forward on the way.
_RISE, _AHEAD, _HIGH, _FORWARD = 0.0252, 0.05, 0.45, 0.07
_LOST = 0.07  # metres from there at which the bar has slipped out
_FAST = 1.7  # m/s and rad/s


def bucket(table: Tabletop) -> Iterator[Command]:
    """Under the bar, close, rise; again if the bar slipped out."""
    robot, thing = table.robot, table.thing
    bar, turn = _middle(thing), _orientation()
    while True:
        yield from _take(robot, thing, bar, turn)
        start = np.asarray(robot.palm.pose.position)
        for rise in np.minimum(np.arange(1, 250) * _RISE, _HIGH):
            held = robot.palm.pose.apply(_HOOK) - thing.handle.pose.apply(bar)
            if np.linalg.norm(held) > _LOST:
                break
            over = (min(rise, _FORWARD), 0.0, rise + _AHEAD)
            yield Command(Pose.of(start + over, turn), _hand(_FIST, _THUMB), _FAST)


def _take(robot: Robot, thing: Thing, bar: np.ndarray, turn: np.ndarray) -> Iterator[Command]:
    """Reach under the bar, ``bar`` (3,) in the bail, and close the hand."""
    for offset, near, patience in _WAY:
        for _ in range(patience):
            palm = _holding(thing.handle.pose.apply(bar) + offset, turn)
            if missing(robot, palm) < near:
                break
            yield Command(palm, _hand(_SCOOP, _AWAY), _FAST)
    for _ in range(_GRIP):
        palm = _holding(thing.handle.pose.apply(bar) + _LIFT, turn)
        yield Command(palm, _hand(_FIST, _THUMB), _FAST)


def _middle(thing: Thing) -> np.ndarray:
    """float64 (3,) in the bail: the middle of the bar that is farthest from the hinge. As thick as
    the bar is across, so deep it is taken to be."""
    place, hinge = thing.handle.pose, thing.hinge
    axis = hinge.rotation[:, 0]
    arm = thing.handle_point - hinge.position
    out = arm - (arm @ axis) * axis
    out /= np.linalg.norm(out)
    axes = np.stack([axis, out, np.cross(axis, out)])
    corners = vertices(thing.handle) @ place.rotation.T + place.position - hinge.position
    _, far, across = axes @ corners.T
    held = across[far > far.max() - _BAR]
    low, high = held.min(), held.max()
    centre = np.array([arm @ axis, far.max() - (high - low) / 2, (low + high) / 2])
    return place.inverse.apply(hinge.position + centre @ axes)


def _orientation() -> np.ndarray:
    """float64 (3, 3) of the palm: its normal leans by ``_TILT``, the fingers point down."""
    cosine, sine = np.cos(_TILT), np.sin(_TILT)
    normal, fingers = np.array([cosine, 0.0, sine]), np.array([sine, 0.0, -cosine])
    return np.stack([normal, np.cross(fingers, normal), fingers], axis=1)


def _holding(bar: np.ndarray, turn: np.ndarray) -> Pose:
    """The palm that has the bar (3,) where its hook is."""
    return Pose.of(bar - turn @ _HOOK, turn)


def _hand(finger: tuple[float, ...], thumb: tuple[float, ...]) -> np.ndarray:
    """float64 (16,) radians."""
    return np.array([*finger, *finger, *finger, *thumb])
