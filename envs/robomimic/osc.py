"""The arithmetic of robosuite's operational space control that numba runs, in one compiled call.

Khatib 1987, http://khatib.stanford.edu/publications/pdfs/Khatib_1987_RA.pdf. Import it after
robosuite, whose own compiled functions it calls. They and what is added here round alike wherever
they are compiled: numba neither fuses nor reorders floating point operations by default, and the
inverses are the same LAPACK calls on arrays of the same layout.
"""

from __future__ import annotations

import numba
import numpy as np
from robosuite.utils.control_utils import nullspace_torques, opspace_matrices, orientation_error

Arrays = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]


@numba.njit(cache=True)
def task_space(
    jacobian: np.ndarray,
    jacobian_pos: np.ndarray,
    jacobian_rot: np.ndarray,
    mass: np.ndarray,
    position: np.ndarray,
    rotation: np.ndarray,
    velocity: np.ndarray,
    spin: np.ndarray,
    joint_pos: np.ndarray,
    joint_vel: np.ndarray,
    goal_pos: np.ndarray,
    goal_rot: np.ndarray,
    rest: np.ndarray,
    kp: np.ndarray,
    kd: np.ndarray,
) -> Arrays:
    """What the torques of an arm of n joints are made of, all float64.

    ``jacobian`` (6, n) and its halves (3, n) of the grip site, ``mass`` (n, n) column-major, the
    site's ``position`` (3,) m, ``rotation`` (3, 3), ``velocity`` and ``spin`` (3,), the joints'
    positions and velocities (n,), the goal, the joints' ``rest`` position (n,), gains (6,).
    Returns the inertia at the site for translation and rotation (3, 3), the force and the torque
    (3,) asked for, and the joint torques (n,) that pull towards the rest position.
    """
    turn = orientation_error(goal_rot, rotation)
    force = (goal_pos - position) * kp[:3] + -velocity * kd[:3]
    torque = turn * kp[3:] + -spin * kd[3:]
    _, inertia_pos, inertia_rot, nullspace = opspace_matrices(
        mass, jacobian, jacobian_pos, jacobian_rot
    )
    posture = nullspace_torques(mass, nullspace, rest, joint_pos, joint_vel)
    return inertia_pos, inertia_rot, force, torque, posture
