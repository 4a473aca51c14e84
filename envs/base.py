"""ManipEnv: the Gymnasium methods, written once; a simulator fills in a handful of hooks.

Hooks of a simulator (all private to its file or folder):

========================  ==========================================================================
``_reset(seed)``          put the task in the start state that ``seed`` determines, alone
``_advance(native)``      one control step with the simulator's own action; returns the reward
``_goal_reached()``       whether the protocol's success criterion holds right now
``_sense(modality)``      one non-camera modality as an array
``_picture(kind, ...)``   one picture: ``rgb``, ``depth`` or ``segmentation``
``_physics()``            float64 (D,) full physical state; ``_set_physics(state)`` restores it
``expert()``              optional: a fresh :class:`Expert`
========================  ==========================================================================
"""

from __future__ import annotations

import hashlib
import math
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from numbers import Integral
from typing import Any, Protocol

import gymnasium as gym
import numpy as np
from gymnasium import spaces

from envs.schema import (
    CAMERA_MODALITIES,
    MODALITIES,
    Interface,
    ManigymError,
    SimulationError,
    TaskCard,
    flatten,
)

Observation = dict[str, Any]
EXPERT_STREAM = 1


class Expert(Protocol):
    """A controller with privileged access to one environment, valid for one episode."""

    def act(self) -> np.ndarray:
        """float32 (A,) action in [-1, 1] for the environment's present state."""
        ...


class ManipEnv(gym.Env[Observation, np.ndarray]):
    """One task behind the common schema.

    Options (all of ``gymnasium.make``): ``observations`` modalities to compute, nothing else is
    paid for; ``cameras`` a subset of the card's; ``image_size`` (height, width) pixels;
    ``num_points`` N of the point cloud; ``protocol`` a name of the card; ``horizon`` and
    ``terminate_on_success`` override the protocol's (only a latched success ends an episode);
    ``render_profile`` see ``envs.rendering``.

    ``step`` returns ``info = {"success": goal reached now, "is_success": succeeded so far}``.
    Actions outside [-1, 1] are clipped; non-finite ones raise ``ManigymError``.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 20}  # noqa: RUF012  as gym.Env has it

    def __init__(
        self,
        card: TaskCard,
        *,
        observations: Sequence[str] = ("proprio", "state"),
        cameras: Sequence[str] | None = None,
        image_size: Sequence[int] | None = None,
        num_points: int | None = None,
        protocol: str | None = None,
        horizon: int | None = None,
        terminate_on_success: bool | None = None,
        render_profile: str = "fast",
        render_mode: str | None = None,
    ) -> None:
        self.card = card
        self.protocol = card.protocol(protocol)
        self.horizon = _positive("horizon", self.protocol.horizon if horizon is None else horizon)
        ends = self.protocol.terminate_on_success
        ends = ends if terminate_on_success is None else terminate_on_success
        self._ends_on_success = ends and self.protocol.success.latched
        self.modalities = _known("observation", observations, card.modalities, card.id)
        self.cameras = _known(
            "camera", card.cameras if cameras is None else cameras, card.cameras, card.id
        )
        self.image_size = _size(card.image_size if image_size is None else image_size)
        self.num_points = _positive(
            "num_points", card.num_points if num_points is None else num_points
        )
        self.render_profile = render_profile
        self.render_mode = render_mode
        self.metadata = self.metadata | {"render_fps": round(self.protocol.control_hz)}
        self.action_space = spaces.Box(-1.0, 1.0, (card.action.size,), np.float32)
        self._spaces = {m: self._space(m) for m in self.modalities}
        self.observation_space = spaces.Dict(self._spaces)
        self.seed_used = -1
        self._goals: list[bool] = []
        self._running = False
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

    def expert(self) -> Expert:
        """A fresh expert for the running episode; raises where the task has none."""
        raise ManigymError(
            f"{self.card.id} has no expert; tasks with one: python -m benchmark list"
        )

    # -------------------------------------------------------------- gymnasium
    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Start the episode that ``seed`` determines; without one, the next seed of this stream."""
        super().reset(seed=seed)
        self.seed_used = int(self.np_random.integers(2**32)) if seed is None else seed
        self._reset(self.seed_used)
        self._goals, self._running, self._expert = [], True, None
        return self.observe(), {"seed": self.seed_used, "success": False, "is_success": False}

    def step(self, action: np.ndarray) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        reward, terminated, truncated = self.advance(action)
        info = {"success": self._goals[-1], "is_success": self.succeeded}
        return self.observe(), reward, terminated, truncated, info

    def render(self) -> Any:
        """uint8 (H, W, 3) picture of the first chosen camera, 256 pixels high."""
        camera = (self.cameras or self.card.cameras)[0]
        return self._picture("rgb", camera, (256, 256))

    # ----------------------------------------------- without paying for a look
    def advance(self, action: np.ndarray) -> tuple[float, bool, bool]:
        """One step without observing: (reward, terminated, truncated)."""
        if not self._running:
            raise gym.error.ResetNeeded(f"{self.card.id}: the episode is over, call reset() first")
        native = self.card.action.to_native(self._checked(action))
        reward = 0.0
        for _ in range(self.protocol.action_repeat):
            reward += self._advance(native)
        if not math.isfinite(reward):
            raise SimulationError(f"{self.card.id}: the simulator returned reward {reward}")
        self._goals.append(bool(self._goal_reached()))
        terminated = self._ends_on_success and self.succeeded
        truncated = not terminated and len(self._goals) >= self.horizon
        self._running = not (terminated or truncated)
        return reward, terminated, truncated

    def observe(self) -> Observation:
        """The chosen modalities of the present state."""
        return {m: self._observe_one(m) for m in self.modalities}

    def observe_flat(self) -> Observation:
        """:meth:`observe` with flat keys."""
        return flatten(self.observe())

    @property
    def succeeded(self) -> bool:
        """Whether the protocol's success rule is satisfied by the steps so far."""
        return self.protocol.success.decide(self._goals)

    @property
    def interface(self) -> Interface:
        """Flat shapes and dtypes, as stored in checkpoints and datasets."""
        flat = flatten({m: getattr(s, "spaces", s) for m, s in self._spaces.items()})
        shapes = {k: (tuple(s.shape or ()), np.dtype(s.dtype).name) for k, s in flat.items()}
        return Interface(self.card.id, self.card.action.size, shapes)

    # ---------------------------------------------------------- state as data
    def snapshot(self) -> dict[str, Any]:
        """Everything needed to continue from here with :meth:`restore` (same id and options)."""
        return {
            "physics": self._physics().copy(),
            "goals": list(self._goals),
            "running": self._running,
        }

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        """Return to a :meth:`snapshot`; an expert of this episode starts afresh."""
        self._set_physics(snapshot["physics"])
        self._goals, self._running = list(snapshot["goals"]), snapshot["running"]
        self._expert = None

    def state_bytes(self) -> bytes:
        """The physical state, bit for bit."""
        return self._physics().tobytes()

    def state_hash(self) -> str:
        """16 hex digits of the physical state."""
        return hashlib.blake2b(self.state_bytes(), digest_size=8).hexdigest()

    def sim_state(self) -> np.ndarray:
        """float64 (D,) simulator state as demonstration files store it."""
        return self._physics()

    def expert_rng(self) -> np.random.Generator:
        """The expert's own stream, fixed by the episode's seed."""
        return np.random.default_rng([self.seed_used, EXPERT_STREAM])

    # ---------------------------------------------------------------- helpers
    def _checked(self, action: np.ndarray) -> np.ndarray:
        a = np.asarray(action, np.float32)
        if a.shape != self.action_space.shape:
            raise ManigymError(
                f"{self.card.id} takes actions of shape {self.action_space.shape}, got {a.shape}"
            )
        if not math.isfinite(a.sum()):
            bad = [i for i, v in enumerate(a) if not math.isfinite(v)]
            raise ManigymError(
                f"{self.card.id}: action has non-finite values at {bad}; "
                "check the policy's output and normaliser"
            )
        return a.clip(-1.0, 1.0)

    def _observe_one(self, modality: str) -> Any:
        if modality in CAMERA_MODALITIES:
            return {c: self._picture(modality, c, self.image_size) for c in self.cameras}
        if modality == "expert":
            return self._expert_action()
        if modality == "instruction":
            return self.card.instructions[0]
        return self._sense(modality)

    def _expert_action(self) -> np.ndarray:
        if not self._running:
            return np.zeros(self.card.action.size, np.float32)
        if self._expert is None:
            self._expert = self.expert()
        return np.clip(self._expert.act(), -1.0, 1.0).astype(np.float32)

    def _space(self, modality: str) -> spaces.Space[Any]:
        height, width = self.image_size
        sizes = {
            "proprio": (sum(g.size for g in self.card.proprio),),
            "state": (sum(g.size for g in self.card.state),),
            "point_cloud": (self.num_points, 6),
        }
        if modality in sizes:
            return spaces.Box(-np.inf, np.inf, sizes[modality], np.float32)
        if modality == "expert":
            return spaces.Box(-1.0, 1.0, (self.card.action.size,), np.float32)
        if modality == "instruction":
            return spaces.Text(256, charset="".join(map(chr, range(32, 127))))
        pictures: dict[str, spaces.Space[Any]] = {
            "rgb": spaces.Box(0, 255, (height, width, 3), np.uint8),
            "depth": spaces.Box(0.0, np.inf, (height, width), np.float32),
            "segmentation": spaces.Box(-1, 2**31 - 1, (height, width), np.int32),
        }
        return spaces.Dict(dict.fromkeys(self.cameras, pictures[modality]))


def _known(what: str, asked: Sequence[str], offered: Sequence[str], env: str) -> tuple[str, ...]:
    names = (asked,) if isinstance(asked, str) else tuple(asked)
    wrong = [n for n in names if n not in offered]
    if wrong:
        hint = f" ({MODALITIES[wrong[0]]})" if wrong[0] in MODALITIES else ""
        raise ManigymError(
            f"{env} has no {what} {wrong[0]!r}{hint}; it offers: {', '.join(offered)}"
        )
    return names


def _positive(what: str, value: int) -> int:
    if not isinstance(value, Integral) or value < 1:
        raise ManigymError(f"{what} must be a whole number of at least 1, got {value!r}")
    return int(value)


def _size(size: Sequence[int]) -> tuple[int, int]:
    if isinstance(size, (str, Integral)) or len(size) != 2:
        raise ManigymError(f"image_size must be (height, width), got {size!r}")
    height, width = size
    return _positive("image height", height), _positive("image width", width)
