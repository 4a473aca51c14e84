"""Task cards of the Adroit hand.

Sources: Gymnasium-Robotics 1.4.2 ``envs/adroit_hand`` and its MJCF (joints, actuator ranges,
observations); mj_envs ``hand_manipulation_suite`` as vendored by ManiFlow at c631661 (DAPG's
``evaluate_success`` and horizons) and ManiFlow's ``config/task/adroit_*.yaml`` (horizons).
"""

from __future__ import annotations

from collections.abc import Mapping

from envs.adroit.scenes import GOALS, WORDS
from envs.schema import ActionGroup, ActionSpec, Protocol, SuccessRule, TaskCard, VectorGroup

# Actuators in model order, all tasks: control range in radians.
_WRIST = {"WRJ1": (-0.524, 0.175), "WRJ0": (-0.79, 0.61)}
_FINGER = {"J3": (-0.44, 0.44), "J2": (0.0, 1.6), "J1": (0.0, 1.6), "J0": (0.0, 1.6)}
_THUMB = {
    "THJ4": (-1.0, 1.0),
    "THJ3": (0.0, 1.3),
    "THJ2": (-0.26, 0.26),
    "THJ1": (-0.52, 0.52),
    "THJ0": (-1.571, 0.0),
}
_HAND = (
    _WRIST
    | {f"{finger}{joint}": r for finger in ("FF", "MF", "RF") for joint, r in _FINGER.items()}
    | {"LFJ4": (0.0, 0.7)}
    | {f"LF{joint}": r for joint, r in _FINGER.items()}
    | _THUMB
)
HAND_JOINTS = tuple(_HAND)

Joints = dict[str, tuple[float, float]]
# Task -> (slides in metres, hinges in radians): the arm's part of the same table.
_ARMS: Mapping[str, tuple[Joints, Joints]] = {
    "door": (
        {"ARTz": (-0.3, 0.5)},
        {"ARRx": (-0.75, 0.75), "ARRy": (-0.75, 0.75), "ARRz": (-1.0, 2.0)},
    ),
    "hammer": ({}, {"ARRx": (-0.4, 0.25), "ARRy": (-0.3, 0.3)}),
    "pen": ({}, {}),
    "relocate": (
        {"ARTx": (-0.25, 0.25), "ARTy": (0.0, 0.2), "ARTz": (-0.3, 0.5)},
        {"ARRx": (-0.75, 0.75), "ARRy": (-0.75, 0.75), "ARRz": (-0.75, 0.75)},
    ),
}


def _protocols(task: str) -> tuple[Protocol, ...]:
    def rule(name: str, source: str, count: int = 1, window: int | None = None) -> SuccessRule:
        goal = [f"{WORDS[c.quantity]} {c.relation} {c.limit}" for c in GOALS[task][name]]
        return SuccessRule(" and ".join(goal), source, count, window)

    pen = task == "pen"
    hold = 21 if pen else 26
    return (
        Protocol(
            name="gymnasium",
            horizon=200,
            control_hz=100.0,
            success=rule("gymnasium", f"Gymnasium-Robotics 1.4.2 adroit_{task}.py"),
            description="Gymnasium-Robotics: 200 steps, never ends early; success at any step.",
            terminate_on_success=False,
        ),
        Protocol(
            name="maniflow",
            horizon=50 if pen else 100,
            control_hz=50.0,
            success=rule("maniflow", f"ManiFlow c631661, vendored mj_envs {task}_v0.py", 2, 2),
            description="ManiFlow and DP3: every action twice; the goal must hold in both of the "
            "last 2 steps (upstream averages the two, so half successes count as failures here).",
            action_repeat=2,
            terminate_on_success=False,
        ),
        Protocol(
            name="dapg",
            horizon=100 if pen else 200,
            control_hz=100.0,
            success=rule("dapg", f"DAPG, mj_envs {task}_v0.py evaluate_success", hold),
            description=f"DAPG: the goal holds in more than {hold - 1} steps, in a row or not.",
            terminate_on_success=False,
        ),
    )


def _action(task: str) -> ActionSpec:
    """Set-points of position servos. The arm's are soft (gain 500, stiffness 200): unloaded, its
    joints settle at 2.5 times the set-point, as far as their range of the same numbers allows."""
    slides, hinges = _ARMS[task]
    parts = (
        ("arm_translation", slides, "m"),
        ("arm_rotation", hinges, "rad"),
        ("hand", _HAND, "rad"),
    )
    return ActionSpec(
        tuple(
            ActionGroup(
                name=name,
                mode="joint_position",
                labels=tuple(joints),
                low=tuple(low for low, _ in joints.values()),
                high=tuple(high for _, high in joints.values()),
                unit=unit,
            )
            for name, joints, unit in parts
            if joints
        )
    )


def _proprio(task: str) -> tuple[VectorGroup, ...]:
    return tuple(
        VectorGroup(g.name, g.size, g.unit, "measured " + " ".join(g.labels))
        for g in _action(task).groups
    )


_JOINTS = "joint positions as in proprio"
_STATES: Mapping[str, tuple[VectorGroup, ...]] = {
    "door": (
        VectorGroup("joints", 27, "rad", _JOINTS + ", without ARTz"),
        VectorGroup("latch", 1, "rad"),
        VectorGroup("hinge", 1, "rad"),
        VectorGroup("palm", 3, "m", "world frame"),
        VectorGroup("handle", 3, "m", "world frame"),
        VectorGroup("handle_to_palm", 3, "m"),
        VectorGroup("open", 1, "1", "+1 where the hinge is above 1 rad, else -1"),
    ),
    "hammer": (
        VectorGroup("joints", 26, "rad", _JOINTS),
        VectorGroup("nail", 1, "m", "depth"),
        VectorGroup("hammer_velocity", 6, "m/s, rad/s", "clipped to +-1"),
        VectorGroup("palm", 3, "m", "world frame"),
        VectorGroup("hammer_position", 3, "m", "world frame"),
        VectorGroup("hammer_rotation", 3, "rad", "Euler angles"),
        VectorGroup("nail_position", 3, "m", "world frame"),
        VectorGroup("nail_impact", 1, "N", "touch sensor, clipped to 1"),
    ),
    "pen": (
        VectorGroup("joints", 24, "rad", _JOINTS),
        VectorGroup("pen_position", 3, "m", "world frame"),
        VectorGroup("pen_velocity", 6, "m/s, rad/s"),
        VectorGroup("pen_axis", 3, "1", "unit vector, world frame"),
        VectorGroup("goal_axis", 3, "1", "unit vector, world frame"),
        VectorGroup("goal_to_pen", 3, "m"),
        VectorGroup("goal_axis_to_pen_axis", 3, "1"),
    ),
    "relocate": (
        VectorGroup("joints", 30, "m, rad", _JOINTS),
        VectorGroup("ball_to_palm", 3, "m"),
        VectorGroup("goal_to_palm", 3, "m"),
        VectorGroup("goal_to_ball", 3, "m"),
    ),
}
_VIEWS = ("vil_camera", "fixed")
_CAMERAS: Mapping[str, tuple[str, ...]] = {
    "door": ("top", *_VIEWS),
    "hammer": ("top", *_VIEWS),
    "pen": ("near", *_VIEWS, "view_1", "view_2", "view_4"),  # 3 and 5 look at the table from below
    "relocate": _VIEWS,
}
_MODALITIES = ("proprio", "state", "rgb", "depth", "segmentation", "point_cloud", "instruction")


def _card(task: str, description: str, instruction: str, expert: str | None = None) -> TaskCard:
    return TaskCard(
        id=f"Adroit/{task}-v0",
        simulator="Adroit",
        description=description,
        packages=("gymnasium-robotics", "mujoco"),
        action=_action(task),
        proprio=_proprio(task),
        state=_STATES[task],
        cameras=_CAMERAS[task],
        protocols=_protocols(task),
        instructions=(instruction,),
        modalities=_MODALITIES + (("expert",) if expert else ()),
        image_size=(84, 84),
        num_points=512,
        expert=expert,
        quick=expert is not None,
    )


CARDS = (
    _card(
        "door",
        "The hand undoes a latch and pulls a door open; the frame stands elsewhere every time.",
        "undo the latch and open the door",
        expert="sampling planner around a nominal motion",
    ),
    _card(
        "hammer",
        "The hand picks up a hammer and drives a nail into a board at a random height.",
        "pick up the hammer and drive the nail into the board",
    ),
    _card(
        "pen",
        "The hand turns a pen to match the orientation of a target pen.",
        "turn the pen to match the green one",
    ),
    _card(
        "relocate",
        "The hand carries a ball to a target that floats above the table.",
        "move the blue ball to the green target",
    ),
)
