"""What is read from a URDF file itself: names in file order, and the kinematics of one chain.

Numpy and the standard library only, in float64, so an expert computes the same in both lines.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from xml.etree import ElementTree

import numpy as np


def robot_links(urdf: Path) -> tuple[str, ...]:
    """Link names in file order."""
    return tuple(link.attrib["name"] for link in _root(urdf).iter("link"))


def movable_joints(urdf: Path) -> tuple[str, ...]:
    """Names of the joints that move, in file order."""
    joints = _root(urdf).findall("joint")
    return tuple(joint.attrib["name"] for joint in joints if joint.attrib["type"] != "fixed")


def without_visuals(urdf: Path) -> str:
    """The file's text with nothing to be seen in it."""
    root = ElementTree.fromstring(urdf.read_text())
    for link in root.iter("link"):
        for visual in link.findall("visual"):
            link.remove(visual)
    return ElementTree.tostring(root, encoding="unicode")


@cache
def _root(urdf: Path) -> ElementTree.Element:
    return ElementTree.parse(urdf).getroot()


@dataclass(frozen=True)
class Chain:
    """Revolute joints from the robot's root to a link, each frame shifted but not turned.

    ``offsets`` (J, 3) metres of each joint in the frame before it, ``axes`` (J, 3) unit vectors,
    ``low`` and ``high`` (J,) rad, ``tip`` (3,) metres of the point of interest in the last link.
    """

    offsets: np.ndarray
    axes: np.ndarray
    low: np.ndarray
    high: np.ndarray
    tip: np.ndarray

    @classmethod
    def read(cls, urdf: Path, link: str, tip: tuple[float, float, float]) -> Chain:
        """The chain that ends in ``link``."""
        parents = {_name(joint, "child"): joint for joint in _root(urdf).findall("joint")}
        joints: list[ElementTree.Element] = []
        while link in parents:
            joints.insert(0, parents[link])
            link = _name(joints[0], "parent")
        offsets, axes, low, high = (
            np.array([[float(x) for x in _part(j, *of).split()] for j in joints])
            for of in (("origin", "xyz"), ("axis", "xyz"), ("limit", "lower"), ("limit", "upper"))
        )
        return cls(offsets, axes, low[:, 0], high[:, 0], np.array(tip))

    def forward(self, angles: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Tip (3,) in the root frame and its Jacobian (3, J) for joint angles (J,) rad."""
        position, rotation = np.zeros(3), np.eye(3)
        origins, axes = [], []
        for offset, axis, angle in zip(self.offsets, self.axes, angles, strict=True):
            position = position + rotation @ offset
            origins.append(position)
            axes.append(rotation @ axis)
            rotation = rotation @ _turn(axis, angle)
        tip = position + rotation @ self.tip
        return tip, np.cross(axes, tip - np.array(origins)).T

    def solve(self, target: np.ndarray, start: np.ndarray, steps: int = 200) -> np.ndarray:
        """Joint angles (J,) whose tip is at ``target`` (3,), by damped least squares."""
        angles, damping = start.copy(), 1e-3 * np.eye(3)
        for _ in range(steps):
            tip, jacobian = self.forward(angles)
            step = jacobian.T @ np.linalg.solve(jacobian @ jacobian.T + damping, target - tip)
            angles = np.clip(angles + step.clip(-0.2, 0.2), self.low, self.high)
        return angles


def _turn(axis: np.ndarray, angle: float) -> np.ndarray:
    """Rotation matrix (3, 3) about a unit axis, by Rodrigues' formula."""
    x, y, z = axis
    cross = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * (cross @ cross)


def _part(element: ElementTree.Element, child: str, attribute: str) -> str:
    found = element.find(child)
    assert found is not None, f"{element.attrib['name']} has no <{child}>"
    return found.attrib[attribute]


def _name(joint: ElementTree.Element, side: str) -> str:
    return _part(joint, side, "link")
