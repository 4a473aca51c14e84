"""xArm6 with an Allegro hand: gains, surfaces and the controller that upstream gives it.

Facts: ``dexart/utils/common_robot_utils.py`` and ``rl_env/base.py`` of Kami-code/dexart-release.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

import assets
from envs.dexart.jacobian import ArmCopy
from envs.sapien.bodies import Body
from envs.sapien.geometry import Pose
from envs.sapien.line import line
from envs.sapien.scene import Scene

ARM_JOINTS, HAND_JOINTS = 6, 16
SUBSTEPS, TIMESTEP = 10, 1 / 250  # 25 control steps per second
PALM, WRIST = "base_link", "link6"
ARM_LINKS = ("link_base", "link1", "link2", "link3", "link4", "link5", "link6")
# Links that count as touching, by finger: thumb, index, middle, ring.
FINGERS = {
    "thumb": ("link_15.0_tip", "link_15.0", "link_14.0"),
    "index": ("link_3.0_tip", "link_3.0", "link_2.0", "link_1.0"),
    "middle": ("link_7.0_tip", "link_7.0", "link_6.0", "link_5.0"),
    "ring": ("link_11.0_tip", "link_11.0", "link_10.0", "link_9.0"),
}
_ARM_GAINS = 200_000.0, 40_000.0, 500.0  # N m/rad, N m s/rad, at most N m
_HAND_GAINS = 200.0, 60.0, 10.0
_SURFACE = 1.5, 1.0, 0.01
_PATCH = 0.04, 0.02  # metres
_LOOKING = 0.005  # metres
# The palm and the bases of the fingers do not collide with one another.
_LOOSE = ("link_9.0", "link_5.0", "link_1.0", "link_13.0", PALM)
_LOOSE_BITS = 17
_FASTEST = np.pi  # rad/s of an arm joint
# Of a control step: PhysX keeps its timestep in 32 bits, and upstream computes with that.
_PERIOD = SUBSTEPS * float(np.float32(TIMESTEP))

URDF = assets.path("dexart/xarm6_allegro.urdf")


class Robot:
    """The robot of one episode; ``urdf`` is ours or upstream's, with the same names.

    ``exact``: in every bit as upstream's, whose kinematic copy is simulated with it and whose
    fingers, 16 mm apart, look for contacts 10 mm around themselves: half of all physics is theirs.
    """

    def __init__(self, scene: Scene, urdf: Path = URDF, exact: bool = False) -> None:
        self.body = scene.load_urdf(urdf, Pose((0.0, 0.0, -5.0)), pieces=False)
        beside = scene if exact else line().scene(TIMESTEP, False)
        self._copy = ArmCopy(beside, self.body, self.body.joint_names[ARM_JOINTS - 1])
        self.links = self.body.links
        self.body.set_drives(*_ARM_GAINS, joints=slice(ARM_JOINTS))
        self.body.set_drives(*_HAND_GAINS, joints=slice(ARM_JOINTS, None))
        for name, link in self.links.items():
            link.set_surface(_SURFACE, _PATCH)
            if name in _LOOSE:
                link.pass_through(_LOOSE_BITS)
            if not exact:
                link.set_contact_offset(_LOOKING)
        self.limits = self.body.native.get_qlimits()
        self.cartesian_error = 0.0

    @property
    def palm(self) -> Body:
        return self.links[PALM]

    @property
    def qpos(self) -> np.ndarray:
        """float64 (22,) rad: arm, then index, middle, ring finger and thumb, four joints each."""
        return self.body.qpos

    @property
    def qvel(self) -> np.ndarray:
        """float64 (22,) rad/s."""
        return self.body.qvel

    def stand(self, base: Pose) -> None:
        """Put the robot, all joints at 0, where the episode starts."""
        self.body.set_root_pose(base)
        self.body.set_state(np.zeros(22), np.zeros(22), np.zeros(22))

    def drive(self, action: np.ndarray) -> Iterator[None]:
        """Follow an action (22,) in [-1, 1] for one control step, yielding before every physics
        step: 0-5 are the velocity (m/s) and angular velocity (rad/s) of the wrist in the world,
        6-21 where the finger joints go, -1 and 1 being their limits."""
        share = (np.asarray(action, np.float32) + 1) / 2  # in 32 bits, as upstream
        twist = share[:ARM_JOINTS].astype(np.float64) * 2 - 1
        started = self.links[WRIST].pose.position
        qpos = self.body.native.get_qpos()[:ARM_JOINTS]
        rates = self._copy.rates(qpos, twist).clip(-_FASTEST, _FASTEST)
        low, high = self.limits[ARM_JOINTS:].T
        fingers = share[ARM_JOINTS:] * (high - low) + low
        self.body.drive_all(
            np.concatenate([rates * _PERIOD + qpos, fingers]),
            np.concatenate([rates, np.zeros(HAND_JOINTS)]),
        )
        for _ in range(SUBSTEPS):
            self.body.compensate(coriolis=False)
            yield
        moved = np.asarray(self.links[WRIST].pose.position) - started
        self.cartesian_error = float(np.linalg.norm(moved - twist[:3] * _PERIOD))
