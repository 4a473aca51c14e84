"""The articulated object of an episode, and the handle that the hand must find."""

from __future__ import annotations

from typing import Any

import numpy as np

from envs.dexart.instance import Instance
from envs.dexart.setting import Setting
from envs.sapien.bodies import Body
from envs.sapien.geometry import HERE, Pose
from envs.sapien.scene import Scene
from envs.sapien.urdf import child_link
from envs.schema import ManigymError

_GHOST_BITS = 1


class Thing:
    """An object in a scene. ``handle``: the link that the task moves; ``box`` (2, 3): the lowest
    and highest corner of its shapes, metres in its own frame."""

    def __init__(self, scene: Scene, task: str, instance: Instance, setting: Setting) -> None:
        self.instance, self._task, self._setting = instance, task, setting
        handle = child_link(instance.urdf, instance.joint)
        self.articulation = scene.load_urdf(
            instance.urdf, HERE, setting.fixed, instance.scale, setting.stuff(instance.body, handle)
        )
        self.handle = self.articulation.links[handle]
        self.body = self.articulation.links[instance.body or handle]
        self.number = self.articulation.joint_names.index(instance.joint)
        self._prepare()
        corners = vertices(self.handle)
        if not len(corners):
            raise ManigymError(
                f"{instance.name}: its handle, link {handle}, has no collision shape"
            )
        self.box = np.stack([corners.min(0), corners.max(0)])
        self._turn_to(instance.open if task in ("laptop", "bucket") else 0.0)
        self.point = _handle_point(task, self.handle, corners)

    def _prepare(self) -> None:
        self.articulation.set_friction(self._setting.friction)
        for name in self.instance.ghosts:
            self.articulation.links[name].pass_through(_GHOST_BITS)
        if self.instance.limits is not None:
            self.articulation.set_limits(self.instance.joint, *self.instance.limits)
        if self._task == "toilet":  # everything but the lid stays where it is
            for name, (low, _) in zip(
                self.articulation.joint_names, self.articulation.limits, strict=True
            ):
                if name != self.instance.joint:
                    self.articulation.set_limits(name, low, low)

    def _turn_to(self, angle: float) -> None:
        qpos = np.zeros(len(self.articulation.joint_names))
        qpos[self.number] = angle
        self.articulation.set_qpos(qpos)

    def start(self, root: Pose) -> None:
        """Stand at ``root``, closed but for the ajar angle of the task."""
        self.articulation.set_root_pose(root)
        self._turn_to(self.instance.closed + self._setting.ajar)

    @property
    def angle(self) -> float:
        """Radians of the joint that the task moves."""
        return float(self.articulation.native.get_qpos()[self.number])

    @property
    def progress(self) -> float:
        """1 where the joint is fully open, 0 where it started; the faucet's absolute angle."""
        if self._task == "faucet":
            return abs(self.angle)
        whole = abs(self.instance.closed - self.instance.open) - self._setting.ajar
        return 1 - abs(self.angle - self.instance.open) / whole

    @property
    def handle_point(self) -> np.ndarray:
        """float64 (3,) metres in the world: what the palm must come near."""
        return self.handle.pose.apply(self.point)

    @property
    def hinge(self) -> Pose:
        """The joint in the world; it turns about the x axis of this frame."""
        joint: Any = self.articulation.native.get_active_joints()[self.number]
        pose = joint.get_global_pose()
        return Pose(pose.p.astype(np.float64), pose.q.astype(np.float64))


def vertices(link: Body) -> np.ndarray:
    """float64 (V, 3) metres in the link: corners of its boxes, vertices of its meshes, 14 points of
    its spheres."""
    points = [_points(shape) for shape in link.native.get_collision_shapes()]
    return np.concatenate([np.zeros((0, 3)), *points])


def on_surface(link: Body, count: int, rng: np.random.Generator) -> np.ndarray:
    """float64 (count, 3) metres in the link: random points on its first box or sphere, as many per
    area; of a mesh, vertices."""
    shape = link.native.get_collision_shapes()[0]
    geometry = shape.geometry
    if hasattr(geometry, "half_lengths"):
        half = np.asarray(geometry.half_lengths, np.float64)
        areas = half.prod() / half  # of the faces across each axis
        axes = rng.choice(3, count, p=areas / areas.sum())
        local = rng.uniform(-1.0, 1.0, (count, 3))
        local[np.arange(count), axes] = rng.choice((-1.0, 1.0), count)
        return _placed(shape, local * half)
    if hasattr(geometry, "vertices"):
        return rng.choice(_points(shape), count)
    ways = rng.standard_normal((count, 3))
    return _placed(shape, geometry.radius * ways / np.linalg.norm(ways, axis=1, keepdims=True))


def _points(shape: Any) -> np.ndarray:
    geometry = shape.geometry
    if hasattr(geometry, "half_lengths"):
        local = _CORNERS * geometry.half_lengths
    elif hasattr(geometry, "vertices"):
        local = np.asarray(geometry.vertices) * geometry.scale
    else:
        local = geometry.radius * _OUTERMOST
    return _placed(shape, local)


def _placed(shape: Any, local: np.ndarray) -> np.ndarray:
    """Points (N, 3) of a shape, in its link."""
    place = shape.get_local_pose()
    pose = Pose(place.p.astype(np.float64), place.q.astype(np.float64))
    return local @ pose.rotation.T + pose.position


_CORNERS = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], np.float64)
_OUTERMOST = np.concatenate([np.eye(3), -np.eye(3), _CORNERS / np.sqrt(3)])


def _handle_point(task: str, link: Body, corners: np.ndarray) -> np.ndarray:
    """float64 (3,) in the link, for the object upright at the origin.

    The faucet's is the link's origin; laptop and bucket have the highest corner, the toilet the
    outermost one along x of the link itself (upstream asks before SAPIEN has placed its links); y
    is the mean of all corners. SAPIEN's own 32-bit poses decide between corners of the same height.
    """
    if task == "faucet":
        return np.zeros(3)
    if task == "toilet":
        x, _, z = corners[int(corners[:, 0].argmax())]
        return np.array([x, corners[:, 1].mean(), z])
    pose = link.native.get_pose()
    kind = type(pose)
    world = np.array([pose.transform(kind(corner)).p for corner in corners], np.float64)
    x, _, z = world[int(world[:, 2].argmax())]
    return pose.inv().transform(kind([x, world[:, 1].mean(), z])).p.astype(np.float64)
