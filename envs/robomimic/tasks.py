"""Task cards of the robomimic tasks, and what robosuite needs to build each scene.

Sources: robomimic ``docs/modules/environments.md`` and ``robomimic/__init__.py`` (horizons),
``scripts/extract_obs_from_raw_datasets.sh`` (cameras and sizes), robosuite 1.5.2
``environments/manipulation`` (success, observations).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from envs.schema import ActionGroup, ActionSpec, Protocol, SuccessRule, TaskCard, VectorGroup

ARMS = ("right", "left")  # names of robosuite's robot0 and robot1
Box = tuple[tuple[float, float, float], tuple[float, float, float]]


@dataclass(frozen=True)
class Scene:
    """How robosuite builds a task.

    ``workspace``: corners in metres, world frame, above the table top or the bins' floor; point
    clouds are cropped to it.
    """

    robosuite: str
    workspace: Box
    robots: int = 1
    dense_reward: bool = True


_TABLE: Box = ((-0.45, -0.5, 0.805), (0.45, 0.5, 1.4))
SCENES: Mapping[str, Scene] = {
    "lift": Scene("Lift", _TABLE),
    "can": Scene("PickPlaceCan", ((-0.25, -0.6, 0.825), (0.45, 0.6, 1.4))),
    "square": Scene("NutAssemblySquare", ((-0.45, -0.5, 0.825), (0.45, 0.5, 1.4))),
    "transport": Scene(
        "TwoArmTransport",
        ((-0.5, -1.0, 0.805), (0.5, 1.0, 1.4)),
        robots=2,
        dense_reward=False,
    ),
    "tool_hang": Scene("ToolHang", _TABLE, dense_reward=False),
}


def _arm_action(arm: str) -> tuple[ActionGroup, ...]:
    return (
        ActionGroup(
            name=f"{arm}_arm",
            mode="ee_delta",
            labels=("x", "y", "z", "rx", "ry", "rz"),
            low=(-0.05,) * 3 + (-0.5,) * 3,
            high=(0.05,) * 3 + (0.5,) * 3,
            unit="m and rad (rotation vector) from the measured pose",
            frame="world",
        ),
        ActionGroup(
            name=f"{arm}_gripper",
            mode="gripper_opening",
            labels=("closing",),
            low=(-1.0,),
            high=(1.0,),
            unit="only the sign counts: negative opens, positive closes, 10 steps for all the way",
        ),
    )


def _arm_proprio(arm: str) -> tuple[VectorGroup, ...]:
    return (
        VectorGroup(f"{arm}_arm_position", 3, "m", "grip site in the world frame"),
        VectorGroup(f"{arm}_arm_quaternion", 4, "1", "hand body in the world frame, wxyz"),
        VectorGroup(f"{arm}_gripper_position", 2, "m", "finger joints, about +-0.04 open, 0 shut"),
    )


def _pose(name: str, what: str) -> tuple[VectorGroup, ...]:
    return (
        VectorGroup(f"{name}_pos", 3, "m", f"{what}, world frame"),
        VectorGroup(f"{name}_quat", 4, "1", f"{what}, world frame, xyzw as robosuite gives it"),
    )


def _in_hand(name: str, what: str) -> tuple[VectorGroup, ...]:
    """robosuite computes these from the object's pose one control step earlier; zero at reset."""
    return (
        VectorGroup(f"{name}_to_eef_pos", 3, "m", f"{what} one step ago in the hand frame"),
        VectorGroup(f"{name}_to_eef_quat", 4, "1", f"{what} one step ago in the hand frame, xyzw"),
    )


def _protocols(criterion: str, file: str, **horizons: int) -> tuple[Protocol, ...]:
    rule = SuccessRule(
        criterion, f"robosuite 1.5.2 environments/manipulation/{file} _check_success"
    )
    return tuple(
        Protocol(
            name=name,
            horizon=horizon,
            control_hz=20.0,
            success=rule,
            description=f"robomimic rollout with the horizon of its {name.upper()} datasets; "
            "ends at the first success",
        )
        for name, horizon in horizons.items()
    )


def _card(
    task: str,
    description: str,
    instruction: str,
    state: tuple[VectorGroup, ...],
    protocols: tuple[Protocol, ...],
    cameras: tuple[str, ...] = ("agentview", "robot0_eye_in_hand"),
    image_size: tuple[int, int] = (84, 84),
    expert: str | None = None,
    quick: bool = False,
    demonstrations: int = 100,
) -> TaskCard:
    arms = ARMS[: SCENES[task].robots]
    modalities = (
        "proprio",
        "state",
        "rgb",
        "depth",
        "segmentation",
        "point_cloud",
        "instruction",
    )
    return TaskCard(
        id=f"Robomimic/{task}-v0",
        simulator="Robomimic",
        description=description,
        packages=("robosuite", "mujoco"),
        action=ActionSpec(tuple(group for arm in arms for group in _arm_action(arm))),
        proprio=tuple(group for arm in arms for group in _arm_proprio(arm)),
        state=state,
        cameras=cameras,
        protocols=protocols,
        instructions=(instruction,),
        modalities=modalities + (("expert",) if expert else ()),
        image_size=image_size,
        expert=expert,
        quick=quick,
        demonstrations=demonstrations,
    )


_SCRIPT = "scripted waypoints with privileged object poses"

CARDS = (
    _card(
        "lift",
        "A Panda lifts a cube of 4 cm.",
        "lift the red cube",
        (
            *_pose("cube", "cube"),
            VectorGroup("gripper_to_cube_pos", 3, "m", "grip site to cube, world frame"),
        ),
        _protocols("cube centre more than 0.04 m above the table", "lift.py", ph=400, mh=500),
        expert=_SCRIPT,
        quick=True,
    ),
    _card(
        "can",
        "A Panda moves a can from one bin to its compartment in another.",
        "put the can into its compartment of the bin on the left",
        (*_in_hand("can", "can"), *_pose("can", "can")),
        _protocols(
            "can inside its compartment, at most 0.1 m above the bin, and the grip site more than "
            "0.042 m away: 1 - tanh(10 d) < 0.6",
            "pick_place.py",
            ph=400,
            mh=500,
        ),
        expert=_SCRIPT,
        demonstrations=200,
    ),
    _card(
        "square",
        "A Panda fits a square nut over a square peg.",
        "put the square nut on the square peg",
        (*_in_hand("nut", "square nut"), *_pose("nut", "square nut")),
        _protocols(
            "nut within 0.03 m of the peg in x and in y and below table + 0.05 m, and the grip "
            "site more than 0.042 m away: 1 - tanh(10 d) < 0.6",
            "nut_assembly.py",
            ph=400,
            mh=500,
        ),
        expert=_SCRIPT,
    ),
    _card(
        "transport",
        "Two opposed Pandas: uncover a hammer, hand it over into the cleared target bin.",
        "put the hammer into the target bin and the red cube into the trash bin",
        (
            *_pose("payload", "hammer"),
            *_pose("trash", "red cube"),
            *_pose("lid_handle", "handle of the lid"),
            VectorGroup("target_bin_pos", 3, "m", "target bin, world frame"),
            VectorGroup("trash_bin_pos", 3, "m", "trash bin, world frame"),
            VectorGroup(
                "payload_in_target_bin", 1, "bool", "hammer touches the target bin's floor"
            ),
            VectorGroup("trash_in_trash_bin", 1, "bool", "red cube touches the trash bin's floor"),
            VectorGroup("gripper0_to_payload", 3, "m", "right grip site to hammer, world frame"),
            VectorGroup("gripper0_to_lid_handle", 3, "m", "right grip site to lid, world frame"),
            VectorGroup("gripper1_to_payload", 3, "m", "left grip site to hammer, world frame"),
            VectorGroup("gripper1_to_trash", 3, "m", "left grip site to red cube, world frame"),
        ),
        _protocols(
            "hammer touches the target bin's floor and the red cube the trash bin's floor",
            "two_arm_transport.py",
            ph=700,
            mh=1100,
        ),
        cameras=("shouldercamera0", "robot0_eye_in_hand", "shouldercamera1", "robot1_eye_in_hand"),
    ),
    _card(
        "tool_hang",
        "A Panda inserts a hook frame into a stand and hangs a tool on it.",
        "insert the hook into the stand, then hang the tool on the hook",
        (
            *_in_hand("base", "stand"),
            *_pose("base", "stand"),
            *_in_hand("frame", "hook frame"),
            *_pose("frame", "hook frame"),
            *_in_hand("tool", "tool"),
            *_pose("tool", "tool"),
            VectorGroup("frame_is_assembled", 1, "bool", "frame stands in the base"),
            VectorGroup("tool_on_frame", 1, "bool", "tool hangs on the hook"),
        ),
        _protocols(
            "stand within 10 degrees of upright with the frame's tip between its walls and within "
            "0.05 m of its base, and the tool untouched by the gripper with its hole on the hook, "
            "more than 5 % inserted",
            "tool_hang.py",
            ph=700,
        ),
        cameras=("sideview", "robot0_eye_in_hand"),
        image_size=(240, 240),
    ),
)
