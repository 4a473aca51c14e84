"""Objects for DexArt in the layout of upstream's ``assets`` folder, made of boxes."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np

from envs.dexart import upstream
from envs.dexart.instance import Instance
from envs.dexart.robot import URDF
from envs.dexart.upstream_files import Urdf
from envs.sapien.geometry import Pose, from_euler
from envs.sapien.urdf import child_link, text

NUMBERS = {"faucet": 148, "bucket": 100431, "laptop": 11395, "toilet": 102677}
ROBOT = "allegro_hand_xarm6_wrist_mounted_face_front"
_HANDLES = {"faucet": "switch", "bucket": "handle", "laptop": "screen"}
_LINKS = {  # half sizes and centres (metres) of the still part and of the one that turns; the hinge
    "faucet": ((0.02, 0.02, 0.06), (0, 0, 0.06), (0.05, 0.012, 0.012), (0.03, 0, 0), (0, 0, 0.135)),
    "bucket": ((0.06, 0.06, 0.05), (0, 0, 0), (0.008, 0.07, 0.008), (0.07, 0, 0), (0, 0, 0.055)),
    "laptop": ((0.1, 0.14, 0.01), (0, 0, 0), (0.008, 0.14, 0.09), (0, 0, 0.09), (0.1, 0, 0.015)),
    "toilet": ((0.15, 0.12, 0.1), (0, 0, 0), (0.15, 0.11, 0.01), (-0.15, 0, 0), (0.15, 0, 0.115)),
}
_AXES = {"faucet": "0 0 1", "bucket": "0 1 0", "laptop": "0 1 0", "toilet": "0 1 0"}
_RANGES = {
    "faucet": (-1.8, 1.8), "bucket": (-1.6, 1.6), "laptop": (-1.6, 1.6), "toilet": (-0.1, 1.7)
}  # fmt: skip
_RECORDS: dict[str, dict[str, Any]] = {
    "faucet": {"place": (0.5, 0.0, 0.0)},
    "bucket": {"place": (0.6, 0.0, -0.25), "closed": 1.5, "open": 0.0, "limits": (-0.1, 1.55)},
    "laptop": {"place": (0.6, 0.0, 0.011), "closed": -1.5, "open": 0.0},
    "toilet": {"place": (0.65, 0.0, -0.299), "closed": 0.0, "open": 1.5},
}


def small_object(task: str, name: str) -> Instance:
    """An object of two boxes and a hinge, its links and joints named as upstream's are."""
    still, moving = ("link_1", "link_0") if task == "bucket" else ("link_0", "link_1")
    size, centre, other, shift, hinge = _LINKS[task]
    low, high = _RANGES[task]
    urdf = f"""<robot name="small">
  <link name="base"/>
  {_link(still, size, centre)}
  {_link(moving, other, shift)}
  <joint name="joint_still" type="fixed">
    <parent link="base"/><child link="{still}"/><origin xyz="0 0 0"/>
  </joint>
  <joint name="joint_moving" type="revolute">
    <parent link="{still}"/><child link="{moving}"/><origin xyz="{_text(hinge)}"/>
    <axis xyz="{_AXES[task]}"/><limit lower="{low}" upper="{high}" effort="100" velocity="100"/>
  </joint>
</robot>"""
    body = "link_1" if task == "bucket" else ""
    return Instance(name, urdf, "joint_moving", body=body, **_RECORDS[task])


def _link(name: str, size: Sequence[float], centre: Sequence[float]) -> str:
    box = f'<box size="{_text(2 * s for s in size)}"/>'
    shape = f'<origin xyz="{_text(centre)}"/><geometry>{box}</geometry>'
    return f'<link name="{name}"><visual>{shape}</visual><collision>{shape}</collision></link>'


def _text(numbers: Any) -> str:
    return " ".join(str(float(n)) for n in numbers)


def write_assets(folder: Path, objects: Mapping[str, Sequence[Instance]], meshes: bool) -> None:
    """Upstream's files of the objects of every task; ``meshes`` writes their
    shapes as OBJ files."""
    for task, instances in objects.items():
        notes = folder / "annotation"
        _write(notes / f"{task}_scale.json", {i.name: i.scale for i in instances})
        places = {i.name: list(i.place) for i in instances}
        _write(notes / f"{task}_{ROBOT}_relative_position.json", places)
        if task != "faucet":
            joints = {i.name: _positions(i) for i in instances}
            _write(notes / f"{task}_joint_annotation.json", joints)
        if task == "toilet":
            lines = ["id lid_joint lid_link body_link seat_link", *map(_toilet_line, instances)]
            (notes / "toilet_joint.txt").write_text("\n".join(lines) + "\n")
        for instance in instances:
            suffix = "_thick_handle" if task == "bucket" else ""
            _write_object(folder / "sapien" / f"{instance.name}{suffix}", task, instance, meshes)


def write_small(folder: Path) -> Path:
    """The files of a small object of every task, its number upstream's first."""
    objects = {task: [small_object(task, str(number))] for task, number in NUMBERS.items()}
    write_assets(folder, objects, meshes=True)
    return folder


def place_of(folder: Path, task: str) -> Path:
    """Where the object of :data:`NUMBERS` is."""
    suffix = "_thick_handle" if task == "bucket" else ""
    return folder / "sapien" / f"{NUMBERS[task]}{suffix}"


def write_robot(folder: Path) -> Path:
    """Our robot where upstream's would be."""
    file = folder / upstream.ROBOT
    file.parent.mkdir(parents=True)
    shutil.copy(URDF, file)
    return file


def _positions(instance: Instance) -> dict[str, float]:
    found = {"left": instance.closed, "middle": instance.open}
    if instance.limits:
        found |= dict(zip(("min", "max"), instance.limits, strict=True))
    return found


def _toilet_line(instance: Instance) -> str:
    links = instance.ghosts or (child_link(instance.urdf, instance.joint),)
    return " ".join((instance.name, instance.joint, links[0], "body", *links[1:]))


def _write_object(folder: Path, task: str, instance: Instance, meshes: bool) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    root = ElementTree.fromstring(text(instance.urdf))
    if task == "bucket":
        _rename(
            root, {instance.body: "link_1", child_link(instance.urdf, instance.joint): "link_0"}
        )
    seen = [*root.iter("visual"), *root.iter("collision")] if meshes else []
    for i, shape in enumerate(seen):
        _as_mesh(shape, folder, f"textured_objs/shape_{i}.obj")
    file = folder / "mobility.urdf"
    file.write_text(ElementTree.tostring(root, "unicode"))
    if task in _HANDLES:
        _write(folder / "mobility_v2.json", _entries(task, instance.joint, Urdf(file)))


def _rename(root: ElementTree.Element, names: Mapping[str, str]) -> None:
    for element in root.iter():
        for key in ("name", "link"):
            if element.attrib.get(key) in names:
                element.set(key, names[element.attrib[key]])


def _entries(task: str, joint: str, urdf: Urdf) -> list[dict[str, str]]:
    """``mobility_v2.json``: what upstream counts up to the task's hinge, and after it."""
    still = len(urdf.joints) - len(urdf.moving) if task == "faucet" else 0
    entries = [{"joint": "static", "name": "part"}] * still
    for name in urdf.moving:
        if task != "faucet":
            entries.append({"joint": "free", "name": "part"})
        if name == joint:
            entries.append({"joint": "hinge", "name": _HANDLES[task]})
        elif task == "faucet":
            entries.append({"joint": "hinge", "name": "part"})
    return entries


def _as_mesh(place: ElementTree.Element, folder: Path, name: str) -> None:
    """The ``<box>`` or ``<sphere>`` of a ``<visual>`` or ``<collision>`` as a closed mesh in the
    frame of the link: upstream does not turn a mesh's vertices as its ``<origin>`` does."""
    geometry, origin = place.find("geometry"), place.find("origin")
    assert geometry is not None
    shape = geometry[0]
    if shape.tag == "box":
        points, faces = _box(_numbers(shape, "size") / 2)
    else:
        points, faces = _sphere(float(shape.attrib["radius"]))
    if origin is not None:
        pose = Pose(_numbers(origin, "xyz"), from_euler(*_numbers(origin, "rpy")))
        points = points @ pose.rotation.T + pose.position
        place.remove(origin)
    lines = [f"v {x:.17g} {y:.17g} {z:.17g}" for x, y, z in points]
    lines += ["f " + " ".join(str(corner + 1) for corner in face) for face in faces]
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_text("\n".join(lines) + "\n")
    geometry.clear()
    ElementTree.SubElement(geometry, "mesh", filename=name)


def _numbers(origin: ElementTree.Element, name: str) -> np.ndarray:
    return np.array(origin.attrib.get(name, "0 0 0").split(), float)


def _box(half: np.ndarray) -> tuple[np.ndarray, list[tuple[int, ...]]]:
    corners = half * np.array(list(product((-1, 1), repeat=3)))
    quads = (0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)
    return corners, [tri for a, b, c, d in quads for tri in ((a, b, c), (a, c, d))]


def _sphere(radius: float, rings: int = 6, sectors: int = 10) -> tuple[np.ndarray, list[Any]]:
    heights = np.linspace(0, np.pi, rings + 1)[1:-1, None]
    turns = np.linspace(0, 2 * np.pi, sectors, endpoint=False)
    around = np.sin(heights) * np.cos(turns), np.sin(heights) * np.sin(turns)
    belt = np.stack([*around, np.broadcast_to(np.cos(heights), around[0].shape)], -1)
    points = radius * np.concatenate([[(0, 0, 1)], belt.reshape(-1, 3), [(0, 0, -1)]])
    faces, last = list[tuple[int, ...]](), len(points) - 1
    for i in range(sectors):
        j = (i + 1) % sectors
        faces += [(0, 1 + i, 1 + j), (last, last - sectors + j, last - sectors + i)]
        for row in range(1, 1 + (rings - 2) * sectors, sectors):
            a, b, c, d = row + i, row + j, row + sectors + i, row + sectors + j
            faces += [(a, c, d), (a, d, b)]
    return points, faces


def _write(file: Path, content: Any) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(content))
