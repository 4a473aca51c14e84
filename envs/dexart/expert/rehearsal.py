"""Playing a script in a scene built anew, before it is done in earnest.

A scene built again moves bit by bit as the first one did, so what succeeds here succeeds there. It
is the start of the episode that is built again, whenever the expert is asked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TypeVar

from envs.dexart.expert.servo import Command, Servo
from envs.dexart.reward import GOALS, Reading, stage_of
from envs.dexart.tabletop import Tabletop

Choice = TypeVar("Choice")

SUCCESS = 100.0  # the score of a script that succeeds at once
_STEPS = 140  # control steps that a script is given
_HOPELESS = 90, 0.15  # after so many of them it must have come so far


def rehearse(table: Tabletop, script: Callable[[Tabletop], Iterator[Command]]) -> float:
    """From the start of the episode: 100 less the share of the steps it took where the script
    succeeds, otherwise the progress that it made."""
    twin, most = table.again(), 0.0
    servo, commands = Servo(twin.robot), script(twin)
    for step in range(_STEPS):
        for _ in twin.robot.drive(servo.action(next(commands))):
            twin.scene.step()
        reading = twin.read(step + 1)
        most = max(most, reading.progress)
        if _succeeds(twin, reading):
            return SUCCESS - step / _STEPS
        if step > _HOPELESS[0] and most < _HOPELESS[1]:
            break
    return most


def best(
    table: Tabletop,
    script: Callable[[Choice, Tabletop], Iterator[Command]],
    choices: Sequence[Choice],
) -> Choice:
    """The first of ``choices`` with which ``script(choice, table)`` succeeds, or else the one with
    which it comes furthest."""
    furthest, chosen = -1.0, choices[0]
    for choice in choices:
        score = rehearse(table, partial(script, choice))
        if score > furthest:
            furthest, chosen = score, choice
        if score > SUCCESS - 1:
            break
    return chosen


def _succeeds(table: Tabletop, reading: Reading) -> bool:
    task = table.start.task
    stage = stage_of(task, reading, table.start.setting)
    return GOALS["upstream"][task].reached(reading, stage)
