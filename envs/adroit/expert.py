"""Door expert: a sampling planner whose first sample is a nominal motion fitted to the frame.

``NOMINAL`` is one motion that opens the door: reach over the handle, turn it by rolling the hand,
pull, and lean on the open door's far side. The frame only moves parallel to itself between
episodes, so the motion's palm positions are moved along by inverse kinematics of arm and wrist. The
result is simulated to its end in the planner's own ``MjData``; where the door does not stay open,
perturbed copies are drawn and simulated until one works. Where the nominal motion works, the plan
does not depend on the random stream: demonstrations differ by the frame's position alone.

How the table was found, once: model-predictive path integral control (128 samples of the latent
below, horizon 0.6 s, replanned every 50 ms, cost 3 |palm - handle| - latch - 12 hinge) opened the
door in the middle of its box; nine knots were read off its smoothed trajectory; the cross-entropy
method (32 to 48 candidates, some 60 generations) improved them for the worst and mean case over
the middle and the eight corners of the box, under correlated action noise of 1 cm in the forearm,
for an open door that stays open and for small differences between knots.
"""

from __future__ import annotations

from collections.abc import Iterator

import mujoco
import numpy as np

from envs.mujoco_env import MujocoEnv

# Rows: knots, evenly spaced over STEPS control steps of 10 ms, for a frame at FRAME. Columns: set-
# points in [-1, 1] of ARTz ARRx ARRy ARRz WRJ1 WRJ0, then curl of the fingers at the knuckles,
# curl of their two outer joints, and opposition of the thumb.
NOMINAL = np.array(
    [
        [0.672, -0.387, 0.101, -0.496, -0.204, 0.048, 0.005, 0.903, 0.902],
        [0.494, -0.105, -0.055, -0.193, -0.415, 0.133, -0.157, 0.572, 0.089],
        [-0.237, 0.116, 0.174, 0.258, -0.632, 0.069, -0.139, 0.441, -0.734],
        [-0.919, -0.081, -0.245, 0.637, -0.721, -0.124, 0.372, 0.805, -0.907],
        [-0.896, -0.001, -0.415, 0.380, -0.167, -0.594, 0.553, 0.753, -0.783],
        [-0.266, -0.091, -0.647, -0.122, 0.359, 0.014, 0.275, 0.358, -0.569],
        [0.196, -0.247, -0.787, -0.397, 0.535, 0.459, 0.057, 0.251, 0.213],
        [0.420, -0.232, -0.812, -0.327, 0.778, 0.500, 0.085, 0.189, 0.440],
        [0.493, -0.312, -0.684, -0.382, 0.699, 0.494, 0.018, 0.225, 0.344],
    ]
)
STEPS = 155
FRAME = np.array([-0.25, 0.30, 0.301])  # metres, the middle of upstream's box
_SETTLE = 30  # steps simulated beyond the motion, and the time in which the door must stay open
_OPEN = 1.42  # rad; ManiFlow's threshold 1.4 and a margin
_SAMPLES, _SPREAD = 48, 0.05
_ARM = slice(0, 6)
# Joint angle per set-point where nothing pushes: gain over stiffness of the position servos.
_SERVO = np.array([2.5, 2.5, 2.5, 2.5, 1.0, 1.0])
# Hand actuators (after the arm and wrist) that each latent finger variable drives.
_KNUCKLES, _OUTER = (1, 5, 9, 14), (2, 3, 6, 7, 10, 11, 15, 16)
_LITTLE_PALM, _THUMB_OPPOSES, _THUMB_BENDS = 12, (17, 18), 21
_STATE = mujoco.mjtState.mjSTATE_INTEGRATION


class DoorExpert:
    """Plans when made, for the rest of the episode; then follows the plan by the simulator's clock.

    Never changes the environment: it reads its model and state, and simulates in data of its own.
    """

    def __init__(self, env: MujocoEnv) -> None:
        self._env = env
        self._step_seconds = env.protocol.action_repeat * 5 * env.model.opt.timestep
        self._start = self._elapsed()
        self.plan = DoorPlanner(env).plan(env.expert_rng(), self._start)

    def _elapsed(self) -> int:
        return round(self._env.data.time / self._step_seconds)

    def act(self) -> np.ndarray:
        """float32 (28,) action of the present control step; the last one is held."""
        return self.plan[min(self._elapsed() - self._start, len(self.plan) - 1)]


class DoorPlanner:
    """Finds actions that open the door from the environment's present state."""

    def __init__(self, env: MujocoEnv) -> None:
        self._model, self._size = env.model, env.card.action.size
        self._repeat = env.protocol.action_repeat
        self._data, self._scratch = mujoco.MjData(env.model), mujoco.MjData(env.model)
        self._state = np.empty(mujoco.mj_stateSize(env.model, _STATE))
        mujoco.mj_getState(env.model, env.data, self._state, _STATE)
        self._palm = env.model.site("S_grasp").id
        self._hinge = int(env.model.joint("door_hinge").qposadr[0])
        low, high = env.model.actuator_ctrlrange.T
        self._centre, self._half = np.mean(env.model.actuator_ctrlrange, axis=1), 0.5 * (high - low)
        self._shift = env.model.body("frame").pos - FRAME

    def plan(self, rng: np.random.Generator, elapsed: int) -> np.ndarray:
        """float32 (T, 28): the first candidate that opens the door for good, or else the best."""
        best, best_angle = np.empty((0, self._size), np.float32), -np.inf
        for latent, skipped in self._candidates(rng, elapsed):
            actions = self._actions(latent)[skipped:]
            angle = self._outcome(actions)
            if angle > best_angle:
                best, best_angle = actions, angle
            if angle > _OPEN:
                break
        return best

    def _candidates(
        self, rng: np.random.Generator, elapsed: int
    ) -> Iterator[tuple[np.ndarray, int]]:
        """Knots, and how many steps of their motion to skip; the nominal motion comes first."""
        under_way = min(elapsed, STEPS // self._repeat - 1)
        starts = (under_way, 0) if under_way else (0,)
        for start in starts:
            yield NOMINAL, start
        for i in range(_SAMPLES):
            yield NOMINAL + _SPREAD * rng.standard_normal(NOMINAL.shape), starts[i % len(starts)]

    def _actions(self, latent: np.ndarray) -> np.ndarray:
        """Latent knots (K, 9) -> float32 (T, 28) actions, one per control step."""
        knots = np.clip(np.hstack([latent[:, _ARM], spread_hand(latent[:, 6:])]), -1.0, 1.0)
        knots[:, _ARM] = [self._moved(knot) for knot in knots[:, _ARM]]
        smooth = interpolate(knots, STEPS)[:: self._repeat]
        return np.clip(smooth, -1.0, 1.0).astype(np.float32)

    def _outcome(self, actions: np.ndarray) -> float:
        """Smallest hinge angle (rad) in the last ``_SETTLE`` steps of the simulated episode."""
        mujoco.mj_setState(self._model, self._data, self._state, _STATE)
        settle = _SETTLE // self._repeat
        angles = []
        for action in np.concatenate([actions, np.repeat(actions[-1:], settle, axis=0)]):
            self._data.ctrl[:] = self._centre + action * self._half  # upstream's arithmetic: exact
            mujoco.mj_step(self._model, self._data, 5 * self._repeat)
            angles.append(self._data.qpos[self._hinge])
        return float(min(angles[-settle:]))

    def _moved(self, action: np.ndarray) -> np.ndarray:
        """Arm and wrist actions (6,) whose palm is the given ones' moved along with the frame.

        Damped least squares on the palm's position (m) and, at a tenth of the weight, on its
        orientation (rad).
        """
        low, high = self._model.jnt_range[_ARM].T
        half = self._half[_ARM]
        start = np.clip((self._centre[_ARM] + action * half) * _SERVO, low, high)
        joints = start.copy()
        place, axes = self._palm_pose(joints)
        target = place + self._shift
        weights = np.repeat([1.0, 0.1], 3)
        for _ in range(4):
            here, turned = self._palm_pose(joints)
            error = weights * np.concatenate([target - here, _rotation_between(turned, axes)])
            jacobian = weights[:, None] * self._palm_jacobian()
            normal = jacobian.T @ jacobian + 1e-3 * np.eye(6)
            joints = np.clip(joints + np.linalg.solve(normal, jacobian.T @ error), low, high)
        return action + (joints - start) / _SERVO / half

    def _palm_pose(self, joints: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        self._scratch.qpos[_ARM] = joints
        mujoco.mj_kinematics(self._model, self._scratch)
        mujoco.mj_comPos(self._model, self._scratch)
        axes = self._scratch.site_xmat[self._palm].reshape(3, 3)
        return self._scratch.site_xpos[self._palm].copy(), axes.copy()

    def _palm_jacobian(self) -> np.ndarray:
        """(6, 6): palm velocity and angular velocity per arm and wrist joint velocity."""
        jacobian = np.zeros((6, self._model.nv))
        mujoco.mj_jacSite(self._model, self._scratch, jacobian[:3], jacobian[3:], self._palm)
        return jacobian[:, _ARM]


def spread_hand(latent: np.ndarray) -> np.ndarray:
    """Curl of knuckles, curl of outer joints, opposition (..., 3) -> finger actions (..., 22)."""
    hand = np.zeros((*latent.shape[:-1], 22))
    knuckles, outer, thumb = (np.clip(latent[..., i : i + 1], -1.0, 1.0) for i in range(3))
    hand[..., _KNUCKLES] = knuckles
    hand[..., _OUTER] = outer
    hand[..., _THUMB_OPPOSES] = thumb
    hand[..., _THUMB_BENDS] = 0.5 - 0.5 * thumb[..., 0]
    hand[..., _LITTLE_PALM] = -1.0
    return hand


def interpolate(knots: np.ndarray, count: int) -> np.ndarray:
    """Knots (K, A) -> (count, A): monotone cubics between them, at rest at both ends.

    Slopes inside are harmonic means of the neighbouring secants (Fritsch and Butland 1984), so
    nothing overshoots a knot.
    """
    secants = np.diff(knots, axis=0)
    before, after = secants[:-1], secants[1:]
    same_sign = before * after > 0
    slopes = np.zeros_like(knots)
    total = np.where(same_sign, before + after, 1.0)
    slopes[1:-1] = np.where(same_sign, 2.0 * before * after / total, 0.0)
    position = np.linspace(0.0, len(knots) - 1.0, count)
    i = np.minimum(position.astype(int), len(knots) - 2)
    t = (position - i)[:, None]
    ends = knots[i] * (1 + 2 * t) * (1 - t) ** 2 + knots[i + 1] * t * t * (3 - 2 * t)
    return ends + slopes[i] * t * (1 - t) ** 2 - slopes[i + 1] * t * t * (1 - t)


def _rotation_between(current: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Half the skew part of wanted current^T: the small rotation (rad, world) still to be made."""
    turn = wanted @ current.T
    return 0.5 * np.array(
        [turn[2, 1] - turn[1, 2], turn[0, 2] - turn[2, 0], turn[1, 0] - turn[0, 1]]
    )
