"""A stand-in for ``ai2thor.controller.Controller``: one empty room, answers as AI2-THOR gives them.

The room is 4 x 4 m, its things differ with the scene's number. y points up, yaw turns clockwise and
is 0 along z. The arm points to the robot's right. Column c of a picture has red c, so that cuts can
be counted; every call is kept in ``calls``.
"""

from __future__ import annotations

import copy
import math
from types import SimpleNamespace

import numpy as np

from envs.ai2thor.tasks import LABELS

TYPES = {
    "kitchen": ("Fridge", "Bowl", "Apple"),
    "living_room": ("Television", "Pillow", "RemoteControl"),
    "bedroom": ("AlarmClock", "Book", "Pencil"),
    "bathroom": ("Sink", "SoapBottle", "Candle"),
}
FIXED = ("Fridge", "Television", "Sink")
HALF, HEIGHT, FLOOR = 2.0, 0.5, 0.9  # metres: half the room, of the things, of the agent's origin
LIFT_ZERO, SHOULDER, GRASP = 0.16297650337219238, 0.3, 0.25
LIFT, REACH = (0.0, 1.1), (0.0, 0.5)


def play(env, *labels):
    """Do these actions; what the last step returned."""
    for label in labels:
        result = env.step(np.array([1.0 if name == label else -0.5 for name in LABELS]))
    return result


def vector(x, y, z):
    return {"x": float(x), "y": float(y), "z": float(z)}


class StandIn:
    """Takes the arguments of ``open_controller``, ``step`` and ``reset`` as the Controller."""

    def __init__(self, build=None, height=224, width=396, depth=False, segmentation=False):
        self.build, self.height, self.width = build, height, width
        self.depth, self.segmentation = depth, segmentation
        self.calls, self.stopped, self.fails_at = [], False, ""
        self.server = "the connection to Unity"

    def reset(self, scene):
        number = int(scene.removeprefix("FloorPlan"))
        kinds = {0: "kitchen", 2: "living_room", 3: "bedroom", 4: "bathroom"}
        rng = np.random.default_rng(number)
        self.scene, self.things = scene, {}
        for name in TYPES[kinds[number // 100]]:
            x, z = rng.uniform(-1.5, 1.5, 2)
            self.things[f"{name}|{number}"] = [name, x, HEIGHT, z]
        self.x = self.z = self.yaw = self.lift = self.reach = self.wrist = self.pitch = 0.0
        self.held = ""
        return self._event(True)

    def stop(self):
        self.stopped = True

    def step(self, action, **options):
        self.calls.append({"action": action, **copy.deepcopy(options)})
        if action == self.fails_at:
            raise RuntimeError("the pipe is broken")
        method = getattr(self, f"_{action}", None)
        if method is None:
            raise ValueError(f"Invalid action: {action}")
        return self._event(*method(**options))

    # ------------------------------------------------------------------ actions: (done, answer)
    def _Teleport(self, horizon, standing):
        return (True,)

    def _RotateCameraMount(self, degrees, secondary):
        self.pitch = self.pitch if secondary else degrees
        return (True,)

    def _ChangeFOV(self, fieldOfView, camera):
        return (True,)

    def _SetGripperOpenness(self, openness):
        return (True,)

    def _ToggleMagnetVisibility(self, visible):
        return (True,)

    def _AdvancePhysicsStep(self, simSeconds):
        return (True,)

    def _GetReachablePositions(self, gridSize):
        line = np.arange(-1.5, 1.51, gridSize)
        return True, [vector(x, FLOOR, z) for x in line[::-1] for z in line]

    def _TeleportFull(self, position, rotation, horizon, standing):
        self.x, self.z, self.yaw = position["x"], position["z"], rotation["y"]
        return (True,)

    def _MoveAgent(self, ahead, returnToStart, speed):
        turned = math.radians(self.yaw)
        x, z = self.x + ahead * math.sin(turned), self.z + ahead * math.cos(turned)
        free = max(abs(x), abs(z)) < HALF
        if free:
            self.x, self.z = x, z
        return (free,)

    def _RotateAgent(self, degrees):
        self.yaw = (self.yaw + degrees) % 360.0
        return (True,)

    def _MoveArm(self, position, returnToStart, speed):
        free = LIFT[0] <= position["y"] <= LIFT[1] and REACH[0] <= position["z"] <= REACH[1]
        if free:
            self.lift, self.reach = position["y"], position["z"]
            self._carry()
        return (free,)

    def _RotateWristRelative(self, yaw, returnToStart, speed):
        self.wrist += yaw
        return (True,)

    def _PickupObject(self):
        hand = self.hand()
        near = [n for n, (_, *at) in self.things.items() if math.dist(at, hand) < GRASP]
        near = [n for n in near if self.things[n][0] not in FIXED]
        self.held = near[0] if near else ""
        return (bool(near),)

    def _ReleaseObject(self):
        self.held = ""
        return (True,)

    def _GetVisibleObjects(self, maxDistance, objectIds):
        seen = []
        for name in objectIds:
            _, x, _, z = self.things[name]
            bearing = math.degrees(math.atan2(x - self.x, z - self.z)) - self.yaw
            near = math.hypot(x - self.x, z - self.z) <= maxDistance
            if near and abs((bearing + 180.0) % 360.0 - 180.0) < 40.0:
                seen.append(name)
        return True, seen

    # ------------------------------------------------------------------ measurements
    def hand(self):
        right = math.radians(self.yaw + 90.0)
        out = SHOULDER + self.reach
        return self.x + out * math.sin(right), self.lift, self.z + out * math.cos(right)

    def _carry(self):
        if self.held:
            self.things[self.held][1:] = self.hand()

    def _metadata(self, done, answer):
        lift = vector(0, LIFT_ZERO + self.lift, 0)
        wrist = {
            "name": "stretch_robot_wrist_2_jnt",
            "rootRelativePosition": vector(0, LIFT_ZERO + self.lift, self.reach),
            "rootRelativeRotation": {"x": 0.0, "y": math.copysign(1.0, self.wrist), "z": 0.0}
            | {"w": abs(self.wrist)},
        }
        return {
            "lastActionSuccess": done,
            "actionReturn": answer,
            "agent": {
                "position": vector(self.x, FLOOR, self.z),
                "rotation": vector(0, self.yaw, 0),
                "cameraHorizon": self.pitch,
            },
            "arm": {
                "joints": [{"rootRelativePosition": lift}, wrist],
                "heldObjects": [self.held] if self.held else [],
            },
            "objects": [
                {
                    "objectId": name,
                    "objectType": kind,
                    "position": vector(*at),
                    "rotation": vector(0, 0, 0),
                    "axisAlignedBoundingBox": {"center": vector(*at)},
                    "pickupable": kind not in FIXED,
                    "openable": kind == "Fridge",
                    "parentReceptacles": None,
                }
                for name, (kind, *at) in self.things.items()
            ],
        }

    def _event(self, done, answer=None):
        self._carry()
        first, second = self._picture(0), self._picture(1)
        masks = [{name: self._mask(i)} for i, name in enumerate([*self.things][:2])]
        depth = np.broadcast_to(np.linspace(1, 3, self.height)[:, None], (self.height, self.width))
        return SimpleNamespace(
            metadata=self._metadata(done, answer),
            frame=first,
            third_party_camera_frames=[np.dstack([second, np.full_like(second[..., :1], 255)])],
            depth_frame=depth.astype(np.float32) if self.depth else None,
            third_party_depth_frames=[depth.astype(np.float32) + 1] if self.depth else [],
            instance_masks=masks[0] if self.segmentation else {},
            third_party_instance_masks=[masks[1]] if self.segmentation else [],
        )

    def _picture(self, blue):
        picture = np.zeros((self.height, self.width, 3), np.uint8)
        picture[..., 0] = np.arange(self.width) % 256
        picture[..., 1] = int(self.yaw) % 256
        picture[..., 2] = blue
        return picture

    def _mask(self, thing):
        mask = np.zeros((self.height, self.width), bool)
        mask[: self.height // 2, 6 + 10 * thing : 16 + 10 * thing] = True
        return mask
