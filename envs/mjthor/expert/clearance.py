"""What the robot would touch at a posture, felt out in a copy of the simulation."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import mujoco
import numpy as np
from numpy.typing import NDArray

from envs.mjthor.robot import ARM, BASE, FINGER_TRAVEL, FINGERS
from envs.mjthor.world import World

Array = NDArray[np.float64]
_TOUCH, _AROUND = -0.001, 0.006  # metres: bodies nearer than that touch, or are too near on a way
_FINE = 0.15  # rad between the postures checked along a way in joint space


class Clearance:
    """Of one world, as it is when it is asked."""

    def __init__(self, world: World) -> None:
        self.world, self.robot = world, world.robot
        self._model = copy.copy(world.model)  # in which the robot feels what it nearly touches
        body = self._model.geom_bodyid
        self._model.geom_margin[self._model.body_rootid[body] == self.robot.root] = _AROUND
        shoulder = self._model.body("right_arm_0").id
        last = self._model.body(FINGERS[-1]).id  # bodies are numbered along the arm
        self._arm = np.flatnonzero((body >= shoulder) & (body <= last))
        self._scratch = mujoco.MjData(self._model)
        self._joints = np.array([world.model.joint(n).qposadr[0] for n in (*BASE, *ARM)])
        self._fingers = np.array([world.model.joint(n).qposadr[0] for n in FINGERS])
        self._hand = world.model.site("grasp").id

    def clear(
        self,
        angles: Array,
        allowed: Sequence[str] = (),
        *,
        base: Array | None = None,
        opening: float | None = None,
        carried: Sequence[str] = (),
        apart: float = _TOUCH,
    ) -> bool:
        """Whether the robot at a posture (7,) touches nothing, itself included, but ``allowed``
        bodies; ``base`` (3,), ``opening``: other than they are. ``carried`` things go along.
        ``apart``: metres that it has to be away from the house, up to 0.006."""
        model, data = self._model, self._scratch
        data.qpos[:] = self.world.data.qpos
        data.qpos[self._joints] = [*(self.robot.base_pose if base is None else base), *angles]
        if opening is not None:
            data.qpos[self._fingers] = FINGER_TRAVEL * opening
        mujoco.mj_kinematics(model, data)
        if carried:
            for name in carried:
                self._carry(name)
            mujoco.mj_kinematics(model, data)
        mujoco.mj_comPos(model, data)
        mujoco.mj_collision(model, data)
        return not self._touches({model.body(name).id for name in allowed}, carried, apart)

    def spread(self, carried: Sequence[str]) -> float:
        """Metres in the plane from the base's centre to the furthest of the middles of the arm's
        and the carried things' shapes, at the posture that was last looked at."""
        data = self._scratch
        things = [data.body(name).xpos for name in carried]
        middles = np.vstack((data.geom_xpos[self._arm], *things))[:, :2]
        return float(np.linalg.norm(middles - data.body("base").xpos[:2], axis=1).max())

    def _carry(self, name: str) -> None:
        """Put a thing in the scratch state where the hand takes it."""
        data, (hand, axes) = self._scratch, self.robot.hand
        now = self.world.data.body(name)
        turn = data.site_xmat[self._hand].reshape(3, 3) @ axes.T
        quaternion = np.zeros(4)
        mujoco.mju_mat2Quat(quaternion, (turn @ now.xmat.reshape(3, 3)).ravel())
        place = data.site_xpos[self._hand] + turn @ (now.xpos - hand)
        data.joint(name).qpos[:] = [*place, *quaternion]

    def _touches(self, ignored: set[int], carried: Sequence[str], apart: float) -> bool:
        model, contacts = self._model, self._scratch.contact
        robot, things = self.robot.root, {model.body(name).id for name in carried}
        bodies = model.geom_bodyid[contacts.geom]
        for pair, roots, gap in zip(bodies, model.body_rootid[bodies], contacts.dist, strict=True):
            met = {int(root) for root in roots}
            if not met & {robot, *things} or ignored & set(pair.tolist()):
                continue
            if met == {robot} or (len(met & things) == 1 and robot not in met):
                limit = _TOUCH  # the robot itself; what it carries
            else:
                limit = -np.inf if met & things else apart
            if gap < limit:
                return True
        return False

    def clear_way(
        self,
        start: Array,
        end: Array,
        *,
        base: Array | None = None,
        opening: float | None = None,
        carried: Sequence[str] = (),
    ) -> bool:
        """Whether the straight way in joint space is clear and not near anything, its start left
        out."""
        count = max(4, int(np.ceil(np.abs(end - start).max() / _FINE)))
        return all(
            self.clear(
                start + s * (end - start),
                base=base,
                opening=opening,
                carried=carried,
                apart=_AROUND,
            )
            for s in np.linspace(1.0, 0.0, count + 1)[:-1]
        )
