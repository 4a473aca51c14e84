"""Task cards of AI2THOR: SPOC's ObjectNav and Fetch with its Stretch robot, in iTHOR's rooms.

Actions, cameras, success rules, limits and rewards are SPOC's (arXiv 2312.02976,
``allenai/spoc-robot-training``). Its houses are ProcTHOR's with Objaverse's things; these rooms are
iTHOR's, which are part of every AI2-THOR build.
"""

from __future__ import annotations

from envs.schema import ActionGroup, ActionSpec, Protocol, SuccessRule, TaskCard, VectorGroup

# In the order of SPOC's ALL_STRETCH_ACTIONS, so that an index means the same in its files.
LABELS = (
    *("m", "r", "l", "b", "end", "sub_done", "ls", "rs", "p", "zm"),
    *("zp", "yp", "ym", "wp", "wm", "yms", "zms", "zps", "yps", "d"),
)
CAMERAS = ("navigation_camera", "manipulation_camera")
SEEN_WITHIN = 2.0  # metres
HORIZON = 600  # actions
_SPOC = "allenai/spoc-robot-training"

ACTION = ActionSpec(
    (
        ActionGroup(
            name="stretch",
            mode="discrete",
            labels=LABELS,
            low=(-1.0,) * len(LABELS),
            high=(1.0,) * len(LABELS),
            unit="preference; the largest is taken, of equals the first",
            frame="robot",
        ),
    )
)
# The numbers and the order of SPOC's files; AI2-THOR's axes: x right, y up, z forward, clockwise.
PROPRIO = (
    VectorGroup("agent_location", 6, "m, deg", "position and Euler angles in the room, y up"),
    VectorGroup("arm", 4, "m, deg", "wrist relative to the base, y up, and its yaw"),
    VectorGroup("object_in_hand", 1, "1", "1 where anything is held"),
)
STATE = (
    VectorGroup(
        "target_distance", 1, "m", "to the centre of the nearest instance; -1: none is left"
    ),
    VectorGroup("target_visible", 1, "1", "1 where the navigation camera sees one within 2 m"),
    VectorGroup("target_held", 1, "1", "1 where the target is in the gripper"),
)
SENTENCES = {
    "object_nav": "navigate to a {target}",
    "fetch": "navigate to a {target} and pick up that {target}",
}


def _card(task: str, description: str, criterion: str) -> TaskCard:
    return TaskCard(
        id=f"AI2THOR/{task}-v0",
        simulator="AI2THOR",
        description=description,
        packages=("ai2thor",),
        action=ACTION,
        proprio=PROPRIO,
        state=STATE,
        cameras=CAMERAS,
        protocols=(
            Protocol(
                name="spoc",
                horizon=HORIZON,
                control_hz=5.0,  # actions have no duration; this is the speed of films
                success=SuccessRule(criterion, _SPOC),
                description="The action `end` ends the episode and is judged, as SPOC.",
            ),
        ),
        instructions=(SENTENCES[task],),
        modalities=("proprio", "state", "rgb", "depth", "segmentation", "instruction"),
        image_size=(224, 384),
        asset_source="AI2-THOR's build",
    )


CARDS = (
    _card(
        "object_nav",
        "The Stretch robot looks for an object of a kind and says when it sees one nearby.",
        "`end` while the navigation camera sees an instance of the target within 2 m",
    ),
    _card(
        "fetch",
        "The Stretch robot looks for an object of a kind, picks one up and says so.",
        "`end` while an instance of the target is in the gripper",
    ),
)
