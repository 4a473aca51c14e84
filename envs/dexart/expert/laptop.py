"""How the expert opens a laptop: the hand's edge goes under the lid, lifts it and turns on the way,
until palm and fingers lie flat against the screen.

The fingers point along the hinge and the palm stays beside the lid until it is half open, because
the gap that a lid leaves is lower than the palm is thick.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from envs.dexart.expert.postures import reached
from envs.dexart.expert.servo import Command
from envs.dexart.tabletop import Tabletop
from envs.dexart.things import Thing, vertices
from envs.sapien.geometry import Pose
from envs.sapien.kinematics import rotations

_FLAT = np.array([0.0] * 12 + [0.263, -0.1, -0.15, -0.1])  # rad: fingers straight, thumb aside
_BENDS = [1, 5, 9]  # the joints that bend index, middle and ring finger
_WIDTH, _THICKNESS = 0.0573, 0.0098  # metres, half, of the three fingers side by side
_LEVEL = 2.83  # rad between hand and lid at first, when the palm faces nearly down
_SPEED = 1.3  # m/s and rad/s
_BEFORE, _UNDER, _BEYOND = 0.05, 0.03, 0.02  # metres from the free edge: before, inside, at the end
_BELOW = 0.004  # metres between hand and lid while it goes in
_ASIDE, _ACROSS, _SLIDE = 0.009, -0.035, 1.5  # metres of the knuckles beyond the lid's side
_FLAT_AT = 0.37  # rad to go at which the hand lies flat
_LEADS = -0.02, 0.24  # rad, how far the hand's goal is ahead of the lid
_EASE, _PRESS = 0.63, 0.033  # the lead per radian to go, and at the goal, rad
_LEAN, _BEND, _FIRMER = -0.02, 0.1, 0.008  # rad; the last one per step at the goal
_ARRIVED = 0.06  # rad to go within which the lid counts as open
_NEAR = 0.015, 0.15  # metres and radians within which a pose is reached
_WAIT = 60  # control steps at most for a way


class _Lid:
    """The lid as a plate on a hinge. ``axis`` (3,): it opens about it; ``inside`` metres of the
    screen from the axis, ``length`` from there to the free edge, ``side`` of the lid along it."""

    def __init__(self, thing: Thing) -> None:
        self._thing = thing
        self._sign = np.sign(thing.instance.open - thing.instance.closed)
        self.axis = self._sign * thing.hinge.rotation[:, 0]
        corners = vertices(thing.handle)
        normal = np.linalg.eigh(np.cov(corners.T))[1][:, 0]  # along which it is thinnest
        pose, hinge = thing.handle.pose, thing.hinge.position
        outwards = np.cross(self.axis, thing.handle_point - hinge)
        self._normal = normal * np.sign(pose.rotation @ normal @ outwards)
        world = corners @ pose.rotation.T + pose.position - hinge
        self.inside = float((world @ self.normal).min())
        self.length = float((world @ self.along).max())
        self.side = float((world @ self.axis).max())

    @property
    def normal(self) -> np.ndarray:
        """Unit (3,), from the screen to the outside."""
        return self._thing.handle.pose.rotation @ self._normal

    @property
    def along(self) -> np.ndarray:
        """Unit (3,), from the hinge to the free edge."""
        return np.cross(self.normal, self.axis)

    @property
    def to_go(self) -> float:
        """Radians by which the lid is still to be opened."""
        return float(self._sign * (self._thing.instance.open - self._thing.angle))

    def hand(self, beyond: float, aside: float, lead: float, tilt: float, gap: float = 0.0) -> Pose:
        """A palm whose fingers' edge touches the screen of a lid ``lead`` rad further open.

        ``beyond`` the free edge and ``aside`` of the lid's side: metres of the fingers' edge and of
        the knuckles; ``tilt``: rad from flat on the screen; ``gap``: metres from it.
        """
        ahead, tilted = rotations(self.axis, np.array([lead, lead + tilt]))
        along, y = ahead @ self.along, tilted @ self.along
        x = np.cross(self.axis, y)
        depth = _THICKNESS * abs(np.cos(tilt)) + _WIDTH * np.sin(tilt) + gap - self.inside
        place = (self.length + beyond - _WIDTH * np.cos(tilt)) * along
        place = place - depth * np.cross(self.axis, along) + (self.side + aside) * self.axis
        return Pose.of(self._thing.hinge.position + place, np.stack([x, y, np.cross(x, y)], axis=1))


def laptop(table: Tabletop) -> Iterator[Command]:
    """Under the lid, up, and flat against the screen."""
    robot, thing = table.robot, table.thing
    lid = _Lid(thing)
    for beyond in (_BEFORE, -_UNDER):
        for _ in range(_WAIT):
            pose = lid.hand(beyond, _ASIDE, 0.0, _LEVEL, _BELOW)
            yield Command(pose, _FLAT, _SPEED, exact=True)
            if reached(robot, pose, *_NEAR):
                break
    yield from _lift(lid)


def _lift(lid: _Lid) -> Iterator[Command]:
    """Turns from level to flat as the lid opens; then bends the fingers more and more, until they
    and the palm press."""
    start, pressed = lid.to_go, 0
    while True:
        share = float(np.clip((lid.to_go - _FLAT_AT) / (start - _FLAT_AT), 0.0, 1.0))
        pressed += lid.to_go < _ARRIVED
        lead = float(np.clip(_EASE * lid.to_go + _PRESS, *_LEADS))
        beyond = _BEYOND - share * (_BEYOND + _UNDER)
        aside = _ASIDE + (_ACROSS - _ASIDE) * min(_SLIDE * (1 - share), 1.0)
        fingers = _FLAT.copy()
        if share < 0.3:
            fingers[_BENDS] = _BEND + _FIRMER * min(pressed, 40)
        pose = lid.hand(beyond, aside, lead, _LEVEL * share + _LEAN)
        yield Command(pose, fingers, _SPEED, exact=True)
