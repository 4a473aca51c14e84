"""The scene as a plan needs it: what stands where, where the base fits, what the arm touches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import mujoco
import numpy as np

from envs.mjthor.expert.clearance import Array, Clearance
from envs.mjthor.house.facts import Furniture, Opening, Support
from envs.mjthor.house.free_space import FreeSpace
from envs.mjthor.plane import turned, wrapped
from envs.mjthor.world import World

_THICK = 0.115  # metres: an opened leaf of furniture with its handle
_BEYOND = 0.06  # metres from a handle to the end of its leaf
_AJAR = 0.1  # share of its travel below which a leaf is not in the way
_SHORT, _ASKEW = 1.2, 1.0  # metres and radians within which the base is driven straight to a pose


class Scene(Clearance):
    """Looks at the simulation whenever it is asked; never changes it."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._space: FreeSpace | None = None
        self._shares: dict[str, float] = {}

    @property
    def space(self) -> FreeSpace:
        """The free floor with the doors, and the leaves of opened furniture, as they stand now."""
        world = self.world
        hinged = [o.name for o in world.openings.values() if o.kind == "door"]
        shares = {name: round(world.opened(name), 2) for name in (*world.doors, *hinged)}
        if self._space is None or shares != self._shares:
            leaves = [self._leaf(world.openings[name]) for name in hinged if shares[name] > _AJAR]
            house = replace(world.house, furniture=(*world.house.furniture, *leaves))
            doors = {name: shares[name] for name in world.doors}
            self._space, self._shares = FreeSpace(house, doors), shares
        return self._space

    def _leaf(self, opening: Opening) -> Furniture:
        """The opened door of a fridge as something that stands there."""
        out = np.array(self.outward(opening.name))
        span = np.subtract(opening.handle[:2], opening.axis)
        along = span - (span @ out) * out
        length = float(np.linalg.norm(along)) + _BEYOND
        angle = self.world.opened(opening.name) * opening.travel
        middle = along / np.linalg.norm(along) * length / 2 + out * _THICK / 4
        x, y = np.add(opening.axis, turned(middle, angle))
        yaw = float(np.arctan2(out[1], out[0]) + angle)
        size = (_THICK, length, 2.0)
        return Furniture("leaf", "leaf", "", "", (float(x), float(y)), yaw, size)

    def support_of(self, thing: str) -> Support:
        """What a thing stood on at the start."""
        name = self.world.things[thing].support
        return next(support for support in self.world.house.supports if support.name == name)

    def outward(self, name: str) -> tuple[float, float]:
        """The direction (x, y) from a closed opening or door towards who pulls it."""
        world = self.world
        if name in world.openings:
            wanted = world.openings[name].furniture
            yaw = next(f.yaw for f in world.house.furniture if f.name == wanted)
            return float(np.cos(yaw)), float(np.sin(yaw))
        door = world.doors[name]
        x, y = np.subtract(door.latch, door.hinge) / np.hypot(*np.subtract(door.latch, door.hinge))
        sign = np.sign(door.open_angle)  # who pulls stands on the side that the leaf turns to
        return float(-sign * y), float(sign * x)

    def hinge(self, name: str) -> tuple[Array, float]:
        """Where the axis of a hinged door or opening is (x, y), and its travel in radians."""
        if name in self.world.doors:
            door = self.world.doors[name]
            return np.array(door.hinge), door.open_angle
        return np.array(self.world.openings[name].axis), self.world.openings[name].travel

    def facing(self, name: str) -> tuple[float, float]:
        """As :meth:`outward`, of the leaf as it stands now; a drawer does not turn."""
        hinged = name in self.world.doors or self.world.openings[name].kind == "door"
        turn = self.world.opened(name) * self.hinge(name)[1] if hinged else 0.0
        return turned(self.outward(name), turn)

    def leaf_of(self, name: str) -> str:
        """The body that an opening or a door moves."""
        joint = self.world.model.joint(name).id
        return str(self.world.model.body(int(self.world.model.jnt_bodyid[joint])).name)

    def upright(self, name: str) -> bool:
        """Whether the bar of a handle stands upright: by the geom nearest to the handle's site."""
        model, data = self.world.model, self.world.data
        body = model.body(self.leaf_of(name)).id
        geoms = np.flatnonzero((model.geom_bodyid == body) & (model.geom_contype > 0))
        gaps = np.linalg.norm(data.geom_xpos[geoms] - self.world.handle(name), axis=1)
        bar = int(geoms[np.argmin(gaps)])
        round_bar = model.geom_type[bar] in (
            mujoco.mjtGeom.mjGEOM_CAPSULE,
            mujoco.mjtGeom.mjGEOM_CYLINDER,
        )
        longest = 2 if round_bar else int(np.argmax(model.geom_size[bar]))
        return bool(abs(data.geom_xmat[bar].reshape(3, 3)[2, longest]) > 0.7)

    def in_hand(self) -> tuple[str, ...]:
        """The things between the fingers."""
        return tuple(name for name in self.world.things if self.world.held(name))

    def straight(self, pose: Array, carried: Sequence[str] = ()) -> bool:
        """Whether a pose (x, y, yaw) is near and the base gets straight to it, the arm as it is."""
        start, arm = self.robot.base_pose.copy(), self.robot.arm.copy()
        gap = np.array((*(pose[:2] - start[:2]), wrapped(pose[2] - start[2])))
        if np.hypot(*gap[:2]) > _SHORT or abs(gap[2]) > _ASKEW:
            return False
        count = max(2, int(np.ceil(np.hypot(*gap[:2]) / 0.05)))
        poses = start + np.linspace(0.0, 1.0, count + 1)[1:, None] * gap
        if not self.space.rectangles_free(poses, 0.0).all():
            return False
        return all(self.clear(arm, base=at, carried=carried) for at in poses[::2])


def in_frame(point: Array, base: Array) -> Array:
    """A point (3,) of the house in the frame of a base at (x, y, yaw)."""
    return np.array([*turned((point[0] - base[0], point[1] - base[1]), -base[2]), point[2]])


def about_z(angle: float) -> Array:
    """The rotation (3, 3) by an angle about the vertical."""
    c, s = np.cos(angle), np.sin(angle)
    return np.array(((c, -s, 0.0), (s, c, 0.0), (0.0, 0.0, 1.0)))
