"""SPOC's Stretch robot: its discrete actions as calls of AI2-THOR, and what it measures and sees.

Sizes of the steps, camera angles and calls are those of ``environment/stretch_controller.py`` of
``allenai/spoc-robot-training``. Lengths are metres, angles degrees, y points up, as AI2-THOR.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import fmod
from typing import Any

import numpy as np

from envs.ai2thor.tasks import CAMERAS
from envs.schema import ManigymError, SimulationError

RENDERED, CUT = 396, 6  # columns: SPOC draws 396 x 224 and cuts 6 off each side
LIFT_ZERO = 0.16297650337219238  # height of the arm's first joint at the lift's lowest position
WRIST_MOST, WRIST_LEAST = 75.0, -260.0
PITCH = (27.0, 33.0)  # degrees below the horizon: navigation and manipulation camera
PITCH_NOISE, FOV, FOV_NOISE = 2.0, 59.0, 1.0
GRIPPER_OPEN = 30
SETTLING = 2.0  # seconds after something was let go
_ARM = {"returnToStart": True, "speed": 1}
_BASE: Mapping[str, Mapping[str, Any]] = {
    "m": {"action": "MoveAgent", "ahead": 0.2, "returnToStart": False, "speed": 1},
    "b": {"action": "MoveAgent", "ahead": -0.2, "returnToStart": False, "speed": 1},
    "r": {"action": "RotateAgent", "degrees": 30},
    "l": {"action": "RotateAgent", "degrees": -30},
    "rs": {"action": "RotateAgent", "degrees": 6},
    "ls": {"action": "RotateAgent", "degrees": -6},
    "p": {"action": "PickupObject"},
    "d": {"action": "ReleaseObject"},
}
# y lifts, z extends the arm, to the robot's right.
_LIFT_AND_REACH = {
    "yp": (0.1, 0.0),
    "ym": (-0.1, 0.0),
    "yps": (0.02, 0.0),
    "yms": (-0.02, 0.0),
    "zp": (0.0, 0.1),
    "zm": (0.0, -0.1),
    "zps": (0.0, 0.02),
    "zms": (0.0, -0.02),
}
_WRIST = {"wp": -10.0, "wm": 10.0}


def xyz(vector: Mapping[str, float]) -> list[float]:
    """AI2-THOR's ``{"x": .., "y": .., "z": ..}`` as a list."""
    return [vector["x"], vector["y"], vector["z"]]


class Stretch:
    """The robot in a running AI2-THOR. ``event``: what the last action led to.

    ``alive`` is false once the Unity program has failed; then a new one is needed.
    """

    def __init__(self, controller: Any) -> None:
        self._controller = controller
        self.event: Any = None
        self.alive = True

    # ------------------------------------------------------------------ episodes
    def load(self, scene: str, rng: np.random.Generator) -> None:
        """A fresh room; cameras point as SPOC's do, each a little differently every time."""
        self.event = self._answer(f"load {scene}", self._controller.reset, scene=scene)
        self._do(action="Teleport", horizon=0, standing=True)
        for pitch, camera, second in zip(
            PITCH, ("FirstPersonCharacter", "SecondaryCamera"), (False, True), strict=True
        ):
            turned = pitch + rng.uniform(-PITCH_NOISE, PITCH_NOISE)
            self._do(action="RotateCameraMount", degrees=turned, secondary=second)
            wide = FOV + rng.uniform(-FOV_NOISE, FOV_NOISE)
            self._do(action="ChangeFOV", fieldOfView=wide, camera=camera)
        self._do(action="SetGripperOpenness", openness=GRIPPER_OPEN)
        self._do(action="ToggleMagnetVisibility", visible=False)

    def reachable(self) -> list[dict[str, float]]:
        """Where the base can stand, in an order that is always the same."""
        found = self._ask(action="GetReachablePositions", gridSize=0.15) or []
        return sorted(found, key=lambda p: (p["x"], p["z"]))

    def place(self, position: Mapping[str, float], yaw: float) -> bool:
        """Put the base there, arm and cameras unchanged; whether there was room."""
        turned = {"x": 0.0, "y": yaw, "z": 0.0}
        self._do(
            action="TeleportFull",
            position=dict(position),
            rotation=turned,
            horizon=0,
            standing=True,
        )
        return bool(self.event.metadata["lastActionSuccess"])

    def act(self, label: str) -> None:
        """One of SPOC's actions that move something; what cannot be done moves nothing."""
        if label in _BASE:
            self._do(**_BASE[label])
        elif label in _LIFT_AND_REACH:
            up, out = _LIFT_AND_REACH[label]
            joints = self.event.metadata["arm"]["joints"]
            wrist = joints[-1]["rootRelativePosition"]
            lift = joints[0]["rootRelativePosition"]["y"] - LIFT_ZERO
            goal = {"x": wrist["x"], "y": lift + up, "z": wrist["z"] + out}
            self._do(action="MoveArm", position=goal, **_ARM)
        elif label in _WRIST:
            self._do(action="RotateWristRelative", yaw=self._turn(_WRIST[label]), **_ARM)
        if label == "d":
            self._do(action="AdvancePhysicsStep", simSeconds=SETTLING)

    def _turn(self, asked: float) -> float:
        """Yaw that keeps the wrist within its range, -260 to 75 degrees."""
        limit = WRIST_MOST if asked > 0 else WRIST_LEAST + 360.0
        return float(np.copysign(min(abs(asked), abs(limit - self.wrist_yaw())), asked))

    def stop(self) -> None:
        """End the Unity program; it may have ended itself."""
        self.alive = False
        if self._controller.server is not None:
            self._controller.stop()

    # ------------------------------------------------------------------ measurements
    @property
    def objects(self) -> list[dict[str, Any]]:
        """AI2-THOR's metadata of everything in the room."""
        return self.event.metadata["objects"]

    def location(self) -> list[float]:
        """Position and Euler angles of the base, 6 numbers."""
        agent = self.event.metadata["agent"]
        return [*xyz(agent["position"]), *xyz(agent["rotation"])]

    def arm(self) -> list[float]:
        """Wrist relative to the base, and its yaw, 4 numbers."""
        wrist = self.event.metadata["arm"]["joints"][-1]
        return [*xyz(wrist["rootRelativePosition"]), self.wrist_yaw()]

    def wrist_yaw(self) -> float:
        """Of the last joint, whose rotation comes as axis and angle."""
        turned = self.event.metadata["arm"]["joints"][-1]["rootRelativeRotation"]
        return fmod(turned["w"] * turned["y"], 360.0)

    def held(self) -> list[str]:
        """Ids of what is in the gripper."""
        return list(self.event.metadata["arm"]["heldObjects"])

    def seen(self, names: Sequence[str], within: float) -> list[str]:
        """Which of these objects the navigation camera sees, nearer than so many metres."""
        answer = self._ask(action="GetVisibleObjects", maxDistance=within, objectIds=list(names))
        return list(answer or ())

    # ------------------------------------------------------------------ pictures
    def rgb(self, camera: str) -> np.ndarray:
        """uint8 (H, W, 3)."""
        if camera == CAMERAS[0]:
            return _cut(self.event.frame)
        return _cut(self.event.third_party_camera_frames[0][..., :3])

    def depth(self, camera: str) -> np.ndarray:
        """float32 (H, W) metres."""
        if camera == CAMERAS[0]:
            return _cut(self.event.depth_frame)
        return _cut(self.event.third_party_depth_frames[0])

    def masks(self, camera: str) -> dict[str, np.ndarray]:
        """Object id -> bool (H, W), of what the camera sees."""
        event = self.event
        first = camera == CAMERAS[0]
        masks = event.instance_masks if first else event.third_party_instance_masks[0]
        return {name: _cut(masks[name]) for name in masks}

    # ------------------------------------------------------------------ the Unity program
    def _do(self, **call: Any) -> None:
        self.event = self._answer(call["action"], self._controller.step, **call)

    def _ask(self, **call: Any) -> Any:
        """The answer to a question, which changes nothing."""
        return self._answer(call["action"], self._controller.step, **call).metadata["actionReturn"]

    def _answer(self, what: str, method: Any, **arguments: Any) -> Any:
        try:
            return method(**arguments)
        except ValueError as error:
            self.stop()
            raise ManigymError(
                f"this AI2-THOR build cannot {what}: {error}\n"
                "  SPOC's robot needs the build of SPOC's commit, the default of env.commit_id"
            ) from error
        except Exception as error:  # a crash, a time-out, a broken pipe
            self.stop()
            raise SimulationError(
                f"AI2-THOR failed at {what}: {type(error).__name__}: {error}"
            ) from error


def _cut(picture: np.ndarray) -> np.ndarray:
    """Without the columns that SPOC cuts off at both sides."""
    columns = round(picture.shape[1] * CUT / RENDERED)
    return np.ascontiguousarray(picture[:, columns:-columns])
