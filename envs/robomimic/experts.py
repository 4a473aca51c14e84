"""Scripted experts: one waypoint controller, and per task a small table of phases.

Every action is a proportional step towards a waypoint that is computed afresh from the measured
hand and object poses, so demonstrations are smooth and a function of what a policy can observe.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from scipy.spatial.transform import Rotation

OPEN, CLOSE = -1.0, 1.0
_POSITION_GAIN = 12.0  # action per metre: each step asks for 0.6 of the distance
_ROTATION_GAIN = 1.2  # action per radian
_CONE_RADIUS, _CONE_HEIGHT = 0.01, 0.10  # metres: no detour within, never higher than
_LOST = 0.05  # metres between grip site and grasp point: the object slipped away
_DOWN = Rotation.from_euler("x", np.pi)


@dataclass(frozen=True)
class Phase:
    """Drive ``moves`` to ``anchor`` + ``offset`` (metres) with the gripper command ``grip``.

    ``anchor``: "grasp" the grasp point of the object now, "goal" the script's goal, "here" where
    the hand was when the phase began. ``cone``: metres of extra height per metre of horizontal
    error, for approaching from above. The phase ends after ``steps`` steps if that is given, else
    within ``tolerance`` metres and 3 times as many radians of yaw.
    """

    name: str
    anchor: Literal["grasp", "goal", "here"]
    grip: float
    offset: tuple[float, float, float] = (0.0, 0.0, 0.0)
    moves: Literal["hand", "object"] = "hand"
    tolerance: float = 0.01
    steps: int = 0
    cone: float = 0.0


@dataclass(frozen=True)
class Script:
    """``grasp``: grasp point in the object's frame. ``hand_period``: radians of yaw after which the
    object feels the same to the hand; None keeps the hand straight. ``goal_yaws``: yaws in radians
    that the object may have at the goal; none means any."""

    object: str
    phases: tuple[Phase, ...]
    grasp: tuple[float, float, float] = (0.0, 0.0, 0.0)
    goal: tuple[float, float, float] = (0.0, 0.0, 0.0)
    hand_period: float | None = None
    goal_yaws: tuple[float, ...] = ()


# The hand aims below the grasp point and passes it in motion: were it to slow down there first, a
# cloned policy would come to rest with the gripper still open.
_REACH = Phase("reach", "grasp", OPEN, (0.0, 0.0, -0.015), tolerance=0.02, cone=2.0)
_CLOSE = Phase("close", "here", CLOSE, steps=7)
SCRIPTS: Mapping[str, Script] = {
    "lift": Script(
        "cube",
        (
            _REACH,
            _CLOSE,
            Phase("lift", "here", CLOSE, (0.0, 0.0, 0.2)),
        ),
        hand_period=np.pi / 2,
    ),
    "can": Script(
        "Can",
        (
            _REACH,
            _CLOSE,
            Phase("lift", "here", CLOSE, (0.0, 0.0, 0.16), tolerance=0.04),
            Phase("carry", "goal", CLOSE, (0.0, 0.0, 0.13), moves="object", tolerance=0.02),
            Phase("lower", "goal", CLOSE, moves="object", tolerance=0.015),
            Phase("open", "here", OPEN, steps=4),
            Phase("retreat", "here", OPEN, (0.0, 0.0, 0.15)),
        ),
        grasp=(0.0, 0.0, 0.01),
        goal=(0.155, 0.34, 0.87),  # in robosuite PickPlace's bin 3, at the corner the arm reaches
    ),
    "square": Script(
        "SquareNut",
        (
            _REACH,
            _CLOSE,
            Phase("lift", "here", CLOSE, (0.0, 0.0, 0.17), tolerance=0.03),
            Phase("carry", "goal", CLOSE, (0.0, 0.0, 0.15), moves="object", tolerance=0.006),
            Phase("lower", "goal", CLOSE, moves="object", tolerance=0.015),
            Phase("open", "here", OPEN, steps=4),
            Phase("retreat", "here", OPEN, (0.0, 0.0, 0.15)),
        ),
        grasp=(0.054, 0.0, 0.0),  # the handle site of robosuite's square nut
        goal=(0.23, 0.10, 0.85),  # robosuite PegsArena peg1, nut a little above the table
        hand_period=np.pi,
        goal_yaws=(np.pi / 2, np.pi, -np.pi / 2),  # at 0 the handle points out of the arm's reach
    ),
}


class WaypointExpert:
    """Plays a :class:`Script`; starts again at the first phase when the object is lost.

    ``observe`` gives robosuite's present observations; ``noise`` is the standard deviation of what
    ``rng`` adds to the actions.
    """

    def __init__(
        self,
        observe: Callable[[], Mapping[str, Any]],
        script: Script,
        rng: np.random.Generator,
        noise: float = 0.0,
    ) -> None:
        self._observe, self._script, self._rng, self._noise = observe, script, rng, noise
        self._start(0)

    def act(self) -> np.ndarray:
        """float32 (7,) action in [-1, 1] for the present state."""
        self._sense()
        if self._script.phases[self._index].moves == "object" and self._slipped():
            self._start(0)
        while self._finished() and self._index + 1 < len(self._script.phases):
            self._start(self._index + 1)
        step, turn = self._errors()
        action = np.concatenate(
            [
                _limited(_POSITION_GAIN * step),
                _limited(_ROTATION_GAIN * self._rotation(turn)),
                [self._script.phases[self._index].grip],
            ]
        )
        self._steps += 1
        if self._noise:
            action = action + self._rng.normal(0.0, self._noise, 7)
        return np.clip(action, -1.0, 1.0).astype(np.float32)

    def _start(self, index: int) -> None:
        self._index, self._steps = index, 0
        self._sense()
        self._here = self._hand

    def _sense(self) -> None:
        seen = self._observe()
        self._hand = seen["robot0_eef_pos"]
        self._hand_turn = Rotation.from_quat(seen["robot0_eef_quat"])
        self._object = seen[f"{self._script.object}_pos"]
        self._object_turn = Rotation.from_quat(seen[f"{self._script.object}_quat"])
        self._grasp = self._object + self._object_turn.apply(self._script.grasp)

    def _slipped(self) -> bool:
        return bool(np.linalg.norm(self._hand - self._grasp) > _LOST)

    def _finished(self) -> bool:
        phase = self._script.phases[self._index]
        if phase.steps:
            return self._steps >= phase.steps
        step, turn = self._errors(detour=False)
        return bool(np.linalg.norm(step) < phase.tolerance and abs(turn) < 3 * phase.tolerance)

    def _errors(self, detour: bool = True) -> tuple[np.ndarray, float]:
        """(3,) metres still to move and radians of yaw still to turn."""
        phase = self._script.phases[self._index]
        anchors = {"grasp": self._grasp, "goal": np.array(self._script.goal), "here": self._here}
        moved = self._object if phase.moves == "object" else self._hand
        step = anchors[phase.anchor] + phase.offset - moved
        if detour and phase.cone:
            outside = max(0.0, np.hypot(step[0], step[1]) - _CONE_RADIUS)
            step[2] += min(phase.cone * outside, _CONE_HEIGHT)
        return step, self._yaw_error(phase)

    def _yaw_error(self, phase: Phase) -> float:
        hand, thing = _yaw(self._hand_turn), _yaw(self._object_turn)
        if phase.moves == "object" and self._script.goal_yaws:
            return min((_wrapped(y - thing, 2 * np.pi) for y in self._script.goal_yaws), key=abs)
        if phase.anchor == "grasp" and self._script.hand_period:
            return _wrapped(thing - hand, self._script.hand_period)
        return 0.0 if self._script.hand_period else _wrapped(-hand, 2 * np.pi)

    def _rotation(self, turn: float) -> np.ndarray:
        """(3,) world rotation vector that turns the hand by ``turn`` and points it down."""
        wanted = Rotation.from_euler("z", _yaw(self._hand_turn) + turn) * _DOWN
        return (wanted * self._hand_turn.inv()).as_rotvec()


def _yaw(rotation: Rotation) -> float:
    x, y, _ = rotation.apply([1.0, 0.0, 0.0])
    return float(np.arctan2(y, x))


def _wrapped(angle: float, period: float) -> float:
    """The equivalent angle nearest to zero."""
    return float((angle + period / 2) % period - period / 2)


def _limited(vector: np.ndarray) -> np.ndarray:
    """Shrunk to at most 1 per axis, keeping the direction."""
    return vector / max(1.0, np.abs(vector).max())
