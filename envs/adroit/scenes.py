"""What each Adroit scene gets besides its cards: added cameras, point clouds, success conditions.

Sources: mj_envs ``hand_manipulation_suite`` as vendored by ManiFlow at c631661 (``DAPG_*.xml`` for
the cameras, ``*_v0.py`` for thresholds), ``maniflow/gym_util/mjpc_wrapper.py`` and
``mujoco_point_cloud.py`` (point cloud), Gymnasium-Robotics 1.4.2 ``envs/adroit_hand`` (success).
"""

from __future__ import annotations

import operator
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class AddedCamera:
    """A camera of ManiFlow's models that Gymnasium-Robotics' lack. Metres; quaternion wxyz."""

    name: str
    position: tuple[float, float, float]
    quaternion: tuple[float, float, float, float]


@dataclass(frozen=True)
class ManiFlowCloud:
    """ManiFlow's point cloud of a task: camera, orientation, offset and the plane it is cropped at.

    Upstream turns the points by the *first* camera of the model (``fixed``, tilted by 45 degrees)
    and not by the camera that saw them, leaves out the camera's position, and then turns Door and
    Hammer back by 45 degrees. What is left: the top camera's own axes for Door and Hammer
    (``tilt`` 0), axes parallel to the world for Pen (``tilt`` 45 degrees about x), and an origin in
    the camera, moved by ``offset``. Points are kept where z > ``floor``.
    """

    camera: str
    tilt: float
    offset: tuple[float, float, float]
    floor: float


@dataclass(frozen=True)
class Scene:
    """``workspace``: world-frame box (metres) that the standard point cloud is cropped to."""

    added_camera: AddedCamera | None
    cloud: ManiFlowCloud | None
    workspace: tuple[tuple[float, float, float], tuple[float, float, float]]


_UPSIDE_DOWN = (0.0007963267107332633, 0.0, 0.0, 0.9999996829318346)  # euler (0, 0, 3.14)
_TILTED_45 = (0.92388, 0.382683, 0.0, 0.0)
_BOX = ((-0.5, -0.75, 0.003), (0.5, 0.5, 0.75))
SCENES: Mapping[str, Scene] = {
    "door": Scene(
        AddedCamera("top", (0.0, 0.0, 1.5), _UPSIDE_DOWN),
        ManiFlowCloud("top", 0.0, (0.0, 0.0, 1.0), -0.499),
        _BOX,
    ),
    "hammer": Scene(
        AddedCamera("top", (0.0, 0.0, 1.1), _UPSIDE_DOWN),
        ManiFlowCloud("top", 0.0, (0.0, 0.0, 1.0), -0.099),
        _BOX,
    ),
    # mj_envs' vil_camera of Pen stands nearer than Gymnasium-Robotics' camera of that name.
    "pen": Scene(
        AddedCamera("near", (0.0, -0.8, 0.8), _TILTED_45),
        ManiFlowCloud("near", 45.0, (0.0, 0.0, 0.0), -0.79),
        _BOX,
    ),
    "relocate": Scene(None, None, _BOX),
}


RELATIONS = {">=": operator.ge, ">": operator.gt, "<": operator.lt}


@dataclass(frozen=True)
class Condition:
    """``quantity`` (see ``envs.adroit.measures.MEASURES``) above or below a limit."""

    quantity: str
    relation: str
    limit: float

    def holds(self, value: float) -> bool:
        return bool(RELATIONS[self.relation](value, self.limit))


_HINGE, _NAIL = Condition("hinge", ">=", 1.35), Condition("nail", "<", 0.01)
_PEN_NEAR, _PEN_ALIGNED = Condition("distance", "<", 0.075), Condition("alignment", ">", 0.95)
_OBJECT = Condition("distance", "<", 0.1)
# Task -> protocol -> conditions that must hold together.
GOALS: Mapping[str, Mapping[str, tuple[Condition, ...]]] = {
    "door": {
        "gymnasium": (_HINGE,),
        "maniflow": (Condition("hinge", ">", 1.4),),
        "dapg": (_HINGE,),
    },
    "hammer": {"gymnasium": (_NAIL,), "maniflow": (_NAIL,), "dapg": (_NAIL,)},
    "pen": {
        "gymnasium": (_PEN_NEAR, _PEN_ALIGNED),
        "maniflow": (_PEN_ALIGNED,),
        "dapg": (_PEN_NEAR, _PEN_ALIGNED),
    },
    "relocate": {"gymnasium": (_OBJECT,), "maniflow": (_OBJECT,), "dapg": (_OBJECT,)},
}
# mj_envs ends a Pen episode when the pen has fallen below this height; here the goal can then no
# longer be reached in the protocols that follow mj_envs, which comes to the same result.
PEN_DROPPED = 0.075
WORDS = {
    "hinge": "door hinge angle in rad",
    "nail": "distance of the nail to its goal in m",
    "distance": "distance of the object to its goal in m",
    "alignment": "cosine of the angle between the object and its goal",
}
