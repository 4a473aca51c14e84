"""What is true in the house now: poses, openings, contacts, what the head camera sees."""

from __future__ import annotations

from itertools import product

import mujoco
import numpy as np

from envs.mjthor.house.facts import House, Thing
from envs.mjthor.robot import Robot

_CORNERS = np.array(list(product((-0.5, 0.0, 0.5), (-0.5, 0.0, 0.5), (0.0, 0.5, 1.0))))
_VERTICAL = np.cos(np.radians(30.0))


class World:
    """One house with the robot in it; ``data`` is the simulation's own."""

    def __init__(self, house: House, model: mujoco.MjModel, data: mujoco.MjData) -> None:
        self.house, self.model, self.data = house, model, data
        self.robot = Robot(model, data)
        self.things = {thing.name: thing for thing in house.things}
        self.openings = {opening.name: opening for opening in house.openings}
        self.doors = {door.name: door for door in house.doors}
        self._root = model.body_rootid[model.geom_bodyid]  # of every geom
        self._fingers = {model.body(name).id for name in ("right_finger_1", "right_finger_2")}

    # ---------------------------------------------------------------------- poses
    def position(self, thing: str) -> np.ndarray:
        """float64 (3,): the middle of a thing's foot."""
        return self.data.body(thing).xpos

    def quaternion(self, thing: str) -> np.ndarray:
        """float64 (4,) wxyz."""
        return self.data.body(thing).xquat

    def middle(self, thing: str) -> np.ndarray:
        """float64 (3,): the middle of a thing's bounding box."""
        body = self.data.body(thing)
        return body.xpos + body.xmat.reshape(3, 3)[:, 2] * self.things[thing].size[2] / 2

    def tilt(self, thing: str) -> float:
        """Radians between a thing's own vertical and the house's."""
        return float(np.arccos(np.clip(self.data.body(thing).xmat[8], -1.0, 1.0)))

    def handle(self, name: str) -> np.ndarray:
        """float64 (3,): where a hand takes hold of an opening or a door."""
        return self.data.site(f"{name}/handle").xpos

    def opened(self, name: str) -> float:
        """How far an opening or a door is open: 0 closed, 1 fully, from its joint."""
        full = self.openings[name].travel if name in self.openings else self.doors[name].open_angle
        return float(self.data.joint(name).qpos[0]) / full

    def inside(self, thing: str, receptacle: str) -> bool:
        """Whether a thing's foot is within a receptacle's box, from its foot to 5 cm above it."""
        axes = self.data.body(receptacle).xmat.reshape(3, 3)
        x, y, z = (self.position(thing) - self.position(receptacle)) @ axes
        depth, width, height = self.things[receptacle].size
        return abs(x) <= depth / 2 and abs(y) <= width / 2 and -0.01 <= z <= height + 0.05

    def asleep(self, thing: str) -> bool:
        """Whether the simulator has put a thing that rests to sleep."""
        tree = self.model.body_treeid[self.model.body(thing).id]
        return bool(self.data.tree_asleep[tree] >= 0)

    # ------------------------------------------------------------------- contacts
    def touching(self, thing: str) -> set[int]:
        """Root bodies that a thing touches (0: the house itself). None while it sleeps, when
        nothing that moves touches it."""
        pairs = self._root[self.data.contact.geom]
        body = self.model.body(thing).id
        mine = pairs[(pairs == body).any(axis=1)]
        return {int(other) for pair in mine for other in pair if other != body}

    def touched_by_robot(self, thing: str) -> bool:
        return self.robot.root in self.touching(thing)

    def held(self, thing: str) -> bool:
        """Between both fingers."""
        bodies = self.model.geom_bodyid[self.data.contact.geom]
        body = self.model.body(thing).id
        mine = bodies[(bodies == body).any(axis=1)]
        return self._fingers <= {int(b) for pair in mine for b in pair}

    def carried_by(self, thing: str, receptacle: str) -> float:
        """Share of a thing's weight that a receptacle carries, where the force is within 30
        degrees of vertical (MolmoSpaces); 0 without contact."""
        force = np.zeros(3)
        pair = {self.model.body(thing).id, self.model.body(receptacle).id}
        for i, geoms in enumerate(self.data.contact.geom):
            roots = self._root[geoms]
            if set(roots.tolist()) == pair:
                sign = 1.0 if roots[1] == self.model.body(thing).id else -1.0
                force += sign * self._force(i)
        size = float(np.linalg.norm(force))
        weight = self.model.body(thing).subtreemass[0] * -self.model.opt.gravity[2]
        return size / weight if size and force[2] / size >= _VERTICAL else 0.0

    def _force(self, contact: int) -> np.ndarray:
        """Force (3,) in the house of a contact's first geom on its second."""
        local = np.zeros(6)
        mujoco.mj_contactForce(self.model, self.data, contact, local)
        return self.data.contact.frame[contact].reshape(3, 3).T @ local[:3]

    # ---------------------------------------------------------------------- sight
    def sees(self, thing: Thing, camera: str = "head_camera", aspect: float = 1.0) -> bool:
        """Whether a camera sees any of 27 points spread over a thing's bounding box: inside the
        picture (``aspect`` width by height) and not behind something else. Needs no renderer;
        upstream counts pixels instead."""
        cam = self.data.camera(camera)
        half = np.tan(np.radians(self.model.camera(camera).fovy[0]) / 2)
        body = self.data.body(thing.name)
        points = body.xpos + (_CORNERS * thing.size) @ body.xmat.reshape(3, 3).T
        local = (points - cam.xpos) @ cam.xmat.reshape(3, 3)
        ahead = -local[:, 2]
        inside = (ahead > 0.02) & (np.abs(local[:, 1]) < half * ahead)
        inside &= np.abs(local[:, 0]) < half * aspect * ahead
        return any(self._reaches(cam.xpos, point, body.id) for point in points[inside])

    def _reaches(self, start: np.ndarray, point: np.ndarray, body: int) -> bool:
        ray, hit = point - start, np.zeros(1, np.int32)
        # The camera's own head is left out; all else of the robot can be in the way.
        head = self.model.body("head_1").id
        mujoco.mj_ray(self.model, self.data, start, ray, None, 1, head, hit, None)
        return hit[0] >= 0 and int(self.model.geom_bodyid[hit[0]]) == body
