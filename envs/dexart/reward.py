"""Stages, rewards and success: upstream's formulas on plain numbers.

Source: ``update_cached_state`` and ``get_reward`` in ``dexart/env/rl_env/{faucet,bucket,laptop,
toilet}_env.py`` of Kami-code/dexart-release (d6ab75e); the thresholds ``maniflow`` are those of the
copy that ManiFlow evaluates with (``third_party/dexart-release``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from envs.dexart.setting import Setting

HORIZON = 250  # control steps that rewards and the elapsed share count
SHORT_HORIZON = 100  # the bucket's under ManiFlow


@dataclass(frozen=True)
class Reading:
    """The world after a control step.

    ``step``: control steps taken. ``distance``: palm to handle, metres. ``fingers`` bool (4,):
    thumb, index, middle and ring finger touch the handle; ``palm``: the palm does. ``arm``: how
    many links of the arm touch the object. ``progress``: 1 where the joint is fully open, 0 where
    it started; the faucet's is its angle, radians. ``speeds`` (22,) rad/s of the robot's joints.
    ``cartesian_error``: how far the wrist is from where its commanded velocity would bring it, m.

    Of the bucket only: ``body`` bool (5,) fingers and palm touch its body; ``body_velocity`` (6,)
    m/s and rad/s; ``lift``: metres above the start; ``palm_up``: how far the palm faces up, -1 to
    1; ``palm_height`` and ``palm_rise``: metres that the palm is above the table, and rose by.
    """

    step: int
    distance: float
    fingers: np.ndarray
    palm: bool
    arm: int
    progress: float
    speeds: np.ndarray
    cartesian_error: float
    body: np.ndarray
    body_velocity: np.ndarray
    lift: float = 0.0
    palm_up: float = 0.0
    palm_height: float = 0.0
    palm_rise: float = 0.0


@dataclass(frozen=True)
class Goal:
    """Thresholds of success. ``progress`` must be exceeded, and ``lift`` metres; ``stage``: in
    which stage (0: in any). ``done``: thresholds at which the episode is over where they are
    not those of success; ``None`` where it never ends early. ``horizon``: control steps."""

    progress: float
    lift: float = 0.0
    stage: int = 3
    done: tuple[float, float] | None = None
    horizon: int = HORIZON

    def reached(self, reading: Reading, stage: int) -> bool:
        enough = reading.progress > self.progress and stage >= self.stage
        return enough and (self.lift == 0.0 or reading.lift > self.lift)

    def over(self, reading: Reading, stage: int) -> bool:
        """Whether upstream's episode ends here before its horizon."""
        if self.done is None:
            return self.lift == 0.0 and self.reached(reading, stage)
        progress, lift = self.done
        return stage == 3 and reading.progress > progress and reading.lift > lift


GOALS: Mapping[str, Mapping[str, Goal]] = {
    "upstream": {
        "faucet": Goal(1.5),
        "bucket": Goal(0.7, 0.25, stage=0),
        "laptop": Goal(0.95),
        "toilet": Goal(0.95),
    },
    "maniflow": {
        "faucet": Goal(1.2),
        "bucket": Goal(0.7, 0.15, stage=0, done=(0.9, 0.3), horizon=SHORT_HORIZON),
        "laptop": Goal(0.8),
        "toilet": Goal(0.95),
    },
    "held": {"bucket": Goal(0.7, 0.25)},
}


def firm(reading: Reading, setting: Setting) -> bool:
    """Whether enough fingers, and the palm where it must, touch the handle."""
    return bool(reading.fingers.sum() >= setting.fingers and (reading.palm or not setting.palm))


def stage_of(task: str, reading: Reading, setting: Setting) -> int:
    """1: the palm is far from the handle; 2: near; 3: in firm contact (bucket: and its handle at
    least half up)."""
    if reading.distance > setting.near:
        return 1
    raised = task != "bucket" or reading.progress >= 0.5
    return 3 if firm(reading, setting) and raised else 2


def reward(task: str, reading: Reading, setting: Setting, goal: Goal) -> float:
    """The staged dense reward of one control step."""
    stage = stage_of(task, reading, setting)
    held = firm(reading, setting)
    value = (
        _bucket(reading, stage, held) if task == "bucket" else _hinged(task, reading, stage, held)
    )
    if task != "bucket" and goal.over(reading, stage):
        value += (goal.horizon - reading.step) * 1.2 * reading.progress
    moving = 0.01 * float((reading.speeds.clip(-1, 1) ** 2).sum())
    return value - setting.penalty * (moving + 1e3 * reading.cartesian_error**2)


def _hinged(task: str, reading: Reading, stage: int, held: bool) -> float:
    """Faucet, laptop and toilet."""
    value = _far(reading) if stage == 1 else 0.2 * held - 0.1 * reading.arm
    if stage == 3:
        return value + reading.progress
    return value + (0.5 * min(reading.progress, 0.0) if task != "faucet" else 0.0)


def _bucket(reading: Reading, stage: int, held: bool) -> float:
    if stage == 1:
        return _far(reading)
    touching = (reading.fingers.sum() + reading.palm) / 5
    value = 0.2 * reading.palm_up - 0.2 * reading.body.sum() / 5
    value += 0.2 * held - 0.1 * (reading.arm > 0)
    value += 0.5 * reading.progress + 0.2 * reading.progress * touching
    if stage == 2:
        linear, angular = reading.body_velocity[:3], reading.body_velocity[3:]
        return float(value - 0.01 * (np.linalg.norm(linear) + np.linalg.norm(angular)))
    if reading.lift < 0.3:
        value += 100 * reading.palm_rise + reading.lift / 0.3 * 10
    return float(value)


def _far(reading: Reading) -> float:
    return -0.1 * min(reading.distance, 0.5)
