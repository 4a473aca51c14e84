"""Stable-Baselines3's ``SubprocVecEnv``: a process for each environment, observations pickled.

Settings: processes spawned (its own default ``forkserver`` differs in how they start, not in how
they run) with the thread settings of ours. It always resets by itself in the step that ends an
episode; in closed loop that costs nothing here: see ``Episodic``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np
from stable_baselines3.common.vec_env import SubprocVecEnv

from benchmark.throughput.peers import lockstep
from benchmark.throughput.peers.lockstep import Frames
from benchmark.throughput.peers.wrappers import Log, Make


class SB3Vector:
    """Its interface as that of the other peers."""

    def __init__(self, env: SubprocVecEnv) -> None:
        self.env, self.size = env, env.num_envs

    def reset(self, seeds: Sequence[int | None]) -> Frames:
        # ``seed()`` numbers the environments from one seed and can leave none of them out.
        self.env.set_options([{"seed": seed} for seed in seeds])
        frames: Any = self.env.reset()
        return frames

    def step(self, actions: np.ndarray) -> tuple[Frames, np.ndarray]:
        found: Any = self.env.step(actions)
        frames, _, over, _ = found
        return frames, over

    def logs(self) -> list[Log]:
        return self.env.env_method("log")


@contextmanager
def open_subproc(make: Make, workers: int) -> Iterator[SB3Vector]:
    """A process for each environment."""
    env = SubprocVecEnv([make] * workers, start_method="spawn")
    try:
        yield SB3Vector(env)
    finally:
        lockstep.end(env)


subproc_steps = partial(lockstep.steps, "sb3", open_subproc)
subproc_episodes = partial(lockstep.episodes, "sb3", open_subproc)
