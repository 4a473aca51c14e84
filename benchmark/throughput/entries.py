"""From what was asked to contests: who takes part in which."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import policies
from benchmark.data.store import TrajectoryStore
from benchmark.machine import available_cores
from benchmark.throughput import loading, training
from benchmark.throughput.contest import Contender, Contest
from benchmark.throughput.environments import ClosedLoop, chunks, enough_episodes, every_frame
from benchmark.throughput.job import EnvJob, LoaderJob, StandIn
from benchmark.throughput.peers import peers_of
from benchmark.throughput.policies import PolicyJob, calls, first_windows, load
from benchmark.throughput.scaling import EpisodeCost
from benchmark.training.job import store_interface
from envs.make import Workers
from envs.schema import ManigymError
from policies.base import Policy, TrainablePolicy


@dataclass(frozen=True)
class Asked:
    """What to measure. ``workers``: from many to few; ``settings``: by section (``policy``,
    ``env``, ``training``); ``scratch``: an empty folder; the others as the command's arguments."""

    envs: Sequence[str]
    policy: str | None
    checkpoint: Path | None
    data: Path | None
    observations: Sequence[str] | None
    chunk: int
    n_obs: int
    workers: Sequence[Workers]
    batch_sizes: Sequence[int]
    against: Sequence[str]
    seconds: float
    episodes: int | None
    seed: int
    settings: Mapping[str, Any]
    scratch: Path

    @cached_property
    def store(self) -> Path:
        """The demonstrations, or noise in their place."""
        return self.data or loading.synthetic_store(self.scratch / "noise")

    def policy_for(self, env: str) -> Policy:
        """The policy that was asked for, or one that costs nothing."""
        if self.policy is None:
            return StandIn(self.observations or ("proprio", "state"), self.n_obs, self.chunk)
        options = self.settings["env"]
        settings = self.settings["policy"]
        return load(self.policy, self.checkpoint, settings, env, options, self.scratch)

    def jobs(self, env: str) -> list[EnvJob]:
        """The environment work of one task, with all cores and with fewer."""
        policy = self.policy_for(env)
        return [self._job(env, policy, workers) for workers in self.workers]

    def _job(self, env: str, policy: Policy, workers: Workers) -> EnvJob:
        spec = policy.spec
        seen = {"observations": spec.observations}
        options = {**spec.env_options, **self.settings["env"], **seen}
        episodes = self.episodes or max(w.slots for w in self.workers)  # or more: enough_episodes
        return EnvJob(env, options, policy, workers, self.seconds, episodes, self.seed)


@dataclass
class Entry:
    """One contest; all contenders are compared with the first. ``looks``: what is seen."""

    measure: str
    subject: str
    looks: str
    contenders: Sequence[Contender]
    loop: ClosedLoop | None = None
    result: Contest | None = field(default=None, init=False)

    def cost(self) -> EpisodeCost | None:
        """What one of our episodes cost, where episodes were run."""
        if self.loop is None or self.result is None:
            return None
        first = self.result.results[0]
        cores = min(first.contender.workers, available_cores())
        return self.loop.cost(first.cpu_seconds, min(1.0, first.rate * first.cpu_seconds / cores))


def check_measures(measures: Sequence[str]) -> None:
    """Raise for one that does not exist."""
    unknown = [name for name in measures if name not in MEASURES]
    if unknown:
        raise ManigymError(f"no measure {unknown[0]!r}; choose of {', '.join(MEASURES)}")


def entries(asked: Asked, measures: Sequence[str]) -> list[Entry]:
    """The contests of these measures, in turn."""
    return [entry for measure in measures for entry in MEASURES[measure](asked)]


def _steps(asked: Asked) -> list[Entry]:
    def entry(env: str) -> Entry:
        jobs = asked.jobs(env)
        ours = [every_frame(jobs[0]), chunks(jobs[0]), *map(every_frame, jobs[1:])]
        theirs = peers_of("steps", asked.against, jobs[0])
        return Entry("steps", env, _looks(jobs[0]), [*ours, *theirs])

    return [entry(env) for env in asked.envs]


def _episodes(asked: Asked) -> list[Entry]:
    def entry(env: str) -> Entry:
        jobs = asked.jobs(env)
        if asked.episodes is None:
            number = enough_episodes(jobs[0])
            jobs = [replace(job, episodes=number) for job in jobs]
        loops = [ClosedLoop(job) for job in jobs]
        theirs = peers_of("episodes", asked.against, loops[0].job)
        looks = f"{_looks(loops[0].job)}; policy {asked.policy or 'without cost'}"
        contenders = [*(loop.contender() for loop in loops), *theirs]
        return Entry("episodes", env, looks, contenders, loops[0])

    return [entry(env) for env in asked.envs]


def _policy(asked: Asked) -> list[Entry]:
    if asked.policy is None:
        raise ManigymError("throughput policy: give --policy NAME, it is what is measured")

    def entry(job: EnvJob, rows: int) -> Entry:
        interface, windows = first_windows(job, rows)
        mine = PolicyJob(job.policy, interface, windows, asked.seconds)
        theirs = peers_of("policy", asked.against, mine)
        looks = f"{_looks(job)}; batch {rows}"
        return Entry("policy", f"{asked.policy} on {job.env}", looks, [calls(mine), *theirs])

    jobs = [asked.jobs(env)[0] for env in asked.envs]
    return [entry(job, rows) for job in jobs for rows in asked.batch_sizes]


def _looks(job: EnvJob) -> str:
    options = {**job.options}
    seen = "+".join(options.pop("observations"))
    chosen = (f"{name}={value}" for name, value in options.items())
    return " ".join([seen or "nothing seen", *chosen])


def _loader(asked: Asked) -> list[Entry]:
    held = store_interface(TrajectoryStore.open(asked.store)).observation
    wanted = asked.observations or sorted({key.split("/")[0] for key in held} - {"instruction"})
    job = LoaderJob(
        data=asked.store,
        keys=[key for key in held if key.split("/")[0] in wanted],
        n_obs=asked.n_obs,
        batch_size=asked.settings["training"].batch_size,
        seconds=asked.seconds,
        seed=asked.seed,
    )
    ours = [loading.ours(job), loading.ours(job, in_memory=True)]
    looks = f"{'+'.join(wanted)}; batches of {job.batch_size}, {job.n_obs} of {job.horizon} frames"
    return [Entry("loader", _named(asked), looks, [*ours, *peers_of("loader", asked.against, job)])]


def _training(asked: Asked) -> list[Entry]:
    kind = policies.get(asked.policy) if asked.policy else None
    if kind is None or not issubclass(kind, TrainablePolicy) or asked.checkpoint is not None:
        raise ManigymError("throughput training: give a --policy that trains, and no --checkpoint")
    config, settings = asked.settings["policy"].resolved(), asked.settings["training"]
    job = training.TrainingJob(kind, config, asked.store, settings, asked.seconds)
    looks = f"{'+'.join(config.observations)}; batches of {settings.batch_size}"
    subject = f"{asked.policy} on {_named(asked)}"
    return [Entry("training", subject, looks, [training.ours(job)])]


def _named(asked: Asked) -> str:
    return asked.data.name if asked.data else "noise of two cameras"


MEASURES: Mapping[str, Callable[[Asked], list[Entry]]] = {
    "steps": _steps,
    "episodes": _episodes,
    "policy": _policy,
    "loader": _loader,
    "training": _training,
}
