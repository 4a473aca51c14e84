"""Task cards of MJThor: eight tasks of one mobile manipulator in a house.

Rules, limits and start distances are those of MolmoSpaces (arXiv 2602.11337,
``allenai/molmospaces``); where it has no such task, those of SPOC (arXiv 2312.02976). Control is at
10 Hz: limits that upstream states at another rate are kept in seconds, and one of SPOC's discrete
actions (0.2 m) counts as four steps (0.05 m).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from envs.schema import ActionGroup, ActionSpec, Protocol, SuccessRule, TaskCard, VectorGroup

CONTROL_HZ = 10.0
BASE_STEP = (0.05, 0.05, 0.10)  # m, m, rad in one control step, in the robot's frame
HEAD_LOW, HEAD_HIGH = (-0.523, -0.35), (0.523, 1.57)
ARM_LOW = (-2.356, -3.1416, -2.094, -2.618, -3.1416, -1.5708, -2.7053)
ARM_HIGH = (2.356, 0.01745, 2.094, 0.01, 3.1416, 1.9199, 2.7053)
ARM_STEP = 0.2  # rad, the delta variant
CAMERAS = ("head_camera", "wrist_camera_r")
_ARM = tuple(f"right_arm_{i}" for i in range(7))


def _base() -> ActionGroup:
    return ActionGroup(
        "base",
        "base_displacement",
        ("dx", "dy", "dyaw"),
        tuple(-v for v in BASE_STEP),
        BASE_STEP,
        "m, m, rad",
        frame="robot",
        native="physical",
    )


def _head() -> ActionGroup:
    labels = ("pan", "tilt")
    return ActionGroup(
        "head", "joint_position", labels, HEAD_LOW, HEAD_HIGH, "rad", native="physical"
    )


def _gripper() -> ActionGroup:
    # 0 closed, 1 open: each finger moves by 0.05 m.
    return ActionGroup(
        "right_gripper", "gripper_opening", ("opening",), (0.0,), (1.0,), "1", native="physical"
    )


_ABSOLUTE = ActionGroup(
    "right_arm", "joint_position", _ARM, ARM_LOW, ARM_HIGH, "rad", native="physical"
)
_DELTA = ActionGroup(
    "right_arm",
    "joint_delta",
    _ARM,
    (-ARM_STEP,) * 7,
    (ARM_STEP,) * 7,
    "rad",
    native="physical",
)
ACTION = ActionSpec((_base(), _head(), _ABSOLUTE, _gripper()))
DELTA_ACTION = ActionSpec((_base(), _head(), _DELTA, _gripper()))

PROPRIO = (
    VectorGroup("head", 2, "rad", "pan and tilt, measured"),
    VectorGroup("right_arm", 7, "rad", "measured"),
    VectorGroup("right_gripper", 1, "1", "0 closed, 1 open, measured"),
    VectorGroup("base_velocity", 3, "m/s, m/s, rad/s", "in the robot's frame"),
    VectorGroup("last_action", 13, "1", "the action before, zeros at the start"),
)
STATE = (
    VectorGroup("base_pose", 3, "m, m, rad", "x, y, yaw in the house"),
    VectorGroup("hand", 7, "m, wxyz", "between the fingertips, in the robot's frame"),
    VectorGroup("target", 7, "m, wxyz", "what the episode is about, in the robot's frame"),
    VectorGroup("target_size", 3, "m", "extents of the target; zeros where it is not a thing"),
    VectorGroup("goal", 3, "m", "where it goes, in the robot's frame; else the target's place"),
    VectorGroup("route", 3, "m", "next way point (robot's frame) and metres left to the target"),
    VectorGroup("progress", 2, "1", "how far an opening or door is open, share of sub-goals"),
)


@dataclass(frozen=True)
class _Task:
    """``limit`` and ``spoc``: steps of the two protocols; ``rule`` and ``spoc_rule`` in words."""

    name: str
    description: str
    limit: int
    rule: str
    source: str
    sentences: tuple[str, ...]
    spoc: int = 0
    spoc_rule: str = ""


_MOLMO = "allenai/molmospaces"
_SPOC = "allenai/spoc-robot-training"
_TASKS = (
    _Task(
        "nav_to_object",
        "Drive to an object until the head camera sees it.",
        1000,
        "base within 1.5 m (x, y) of the nearest instance, which the head camera sees",
        _MOLMO,
        ("Navigate to the {target}", "Navigate to any {target} ({count} available)"),
        2400,
        "base within 2 m (x, y) of an instance that the head camera sees",
    ),
    _Task(
        "pick",
        "Pick up an object from a table, counter or shelf.",
        400,
        "lifted by at least 0.01 m and touched by nothing but the robot",
        _MOLMO,
        ("Pick up the {target}",),
        2400,
        "held between both fingers",
    ),
    _Task(
        "pick_and_place",
        "Pick up an object and put it into or onto a receptacle.",
        400,
        "the receptacle carries at least half of its weight, the robot does not touch it, and the "
        "receptacle moved by at most 0.10 m and tilted by at most 45 degrees",
        _MOLMO,
        ("Pick up the {target} and place it in or on the {goal}",),
    ),
    _Task(
        "open_drawer",
        "Open a drawer of a dresser.",
        200,
        "open by at least 0.67 of its travel",
        _MOLMO,
        ("Open the {target}",),
    ),
    _Task(
        "open_door",
        "Push or pull a door between two rooms open.",
        400,
        "open by at least 0.67 of its range",
        _MOLMO,
        ("Push the door open", "Pull the door open"),
    ),
    _Task(
        "fetch",
        "Find an object in another room and pick it up.",
        2400,
        "lifted by at least 0.01 m and touched by nothing but the robot",
        f"{_SPOC} (limit), {_MOLMO} (lift)",
        ("Find the {target} and pick it up",),
        2400,
        "held between both fingers",
    ),
    _Task(
        "room_visit",
        "Visit every room of the house.",
        4000,
        "the base was inside every room",
        _SPOC,
        ("Visit every room in this house. Indicate when you have seen all of them",),
    ),
    _Task(
        "tidy",
        "Go to another room, open the fridge, take an object, bring it back and put it down.",
        3000,
        "every sub-goal in its order: room, opened, taken, brought, placed",
        "Manigym",
        ("Take the {target} out of the {opening} and put it on the {goal}",),
    ),
)


def _protocols(task: _Task) -> tuple[Protocol, ...]:
    rule = SuccessRule(task.rule, task.source)
    first = Protocol(
        "molmospaces", task.limit, CONTROL_HZ, rule, "MolmoSpaces' rules; success ends the episode"
    )
    at_end = replace(
        first,
        name="at_end",
        success=replace(rule, window=1),
        terminate_on_success=False,
        description="as molmospaces, judged at the last step of the full length",
    )
    delta = replace(
        first,
        name="delta",
        action=DELTA_ACTION,
        description=f"as molmospaces, arm actions are changes of at most {ARM_STEP} rad",
    )
    spoc = replace(
        first,
        name="spoc",
        horizon=task.spoc,
        success=SuccessRule(task.spoc_rule, _SPOC),
        description="SPOC's rule and limit",
    )
    return (first, at_end, delta, *([spoc] if task.spoc else []))


def _card(task: _Task) -> TaskCard:
    return TaskCard(
        id=f"MJThor/{task.name}-v0",
        simulator="MJThor",
        description=task.description,
        packages=("mujoco",),
        action=ACTION,
        proprio=PROPRIO,
        state=STATE,
        cameras=CAMERAS,
        overview="camera_follower",  # from behind and above the robot
        protocols=_protocols(task),
        instructions=task.sentences,
        modalities=(
            *("proprio", "state", "rgb", "depth", "segmentation"),
            *("point_cloud", "instruction", "expert"),
        ),
        image_size=(224, 224),
        num_points=1024,
        expert="scripted phases over a map of the house, inverse kinematics of the arm",
        demonstrations=50,
        scene_options=("houses", "house"),
    )


CARDS: tuple[TaskCard, ...] = tuple(_card(task) for task in _TASKS)


def sentences(task: str) -> tuple[str, ...]:
    """The instructions of a task, with the words of an episode left open."""
    return next(t.sentences for t in _TASKS if t.name == task)
