"""The only loop that steps environments with a policy.

Each slot of the pool works through one episode at a time. Everything that an episode needs (the
policy's state, its history, its delays and disturbances) belongs to that episode, and episodes
share a call of the policy only where that was shown to keep every bit (``engine.inference``): so
results are the same for any number of workers.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np

from benchmark.engine.chunking import Executor, History
from benchmark.engine.inference import ALONE, Inference, ask
from benchmark.engine.latency import Delays, LateExecutor, LatencySettings
from benchmark.engine.perturbations import Perturber
from benchmark.engine.plan import PlannedEpisode
from envs.episode import EpisodeSummary, Reply
from envs.pool import Failure, Pool
from envs.schema import ActionSpec, ManigymError
from policies.base import Policy


@dataclass(frozen=True)
class Lateness:
    """The simulator moves on while the policy thinks: how, for how long, and what idling is."""

    settings: LatencySettings
    delays: Delays
    action: ActionSpec


@dataclass(frozen=True)
class RolloutOptions:
    """``execute``, ``ensemble``: see :class:`benchmark.engine.chunking.Executor`. ``record`` keeps
    trajectories; ``film`` the number of episodes (lowest indices) whose pictures are kept;
    ``gather``: answers to wait for before the policy is asked, so that calls serve several.
    ``follow``: so many steps at a time are the environment's own expert's; nobody is asked."""

    execute: int | None = None
    ensemble: str | None = None
    record: bool = False
    film: int = 0
    gather: int = 1
    follow: int = 0
    inference: Inference = ALONE
    lateness: Lateness | None = None
    perturber: Perturber | None = None

    def longest(self, n_action: int) -> int:
        """Most actions that one request can hold."""
        if self.lateness is None:
            return n_action
        late = self.lateness
        executor = LateExecutor(n_action, self.execute, late.settings, late.action)
        return executor.longest(late.delays.most)


DEFAULTS = RolloutOptions()


@dataclass
class Outcome:
    """An episode that ended: with a ``summary``, or with a ``failure`` of harness or simulator.

    ``policy_seconds``: duration of each call; one that served several episodes counts in full in
    each of them, as that is how long each had to wait. ``delays``: ticks drawn, with lateness.
    ``stages``: seconds of the policy's parts spent on this episode, its share of calls that served
    several. ``terminated``: it ended before its horizon did. ``state``: the policy's of this
    episode; ``window``: what it would have seen next.
    """

    episode: PlannedEpisode
    summary: EpisodeSummary | None
    failure: Failure | None
    policy_seconds: list[float] = field(default_factory=list)
    stages: dict[str, float] = field(default_factory=dict)
    delays: list[int] = field(default_factory=list)
    tries_left: int = 0
    terminated: bool = False
    state: Any = None
    window: dict[str, np.ndarray] = field(default_factory=dict)

    @property
    def retried(self) -> bool:
        """Whether the episode failed and is tried once more."""
        return self.failure is not None and self.tries_left > 0


class _Running:
    """One episode in flight."""

    def __init__(
        self,
        episode: PlannedEpisode,
        policy: Policy,
        pool: Pool,
        options: RolloutOptions,
        tries_left: int,
    ) -> None:
        self.episode, self.seconds = episode, list[float]()
        self.stages: Counter[str] = Counter()
        self.tries_left = tries_left
        self.delays: list[int] = []
        n_action, spec = policy.spec.n_action, policy.spec
        self._shape = (n_action, pool.interface.action_size)
        self.state: Any = policy.start(pool.interface, [episode.policy_seed])[0]
        self._history = History(spec.n_obs)
        self._executor = Executor(n_action, options.execute, options.ensemble)
        self._perturber = options.perturber and options.perturber.start(
            episode.generator("perturbations")
        )
        if late := options.lateness:
            self._late = LateExecutor(n_action, options.execute, late.settings, late.action)
            self._clock = episode.generator("latency")
        self._lateness = options.lateness

    def window(self, reply: Reply) -> dict[str, np.ndarray]:
        """What the policy sees next, key -> (O, ...)."""
        frames = reply.observations
        self._history.extend(self._perturber.frames(frames) if self._perturber else frames)
        return self._history.window()

    def actions(self, chunk: np.ndarray, seconds: float) -> np.ndarray:
        """The actions (k, A) to execute now, given the policy's answer (K, A)."""
        self.seconds.append(seconds)
        self._check(chunk)
        if self._lateness is None:
            actions = self._executor.next_actions(chunk)
        else:
            self.delays.append(self._lateness.delays.draw(self._clock) if self.delays else 0)
            actions = self._late.next_actions(chunk, self.delays[-1])
        return self._perturber.actions(actions) if self._perturber else actions

    def _check(self, chunk: np.ndarray) -> None:
        """A bad answer ends the run: as an error of the episode it would not count against it."""
        if chunk.shape != self._shape or not np.isfinite(chunk).all():
            where = f"{self.episode.env} episode {self.episode.index} (seed {self.episode.seed})"
            raise ManigymError(
                f"the policy answered with shape {chunk.shape} and "
                f"{np.count_nonzero(~np.isfinite(chunk))} non-finite numbers in {where}, call "
                f"{len(self.seconds)}; expected finite actions {self._shape}"
            )


class _Question(NamedTuple):
    slot: int
    episode: _Running
    window: dict[str, np.ndarray]


def rollout(
    pool: Pool,
    policy: Policy,
    episodes: Sequence[PlannedEpisode],
    on_end: Callable[[Outcome], None],
    options: RolloutOptions = DEFAULTS,
    enough: Callable[[], bool] = lambda: False,
    tries: int = 1,
) -> None:
    """Run every episode and hand each outcome to ``on_end`` as it comes, in any order.

    An exception inside the environment costs that try of an episode, of which there are ``tries``;
    one inside the policy is a defect of the policy and ends the run. No further episode is begun
    once ``enough`` says so.
    """
    waiting = deque((episode, tries) for episode in episodes)
    running: dict[int, _Running] = {}
    look = policy.spec.n_obs + (options.perturber.extra_frames if options.perturber else 0)

    def begin(slot: int) -> None:
        if waiting and not enough():
            episode, left = waiting.popleft()
            running[slot] = _Running(episode, policy, pool, options, left - 1)
            pool.reset(slot, episode.seed, options.record, episode.index < options.film)

    for slot in range(pool.size):
        begin(slot)
    while running:
        questions: list[_Question] = []
        for slot, reply in _answers(pool, min(options.gather, len(running))):
            current = running[slot]
            if isinstance(reply, Reply) and reply.summary is None:
                if options.follow:
                    pool.follow(slot, options.follow, look)
                    continue
                questions.append(_Question(slot, current, current.window(reply)))
                continue
            del running[slot]
            outcome = _outcome(current, reply)
            if outcome.retried:
                waiting.appendleft((current.episode, outcome.tries_left))
            on_end(outcome)
            begin(slot)
        for cut in options.inference.groups(len(questions)):
            for question, actions in _answer(policy, questions[cut]):
                pool.run(question.slot, actions, look)


def _answers(pool: Pool, count: int) -> list[tuple[int, Reply | Failure]]:
    """At least ``count`` answers."""
    found = pool.wait()
    while len(found) < count:
        found += pool.wait()
    return found


def _outcome(ended: _Running, reply: Reply | Failure) -> Outcome:
    outcome = Outcome(
        ended.episode,
        None,
        None,
        ended.seconds,
        dict(ended.stages),
        ended.delays,
        state=ended.state,
    )
    if isinstance(reply, Failure):
        left = ended.tries_left + (not reply.own)  # what another slot did costs no try
        return replace(outcome, failure=reply, tries_left=left)
    last, terminated = ended.window(reply), reply.terminated
    return replace(outcome, summary=reply.summary, window=last, terminated=terminated)


def _answer(policy: Policy, questions: Sequence[_Question]) -> list[tuple[_Question, np.ndarray]]:
    """One call of the policy for these episodes."""
    started = perf_counter()
    chunks = ask(policy, [q.window for q in questions], [q.episode.state for q in questions])
    seconds = perf_counter() - started
    parts = {name: part / len(questions) for name, part in policy.stages.items()}
    parts["act"] = seconds / len(questions) - sum(parts.values())
    for question in questions:
        question.episode.stages.update(parts)
    return [
        (q, q.episode.actions(chunk, seconds)) for q, chunk in zip(questions, chunks, strict=True)
    ]
