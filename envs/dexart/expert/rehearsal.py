"""Playing a script in a scene built anew, before it is done in earnest.

A scene built again moves bit by bit as the first one did, so what succeeds here succeeds there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TypeVar

import numpy as np

from envs.dexart import world
from envs.dexart.expert.servo import Command, Servo
from envs.dexart.reading import Touch, read
from envs.dexart.reward import GOALS, stage_of
from envs.dexart.robot import TIMESTEP, Robot
from envs.dexart.setting import SETTINGS
from envs.dexart.things import Thing
from envs.sapien.line import line
from envs.sapien.scene import Scene

Choice = TypeVar("Choice")

SUCCESS = 100.0  # the score of a script that succeeds at once
_STEPS = 140  # control steps that a script is given
_HOPELESS = 90, 0.15  # after so many of them it must have come so far


def rehearse(
    task: str, robot: Robot, thing: Thing, script: Callable[[Robot, Thing], Iterator[Command]]
) -> float:
    """From the start of the episode: 100 less the share of the steps it took where the script
    succeeds, otherwise the progress that it made."""
    setting, goal = SETTINGS[task], GOALS["upstream"][task]
    scene, twin, copy = _again(task, robot, thing)
    touch, servo, most = Touch(copy, twin), Servo(twin), 0.0
    commands = script(twin, copy)
    for step in range(_STEPS):
        for _ in twin.drive(servo.action(next(commands)).astype(np.float64)):
            scene.step()
        reading = read(step + 1, copy, twin, touch, scene.contacts())
        most = max(most, reading.progress)
        if goal.reached(reading, stage_of(task, reading, setting)):
            return SUCCESS - step / _STEPS
        if step > _HOPELESS[0] and most < _HOPELESS[1]:
            break
    return most


def best(
    task: str,
    robot: Robot,
    thing: Thing,
    script: Callable[[Choice, Robot, Thing], Iterator[Command]],
    choices: Sequence[Choice],
) -> Choice:
    """The first of ``choices`` with which ``script(choice, robot, thing)`` succeeds, or else the
    one with which it comes furthest."""
    furthest, chosen = -1.0, choices[0]
    for choice in choices:
        score = rehearse(task, robot, thing, partial(script, choice))
        if score > furthest:
            furthest, chosen = score, choice
        if score > SUCCESS - 1:
            break
    return chosen


def _again(task: str, robot: Robot, thing: Thing) -> tuple[Scene, Robot, Thing]:
    """The start of the episode, built as :class:`~envs.dexart.env.DexArtEnv` builds it."""
    setting, make = SETTINGS[task], line()
    scene = make.scene(TIMESTEP, False)
    world.furnish(scene, solid=False)
    world.stand(scene, setting)
    twin = Robot(scene, beside=make.scene(TIMESTEP, False))
    twin.stand(robot.links["link_base"].pose)
    copy = Thing(scene, task, thing.instance, setting)
    copy.start(thing.root)
    return scene, twin, copy
