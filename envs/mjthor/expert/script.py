"""The scripted expert: plays the script of the task, one action per control step."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from envs.mjthor.expert.motions import Motions, OutOfReach
from envs.mjthor.expert.scene import Scene
from envs.mjthor.expert.scripts import SCRIPTS

if TYPE_CHECKING:
    from envs.mjthor.env import MJThorEnv

_ATTEMPTS = 4
_log = logging.getLogger(__name__)


class ScriptedExpert:
    """One episode's expert. A script that ends without success is played again, from the scene as
    it then is; when a motion is out of reach it says so and tries again, too."""

    def __init__(self, env: MJThorEnv) -> None:
        self._env = env
        self._motions = Motions(Scene(env.world))
        self._actions = self._play()
        self._asked, self._action = -1, np.zeros(env.card.action.size, np.float32)

    def act(self) -> np.ndarray:
        """The action float32 (A,) in [-1, 1] at the present state."""
        if self._asked != self._env.actions_taken:  # asked again about the same state: same answer
            self._asked = self._env.actions_taken
            self._action = self._encoded(next(self._actions))
        return self._action

    def _play(self) -> Iterator[np.ndarray]:
        env, motions = self._env, self._motions
        for attempt in range(_ATTEMPTS):
            try:
                yield from SCRIPTS[env.card.task](motions, env.episode)
            except OutOfReach as problem:
                place = f"house {env.house.split}/{env.house.index}"
                words = (env.card.id, env.seed_used, place, attempt, problem)
                _log.warning("%s, seed %d, %s, attempt %d: %s", *words)
                yield motions.step()
        while True:
            yield motions.step()

    def _encoded(self, action: np.ndarray) -> np.ndarray:
        """The action (A,) in [-1, 1] of a physical one with absolute arm angles."""
        if self._env.delta_arm:
            action = action.copy()
            action[5:12] -= self._env.world.robot.arm
        return np.clip(self._env.card.action.from_physical(action), -1.0, 1.0)
