"""Gymnasium's vector environments, and the runner of Diffusion Policy's evaluation on them.

Settings: observations in shared memory and handed out without a copy (``shared_memory=True``,
``copy=False``), processes spawned with the thread settings of ours, all environments at once (no
``max_concurrency``). Where steps are counted, environments reset in the step that ends an episode
(``AutoresetMode.SAME_STEP``: no message for it). In closed loop every episode has its seed, and
one that is over costs nothing until all are: see ``Episodic``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import Any

import numpy as np
from gymnasium.vector import AsyncVectorEnv, AutoresetMode, SyncVectorEnv, VectorEnv

from benchmark.throughput.peers import lockstep
from benchmark.throughput.peers.lockstep import Frames
from benchmark.throughput.peers.wrappers import Log, Make

SETTINGS: dict[str, Any] = {"copy": False}
IN_PROCESSES: dict[str, Any] = {"shared_memory": True, "context": "spawn"}


class GymnasiumVector:
    """A ``SyncVectorEnv`` or ``AsyncVectorEnv``."""

    def __init__(self, env: VectorEnv[Any, Any, Any], size: int) -> None:
        self.env, self.size = env, size

    def reset(self, seeds: Sequence[int | None]) -> Frames:
        one_for_each: Any = list(seeds)
        frames: Frames = self.env.reset(seed=one_for_each)[0]
        return frames

    def step(self, actions: np.ndarray) -> tuple[Frames, np.ndarray]:
        frames, _, terminated, truncated, _ = self.env.step(actions)
        return frames, terminated | truncated

    def logs(self) -> list[Log]:
        assert isinstance(self.env, AsyncVectorEnv | SyncVectorEnv)
        return list(self.env.call("log"))


@contextmanager
def _opened(asynchronous: bool, make: Make, workers: int) -> Iterator[GymnasiumVector]:
    stays = make.episodic or make.n_obs
    mode = AutoresetMode.NEXT_STEP if stays else AutoresetMode.SAME_STEP
    settings = {**SETTINGS, "autoreset_mode": mode}
    makers = [make] * workers
    env = (
        AsyncVectorEnv(makers, **settings, **IN_PROCESSES)
        if asynchronous
        else SyncVectorEnv(makers, **settings)
    )
    try:
        yield GymnasiumVector(env, workers)
    finally:
        lockstep.end(env)


def open_sync(make: Make, workers: int) -> AbstractContextManager[GymnasiumVector]:
    """All environments in this process."""
    return _opened(False, make, workers)


def open_async(make: Make, workers: int) -> AbstractContextManager[GymnasiumVector]:
    """A process for each."""
    return _opened(True, make, workers)


sync_steps = partial(lockstep.steps, "sync", open_sync)
sync_episodes = partial(lockstep.episodes, "sync", open_sync)
async_steps = partial(lockstep.steps, "async", open_async)
async_episodes = partial(lockstep.episodes, "async", open_async)
runner_episodes = partial(lockstep.chunked_episodes, "runner", open_async)
