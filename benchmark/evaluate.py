"""Evaluate one policy on one task: the episodes still missing, then the leaderboard row."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from time import perf_counter
from typing import Any

from benchmark.config import RunSettings
from benchmark.engine import inference
from benchmark.engine.latency import Delays, LatencySettings, parse_delay
from benchmark.engine.perturbations import PerturbationSettings, Perturber
from benchmark.engine.plan import SEED_RULE, PlannedEpisode, plan_episodes, plan_from_seeds
from benchmark.engine.rollout import Lateness, Outcome, RolloutOptions, rollout
from benchmark.progress import note, progress
from benchmark.results import conditions
from benchmark.results.provenance import file_hash, slug
from benchmark.results.records import EpisodeRecord, RunFolder
from benchmark.stopping import StoppingRule, Watch
from benchmark.video import write_video
from envs import card
from envs.make import Workers
from envs.pool import Pool, make_pool
from envs.schema import ManigymError, Protocol
from envs.seeds import Split
from policies.base import Policy

TRIES = 2  # an episode that ended in an error is tried once more


@dataclass(frozen=True)
class Evaluation:
    """A policy, a task, and how many episodes from which seed.

    ``selection``: how the checkpoint was chosen, in words.
    """

    env: str
    policy: Policy
    policy_name: str
    episodes: int
    seed: int
    workers: Workers
    settings: RunSettings
    env_options: Mapping[str, Any] = field(default_factory=dict)
    checkpoint: Path | None = None
    selection: str = ""
    split: Split = "test"
    latency: LatencySettings = field(default_factory=LatencySettings)
    perturb: PerturbationSettings = field(default_factory=PerturbationSettings)
    stopping: StoppingRule | None = None

    def __post_init__(self) -> None:
        if self.settings.ensemble and self.delays.most:
            raise ManigymError(
                f"run.ensemble={self.settings.ensemble} with latency.delay={self.latency.delay}: "
                "ensembling needs an answer at every step; use one or the other"
            )

    @property
    def options(self) -> dict[str, Any]:
        """``gymnasium.make`` options: what the policy needs, then what the user said."""
        spec = self.policy.spec
        return {**spec.env_options, **self.env_options, "observations": spec.observations}

    @property
    def protocol(self) -> Protocol:
        """How the task is run and scored."""
        return card(self.env).protocol(self.options.get("protocol"))

    @property
    def delays(self) -> Delays:
        """How long the policy thinks, in ticks of this task."""
        return parse_delay(self.latency.delay, self.protocol.control_hz)

    def resolved(self) -> dict[str, Any]:
        """Everything that determines the outcomes, defaults filled in, as plain data."""
        spec, config = self.policy.spec, getattr(self.policy, "config", None)
        return {
            "protocol": asdict(self.protocol),
            "env_options": self.options,
            "seed_rule": self.seed_rule,
            "n_obs": spec.n_obs,
            "n_action": spec.n_action,
            "policy": asdict(config) if config is not None else self.policy.describe(),
            "checkpoint_sha256": file_hash(self.checkpoint) if self.checkpoint else None,
        }

    @property
    def seed_rule(self) -> str:
        """How the start states were chosen."""
        return SEED_RULE if self.policy.reset_seeds() is None else "recorded"

    def plan(self) -> list[PlannedEpisode]:
        """Every episode, before a stopping rule."""
        seeds = self.policy.reset_seeds()
        if seeds is not None:
            return plan_from_seeds(self.env, seeds[: self.episodes])
        return plan_episodes(self.env, self.split, self.episodes, self.seed)


def counted(job: Evaluation, records: Sequence[EpisodeRecord]) -> list[PlannedEpisode]:
    """The plan, up to where a stopping rule has ended it."""
    plan = job.plan()
    return plan[: job.stopping.end(plan, records)] if job.stopping else plan


def missing_episodes(job: Evaluation, folder: RunFolder) -> list[PlannedEpisode]:
    """Episodes that count and have no good record; those that ended in an error may be mended."""
    good = [r for r in folder.records() if r.env == job.env and r.status == "ok"]
    done = {(r.episode, r.seed) for r in good}
    return [e for e in counted(job, good) if (e.index, e.seed) not in done]


def evaluate(job: Evaluation, folder: RunFolder) -> float | None:
    """Run what is missing in ``folder``; episodes per hour, ``None`` where nothing was missing."""
    missing, planned = missing_episodes(job, folder), len(job.plan())
    if not missing:
        return None
    workers = replace(job.workers.at_most(len(missing)), logs=folder.path / "logs")
    with (
        opened(job, workers) as (pool, options),
        progress(planned, planned - len(missing), job.env, "ep") as bar,
    ):
        found = conditions.conditions(pool, job.policy, options.inference.describe())
        scribe = _Scribe(job, folder, pool.place, conditions.store(folder.path, found), bar)
        started = perf_counter()
        rollout(pool, job.policy, missing, scribe.record, options, scribe.enough, TRIES)
    return 3600 * scribe.written / (perf_counter() - started)


@contextmanager
def opened(job: Evaluation, workers: Workers) -> Iterator[tuple[Pool, RolloutOptions]]:
    """The pool of a job and how episodes run in it, with the policy tried on it."""
    spec, settings = job.policy.spec, job.settings
    delays = job.delays
    late = Lateness(job.latency, delays, card(job.env).action) if delays.most else None
    options = RolloutOptions(
        settings.execute, settings.ensemble, film=settings.videos, lateness=late
    )
    frames = spec.n_obs + job.perturb.stale_frames
    chunk = options.longest(spec.n_action)
    with make_pool(job.env, job.options, workers, chunk=chunk, n_obs=frames) as pool:
        found = inference.probe(job.policy, pool, job.plan(), min(pool.size, settings.batch))
        if not found.repeatable and not settings.allow_unrepeatable:
            raise inference.refuse(job.policy)
        perturber = Perturber(job.perturb, pool.interface) if job.perturb.active else None
        yield pool, replace(options, inference=found, perturber=perturber)


class _Scribe:
    """Writes what comes out of the engine, shows how it goes, and says when it is enough."""

    def __init__(
        self, job: Evaluation, folder: RunFolder, place: str, circumstances: str, bar: Any
    ) -> None:
        self._job, self._folder, self._bar = job, folder, bar
        self._place, self._conditions = place, circumstances
        good = [r for r in folder.records() if r.env == job.env and r.status == "ok"]
        self._successes, self._episodes = sum(bool(r.success) for r in good), len(good)
        self._watch = Watch(job.stopping, job.plan()) if job.stopping else None
        self.written = 0
        for record in good:
            self._note(record)

    def record(self, outcome: Outcome) -> None:
        """The trace and the film first: a record speaks of files that are there."""
        trace = self._folder.write_trace(outcome)
        film = _film(self._job, self._folder, outcome)
        entry = EpisodeRecord.of(outcome, self._place, self._conditions, trace, film)
        self._folder.append(entry)
        self.written += 1
        if not outcome.retried:
            self._note(entry)
        if outcome.failure is not None:
            self._folder.log_error(entry, outcome.failure.details)
            note(f"{entry.env} episode {entry.episode}: {entry.error}")
            return
        self._successes += bool(entry.success)
        self._episodes += 1
        self._bar.update()
        self._bar.set_postfix(success=f"{self._successes}/{self._episodes}", refresh=False)

    def _note(self, record: EpisodeRecord) -> None:
        if self._watch is not None:
            self._watch.note(record)

    def enough(self) -> bool:
        """Whether the stopping rule has decided."""
        return self._watch is not None and self._watch.end is not None


def _film(job: Evaluation, folder: RunFolder, outcome: Outcome) -> str | None:
    summary = outcome.summary
    if summary is not None and summary.film_problem:
        note(f"no film of episode {outcome.episode.index}: {summary.film_problem}")
    if summary is None or not summary.frames:
        return None
    name = f"videos/{slug(job.env)}-{outcome.episode.index:04d}.mp4"
    write_video(folder.path / name, summary.frames, job.protocol.control_hz)
    return name
