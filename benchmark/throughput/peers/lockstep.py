"""Vector environments in closed loop: all of them wait for the slowest, batch after batch."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from itertools import count
from time import perf_counter
from typing import Any, Protocol, TypeVar

import numpy as np

from benchmark.throughput.contest import Contender, Once
from benchmark.throughput.job import EnvJob
from benchmark.throughput.peers.wrappers import Log, Make, thread_settings
from envs import card
from envs.schema import Interface, ManigymError

Frames = Mapping[str, np.ndarray]
DRAWN = 64  # random actions drawn beforehand
T = TypeVar("T")


class Vector(Protocol):
    """A peer's ``size`` environments. ``frames``: key -> (n, ...), valid until the next call."""

    size: int

    def reset(self, seeds: Sequence[int | None]) -> Frames:
        """Begin the episodes of these seeds; ``None`` leaves one as it is."""
        ...

    def step(self, actions: np.ndarray) -> tuple[Frames, np.ndarray]:
        """Actions (n, ...) to the next frames and bool (n,): which episodes ended in this step."""
        ...

    def logs(self) -> list[Log]:
        """What the last episodes came to."""
        ...


Open = Callable[[Make, int], AbstractContextManager[Vector]]
"""Starts a peer's environments, ends them on leaving."""


class OneByOne:
    """A message per step: windows of the newest frames are kept on this side."""

    def __init__(self, vector: Vector, n_obs: int) -> None:
        self._vector, self.size, self.logs = vector, vector.size, vector.logs
        self._frames: deque[Frames] = deque(maxlen=n_obs)
        self._n_obs = n_obs

    def reset(self, seeds: Sequence[int | None]) -> Frames:
        """Windows key -> (n, O, ...): the first frame, repeated."""
        first = _copied(self._vector.reset(seeds))
        self._frames.extend([first] * self._n_obs)
        return self._window()

    def step(self, actions: np.ndarray) -> tuple[Frames, np.ndarray]:
        """Chunks (n, K, A) to windows and which episodes ended; only frames that are in the next
        window are copied."""
        ended, chunk = np.zeros(self.size, bool), actions.shape[1]
        for k in range(chunk):
            frames, over = self._vector.step(actions[:, k])
            ended |= over
            if k >= chunk - self._n_obs:
                self._frames.append(_copied(frames))
        return self._window(), ended

    def _window(self) -> Frames:
        return {key: np.stack([f[key] for f in self._frames], 1) for key in self._frames[-1]}


def _copied(frames: Frames) -> Frames:
    return {key: np.array(value) for key, value in frames.items()}


def interface(job: EnvJob, windows: Frames) -> Interface:
    """What the policy is told of the environment, given windows key -> (n, O, ...)."""
    protocol = job.options.get("protocol")
    task = card(job.env).under(protocol)
    shapes = {key: (value.shape[2:], value.dtype.name) for key, value in windows.items()}
    repeat = task.protocol(protocol).action_repeat
    return Interface(job.env, task.action.size, shapes, task.action, repeat)


def run_batch(vector: Vector, job: EnvJob, seeds: Sequence[int]) -> list[Log]:
    """One episode for each seed, at most as many as there are environments: chunks are asked for
    until the longest episode is over. ``vector`` gives windows and takes chunks."""
    idle = [None] * (vector.size - len(seeds))
    windows = vector.reset([*seeds, *idle])
    states = job.policy.start(interface(job, windows), seeds)
    alive = np.arange(len(seeds))
    actions: np.ndarray | None = None
    while len(alive):
        seen = {key: value[alive] for key, value in windows.items()}
        chunks = job.policy.act(seen, [states[i] for i in alive])
        if actions is None:
            actions = np.zeros((vector.size, *chunks.shape[1:]), np.float32)
        actions[alive] = chunks
        windows, ended = vector.step(actions)
        alive = alive[~ended[alive]]
    return vector.logs()[: len(seeds)]


def run_all(vector: Vector, job: EnvJob, first: int) -> list[Log]:
    """``job.episodes`` episodes from the seeds ``first`` and following, batch after batch."""
    seeds = range(first, first + job.episodes)
    batches = [seeds[i : i + vector.size] for i in range(0, job.episodes, vector.size)]
    return [log for batch in batches for log in run_batch(vector, job, batch)]


def episodes(peer: str, opened: Open, job: EnvJob, variant: str) -> Contender:
    """The contender that runs ``job.episodes`` episodes a repeat, started from the seeds that ours
    starts them from, with a message for every step."""
    make = Make(job.env, job.options, variant, episodic=True)
    n_obs = job.policy.spec.n_obs
    return _closed_loop(peer, opened, job, make, lambda vector: OneByOne(vector, n_obs))


def chunked_episodes(peer: str, opened: Open, job: EnvJob, variant: str) -> Contender:
    """The same with a message for every chunk, all of whose steps are observed in the process of
    the environment."""
    make = Make(job.env, job.options, variant, n_obs=job.policy.spec.n_obs)
    return _closed_loop(peer, opened, job, make, lambda vector: vector)


def _closed_loop(
    peer: str, opened: Open, job: EnvJob, make: Make, windows: Callable[[Vector], Vector]
) -> Contender:
    workers, spec = min(job.workers.count, job.episodes), job.policy.spec
    name = named(peer, make.variant)

    @contextmanager
    def running() -> Iterator[Once]:
        first = count(job.seed, job.episodes)
        with starting(name, make, lambda: opened(make, workers)) as vector:
            chunks = windows(vector)

            def once() -> float:
                with processes_of(name, make):
                    return len(run_all(chunks, job, next(first)))

            yield once

    return Contender(name, running, workers, f"chunks of {spec.n_action}, {spec.n_obs} seen")


def steps(peer: str, opened: Open, job: EnvJob, variant: str) -> Contender:
    """The contender that steps with random actions for ``job.seconds`` a repeat and counts control
    steps of single environments; it observes all of them, and resets by itself."""
    make, workers = Make(job.env, job.options, variant), job.workers.count
    name, task = named(peer, variant), card(job.env).under(job.options.get("protocol"))
    shape = (DRAWN, workers, task.action.size)
    drawn = np.random.default_rng(job.seed).uniform(-1.0, 1.0, shape).astype(np.float32)

    @contextmanager
    def running() -> Iterator[Once]:
        with starting(name, make, lambda: opened(make, workers)) as vector:
            vector.reset(range(job.seed, job.seed + workers))

            def once() -> float:
                done, end = 0, perf_counter() + job.seconds
                with processes_of(name, make):
                    while perf_counter() < end:
                        vector.step(drawn[done % DRAWN])
                        done += 1
                return done * workers

            yield once

    return Contender(name, running, workers)


def named(peer: str, variant: str) -> str:
    """As it is asked for."""
    return f"{peer}:{variant}" if variant else peer


@contextmanager
def starting(name: str, make: Make, opened: Callable[[], AbstractContextManager[T]]) -> Iterator[T]:
    """What ``opened`` starts, with our workers' thread settings."""
    with ExitStack() as stack:
        with processes_of(name, make), thread_settings():
            found = stack.enter_context(opened())
        yield found


@contextmanager
def processes_of(name: str, make: Make) -> Iterator[None]:
    """Says whose process it was that ended inside."""
    try:
        yield
    except (EOFError, ConnectionError) as error:
        raise ManigymError(
            f"--against {name}: a process of it that runs {make.env} has ended; its traceback is "
            "above. Make sure that the task runs without --against"
        ) from error


def end(env: Any) -> None:
    """Close a vector environment; where one of its processes has died, the others are waiting."""
    try:
        env.close()
    except (EOFError, ConnectionError):
        for process in env.processes:
            process.kill()
            process.join()
