"""The same evaluation with Gymnasium's vector environments, the way it is usually written.

``python tests/peers/gymnasium_vector.py``: one policy object for all environments, with a queue of
actions and a generator of its own; ``reset(seed=...)`` once, autoreset in the same step, and the
first N episodes to finish are counted. Then the same policy through Manigym's engine.

All of it is as Gymnasium documents it: environment i starts from seed + i, later episodes go on
with its generator, an episode that ended is followed by the next one. What a *score* then depends
on is shown by running it with different ``num_envs``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.vector import AsyncVectorEnv, AutoresetMode, SyncVectorEnv
from tabulate import tabulate

import envs  # noqa: F401  (registers the ids)
from benchmark.engine.plan import plan_episodes
from benchmark.engine.rollout import Outcome, rollout
from envs.make import Workers
from envs.pool import make_pool
from policies.base import Observations, Policy, PolicySpec

CHUNK = 4
OBSERVATIONS = ("expert", "proprio", "state")


@dataclass(frozen=True)
class Task:
    """``noise``: standard deviation of the policy's actions, for success rates far from 0 and 1."""

    env: str
    horizon: int
    noise: float
    episodes: int


TASKS = (Task("Toy/reach-v0", 30, 0.7, 50), Task("Robomimic/lift-v0", 150, 0.3, 20))


def predict(expert: np.ndarray, noise: float, rng: np.random.Generator) -> np.ndarray:
    """A stochastic policy: the expert's action (..., A), held and disturbed: (..., CHUNK, A)."""
    held = np.repeat(expert[..., None, :], CHUNK, axis=-2)
    return np.clip(held + rng.normal(0, noise, held.shape), -1, 1).astype(np.float32)


class QueuePolicy:
    """One object for all environments: a queue of actions and a generator."""

    def __init__(self, noise: float, seed: int) -> None:
        self._noise, self._rng = noise, np.random.default_rng(seed)
        self._queue = list[np.ndarray]()

    def reset(self) -> None:
        self._queue.clear()

    def select_action(self, observation: dict[str, np.ndarray]) -> np.ndarray:
        """Batched observation -> actions (num_envs, A)."""
        if not self._queue:
            chunk = predict(observation["expert"], self._noise, self._rng)
            self._queue = list(chunk.swapaxes(0, 1))
        return self._queue.pop(0)

    @property
    def in_a_chunk(self) -> bool:
        return bool(self._queue)


@dataclass
class Episode:
    """``number``: in the order of starting; ``stale``: begun with actions for another episode."""

    number: int
    start: bytes
    stale: bool = False
    steps: int = 0
    total: float = 0.0
    success: bool = False

    @property
    def outcome(self) -> tuple[bytes, int, float, bool]:
        return self.start, self.steps, self.total, self.success


def play(task: Task, num_envs: int, seed: int, asynchronous: bool = False) -> list[Episode]:
    """Episodes in the order of finishing, until the first N *started* have finished."""
    make = partial(gym.make, task.env, observations=OBSERVATIONS, horizon=task.horizon)
    kind = AsyncVectorEnv if asynchronous else SyncVectorEnv
    vector = kind([make] * num_envs, autoreset_mode=AutoresetMode.SAME_STEP)
    policy, finished, started = QueuePolicy(task.noise, seed), list[Episode](), num_envs
    observation, _ = vector.reset(seed=seed)
    running = [Episode(i, _start(observation, i)) for i in range(num_envs)]
    while sum(episode.number < task.episodes for episode in finished) < task.episodes:
        actions = policy.select_action(observation)
        observation, rewards, terminated, truncated, _ = vector.step(actions)
        ended = terminated | truncated
        if ended.all():
            policy.reset()  # all that one queue for all environments allows
        for i, episode in enumerate(running):
            episode.steps += 1
            episode.total += float(rewards[i])
            episode.success = bool(terminated[i])  # the tasks here end at success, and only then
            if ended[i]:
                finished.append(episode)
                running[i] = Episode(started, _start(observation, i), policy.in_a_chunk)
                started += 1
    vector.close()
    return finished


def _start(observation: dict[str, np.ndarray], i: int) -> bytes:
    return observation["proprio"][i].tobytes() + observation["state"][i].tobytes()


class EpisodePolicy(Policy):
    """The same policy for Manigym: one generator per episode, chunks executed by the engine."""

    spec = PolicySpec(observations=OBSERVATIONS, n_action=CHUNK)

    def __init__(self, noise: float) -> None:
        self._noise = noise

    def start(self, interface: Any, seeds: Sequence[int]) -> list[np.random.Generator]:
        return [np.random.default_rng(seed) for seed in seeds]

    def act(self, observations: Observations, states: Sequence[Any]) -> np.ndarray:
        rows = zip(observations["expert"][:, -1], states, strict=True)
        return np.stack([predict(expert, self._noise, rng) for expert, rng in rows])


def play_planned(task: Task, workers: int, seed: int) -> list[tuple[Any, ...]]:
    """Outcomes by episode of Manigym's engine."""
    found: dict[int, tuple[Any, ...]] = {}

    def record(outcome: Outcome) -> None:
        assert outcome.summary is not None, outcome.failure
        s = outcome.summary
        found[outcome.episode.index] = (s.state_hash, s.steps, s.total_reward, s.success)

    settings = {"observations": OBSERVATIONS, "horizon": task.horizon}
    plan = plan_episodes(task.env, "test", task.episodes, seed)
    with make_pool(task.env, settings, Workers(workers, "in_process"), chunk=CHUNK) as pool:
        rollout(pool, EpisodePolicy(task.noise), plan, record)
    return [found[episode.index] for episode in plan]


def agreeing(one: Sequence[Any], other: Sequence[Any]) -> int:
    """Episodes with equal records at the same place."""
    return sum(a == b for a, b in zip(one, other, strict=True))


def rate(outcomes: Sequence[tuple[Any, ...]]) -> float:
    return float(np.mean([outcome[-1] for outcome in outcomes]))


def peer_rows(task: Task, seed: int = 0) -> list[tuple[Any, ...]]:
    """One row per number of environments, compared with the first."""
    rows, reference = [], list[Any]()
    for n, asynchronous in ((1, False), (2, False), (4, False), (4, True)):
        counted = play(task, n, seed, asynchronous)[: task.episodes]
        found = [episode.outcome for episode in counted]
        reference = reference or found
        name = f"{'Async' if asynchronous else 'Sync'}VectorEnv, {n}"
        stale = sum(episode.stale for episode in counted)
        rows.append((name, *_figures(found, reference), stale))
    return rows


def planned_rows(task: Task, seed: int = 0) -> list[tuple[Any, ...]]:
    """The same for Manigym's workers."""
    rows, reference = [], list[Any]()
    for n in (1, 2, 4):
        found = play_planned(task, n, seed)
        reference = reference or found
        rows.append((f"Manigym, {n}", *_figures(found, reference), 0))
    return rows


def _figures(found: Sequence[Any], reference: Sequence[Any]) -> tuple[float, float, int, int]:
    starts = {outcome[0] for outcome in reference}
    shared = sum(outcome[0] in starts for outcome in found)
    return rate(found), float(np.mean([o[2] for o in found])), shared, agreeing(reference, found)


def bias(task: Task, num_envs: int, runs: int) -> tuple[float, ...]:
    """Success rate of the first N to finish and of the first N to start; the mean of their
    difference over ``runs`` seeds, and its standard error."""
    pairs = []
    for seed in range(runs):
        finished = play(task, num_envs, 1000 * seed)
        begun = [episode for episode in finished if episode.number < task.episodes]
        counted = (finished[: task.episodes], begun)
        pairs.append([np.mean([episode.success for episode in some]) for some in counted])
    first, started = np.mean(pairs, axis=0)
    differences = np.subtract(*np.transpose(pairs))
    return first, started, differences.mean(), differences.std(ddof=1) / np.sqrt(runs)


def main(runs: int = 40) -> None:
    headers = ["way", "success rate", "mean return", "starts of row 1", "records of row 1", "stale"]
    for task in TASKS:
        print(f"\n{task}\n")
        rows = peer_rows(task) + planned_rows(task)
        print(tabulate(rows, headers, floatfmt=".3f", tablefmt="github"))
    short = replace(TASKS[0], episodes=20)
    rows = [(n, *bias(short, n, runs)) for n in (1, 4, 16)]
    print(f"\n{short}, mean of {runs} seeds\n")
    headers = ["num_envs", "first 20 finished", "first 20 started", "difference", "standard error"]
    print(tabulate(rows, headers, floatfmt=".3f", tablefmt="github"))


if __name__ == "__main__":
    main()
