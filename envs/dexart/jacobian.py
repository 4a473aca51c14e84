"""How the arm's joints move the hand: the Jacobian of a kinematic copy of the arm.

As upstream's (``dexart/utils/kinematics_helper.py``): its numbers are the centre of mass's, in 32
bits. Upstream lets the copy hang ten metres below the table and simulates it with the scene; in a
scene of its own it costs nothing, and trajectories are others as soon as something touches.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from envs.sapien.bodies import Articulation
from envs.sapien.scene import Scene

_BELOW = [0.0, 0.0, -10.0]  # metres
_DAMPING = 0.05**2  # of the least squares


class ArmCopy:
    """The joints of a robot up to ``last``, without shapes, in the same scene."""

    def __init__(self, scene: Scene, robot: Articulation, last: str) -> None:
        self._scene = scene  # without it the copy is freed memory
        self._arm = _copy(scene.native, robot, last)

    def jacobian(self, qpos: np.ndarray) -> np.ndarray:
        """float32 (6, J): velocity m/s and angular velocity rad/s of the last link in the world,
        per rad/s of every joint, at ``qpos`` (J,) rad."""
        self._arm.set_qpos(qpos)
        return self._arm.compute_world_cartesian_jacobian()[-6:]

    def rates(self, qpos: np.ndarray, twist: np.ndarray) -> np.ndarray:
        """float64 (J,) rad/s that move the last link at ``twist`` (6,): damped least squares."""
        jacobian = self.jacobian(qpos)
        square = jacobian.dot(jacobian.T) + _DAMPING * np.eye(6)
        return jacobian.T @ np.linalg.lstsq(square, twist, rcond=None)[0]


def _copy(scene: Any, robot: Articulation, last: str) -> Any:
    """An articulation like ``robot`` from its root to the joint ``last``, without shapes."""
    joints = robot.native.get_joints()[1:]  # the first one holds the root
    joints = joints[: [joint.get_name() for joint in joints].index(last) + 1]
    builder = scene.create_articulation_builder()
    root = joints[0].get_parent_link()
    link = _weigh(builder.create_link_builder(), root)
    for joint in joints:
        link = _weigh(builder.create_link_builder(link), joint.get_child_link())
        ends = joint.get_pose_in_parent(), joint.get_pose_in_child()
        link.set_joint_properties(joint.type, joint.get_limits(), *ends)
    copy = builder.build(fix_root_link=True)
    copy.set_pose(type(root.get_pose())(_BELOW))
    return copy


def _weigh(builder: Any, link: Any) -> Any:
    builder.set_mass_and_inertia(link.get_mass(), link.cmass_local_pose, link.get_inertia())
    return builder
