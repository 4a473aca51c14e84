"""Evaluate one policy on one task: the episodes still missing, then the leaderboard row."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from time import perf_counter
from typing import Any

from benchmark.config import RunSettings
from benchmark.engine.plan import SEED_RULE, PlannedEpisode, plan_episodes, plan_from_seeds
from benchmark.engine.rollout import Outcome, RolloutOptions, rollout
from benchmark.progress import note, progress
from benchmark.results.leaderboard import Row, outcome_figures
from benchmark.results.provenance import code_version, file_hash, machine, now, slug
from benchmark.results.records import EpisodeRecord, RunFolder
from benchmark.video import write_video
from envs import card
from envs.make import Workers
from envs.pool import Pool, make_pool
from policies.base import Policy

TRIES = 2  # an episode that ended in an error is tried once more


@dataclass(frozen=True)
class Evaluation:
    """A policy, a task, and how many episodes from which seed."""

    env: str
    policy: Policy
    policy_name: str
    episodes: int
    seed: int
    workers: Workers
    settings: RunSettings
    env_options: Mapping[str, Any] = field(default_factory=dict)
    checkpoint: Path | None = None

    @property
    def options(self) -> dict[str, Any]:
        """``gymnasium.make`` options: what the policy needs, then what the user said."""
        spec = self.policy.spec
        return {**spec.env_options, **self.env_options, "observations": spec.observations}

    def resolved(self) -> dict[str, Any]:
        """Everything that determines the outcomes, defaults filled in, as plain data."""
        spec, config = self.policy.spec, getattr(self.policy, "config", None)
        return {
            "protocol": asdict(card(self.env).protocol(self.options.get("protocol"))),
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
        seeds = self.policy.reset_seeds()
        if seeds is not None:
            return plan_from_seeds(self.env, seeds[: self.episodes])
        return plan_episodes(self.env, "test", self.episodes, self.seed)


def missing_episodes(job: Evaluation, folder: RunFolder) -> list[PlannedEpisode]:
    """Planned episodes without a good record."""
    done = {(r.episode, r.seed) for r in folder.records() if r.env == job.env and r.status == "ok"}
    return [e for e in job.plan() if (e.index, e.seed) not in done]


def evaluate(job: Evaluation, folder: RunFolder) -> Row:
    """Run what is missing in ``folder`` and return the row of the whole plan."""
    started, ran = perf_counter(), 0
    options = RolloutOptions(job.settings.execute, job.settings.ensemble, film=job.settings.videos)
    missing, planned = missing_episodes(job, folder), len(job.plan())
    if missing:
        workers = replace(job.workers, count=min(job.workers.count, len(missing)))
        workers = replace(workers, logs=folder.path / "logs")
        spec = job.policy.spec
        with (
            make_pool(job.env, job.options, workers, chunk=spec.n_action, n_obs=spec.n_obs) as pool,
            progress(planned, planned - len(missing), job.env, "ep") as bar,
        ):
            started = perf_counter()
            for _ in range(TRIES):
                todo = missing_episodes(job, folder)
                rollout(pool, job.policy, todo, _recorder(job, folder, bar, pool), options)
                ran += len(todo)
    return _row(job, folder, ran / (perf_counter() - started) * 3600 if ran else None)


def _recorder(
    job: Evaluation, folder: RunFolder, bar: Any, pool: Pool
) -> Callable[[Outcome], None]:
    good = [r for r in folder.records() if r.env == job.env and r.status == "ok"]
    tally = {"successes": sum(bool(r.success) for r in good), "episodes": len(good)}

    def record(outcome: Outcome) -> None:
        film = _film(job, folder, outcome)
        entry = EpisodeRecord.of(outcome, pool.place, pool.versions, film)
        folder.append(entry)
        if outcome.failure is not None:
            folder.log_error(entry, outcome.failure.details)
            note(f"{job.env} episode {entry.episode}: {entry.error}")
            return
        tally["successes"] += bool(entry.success)
        tally["episodes"] += 1
        bar.update()
        bar.set_postfix(success=f"{tally['successes']}/{tally['episodes']}", refresh=False)

    return record


def _film(job: Evaluation, folder: RunFolder, outcome: Outcome) -> str | None:
    summary = outcome.summary
    if summary is not None and summary.film_problem:
        note(f"no film of episode {outcome.episode.index}: {summary.film_problem}")
    if summary is None or not summary.frames:
        return None
    name = f"videos/{slug(job.env)}-{outcome.episode.index:04d}.mp4"
    rate = card(job.env).protocol(job.options.get("protocol")).control_hz
    write_video(folder.path / name, summary.frames, rate)
    return name


def _row(job: Evaluation, folder: RunFolder, per_hour: float | None) -> Row:
    task = card(job.env)
    planned = {(e.env, e.index, e.seed) for e in job.plan()}
    records = [r for r in folder.records() if (r.env, r.episode, r.seed) in planned]
    described = job.policy.describe()
    return Row(
        env=job.env,
        policy=job.policy_name,
        protocol=task.protocol(job.options.get("protocol")).name,
        **outcome_figures(records),
        episodes_per_hour=round(per_hour, 1) if per_hour else None,
        nfe=described.get("nfe"),
        train_episodes=described.get("train_episodes"),
        seed=job.seed,
        seed_rule=job.seed_rule,
        workers=job.workers.count,
        isolation=_distinct(r.isolation for r in records),
        checkpoint=str(job.checkpoint or ""),
        checkpoint_sha256=file_hash(job.checkpoint) if job.checkpoint else "",
        simulator=task.simulator,
        simulator_version=_distinct(r.versions for r in records),
        asset_source=task.asset_source,
        render_profile=str(job.options.get("render_profile", "fast")),
        config_hash=folder.path.name.rsplit("-", 1)[-1],
        code_version=code_version(),
        machine=machine(),
        date=now(),
        run=folder.path.name,
    )


def _distinct(values: Iterable[str]) -> str:
    """One value; several when a run was continued elsewhere."""
    return " | ".join(sorted(set(values)))
