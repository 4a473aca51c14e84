"""Expert demonstrations into a store: resumable, the same for any number of workers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from benchmark.data.index import StoreHeader
from benchmark.data.store import Episode, TrajectoryStore
from benchmark.engine.plan import plan_episodes
from benchmark.engine.rollout import Outcome, RolloutOptions, rollout
from benchmark.progress import progress
from benchmark.results.provenance import code_version
from envs import card
from envs.make import Workers
from envs.pool import Pool, make_pool
from envs.schema import ManigymError
from policies.expert import ExpertPolicy

TRIES_PER_EPISODE = 5
AT_ONCE = 16  # steps of an expert for each message; between two, others may report


@dataclass(frozen=True)
class CollectJob:
    """``episodes`` successful demonstrations of ``env`` with the given modalities and options."""

    env: str
    episodes: int
    observations: Sequence[str] = ("proprio", "state")
    env_options: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0
    workers: Workers = field(default_factory=Workers)

    @property
    def options(self) -> dict[str, Any]:
        """A demonstration ends with its success, also where the protocol goes on."""
        return {"terminate_on_success": True, **self.env_options, "observations": self.observations}

    @property
    def settings(self) -> dict[str, Any]:
        """What must be equal for a store to be continued."""
        return {
            "seed": self.seed,
            "observations": sorted(self.observations),
            "env_options": {
                k: list(v) if isinstance(v, tuple) else v for k, v in self.env_options.items()
            },
        }


def collect(job: CollectJob, path: Path) -> TrajectoryStore:
    """Fill the store at ``path`` up to ``job.episodes`` successes; a longer one is left as it is.

    Demonstration ``i`` is the episode planned with index ``i``. Indices where the expert fails are
    skipped, so the store holds the first successes in index order, whatever the worker count.
    """
    if card(job.env).expert is None:
        raise ManigymError(
            f"{job.env} has no expert to collect from; tasks with one: python -m benchmark list"
        )
    collector = _Collector(job, path)
    try:
        if collector.missing > 0:
            with make_pool(job.env, job.options, job.workers) as pool, collector.bar:
                collector.fill(pool)
    finally:
        collector.close()
    return TrajectoryStore.open(path)


class _Collector:
    """Keeps successful episodes; the store is made from the first one's arrays."""

    def __init__(self, job: CollectJob, path: Path) -> None:
        self._job, self._path = job, path
        self._store = _open_matching(path, job) if path.exists() else None
        self._done = {int(i) for i in self._store.ids} if self._store is not None else set()
        self._last_failure = "none"

    @cached_property
    def bar(self) -> Any:
        """How far it is; shown from its first use on, which is when the simulators run."""
        return progress(self._job.episodes, len(self._done), f"collect {self._job.env}", "demo")

    @property
    def missing(self) -> int:
        return self._job.episodes - len(self._done)

    def fill(self, pool: Pool) -> None:
        self._versions = dict(pool.versions)
        limit = TRIES_PER_EPISODE * self._job.episodes
        plan = plan_episodes(self._job.env, "demonstrations", limit, self._job.seed)
        untried = [e for e in plan if e.index not in self._done]
        while self.missing > 0:
            batch, untried = untried[: self.missing], untried[self.missing :]
            if not batch:
                raise ManigymError(
                    f"the expert of {self._job.env} succeeded {len(self._done)} times in {limit}, "
                    f"asked for {self._job.episodes}; last failure: {self._last_failure}"
                )
            options = RolloutOptions(record=True, follow=AT_ONCE)
            rollout(pool, ExpertPolicy(), batch, self._keep, options)

    def _keep(self, outcome: Outcome) -> None:
        summary, episode = outcome.summary, outcome.episode
        if summary is None or not summary.success or summary.trajectory is None:
            self._last_failure = str(outcome.failure or "the episode was not a success")
            return
        if self._store is None:
            header = _header(self._job, summary.trajectory, self._versions)
            self._store = TrajectoryStore.create(self._path, header)
        self._store.append(
            Episode(
                episode.index,
                summary.trajectory,
                self._job.env,
                success=True,
                seed=episode.seed,
                group=summary.scene or None,
                instruction=summary.instruction,
            )
        )
        self._done.add(episode.index)
        self.bar.update()

    def close(self) -> None:
        if self._store is not None:
            self._store.close()


def held(job: CollectJob, path: Path) -> int:
    """How many demonstrations a store that the job can continue has already."""
    with _open_matching(path, job) as store:
        return len(store)


def _open_matching(path: Path, job: CollectJob) -> TrajectoryStore:
    store = TrajectoryStore.open(path, "a")
    theirs = {key: store.header.settings.get(key) for key in job.settings}
    if store.header.env != job.env or theirs != job.settings:
        store.close()
        raise ManigymError(
            f"{path} holds {store.header.env} collected with {theirs}, asked for {job.env} with "
            f"{job.settings}; choose another --data or delete it"
        )
    return store


def _header(
    job: CollectJob, trajectory: Mapping[str, np.ndarray], versions: Mapping[str, str]
) -> StoreHeader:
    protocol = job.env_options.get("protocol")
    task = card(job.env).under(protocol)
    return StoreHeader(
        env=job.env,
        keys={key: (rows.dtype.name, rows.shape[1:]) for key, rows in trajectory.items()},
        fps=task.protocol(protocol).control_hz,
        env_options=job.settings["env_options"],
        action_spec=asdict(task.action),
        source="expert",
        settings={
            **job.settings,
            "code": code_version(),
            "versions": versions,
        },
    )
