"""robosuite's control step without what nobody reads, bit for bit the same.

One control step is 25 physics steps, and before each robosuite computes the arm's torques in
Python. What its step does besides, and this one does not:

- names are looked up, positions copied and the pose of the arm's base measured (twice) before every
  physics step, though base-frame actions alone would need the base: here ids and views are bound
  once per episode;
- the velocity of the base, which is fixed: a Jacobian of zeros;
- the gripper's command and its limits, constant during a control step, before every physics step;
- per control step, histories of forces, poses, velocities and accelerations of the hand;
- MuJoCo's force and torque sensors at the wrist, which only those histories read.

What remains are the same operations on the same numbers in the same order. The first physics step
uses what robosuite's controller itself measures in ``set_goal``: at the beginning of an episode
that is what it measured in the middle of the reset.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

import mujoco
import numpy as np

from envs.robomimic import expected


class FastStep:
    """The control step of one episode's ``simulator``; make a new one after every reset."""

    def __init__(self, simulator: Any) -> None:
        expected.require(simulator, expected.SIMULATOR, expected.SIMULATOR_USED)
        expected.require(import_module("robosuite.macros"), {"ENABLE_NUMBA": True})
        self._simulator = simulator
        self._model: mujoco.MjModel = simulator.sim.model._model
        self._data: mujoco.MjData = simulator.sim.data._data
        self._model.opt.disableflags |= mujoco.mjtDisableBit.mjDSBL_SENSOR
        self._substeps = range(int(simulator.control_timestep / simulator.model_timestep))
        self._arms = [ArmControl(r, self._model, self._data) for r in simulator.robots]
        self.sensors = Sensors(simulator)

    def __call__(self, action: np.ndarray) -> tuple[float, bool]:
        """One control step; the reward, and whether the goal is reached."""
        model, data, arms, sensors = self._model, self._data, self._arms, self.sensors
        commands = np.split(action, len(arms))
        sensors.start()
        for substep in self._substeps:
            mujoco.mj_step1(model, data)
            if substep == 0:
                for arm, command in zip(arms, commands, strict=True):
                    arm.begin(command)
            else:
                for arm in arms:
                    arm.hold()
            mujoco.mj_step2(model, data)
            sensors.tick()
        sensors.stop()
        return self._judge(action)

    def _judge(self, action: np.ndarray) -> tuple[float, bool]:
        """Every reward of robosuite asks for success first; it is answered once for both."""
        reached = self._simulator._check_success()
        self._simulator._check_success = lambda: reached
        try:
            reward = self._simulator.reward(action)
        finally:
            del self._simulator._check_success
        return float(reward), bool(reached)


class ArmControl:
    """Operational space control of one arm, on views of the simulation's arrays."""

    def __init__(self, robot: Any, model: mujoco.MjModel, data: mujoco.MjData) -> None:
        expected.require(robot, {}, expected.ROBOT_USED)
        self._robot, self._model, self._data = robot, model, data
        (arm,) = robot.arms
        gripper = robot.get_gripper_name(arm)
        self._control = control = robot.part_controllers[arm]
        self._grip = robot.part_controllers[gripper]
        expected.require(control, expected.CONTROLLER, expected.CONTROLLER_USED)
        expected.require(self._grip, expected.GRIPPER, expected.GRIPPER_USED)
        expected.require_fixed(model, f"{control.naming_prefix}{control.part_name}_center")
        indices = robot._ref_actuators_indexes_dict
        self._motors = _limited(model, data, indices[arm])
        self._fingers = _limited(model, data, indices[gripper])
        self._task_space = import_module("envs.robomimic.osc").task_space
        self._bind(model, data)

    def _bind(self, model: mujoco.MjModel, data: mujoco.MjData) -> None:
        """Buffers for what is computed before a physics step, views of what MuJoCo has."""
        control = self._control
        self._dofs = dofs = expected.span(control.qvel_index)
        self._site = control.sim.model.site_name2id(control.ref_name)
        self._bias, self._velocities, self._inertia = data.qfrc_bias[dofs], data.qvel, data.qM
        entries = expected.mass_entries(model, data, dofs)
        self._entries, joints = entries.ravel(), len(entries)
        self._jac_pos, self._jac_rot = np.zeros((3, model.nv)), np.zeros((3, model.nv))
        self._jacobian, self._mass = np.zeros((6, joints)), np.zeros((joints, joints))
        self._velocity, self._spin, self._wrench = np.zeros(3), np.zeros(3), np.zeros(6)
        self._measured = (
            self._jacobian,
            self._jacobian[:3],
            self._jacobian[3:],
            self._mass.T,  # robosuite's is column-major too, which LAPACK's path depends on
            data.site_xpos[self._site],
            data.site_xmat[self._site].reshape(3, 3),
            self._velocity,
            self._spin,
            data.qpos[expected.span(control.qpos_index)],
            data.qvel[dofs],
        )

    def begin(self, action: np.ndarray) -> None:
        """The first physics step: robosuite's controllers measure and set their goals."""
        c = self._control
        self._robot.composite_controller.set_goal(action)
        low, high, command = self._fingers
        np.clip(self._grip.run_controller(), low, high, out=command)
        self._goal = (c.goal_pos, c.goal_ori, c.initial_joint, c.kp, c.kd)
        place = (c.J_full, c.J_pos, c.J_ori, c.mass_matrix, c.ref_pos, c.ref_ori_mat)
        self._apply((*place, c.ref_pos_vel, c.ref_ori_vel, c.joint_pos, c.joint_vel))
        c.new_update = True  # what robosuite's run_controller leaves: measure when next asked

    def hold(self) -> None:
        """A further physics step with the same goal."""
        mujoco.mj_jacSite(self._model, self._data, self._jac_pos, self._jac_rot, self._site)
        np.dot(self._jac_pos, self._velocities, out=self._velocity)
        np.dot(self._jac_rot, self._velocities, out=self._spin)
        self._jacobian[:3] = self._jac_pos[:, self._dofs]
        self._jacobian[3:] = self._jac_rot[:, self._dofs]
        self._mass.ravel()[:] = self._inertia[self._entries]
        self._apply(self._measured)

    def _apply(self, measured: Sequence[np.ndarray]) -> None:
        """Torques by robosuite's products in robosuite's order, limited, to the motors."""
        inertia_pos, inertia_rot, force, torque, posture = self._task_space(*measured, *self._goal)
        np.dot(inertia_pos, force, out=self._wrench[:3])
        np.dot(inertia_rot, torque, out=self._wrench[3:])
        torques = np.dot(measured[0].T, self._wrench)
        torques += self._bias
        torques += posture
        low, high, command = self._motors
        np.maximum(torques, low, out=torques)
        np.minimum(torques, high, out=command)


class Sensors:
    """The enabled observables of a simulator, updated at the physics steps where they sample.

    They all sample at the control frequency and without delay, so one clock serves them all;
    between two samples robosuite's update does nothing but advance it.
    """

    def __init__(self, simulator: Any) -> None:
        self._simulator, self._tick = simulator, simulator.model_timestep
        self._enabled = [o for o in simulator._observables.values() if o.is_enabled()]
        self._period = self._enabled[0]._sampling_timestep
        for observable in self._enabled:
            same = {"_sampling_timestep": self._period, **expected.OBSERVABLE}
            expected.require(observable, same, expected.OBSERVABLE_USED)

    def start(self) -> None:
        """Take the time from the observables."""
        first = self._enabled[0]
        self._elapsed, self._sampled = first._time_since_last_sample, first._sampled

    def tick(self) -> None:
        """What follows one physics step."""
        elapsed = self._elapsed + self._tick
        if not self._sampled:  # robosuite samples in the first update of a period
            self.stop()
            self._simulator._update_observables()
            self.start()
        elif elapsed >= self._period:
            self._elapsed, self._sampled = elapsed % self._period, False
        else:
            self._elapsed = elapsed

    def stop(self) -> None:
        """Give the observables the time."""
        for observable in self._enabled:
            observable._time_since_last_sample = self._elapsed
            observable._sampled = self._sampled

    def read(self) -> Mapping[str, Any]:
        """Present values by name, and those of the objects in a row as ``object-state``."""
        active = [o for o in self._enabled if o.is_active()]
        values = {o.name: o._current_observed_value for o in active}
        objects = [values[o.name] for o in active if o.modality == "object"]
        values["object-state"] = np.concatenate([np.atleast_1d(value) for value in objects])
        return values


def _limited(
    model: mujoco.MjModel, data: mujoco.MjData, actuators: Sequence[int]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Lowest, highest and present control of some actuators; the last is a view."""
    chosen = expected.span(actuators)
    low, high = model.actuator_ctrlrange[chosen].T.copy()
    return low, high, data.ctrl[chosen]
