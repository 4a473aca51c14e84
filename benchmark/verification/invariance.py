"""A result must not depend on how it was made: one plan, made in many ways, compared bit by bit.

A way is a number of workers, a place for the simulator, an order of the episodes, a size of the
policy's batches, and whether the run was interrupted. Every pair of values meets in some way
(:func:`covering`), or every combination is tried (:func:`every_way`).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from itertools import combinations, product
from pathlib import Path
from typing import Any

from benchmark.engine.plan import PlannedEpisode
from benchmark.engine.rollout import Outcome, rollout
from benchmark.evaluate import Evaluation, missing_episodes, opened
from benchmark.results.records import EpisodeRecord, RunFolder, read_records
from benchmark.results.traces import read_trace
from envs.isolation.interpreter import available
from envs.registry import simulator_of

Plan = list[PlannedEpisode]


def _shuffled(plan: Plan) -> Plan:
    return random.Random(0).sample(plan, len(plan))


ORDERS: Mapping[str, Callable[[Plan], Plan]] = {
    "forward": lambda plan: plan,
    "reversed": lambda plan: plan[::-1],
    "shuffled": _shuffled,
}
FACTORS: Mapping[str, tuple[Any, ...]] = {
    "workers": (1, 2, 4),
    "isolation": ("in_process", "auto", "process"),
    "order": tuple(ORDERS),
    "batch": (1, 32),
    "resumed": (False, True),
}
COMPARED = (
    *("seed", "policy_seed", "status", "success", "steps", "total_reward"),
    *("state_hash", "action_hash", "delays"),
)


@dataclass(frozen=True)
class Way:
    """``resumed``: interrupted after half of the episodes and continued in the same folder."""

    workers: int
    isolation: str
    order: str
    batch: int
    resumed: bool

    def __str__(self) -> str:
        end = "resumed" if self.resumed else "whole"
        return f"workers {self.workers}, {self.isolation}, {self.order}, batch {self.batch}, {end}"


@dataclass(frozen=True)
class Difference:
    """What an episode has elsewhere than in the reference. ``step``: the first one whose state
    differs (0 is the reset), ``action_step`` the first one whose action does."""

    way: str
    env: str
    episode: int
    fields: tuple[str, ...]
    step: int | None = None
    action_step: int | None = None

    def __str__(self) -> str:
        where = [f"actions from step {self.action_step} on"] if self.action_step is not None else []
        where += [f"states from step {self.step} on"] if self.step is not None else []
        steps = f" ({', '.join(where)})" if where else ""
        return f"{self.env} episode {self.episode}: {', '.join(self.fields)}{steps}"


def places(env_id: str) -> tuple[str, ...]:
    """The values of ``isolation`` that this machine can tell apart without setting anything up."""
    found = {interpreter.name for interpreter in available(env_id)}
    own = bool(found - {"host"})
    if not found:
        return ("auto",)  # set up at first use, as in any run
    if "host" not in found:
        return ("process",)
    return FACTORS["isolation"] if own or not simulator_of(env_id).extra else ("in_process", "auto")


def every_way(isolations: Sequence[str]) -> list[Way]:
    """The whole product, the plainest way first."""
    factors = {**FACTORS, "isolation": isolations}
    return [Way(**dict(zip(factors, values, strict=True))) for values in product(*factors.values())]


def covering(ways: Sequence[Way]) -> list[Way]:
    """A few of them, the first included, in which every pair of values occurs that occurs at all.

    Greedy: the way with most pairs that are still missing comes next.
    """
    missing = set().union(*map(_pairs, ways))
    chosen: list[Way] = []
    while missing:
        best = max(ways, key=lambda way: len(_pairs(way) & missing)) if chosen else ways[0]
        chosen.append(best)
        missing -= _pairs(best)
    return chosen


def _pairs(way: Way) -> set[Any]:
    return set(combinations(asdict(way).items(), 2))


class _Interrupted(Exception):
    """Stands for a user's Ctrl-C."""


def play(job: Evaluation, way: Way, path: Path) -> str:
    """Run the job this way in the folder ``path``; how the policy was called (``Inference``)."""
    workers = replace(job.workers, count=way.workers, isolation=way.isolation, logs=path / "logs")
    settings = replace(job.settings, batch=way.batch, videos=0)
    job = replace(job, workers=workers, settings=settings, stopping=None)
    half = len(job.plan()) // 2
    if way.resumed and half:
        _play(job, way, path, half)
    return _play(job, way, path)


def _play(job: Evaluation, way: Way, path: Path, stop_after: int | None = None) -> str:
    folder = RunFolder(path, {"policy": job.policy_name, "env": job.env})
    ended = 0

    def record(outcome: Outcome) -> None:
        nonlocal ended
        trace = folder.write_trace(outcome)
        folder.append(EpisodeRecord.of(outcome, pool.place, "", trace))
        ended += 1
        if ended == stop_after:
            raise _Interrupted

    called = ""
    with suppress(_Interrupted), opened(job, job.workers) as (pool, options):
        called = options.inference.describe()
        rollout(pool, job.policy, ORDERS[way.order](missing_episodes(job, folder)), record, options)
    return called


def differences(way: str, reference: Path, other: Path) -> list[Difference]:
    """What the episodes in the folder ``other`` have that those in ``reference`` do not."""
    mine, theirs = (
        {(r.env, r.episode): r for r in read_records(path)} for path in (reference, other)
    )
    found = []
    for env, episode in sorted(mine.keys() | theirs.keys()):
        one, two = mine.get((env, episode)), theirs.get((env, episode))
        if one is None or two is None:
            found.append(Difference(way, env, episode, ("missing",)))
        elif one.outcome != two.outcome:
            fields = tuple(f for f in COMPARED if getattr(one, f) != getattr(two, f))
            steps = _first_steps(reference, one, other, two)
            found.append(Difference(way, env, episode, fields, *steps))
    return found


def _first_steps(
    reference: Path, one: EpisodeRecord, other: Path, two: EpisodeRecord
) -> tuple[int | None, int | None]:
    """The first step with another state, and the first with another action."""
    if one.trace is None or two.trace is None:
        return None, None
    mine, theirs = read_trace(reference / one.trace), read_trace(other / two.trace)
    common = min(len(mine.actions), len(theirs.actions))
    differs = (mine.actions[:common] != theirs.actions[:common]).any(axis=1)
    action = int(differs.argmax()) + 1 if differs.any() else None
    return mine.first_difference(theirs), action
