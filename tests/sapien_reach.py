"""The smallest real task in both SAPIEN lines: an arm brings its gripper to a target."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from envs.base import Expert
from envs.sapien.camera import CameraSpec
from envs.sapien.cloud import Box
from envs.sapien.env import SapienEnv
from envs.sapien.geometry import Pose, look_at
from envs.sapien.kinematics import Chain
from envs.sapien.scene import Scene
from envs.schema import ActionGroup, ActionSpec, Protocol, SuccessRule, TaskCard, VectorGroup

REACH_RADIUS = 0.025  # metres
ARM_STEP = 0.05  # radians per control step: 1.25 rad/s
OPENING = 0.08  # metres between the fingers
_JOINTS = ("waist", "shoulder_pitch", "elbow", "forearm_turn", "wrist_pitch", "hand_turn")
_ACTION = ActionSpec(
    (
        ActionGroup(
            name="arm",
            mode="joint_delta",
            labels=_JOINTS,
            low=(-ARM_STEP,) * 6,
            high=(ARM_STEP,) * 6,
            unit="rad per control step, added to what the joints are driven to",
            native="physical",
        ),
        ActionGroup(
            name="gripper",
            mode="gripper_opening",
            labels=("opening",),
            low=(0.0,),
            high=(OPENING,),
            unit="m",
            native="physical",
        ),
    )
)
_PROPRIO = (
    VectorGroup("arm_position", 6, "rad", ", ".join(_JOINTS)),
    VectorGroup("finger_position", 2, "m", "left, right"),
    VectorGroup("arm_velocity", 6, "rad/s"),
    VectorGroup("finger_velocity", 2, "m/s"),
    VectorGroup("tip", 3, "m", "point between the fingers"),
)


def reach_card(simulator: str) -> TaskCard:
    """The card of ``<simulator>/reach-v0``."""
    return TaskCard(
        id=f"{simulator}/reach-v0",
        simulator=simulator,
        description="A six-joint arm brings its gripper to a target above a table.",
        packages=("sapien",),
        action=_ACTION,
        proprio=_PROPRIO,
        state=(VectorGroup("target", 3, "m", "x, y, z"),),
        cameras=("front", "wrist"),
        protocols=(
            Protocol(
                name="default",
                horizon=100,
                control_hz=25.0,
                success=SuccessRule(f"gripper within {REACH_RADIUS} m of the target", "Manigym"),
                description="Ends when the target is reached.",
            ),
        ),
        instructions=("move the gripper to the red ball",),
        modalities=(
            "proprio",
            "state",
            "rgb",
            "depth",
            "segmentation",
            "point_cloud",
            "instruction",
            "expert",
        ),
        expert="inverse kinematics, straight in joint space",
    )


URDF = Path(__file__).with_name("arm6.urdf")
_TIP = (0.0, 0.0, 0.085)  # metres in the hand, between the fingers
_HOME = np.array([0.0, -0.3, 1.5, 0.0, 1.2, 0.0])  # radians: well above every target
_SUBSTEPS = 10
_GAINS = 2000.0, 100.0
_AMBIENT = (0.30, 0.30, 0.32)
_LIGHTS = (((-0.5, -0.3, -1.0), (1.1, 1.05, 1.0)), ((-0.6, 0.9, -0.6), (0.30, 0.33, 0.40)))
_TABLE = (0.72, 0.60, 0.46)
_FLOOR = (0.40, 0.45, 0.52)
_WALL = (0.62, 0.70, 0.78)
_WORKSPACE = (-0.25, -0.65, -0.05), (0.80, 0.65, 0.90)  # metres; no floor, no backdrop
_BACKDROP = look_at((-1.3, -0.9, 0.6), (1.0, 0.6, 0.6))
# Things to look at: name, half size (m), x and y (m), yaw (rad), colour.
_BOXES = (
    ("blue_box", (0.035, 0.035, 0.035), (0.42, 0.36), 0.4, (0.20, 0.40, 0.75)),
    ("green_box", (0.030, 0.050, 0.020), (0.50, -0.30), -0.5, (0.25, 0.60, 0.35)),
    ("yellow_box", (0.025, 0.025, 0.060), (0.18, -0.40), 0.2, (0.90, 0.78, 0.25)),
)


class ReachEnv(SapienEnv):
    """Reward is minus the distance of the gripper's tip to the target in metres.

    The boxes are part of the scenery: they do not move, and the targets are away from them.
    """

    camera_specs = {  # noqa: RUF012  a table, never written to
        "front": CameraSpec(look_at((1.05, 0.55, 0.50), (0.22, 0.0, 0.20)), fovy=44.0),
        "wrist": CameraSpec(
            look_at((-0.09, 0.0, 0.02), (0.0, 0.0, 0.14), (-1.0, 0.0, 0.0)), 75.0, mount="hand"
        ),
    }

    def _build(self, scene: Scene, rng: np.random.Generator) -> None:
        start = _HOME + rng.uniform(-0.1, 0.1, 6)
        azimuth, radius = rng.uniform(-0.8, 0.8), rng.uniform(0.30, 0.46)
        target = radius * np.cos(azimuth), radius * np.sin(azimuth), rng.uniform(0.08, 0.30)
        scene.add_box("floor", (4.0, 4.0, 0.05), Pose((0.0, 0.0, -0.75)), _FLOOR)
        scene.add_box("backdrop", (0.05, 4.0, 2.0), _BACKDROP, _WALL)
        scene.add_box("table", (0.45, 0.60, 0.02), Pose((0.30, 0.0, -0.02)), _TABLE)
        for name, half, (x, y), yaw, colour in _BOXES:
            turned = (np.cos(yaw / 2), 0.0, 0.0, np.sin(yaw / 2))
            scene.add_box(name, half, Pose((x, y, half[2]), turned), colour)
        self.target = scene.add_sphere(
            "target", REACH_RADIUS, Pose(target), (0.90, 0.15, 0.20), "kinematic", collides=False
        )
        self.robot = scene.load_urdf(URDF, self.base_pose)
        self.robot.set_drives(*_GAINS)
        pose = np.concatenate([start, np.full(2, OPENING / 4)])
        self.robot.set_state(pose, np.zeros(8), pose)
        scene.add_lights(_AMBIENT, _LIGHTS)

    def _drive(self, native: np.ndarray) -> Iterator[None]:
        arm = self.robot.drive_target[:6] + native[:6]
        self.robot.set_drive_target(
            np.concatenate([arm.clip(_CHAIN.low, _CHAIN.high), np.full(2, native[6] / 2)])
        )
        for _ in range(_SUBSTEPS):
            self.robot.compensate()
            yield

    def _reward(self) -> float:
        return -self._distance()

    def _tip(self) -> np.ndarray:
        return self.robot.links["hand"].pose.apply(_TIP)

    def _distance(self) -> float:
        return float(np.linalg.norm(self._tip() - self.target.pose.position))

    def _goal_reached(self) -> bool:
        return self._distance() < REACH_RADIUS

    def _sense(self, modality: str) -> np.ndarray:
        if modality == "proprio":
            parts = self.robot.qpos, self.robot.qvel, self._tip()
            return np.concatenate(parts).astype(np.float32)
        if modality == "state":
            return np.asarray(self.target.pose.position, np.float32)
        return self._point_cloud()

    def _workspace(self) -> Box:
        return Box(*_WORKSPACE)

    def expert(self) -> Expert:
        return ReachExpert(self)


class ReachExpert:
    """Inverse kinematics, always from the same posture, then straight there in joint space."""

    def __init__(self, env: ReachEnv) -> None:
        self._robot = env.robot
        target = np.asarray(env.target.pose.position)[None]
        self._goal = _CHAIN.solve(target, None, _HOME[None]).angles[0]

    def act(self) -> np.ndarray:
        delta = (self._goal - self._robot.drive_target[:6]) / ARM_STEP
        return np.append(delta.clip(-1.0, 1.0), 0.0).astype(np.float32)


_CHAIN = Chain.read(URDF, "hand", Pose(_TIP))
