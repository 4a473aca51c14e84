"""What the shortened control step relies on inside robosuite: checked, and refused if otherwise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import mujoco
import numpy as np

from envs.schema import ManigymError

# Settings that the shortened computation is valid for, and attributes that it uses.
SIMULATOR = {"lite_physics": True, "ignore_done": True, "viewer": None, "has_renderer": False}
SIMULATOR_USED = ("control_timestep", "model_timestep", "_check_success", "_update_observables")
CONTROLLER = {
    "name": "OSC_POSE",
    "impedance_mode": "fixed",
    "input_type": "delta",
    "input_ref_frame": "world",
    "uncoupling": True,
    "lite_physics": True,
    "interpolator_pos": None,
    "interpolator_ori": None,
    "num_ref_sites": 1,
}
CONTROLLER_USED = (
    *("J_full", "J_pos", "J_ori", "mass_matrix", "ref_pos", "ref_ori_mat", "ref_pos_vel"),
    *("ref_ori_vel", "joint_pos", "joint_vel", "initial_joint", "goal_pos", "goal_ori", "kp", "kd"),
    *("new_update", "qpos_index", "qvel_index", "ref_name", "naming_prefix", "part_name"),
)
GRIPPER = {"interpolator": None}
GRIPPER_USED = ("run_controller",)
ROBOT_USED = ("composite_controller", "part_controllers", "_ref_actuators_indexes_dict", "arms")
OBSERVABLE = {"_current_delay": 0.0}
OBSERVABLE_USED = ("_time_since_last_sample", "_sampled", "_current_observed_value")


def require(thing: Any, settings: Mapping[str, Any], used: Sequence[str] = ()) -> None:
    """``thing`` of robosuite has these ``settings``, and the attributes ``used``."""
    for name in (*settings, *used):
        if not hasattr(thing, name):
            _refuse(thing, name, "missing", "an attribute")
    for name, wanted in settings.items():
        if getattr(thing, name) != wanted:
            _refuse(thing, name, repr(getattr(thing, name)), repr(wanted))


def _refuse(thing: Any, name: str, found: str, wanted: str) -> None:
    raise ManigymError(
        f"robosuite's {type(thing).__name__}.{name} is {found}, expected {wanted}: "
        "install robosuite==1.5.2, which envs/robomimic/economy.py is written for"
    )


def require_fixed(model: mujoco.MjModel, site: str) -> None:
    """The body of ``site`` moves with no joint, so that its velocity is zero."""
    if model.body_weldid[model.site_bodyid[model.site(site).id]] != 0:
        raise ManigymError(f"robosuite's {site} can move, expected a robot with a fixed base")


def span(indices: Sequence[int]) -> slice:
    """Consecutive indices as a slice, which gives views instead of copies."""
    first, last = int(indices[0]), int(indices[-1]) + 1
    if list(indices) != list(range(first, last)):
        raise ManigymError(f"robosuite's joints have indices {list(indices)}, expected consecutive")
    return slice(first, last)


def mass_entries(model: mujoco.MjModel, data: mujoco.MjData, dofs: slice) -> np.ndarray:
    """int (n, n): where the mass matrix of a chain of n joints is among MuJoCo's sparse entries."""
    numbers = np.zeros((model.nv, model.nv))
    mujoco.mj_fullM(model, numbers, np.arange(1.0, data.qM.size + 1))  # moves numbers, adds none
    entries = numbers[dofs, dofs].astype(int) - 1
    if (entries < 0).any():
        raise ManigymError("robosuite's arm has independent joints, expected one chain")
    return entries
