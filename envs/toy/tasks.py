"""Task card of the toy: a planar two-joint arm reaches a target."""

from __future__ import annotations

from envs.schema import ActionGroup, ActionSpec, Protocol, SuccessRule, TaskCard, VectorGroup

REACH_RADIUS = 0.02  # metres
JOINT_RANGE = 2.8  # radians, both joints

_ACTION = ActionSpec(
    (
        ActionGroup(
            name="arm",
            mode="joint_delta",
            labels=("shoulder", "elbow"),
            low=(-0.1, -0.1),
            high=(0.1, 0.1),
            unit="rad per control step",
            native="physical",
        ),
    )
)

CARDS = (
    TaskCard(
        id="Toy/reach-v0",
        simulator="Toy",
        description="A planar two-joint arm reaches a target disc.",
        packages=("mujoco",),
        action=_ACTION,
        proprio=(
            VectorGroup("arm_position", 2, "rad", "shoulder, elbow"),
            VectorGroup("fingertip", 2, "m", "x, y"),
        ),
        state=(VectorGroup("target", 2, "m", "x, y"),),
        cameras=("top", "side"),
        protocols=(
            Protocol(
                name="default",
                horizon=60,
                control_hz=20.0,
                success=SuccessRule(f"fingertip within {REACH_RADIUS} m of the target", "Manigym"),
                description="Ends when the target is reached.",
            ),
            Protocol(
                name="hold",
                horizon=60,
                control_hz=20.0,
                success=SuccessRule(
                    f"fingertip within {REACH_RADIUS} m of the target in the last 5 steps",
                    "Manigym",
                    count=5,
                    window=5,
                ),
                description="The fingertip must be on the target when the episode ends.",
            ),
        ),
        instructions=("reach the red disc",),
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
        image_size=(64, 64),
        num_points=64,
        expert="closed-form inverse kinematics",
    ),
)
