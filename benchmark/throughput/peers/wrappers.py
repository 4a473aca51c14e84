"""What stands around an environment in a peer's process, and how it is made there."""

from __future__ import annotations

import os
import signal
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from gymnasium.vector.utils import batch_space

import envs  # noqa: F401  (registers the ids in every process that makes one)
from envs.bare import make_bare
from envs.isolation.interpreter import THREADS
from envs.registry import install_hint, installed
from envs.schema import FlatObservation, ManigymError, flatten
from envs.vectors import FloatArray

Step = tuple[FlatObservation, float, bool, bool, dict[str, Any]]


class Log(NamedTuple):
    """What an episode came to: control steps and the sum of their rewards."""

    steps: int
    total_reward: float


def _ours(env: str, options: Mapping[str, Any]) -> gym.Env[Any, Any]:
    return gym.make(env, **{**options, "isolation": "in_process"})


def _upstream(env: str, options: Mapping[str, Any]) -> gym.Env[Any, Any]:
    return _ours(env, {**options, "render_profile": "upstream"})


# What stands behind the colon of a peer's name: which environments it steps.
VARIANTS: Mapping[str, Callable[[str, Mapping[str, Any]], gym.Env[Any, Any]]] = {
    "": _ours,  # exactly those of our own contender
    "upstream": _upstream,  # ours with the pictures that the simulator draws by default
    "bare": make_bare,  # the simulator's own
}


@dataclass(frozen=True)
class Make:
    """Makes a job's environment in whichever process it is called.

    ``episodic``: see :class:`Episodic`; ``n_obs``: how many frames :class:`MultiStep` gives, and
    none stands around it where that is 0.
    """

    env: str
    options: Mapping[str, Any]
    variant: str = ""
    episodic: bool = False
    n_obs: int = 0

    def __post_init__(self) -> None:
        if self.variant not in VARIANTS:
            known = ", ".join(f"':{name}'" for name in VARIANTS if name)
            raise ManigymError(
                f"--against PEER:{self.variant}: no such environments; behind a peer's name stands "
                f"{known}, or nothing for our own"
            )

        if not installed(self.env):
            raise ManigymError(
                f"--against: peers run simulators in this Python, which does not hold that of "
                f"{self.env}; install it here ({install_hint(self.env)}), or leave out --against"
            )

    def __call__(self) -> gym.Env[Any, Any]:
        if self.n_obs:
            return MultiStep(self.episode(), self.n_obs)
        return self.episode() if self.episodic else self._flat()

    def episode(self) -> Episodic:
        """It, one episode at a time."""
        return Episodic(self._flat())

    def _flat(self) -> Flat:
        return Flat(VARIANTS[self.variant](self.env, self.options))


@contextmanager
def thread_settings() -> Iterator[None]:
    """Processes that are started inside get the thread settings of our own workers
    (``OMP_NUM_THREADS=1``, ``LP_NUM_THREADS=0``): without them two of a peer's would fight. And
    Ctrl-C goes to this process alone, as with ours."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # they inherit it
    try:
        with _variables(THREADS):
            yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)  # what came meanwhile comes now


@contextmanager
def _variables(wanted: Mapping[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


class Flat(gym.ObservationWrapper[FlatObservation, Any, Any]):
    """Observations with flat keys, as vector environments and policies take them."""

    def __init__(self, env: gym.Env[Any, Any]) -> None:
        super().__init__(env)
        space = env.observation_space
        assert isinstance(space, spaces.Dict)
        flat = flatten({name: getattr(s, "spaces", s) for name, s in space.spaces.items()})
        texts = [key for key, s in flat.items() if isinstance(s, spaces.Text)]
        if texts:
            raise ManigymError(f"peers carry arrays alone: leave {texts[0]} out of observations")
        self.observation_space = spaces.Dict(flat)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[FlatObservation, dict[str, Any]]:
        """``options["seed"]`` is a seed as well: not every peer can pass one to each."""
        return super().reset(seed=_seed(seed, options))

    def observation(self, observation: Mapping[str, Any]) -> FlatObservation:
        return flatten(observation)


def _seed(seed: int | None, options: Mapping[str, Any] | None) -> int | None:
    return (options or {}).get("seed", seed)


class Episodic(gym.Wrapper[FlatObservation, Any, FlatObservation, Any]):
    """One episode for every reset with a seed; when it is over, nothing more is simulated.

    Vector environments step all of their environments until the last one has ended, and some reset
    by themselves: steps and resets (without a seed) after the end give the last observation again.
    """

    def __init__(self, env: gym.Env[FlatObservation, Any]) -> None:
        super().__init__(env)
        self.over, self._steps, self._total = True, 0, 0.0
        self._last: FlatObservation = {}

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[FlatObservation, dict[str, Any]]:
        seed = _seed(seed, options)
        if seed is not None:
            self._last, _ = self.env.reset(seed=seed)
            self.over, self._steps, self._total = False, 0, 0.0
        return self._last, {}

    def step(self, action: FloatArray) -> Step:
        if self.over:
            return self._last, 0.0, False, False, {}
        self._last, reward, terminated, truncated, _ = self.env.step(action)
        self._steps += 1
        self._total += float(reward)
        self.over = terminated or truncated
        return self._last, float(reward), terminated, truncated, {}

    def log(self) -> Log:
        """Of the last episode."""
        return Log(self._steps, self._total)


class MultiStep(gym.Wrapper[FlatObservation, Any, FlatObservation, Any]):
    """Executes a chunk of actions (K, A) in one step and gives the newest frames, key -> (O, ...).

    What Diffusion Policy's evaluation (``MultiStepWrapper``), and ManiFlow's after it, do: every
    step of the chunk is observed, and the first frame of an episode is repeated.
    """

    def __init__(self, env: Episodic, n_obs: int) -> None:
        super().__init__(env)
        assert isinstance(env.observation_space, spaces.Dict)
        self._episode = env
        self._frames: deque[FlatObservation] = deque(maxlen=n_obs)
        self.observation_space = batch_space(env.observation_space, n_obs)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[FlatObservation, dict[str, Any]]:
        first, info = self._episode.reset(seed=seed, options=options)
        if not self._episode.over:
            self._frames.extend([first] * (self._frames.maxlen or 1))
        return self._window(), info

    def step(self, chunk: FloatArray) -> Step:
        total, terminated, truncated = 0.0, False, False
        for action in chunk:
            if self._episode.over:
                break
            frame, reward, terminated, truncated, _ = self._episode.step(action)
            self._frames.append(frame)
            total += reward
        return self._window(), total, terminated, truncated, {}

    def _window(self) -> FlatObservation:
        return {key: np.stack([f[key] for f in self._frames]) for key in self._frames[-1]}
