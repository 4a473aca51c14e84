"""What DexArt's objects are, read back from their URDFs; how a task places them."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from xml.etree import ElementTree

import numpy as np

from envs.dexart.instance import Instance
from envs.dexart.objects import COUNTS, build
from envs.dexart.setting import SETTINGS
from envs.sapien.geometry import Pose, from_euler
from envs.sapien.parts import Stuff
from envs.sapien.urdf import child_link

ALL = [(task, split, i) for task in COUNTS for split, n in COUNTS[task].items() for i in range(n)]


def stuff(instance: Instance, task: str) -> Stuff:
    """What the task makes the links of."""
    return SETTINGS[task].stuff(instance.body, child_link(instance.urdf, instance.joint))


def of(task: str) -> list[Instance]:
    return [build(*key) for key in ALL if key[0] == task]


def numbers(element: ElementTree.Element, tag: str, name: str) -> list[float]:
    return [float(x) for x in element.find(tag).attrib[name].split()]


def origin(element: ElementTree.Element) -> Pose:
    angles = numbers(element, "origin", "rpy")
    return Pose(numbers(element, "origin", "xyz"), from_euler(*angles))


def collisions(instance: Instance, link: str) -> Iterator[tuple[Pose, np.ndarray]]:
    """Pose and half sizes (3,) of what collides; of a sphere, those of the box around it."""
    tree = ElementTree.fromstring(instance.urdf)
    for shape in tree.iterfind(f"link[@name='{link}']/collision"):
        if shape.find("geometry/box") is not None:
            yield origin(shape), np.array(numbers(shape, "geometry/box", "size")) / 2
        else:
            yield origin(shape), np.full(3, numbers(shape, "geometry/sphere", "radius")[0])


def corners(instance: Instance, link: str) -> np.ndarray:
    """float64 (N, 3) in the link's frame."""
    signs = np.array(list(product((-1, 1), repeat=3)))
    shapes_ = collisions(instance, link)
    return np.concatenate(
        [signs * half @ pose.rotation.T + pose.position for pose, half in shapes_]
    )


def joint(instance: Instance) -> tuple[Pose, np.ndarray, float, float, str]:
    """Frame, axis, lower and upper limit, and child link of the task's joint."""
    tree = ElementTree.fromstring(instance.urdf)
    (found,) = [j for j in tree.iterfind("joint") if j.attrib["name"] == instance.joint]
    low, high = (float(found.find("limit").attrib[end]) for end in ("lower", "upper"))
    axis = np.array(numbers(found, "axis", "xyz"))
    return origin(found), axis, low, high, found.find("child").attrib["link"]


def turned(instance: Instance, angle: float) -> Pose:
    """The handle's link in the root's frame at ``angle``."""
    frame, axis, *_ = joint(instance)
    return frame @ Pose(quaternion=np.array([np.cos(angle / 2), *(np.sin(angle / 2) * axis)]))


def weight(instance: Instance, link: str, density: float) -> float:
    tree, volume = ElementTree.fromstring(instance.urdf), 0.0
    for geometry in tree.iterfind(f"link[@name='{link}']/collision/geometry"):
        if geometry.find("box") is not None:
            volume += np.prod(numbers(geometry, "box", "size"))
        else:
            volume += 4 / 3 * np.pi * numbers(geometry, "sphere", "radius")[0] ** 3
    return density * volume
