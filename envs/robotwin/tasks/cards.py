"""Task cards of RoboTwin: what can be known without a simulator."""

from __future__ import annotations

from collections.abc import Iterator

from envs.robotwin.task import Task
from envs.robotwin.tasks import TASKS
from envs.robotwin.tasks.planned import PLANNED as _PLANNED
from envs.schema import ActionGroup, ActionSpec, Protocol, SuccessRule, TaskCard, VectorGroup

SOURCE = "RoboTwin 2.0, branch stable_2.0 (13c3c47)"
CONTROL_HZ = 250 / 15
OVERVIEW = "overview"  # from beside the wall, where both arms and the table are seen
# Protocol -> timing, end-effector actions.
PROTOCOLS = {
    "rate": ("rate", False),
    "waypoint": ("waypoint", False),
    "rate_ee": ("rate", True),
    "waypoint_ee": ("waypoint", True),
}
# Variant -> wording of its instructions in upstream's benchmark.
VARIANTS = {"clean": "seen", "randomized": "unseen"}
_PI = 3.141592653589793
_JOINTS = tuple(f"joint{i}" for i in range(1, 7))
_POSE = ("x", "y", "z", "qw", "qx", "qy", "qz")


def _gripper(side: str) -> ActionGroup:
    return ActionGroup(
        f"{side}_gripper", "gripper_opening", ("opening",), (0.0,), (1.0,), "0 closed, 1 open",
        native="physical",
    )  # fmt: skip


def _angles(side: str) -> ActionGroup:
    return ActionGroup(
        f"{side}_arm", "joint_position", _JOINTS, (-_PI,) * 6, (_PI,) * 6, "rad", native="physical"
    )


def _pose(side: str) -> ActionGroup:
    low, high = (-1.0, -1.0, 0.4), (1.0, 1.0, 1.6)
    return ActionGroup(
        f"{side}_arm", "ee_pose", _POSE, low + (-1.0,) * 4, high + (1.0,) * 4,
        "m, then a quaternion wxyz of any length", frame="world", native="physical",
    )  # fmt: skip


JOINT_ACTION = ActionSpec((_angles("left"), _gripper("left"), _angles("right"), _gripper("right")))
POSE_ACTION = ActionSpec((_pose("left"), _gripper("left"), _pose("right"), _gripper("right")))
_TIMINGS = {
    "rate": "every action takes 15 physics steps of 1/250 s, targets moving evenly to it",
    "waypoint": "an action takes as long as the time-optimal line to it, as upstream (1 rad/s, "
    "1 rad/s2); steps count waypoints",
}


def _protocol(name: str, goal: str, limit: int) -> Protocol:
    timing, end_effector = PROTOCOLS[name]
    kind = "absolute end poses in the world" if end_effector else "absolute joint angles"
    rule = SuccessRule(f"{goal}; tested after every physics step", SOURCE)
    action = POSE_ACTION if end_effector else None
    return Protocol(name, limit, CONTROL_HZ, rule, f"{kind}; {_TIMINGS[timing]}", action=action)


def _proprio() -> Iterator[VectorGroup]:
    for side in ("left", "right"):
        yield VectorGroup(f"{side}_arm", 6, "rad", "joint 1 to 6: drive targets, or as measured")
        yield VectorGroup(f"{side}_gripper", 1, "0 closed, 1 open")


def _state(task: type[Task]) -> Iterator[VectorGroup]:
    for side in ("left", "right"):
        yield VectorGroup(f"{side}_endpose", 7, "m, quaternion", "link 6, measured, in the world")
    for name in task.watched:
        yield VectorGroup(f"{name}_pose", 7, "m, quaternion", "in the world")
        yield VectorGroup(f"{name}_size", 3, "m", "bounding box in its own frame")
    for name in task.hinged:
        yield VectorGroup(f"{name}_opening", 1, "rad")


def _card(name: str, task: type[Task]) -> TaskCard:
    return TaskCard(
        id=f"RoboTwin/{name}-v0",
        simulator="RoboTwin",
        description=task.description,
        packages=("sapien",),
        action=JOINT_ACTION,
        proprio=tuple(_proprio()),
        state=tuple(_state(task)),
        cameras=("head_camera", "front_camera", "left_camera", "right_camera"),
        overview=OVERVIEW,
        protocols=tuple(_protocol(p, task.goal, task.limit) for p in PROTOCOLS),
        instructions=(task.description,),
        modalities=(
            "proprio", "state", "rgb", "depth", "segmentation", "point_cloud", "instruction",
            "expert",
        ),
        image_size=(240, 320),
        num_points=1024,
        expert="scripted phases on inverse kinematics",
        demonstrations=50,
    )  # fmt: skip


CARDS = tuple(_card(name, task) for name, task in TASKS.items())
PLANNED = {f"RoboTwin/{name}-v0": goal for name, goal in _PLANNED.items()}
