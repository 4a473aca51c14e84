"""TaskEnv: one task behind the common schema, wherever its simulator runs.

Its constructor turns a task card and the caller's options into spaces; ``envs.base.ManipEnv`` adds
a simulator in this interpreter, ``envs.isolation.env.IsolatedEnv`` one in a worker process.
"""

from __future__ import annotations

import hashlib
import math
from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from numbers import Integral
from typing import Any, Protocol

import gymnasium as gym
import numpy as np
from gymnasium import spaces

from envs.schema import MODALITIES, Interface, ManigymError, TaskCard, flatten
from envs.spaces import flat_shapes, observation_space

Observation = dict[str, Any]


class Expert(Protocol):
    """A controller with privileged access to one environment, valid for one episode."""

    def act(self) -> np.ndarray:
        """float32 (A,) action in [-1, 1] for the environment's present state."""
        ...


class TaskEnv(gym.Env[Observation, np.ndarray]):
    """One task behind the common schema.

    Options (all of ``gymnasium.make``): ``observations`` modalities to compute, nothing else is
    paid for; ``cameras`` a subset of the card's; ``image_size`` (height, width) pixels;
    ``num_points`` N of the point cloud; ``protocol`` a name of the card; ``horizon`` and
    ``terminate_on_success`` override the protocol's (only a latched success ends an episode);
    ``render_profile`` see ``envs.rendering``; ``film_camera`` what :meth:`render` looks through,
    one of the card's ``film_cameras``. ``isolation`` (``auto``, ``in_process`` or ``process``) and
    ``deadline`` say where the simulator runs: see ``envs.make``.

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
        film_camera: str | None = None,
    ) -> None:
        self.card = card = card.under(protocol)
        self.protocol = card.protocol(protocol)
        self.horizon = _positive("horizon", self.protocol.horizon if horizon is None else horizon)
        ends = self.protocol.terminate_on_success
        ends = ends if terminate_on_success is None else terminate_on_success
        self.ends_on_success = ends and self.protocol.success.latched
        self.modalities = _known("observation", observations, card.modalities, card.id)
        self.cameras = _known(
            "camera", card.cameras if cameras is None else cameras, card.cameras, card.id
        )
        if cameras is not None and (not self.cameras or len({*self.cameras}) < len(self.cameras)):
            raise ManigymError(
                f"{card.id}: cameras must be one or more different ones of "
                f"{', '.join(card.cameras)}; got {list(self.cameras)}"
            )
        self.image_size = _size(card.image_size if image_size is None else image_size)
        self.num_points = _positive(
            "num_points", card.num_points if num_points is None else num_points
        )
        if render_mode not in (None, "rgb_array"):
            raise ManigymError(f"{card.id} has no render_mode {render_mode!r}; use 'rgb_array'")
        film = card.film_camera(self.cameras) if film_camera is None else film_camera
        (self.film_camera,) = _known("film_camera", film, card.film_cameras, card.id)
        self.render_profile = render_profile
        self.render_mode = render_mode
        self.metadata = self.metadata | {"render_fps": round(self.protocol.control_hz)}
        self.action_space = spaces.Box(-1.0, 1.0, (card.action.size,), np.float32)
        self.observation_space = observation_space(
            card, self.modalities, self.cameras, self.image_size, self.num_points
        )
        self.seed_used = -1

    # -------------------------------------------------------------- an episode
    @abstractmethod
    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Start the episode that ``seed`` determines; without one, the next seed of this stream."""

    @abstractmethod
    def step(self, action: np.ndarray) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """One control step of float32 (A,) in [-1, 1]."""

    @abstractmethod
    def advance(self, action: np.ndarray) -> tuple[float, bool, bool]:
        """One step without observing: (reward, terminated, truncated)."""

    @abstractmethod
    def observe(self) -> Observation:
        """The chosen modalities of the present state."""

    @abstractmethod
    def render(self) -> Any:
        """uint8 (H, W, 3) picture through the ``film_camera``, 256 pixels high."""

    @abstractmethod
    def render_device(self) -> str:
        """What draws the pictures, e.g. ``osmesa`` or a Vulkan device's name."""

    @abstractmethod
    def object_names(self) -> Sequence[str]:
        """What the numbers of a segmentation picture stand for, in order."""

    @property
    @abstractmethod
    def goal_reached(self) -> bool:
        """Whether the criterion held after the last step."""

    @property
    @abstractmethod
    def succeeded(self) -> bool:
        """Whether the protocol's success rule is satisfied by the steps so far."""

    @abstractmethod
    def expert(self) -> Expert:
        """A fresh expert for the running episode; raises where the task has none."""

    # ---------------------------------------------------------- state as data
    @abstractmethod
    def snapshot(self) -> dict[str, Any]:
        """Everything needed to continue from here with :meth:`restore` (same id and options)."""

    @abstractmethod
    def restore(self, snapshot: Mapping[str, Any]) -> None:
        """Return to a :meth:`snapshot`; an expert of this episode starts afresh."""

    @abstractmethod
    def sim_state(self) -> np.ndarray:
        """float64 (D,) simulator state as demonstration files store it."""

    @abstractmethod
    def state_bytes(self) -> bytes:
        """The physical state, bit for bit."""

    def state_hash(self) -> str:
        """16 hex digits of the physical state."""
        return hashlib.blake2b(self.state_bytes(), digest_size=8).hexdigest()

    # --------------------------------------------------------------- the same for all
    def observe_flat(self) -> Observation:
        """:meth:`observe` with flat keys."""
        return flatten(self.observe())

    @property
    def interface(self) -> Interface:
        """Flat shapes and dtypes, as stored in checkpoints and datasets."""
        assert isinstance(self.observation_space, spaces.Dict)
        action, shapes = self.card.action, flat_shapes(self.observation_space)
        return Interface(self.card.id, action.size, shapes, action, self.protocol.action_repeat)

    @property
    def chosen(self) -> dict[str, Any]:
        """The options in force, defaults filled in: makes an equal environment anywhere."""
        return {
            "observations": self.modalities,
            "cameras": self.cameras,
            "image_size": self.image_size,
            "num_points": self.num_points,
            "protocol": self.protocol.name,
            "horizon": self.horizon,
            "terminate_on_success": self.ends_on_success,
            "render_profile": self.render_profile,
            "render_mode": self.render_mode,
            "film_camera": self.film_camera,
        }

    def _next_seed(self, seed: int | None) -> int:
        """The seed itself, or the next one of this environment's stream."""
        if seed is not None and not (isinstance(seed, Integral) and 0 <= seed < 2**64):
            raise ManigymError(
                f"{self.card.id}: seeds are whole numbers from 0 and below 2**64, got {seed!r}"
            )
        seed = None if seed is None else int(seed)  # Gymnasium takes none of NumPy's
        gym.Env.reset(self, seed=seed)
        self.seed_used = int(self.np_random.integers(2**32)) if seed is None else seed
        return self.seed_used

    def _checked(self, action: np.ndarray) -> np.ndarray:
        a = np.asarray(action, np.float32)
        if a.shape != self.action_space.shape:
            raise ManigymError(
                f"{self.card.id} takes actions of shape {self.action_space.shape}, got {a.shape}"
            )
        if not all_finite(a):
            bad = [i for i, v in enumerate(a) if not math.isfinite(v)]
            raise ManigymError(
                f"{self.card.id}: action has non-finite values at {bad}; "
                "check the policy's output and normaliser"
            )
        return np.minimum(np.maximum(a, -1.0), 1.0)  # a third of the time that clip takes


def all_finite(vector: np.ndarray) -> bool:
    """Whether a float (D,) holds no NaN and no infinity; the usual yes costs one product."""
    return math.isfinite(vector.dot(vector)) or bool(np.isfinite(vector).all())


def _known(what: str, asked: Sequence[str], offered: Sequence[str], env: str) -> tuple[str, ...]:
    names = (asked,) if isinstance(asked, str) else tuple(asked)
    wrong = [n for n in names if n not in offered]
    if wrong:
        hint = f" ({MODALITIES[wrong[0]]})" if wrong[0] in MODALITIES else ""
        raise ManigymError(
            f"{env} has no {what} {wrong[0]!r}{hint}; it offers: {', '.join(offered)}"
        )
    return names


def one_of(simulator: str, what: str, value: str, offered: Iterable[str]) -> str:
    """The value, if it is one of those that a simulator's option offers."""
    names = tuple(offered)
    if not isinstance(value, str) or value not in names:
        raise ManigymError(f"{simulator} has no {what} {value!r}; it offers: {', '.join(names)}")
    return value


def _positive(what: str, value: int) -> int:
    if not isinstance(value, Integral) or value < 1:
        raise ManigymError(f"{what} must be a whole number of at least 1, got {value!r}")
    return int(value)


def _size(size: Sequence[int]) -> tuple[int, int]:
    if isinstance(size, (str, Integral)) or len(size) != 2:
        raise ManigymError(
            f"image_size must be (height, width), got {size!r}; on the command line "
            "env.image_size=[64,64]"
        )
    height, width = size
    return _positive("image height", height), _positive("image width", width)
