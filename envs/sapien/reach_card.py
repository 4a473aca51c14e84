"""Task card of the reaching task, the same in both SAPIEN lines."""

from __future__ import annotations

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
