"""The only loop that steps environments with a policy.

Each slot of the pool works through one episode at a time. A policy is asked for one episode at a
time as well, so its answer cannot depend on which other episodes happen to be waiting: results are
the same for any number of workers.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

import numpy as np

from benchmark.engine.chunking import Executor, History
from benchmark.engine.plan import PlannedEpisode
from envs.episode import EpisodeSummary, Reply
from envs.pool import Failure, Pool
from envs.schema import ManigymError
from policies.base import Policy


@dataclass(frozen=True)
class RolloutOptions:
    """``execute``, ``ensemble``: see :class:`benchmark.engine.chunking.Executor`. ``record`` keeps
    trajectories; ``film`` the number of episodes (lowest indices) whose pictures are kept."""

    execute: int | None = None
    ensemble: str | None = None
    record: bool = False
    film: int = 0


DEFAULTS = RolloutOptions()


@dataclass
class Outcome:
    """An episode that ended: with a ``summary``, or with a ``failure`` of harness or simulator."""

    episode: PlannedEpisode
    summary: EpisodeSummary | None
    failure: Failure | None
    policy_seconds: list[float] = field(default_factory=list)


class _Running:
    """One episode in flight."""

    def __init__(
        self, episode: PlannedEpisode, policy: Policy, pool: Pool, options: RolloutOptions
    ) -> None:
        self.episode = episode
        self.seconds: list[float] = []
        self._policy = policy
        self._history = History(policy.spec.n_obs)
        self._executor = Executor(policy.spec.n_action, options.execute, options.ensemble)
        self._shape = (policy.spec.n_action, pool.interface.action_size)
        self._state: Any = policy.start(pool.interface, [episode.policy_seed])[0]

    def answer(self, reply: Reply) -> np.ndarray:
        """The actions (k, A) that follow these observations."""
        self._history.extend(reply.observations)
        started = perf_counter()
        window = {key: value[None] for key, value in self._history.window().items()}
        chunk = self._policy.act(window, [self._state])[0]
        self.seconds.append(perf_counter() - started)
        self._check(chunk)
        return self._executor.next_actions(chunk)

    def _check(self, chunk: np.ndarray) -> None:
        """A bad answer ends the run: as an error of the episode it would not count against it."""
        if chunk.shape != self._shape or not np.isfinite(chunk).all():
            raise ManigymError(
                f"the policy answered with shape {chunk.shape} and "
                f"{np.count_nonzero(~np.isfinite(chunk))} non-finite numbers in {self.episode}, "
                f"after {len(self.seconds)} calls; expected finite actions {self._shape}"
            )


def rollout(
    pool: Pool,
    policy: Policy,
    episodes: Sequence[PlannedEpisode],
    on_end: Callable[[Outcome], None],
    options: RolloutOptions = DEFAULTS,
) -> None:
    """Run every episode once and hand each outcome to ``on_end`` as it comes, in any order.

    An exception inside the environment costs that episode; one inside the policy is a defect of
    the policy and ends the run.
    """
    waiting = deque(episodes)
    running: dict[int, _Running] = {}

    def begin(slot: int) -> None:
        if waiting:
            episode = waiting.popleft()
            running[slot] = _Running(episode, policy, pool, options)
            pool.reset(slot, episode.seed, options.record, episode.index < options.film)

    for slot in range(pool.size):
        begin(slot)
    while running:
        for slot, reply in pool.wait():
            current = running[slot]
            if isinstance(reply, Failure):
                outcome = Outcome(current.episode, None, reply, current.seconds)
            elif reply.summary is not None:
                outcome = Outcome(current.episode, reply.summary, None, current.seconds)
            else:
                pool.run(slot, current.answer(reply), policy.spec.n_obs)
                continue
            del running[slot]
            on_end(outcome)
            begin(slot)
