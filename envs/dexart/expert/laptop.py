"""How the expert opens a laptop: the hand's edge goes under the lid, lifts it and turns until palm
and fingers lie flat against the screen."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from envs.dexart.expert.servo import Command, rotation_vector
from envs.dexart.robot import Robot
from envs.dexart.things import Thing, vertices
from envs.sapien.geometry import Pose
from envs.sapien.kinematics import rotations

_P = dict(
    out=0.05, insert=0.025, psi0=2.9, low=0.008, lead=0.35, r_end=0.0, c0=0.012, c1=-0.035, flex=0.05, wait=60, flat=0.3, exact=True, speed=1.3, slow=0.5, over=0.04, least=-0.02, lean=0.0, grow=0.005, knead=0.02, lag=0.5, cs=2.0
)
_FLAT = np.array([0.0, 0.0, 0.0, 0.0] * 3 + [0.263, -0.1, -0.15, -0.1])


class _Lid:
    """The lid as a plate on a hinge: ``axis`` (3,) about which it opens, ``length`` from there to
    the free edge and ``side``, how far it reaches along the axis."""

    def __init__(self, thing: Thing) -> None:
        self._thing = thing
        self.sign = np.sign(thing.instance.open - thing.instance.closed)
        self.axis = self.sign * thing.hinge.rotation[:, 0]
        corners = vertices(thing.handle)
        normal = np.linalg.eigh(np.cov(corners.T))[1][:, 0]
        rotation = thing.handle.pose.rotation
        world = corners @ rotation.T + thing.handle.pose.position - thing.hinge.position
        outwards = np.cross(self.axis, thing.handle_point - thing.hinge.position)
        self._normal = normal * np.sign(rotation @ normal @ outwards)
        self.inside = float((world @ self.normal).min())
        self.length = float((world @ self.along).max())
        self.side = float((world @ self.axis).max())

    @property
    def normal(self) -> np.ndarray:
        """Unit (3,), to the lid's outside."""
        return self._thing.handle.pose.rotation @ self._normal

    @property
    def along(self) -> np.ndarray:
        """Unit (3,), from the hinge to the free edge."""
        return np.cross(self.normal, self.axis)

    @property
    def to_go(self) -> float:
        """Radians that the lid is still to be opened."""
        return float(self.sign * (self._thing.instance.open - self._thing.angle))

    def hand(self, off: float, ahead: float, tilt: float, side: float, gap: float = 0.0) -> Pose:
        """The palm, the hand's edge ``off`` beyond the free edge of a lid ``ahead`` rad further,
        tilted from flat on it by ``tilt``."""
        turned = rotations(self.axis, np.array([ahead, ahead + tilt]))
        along = turned[0] @ self.along
        normal = np.cross(self.axis, along)
        y = turned[1] @ self.along
        x = np.cross(self.axis, y)
        rotation = np.stack([x, y, np.cross(x, y)], axis=1)
        radius = self.length + off - 0.0573 * np.cos(tilt)
        depth = 0.0098 * abs(np.cos(tilt)) + 0.0573 * np.sin(tilt) + gap
        lateral = self.side + side
        centre = self._thing.hinge.position + radius * along + lateral * self.axis
        return Pose.of(centre + (self.inside - depth) * normal, rotation)


def laptop(robot: Robot, thing: Thing, P=_P) -> Iterator[Command]:
    """Edge under the lid, up, and flat against the screen."""
    lid = _Lid(thing)
    start = lid.to_go
    tilt0 = P["psi0"] - 0.2
    for off in (P["out"], -P["insert"]):
        for _ in range(P["wait"]):
            pose = lid.hand(off, 0.0, tilt0, P["c0"], P["low"])
            yield Command(pose, _FLAT, P['speed'], exact=P['exact'])
            miss = np.linalg.norm(robot.palm.pose.position - pose.position)
            turn = np.linalg.norm(rotation_vector(pose.rotation @ robot.palm.pose.rotation.T))
            if miss < 0.015 and turn < 0.15:
                break
    still = 0
    while True:
        share = np.clip((lid.to_go - P["flat"]) / (start - P["flat"]), 0.0, 1.0)
        still += lid.to_go < 0.06
        off = -share * P["insert"] + (1 - share) * P["r_end"]
        side = P["c0"] + (P["c1"] - P["c0"]) * np.clip(P["cs"] * (1 - share), 0, 1)
        fingers = _FLAT.copy()
        fingers[[1, 5, 9]] = (P["flex"] + P["grow"] * min(still, 40)) * (share < 0.3)
        lag = np.linalg.norm(robot.palm.pose.rotation[:, 0] - pose.rotation[:, 0])
        ahead = np.clip(P["slow"] * lid.to_go + P["over"], P["least"], P["lead"])
        ahead *= max(0.2, 1 - P["lag"] * lag)
        ahead += P["knead"] * np.sin(still * 0.7) * (still > 0)
        pose = lid.hand(off, ahead, tilt0 * share + P["lean"], side)
        yield Command(pose, fingers, P["speed"], exact=P["exact"])
