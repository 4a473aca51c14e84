"""The expert of an episode: a script's commands, one after the other, as actions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import numpy as np

from envs.dexart.expert.bucket import bucket
from envs.dexart.expert.faucet import faucet
from envs.dexart.expert.laptop import laptop
from envs.dexart.expert.servo import Command, Servo
from envs.dexart.expert.toilet import toilet
from envs.dexart.tabletop import Tabletop

# A script sees the robot and the object as they are at every step.
Script = Callable[[Tabletop], Iterator[Command]]
SCRIPTS: Mapping[str, Script] = {
    "faucet": faucet,
    "bucket": bucket,
    "laptop": laptop,
    "toilet": toilet,
}


class ScriptedExpert:
    """Follows a script; after its last command it keeps to that one."""

    def __init__(self, table: Tabletop) -> None:
        self._servo = Servo(table.robot)
        self._commands = SCRIPTS[table.start.task](table)
        self._last: Command | None = None

    def act(self) -> np.ndarray:
        """float32 (22,) for the present state."""
        self._last = next(self._commands, self._last)
        assert self._last is not None, "a script has at least one command"
        return self._servo.action(self._last)
