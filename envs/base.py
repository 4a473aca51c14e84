"""ManipEnv: the Gymnasium methods, written once; a simulator fills in a handful of hooks.

Hooks of a simulator (all private to its file or folder):

========================  ==========================================================================
``_reset(seed)``          put the task in the start state that ``seed`` determines, alone
``_advance(native)``      one control step with the simulator's own action; returns the reward
``_goal_reached()``       whether the protocol's success criterion holds right now
``_sense(modality)``      one non-camera modality as an array
``_picture(kind, ...)``   one picture: ``rgb``, ``depth`` or ``segmentation``
``_physics()``            float64 (D,) full physical state; ``_set_physics(state)`` restores it
``_over()``               optional: whether the task itself is over, won or not
``expert()``              optional: a fresh :class:`Expert`
``scene_name``            optional: name of the scene that the episode is in
``measures()``            optional: what else is worth knowing of the episode so far, by name
========================  ==========================================================================
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

import gymnasium as gym
import numpy as np

from envs.schema import CAMERA_MODALITIES, ManigymError, SimulationError, TaskCard
from envs.stopwatch import Stopwatch
from envs.task_env import Expert, Observation, TaskEnv, all_finite

EXPERT_STREAM = 1
VECTORS = ("proprio", "state")


class ManipEnv(TaskEnv):
    """A task whose simulator runs in this interpreter; options: :class:`TaskEnv`.

    ``stopwatch``: seconds of ``reset``, ``simulate``, ``sense``, ``render`` and ``expert``.
    """

    def __init__(self, card: TaskCard, **options: Any) -> None:
        super().__init__(card, **options)
        self.stopwatch = Stopwatch()
        self._goals: list[bool] = []
        self._held = 0  # how many of them are true
        self._running = self._started = False
        self._expert: Expert | None = None

    # ------------------------------------------------------------------ hooks
    @abstractmethod
    def _reset(self, seed: int) -> None: ...

    @abstractmethod
    def _advance(self, native: np.ndarray) -> float: ...

    @abstractmethod
    def _goal_reached(self) -> bool: ...

    @abstractmethod
    def _sense(self, modality: str) -> np.ndarray: ...

    @abstractmethod
    def _picture(self, kind: str, camera: str, size: tuple[int, int]) -> np.ndarray: ...

    @abstractmethod
    def _physics(self) -> np.ndarray: ...

    @abstractmethod
    def _set_physics(self, state: np.ndarray) -> None: ...

    def _over(self) -> bool:
        """Whether the robot has declared the task done, won or not; ends the episode."""
        return False

    def expert(self) -> Expert:
        """A fresh expert for the running episode; raises where the task has none."""
        raise ManigymError(
            f"{self.card.id} has no expert; tasks with one: python -m benchmark list"
        )

    @property
    def scene_name(self) -> str:
        """What episodes can share and must not be split over training and test, by name; empty
        where every episode stands alone."""
        return ""

    def measures(self) -> dict[str, float]:
        """What is measured of the episode so far beside its success; finite numbers by name."""
        return {}

    # -------------------------------------------------------------- gymnasium
    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Start the episode that ``seed`` determines; without one, the next seed of this stream."""
        with self.stopwatch("reset"):
            self._reset(self._next_seed(seed))
        self._goals, self._held, self._expert = [], 0, None
        self._running = self._started = True
        return self.observe(), {"seed": self.seed_used, "success": False, "is_success": False}

    def step(self, action: np.ndarray) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        reward, terminated, truncated = self.advance(action)
        info = {"success": self.goal_reached, "is_success": self.succeeded}
        return self.observe(), reward, terminated, truncated, info

    def render(self) -> Any:
        """uint8 (H, W, 3) picture through the ``film_camera``, 256 pixels high."""
        self.require_episode()
        return self.picture("rgb", self.film_camera, (256, 256))

    def render_device(self) -> str:
        return "none"

    def object_names(self) -> tuple[str, ...]:
        return ()

    def require_episode(self) -> None:
        """Raise before the first ``reset`` (or ``restore``)."""
        if not self._started:
            raise gym.error.ResetNeeded(f"{self.card.id}: call reset() first")

    # ----------------------------------------------- without paying for a look
    def advance(self, action: np.ndarray) -> tuple[float, bool, bool]:
        """One step without observing: (reward, terminated, truncated)."""
        self.require_episode()
        if not self._running:
            raise gym.error.ResetNeeded(f"{self.card.id}: the episode is over, call reset() first")
        with self.stopwatch("simulate"):
            return self._control_step(self.card.action.to_native(self._checked(action)))

    def _control_step(self, native: np.ndarray) -> tuple[float, bool, bool]:
        reward = 0.0
        for _ in range(self.protocol.action_repeat):
            reward += self._advance(native)
        if not math.isfinite(reward):
            raise SimulationError(f"{self.card.id}: the simulator returned reward {reward}")
        self._goals.append(bool(self._goal_reached()))
        self._held += self._goals[-1]
        terminated = (self.ends_on_success and self.succeeded) or self._over()
        truncated = not terminated and len(self._goals) >= self.horizon
        self._running = not (terminated or truncated)
        return reward, terminated, truncated

    def observe(self) -> Observation:
        """The chosen modalities of the present state; non-finite ones are an error."""
        self.require_episode()
        with self.stopwatch("sense"):
            observation = {m: self._observe_one(m) for m in self.modalities}
        for modality in VECTORS:
            if modality in observation and not all_finite(observation[modality]):
                raise SimulationError(
                    f"{self.card.id}: the simulator returned non-finite {modality}"
                )
        return observation

    @property
    def succeeded(self) -> bool:
        """Whether the protocol's success rule is satisfied by the steps so far."""
        rule = self.protocol.success
        return self._held >= rule.count if rule.latched else rule.decide(self._goals)

    @property
    def goal_reached(self) -> bool:
        """Whether the criterion held after the last step."""
        return bool(self._goals) and self._goals[-1]

    def picture(self, kind: str, camera: str, size: tuple[int, int]) -> np.ndarray:
        """One picture of the present state, (H, W) or (H, W, 3); ``size`` is (height, width)."""
        with self.stopwatch("render"):
            return self._picture(kind, camera, size)

    # ---------------------------------------------------------- state as data
    def snapshot(self) -> dict[str, Any]:
        """Everything needed to continue from here with :meth:`restore` (same id and options)."""
        self.require_episode()
        return {
            "physics": self._physics().copy(),
            "goals": list(self._goals),
            "running": self._running,
        }

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        """Return to a :meth:`snapshot`; an expert of this episode starts afresh."""
        self._set_physics(snapshot["physics"])
        self._goals, self._running = list(snapshot["goals"]), snapshot["running"]
        self._held, self._expert, self._started = sum(self._goals), None, True

    def state_bytes(self) -> bytes:
        """The physical state, bit for bit; a non-finite one is an error."""
        state = self._physics()
        if not all_finite(state):
            raise SimulationError(f"{self.card.id}: the simulator's state is not finite any more")
        return state.tobytes()

    def sim_state(self) -> np.ndarray:
        """float64 (D,) simulator state as demonstration files store it."""
        return self._physics()

    def expert_rng(self) -> np.random.Generator:
        """The expert's own stream, fixed by the episode's seed."""
        return np.random.default_rng([self.seed_used, EXPERT_STREAM])

    def _observe_one(self, modality: str) -> Any:
        if modality in CAMERA_MODALITIES:
            return {c: self.picture(modality, c, self.image_size) for c in self.cameras}
        if modality == "expert":
            return self.expert_action()
        if modality == "instruction":
            return self.instruction
        return self._sense(modality)

    @property
    def instruction(self) -> str:
        """The goal of this episode in words; by default the first of the card's."""
        return self.card.instructions[0]

    def expert_action(self) -> np.ndarray:
        """float32 (A,) that the episode's own expert does now; zeros when the episode is over."""
        if not self._running:
            return np.zeros(self.card.action.size, np.float32)
        with self.stopwatch("expert"):
            if self._expert is None:
                self._expert = self.expert()
            return np.clip(self._expert.act(), -1.0, 1.0).astype(np.float32)
