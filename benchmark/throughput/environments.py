"""Our own way to step environments and to run episodes: the pool and the engine."""

from __future__ import annotations

import copy
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from itertools import count
from time import perf_counter, process_time
from typing import Any

import numpy as np

from benchmark.engine import inference
from benchmark.engine.plan import PlannedEpisode
from benchmark.engine.rollout import Outcome, RolloutOptions, rollout
from benchmark.results.stages import in_words
from benchmark.throughput.contest import Contender, Once
from benchmark.throughput.job import EnvJob
from benchmark.throughput.scaling import EpisodeCost
from envs.episode import Reply
from envs.pool import Failure, Pool, make_pool
from envs.schema import ManigymError
from policies.base import Observations, Policy

OURS = "manigym"
DRAWN = 256  # chunks of random actions, made before the clock runs


def every_frame(job: EnvJob) -> Contender:
    """Steps with every frame observed; the unit is a control step."""
    detail = f"every frame{_scenes(job)}"
    return Contender(OURS, lambda: _stepping(job, 1, 1), job.workers.count, detail)


def chunks(job: EnvJob) -> Contender:
    """Steps in chunks of which only the frames that the policy sees are observed."""
    spec = job.policy.spec
    share = min(spec.n_obs / spec.n_action, 1.0)

    def opened() -> AbstractContextManager[Once]:
        return _stepping(job, spec.n_action, spec.n_obs)

    return Contender(OURS, opened, job.workers.count, _chunked(job), share)


@contextmanager
def _stepping(job: EnvJob, chunk: int, n_obs: int) -> Iterator[Once]:
    seeds, rng = count(job.seed), np.random.default_rng(job.seed)
    with make_pool(job.env, job.options, job.workers, chunk=chunk, n_obs=n_obs) as pool:
        shape = (DRAWN, chunk, pool.interface.action_size)
        drawn = rng.uniform(-1, 1, shape).astype(np.float32)
        over = [True] * pool.size

        def ask(slot: int, number: int) -> None:
            if over[slot]:
                pool.reset(slot, next(seeds))
            else:
                pool.run(slot, drawn[number % DRAWN], n_obs)

        def once() -> float:
            steps, end, busy = 0, perf_counter() + job.seconds, pool.size
            for slot in range(pool.size):
                ask(slot, slot)
            while busy:
                for slot, reply in _replies(pool):
                    steps += len(reply.rewards)
                    over[slot] = reply.terminated or reply.truncated
                    if perf_counter() < end:
                        ask(slot, steps + slot)
                    else:
                        busy -= 1
            return steps

        yield once


def _replies(pool: Pool) -> list[tuple[int, Reply]]:
    found = []
    for slot, reply in pool.wait():
        if isinstance(reply, Failure):
            raise ManigymError(f"a worker failed while it was timed: {reply}\n{reply.details}")
        found.append((slot, reply))
    return found


class ClosedLoop:
    """Episodes through the engine, as an evaluation runs them; the unit is an episode.

    ``outcomes``: of all episodes that were run since the first repeat, which warms up;
    ``own_seconds``: CPU time of this process for them, ``thinking`` that of the policy in it.
    """

    def __init__(self, job: EnvJob) -> None:
        self.job = job
        self.outcomes: list[Outcome] = []
        self.own_seconds = self.thinking = 0.0
        self.place = ""

    def contender(self) -> Contender:
        """It, to take part in a contest."""
        return Contender(OURS, self._rolling, self.job.workers.count, _chunked(self.job))

    @contextmanager
    def _rolling(self) -> Iterator[Once]:
        job, spec = self.job, self.job.policy.spec
        first = count(0, job.episodes)
        sizes = {"chunk": spec.n_action, "n_obs": spec.n_obs}
        with make_pool(job.env, job.options, job.workers, **sizes) as pool:
            self.place = pool.place
            plan = [_episode(job, i) for i in range(pool.size + inference.SPARE)]
            found = inference.probe(job.policy, pool, plan, pool.size)
            options, policy = RolloutOptions(inference=found), self._watched()

            def once() -> float:
                began = next(first)
                episodes = [_episode(job, i) for i in range(began, began + job.episodes)]
                outcomes: list[Outcome] = []
                before, thinking = process_time(), self.thinking
                rollout(pool, policy, episodes, outcomes.append, options)
                for outcome in outcomes:
                    if outcome.failure is not None:
                        raise ManigymError(
                            f"{job.env} failed while it was timed: {outcome.failure}"
                        ) from outcome.failure
                if not began:
                    self.thinking = thinking
                else:
                    self.own_seconds += process_time() - before
                    self.outcomes += outcomes
                return len(outcomes)

            yield once

    def _watched(self) -> Policy:
        """The policy, with its CPU time added up."""
        policy = copy.copy(self.job.policy)
        act = type(policy).act

        def watched(observations: Observations, states: Sequence[Any]) -> np.ndarray:
            began = process_time()
            try:
                return act(policy, observations, states)
            finally:
                self.thinking += process_time() - began

        policy.act = watched  # type: ignore[method-assign]
        return policy

    def time_spent(self) -> str:
        """Where the time of an episode went, stage by stage."""
        stages: Counter[str] = Counter()
        for outcome in self.outcomes:
            stages.update(outcome.stages)
            stages.update(outcome.summary.stages if outcome.summary else {})
        return in_words(stages, len(self.outcomes))

    def cost(self, cpu_seconds: float, efficiency: float) -> EpisodeCost:
        """Of an episode that took ``cpu_seconds`` in all processes together."""
        count = len(self.outcomes)
        own, policy = self.own_seconds / count, self.thinking / count
        calls = sum(len(outcome.policy_seconds) for outcome in self.outcomes) / count
        if self.place == "in_process":
            stages = [o.summary.stages for o in self.outcomes if o.summary is not None]
            simulator = sum(sum(stage.values()) for stage in stages) / count
        else:
            simulator = cpu_seconds - own
        inside = simulator if self.place == "in_process" else 0.0
        engine = max(own - inside - policy, 1e-6)  # clocks differ a little
        return EpisodeCost(simulator, engine, policy, calls, efficiency)


def enough_episodes(job: EnvJob) -> int:
    """How many episodes last about ``job.seconds``, a multiple of ``job.episodes``."""
    with ClosedLoop(job).contender().open() as once:
        once()
        began = perf_counter()
        once()
        return job.episodes * math.ceil(job.seconds / (perf_counter() - began))


def _chunked(job: EnvJob) -> str:
    spec = job.policy.spec
    return f"chunks of {spec.n_action}, {spec.n_obs} seen{_scenes(job)}"


def _scenes(job: EnvJob) -> str:
    return f", {job.workers.scenes} scenes each" if job.workers.scenes > 1 else ""


def _episode(job: EnvJob, number: int) -> PlannedEpisode:
    """Every contender starts the same episodes."""
    return PlannedEpisode(job.env, number, job.seed + number, job.seed + number)
