"""The policy of a run once more, in memory: are the recorded actions its actions?"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import policies
from benchmark.config import RunSettings
from benchmark.engine.latency import LatencySettings
from benchmark.engine.perturbations import PerturbationSettings
from benchmark.engine.plan import PlannedEpisode
from benchmark.engine.rollout import Outcome, rollout
from benchmark.evaluate import Evaluation, opened
from benchmark.results.records import EpisodeRecord
from benchmark.verification.board import CheckedRow
from benchmark.verification.evidence import sound_trace
from benchmark.verification.reexecution import Replayed, outcome_differences
from envs.make import Workers
from envs.schema import ManigymError
from policies.base import TrainablePolicy

DESCRIBED = ("nfe", "train_episodes")  # columns that are the policy's own words


def recorded_job(row: CheckedRow, out: Path, workers: Workers) -> Evaluation:
    """The evaluation a row came from; raises where something of it is not here."""
    assert row.evidence is not None
    config, cells = row.evidence.config, row.cells
    if "unrepeatable" in cells["inference"]:
        raise ManigymError("it ran with run.allow_unrepeatable: its answers cannot be repeated")
    policy_class = policies.get(config["policy"])
    options = config["policy_options"]
    if issubclass(policy_class, TrainablePolicy):  # the others went into training
        options = {k: v for k, v in options.items() if k in policy_class.inference_keys}
    checkpoint = Path(cells["checkpoint"]) if cells["checkpoint"] else None
    if checkpoint is not None and not checkpoint.is_file():
        raise ManigymError(f"the checkpoint {checkpoint} is not here")
    made_with = dict(config["tasks"][cells["env"]]["env_options"])
    made_with.pop("observations", None)
    return Evaluation(
        env=cells["env"],
        policy=policy_class.from_options(checkpoint, options),
        policy_name=config["policy"],
        episodes=1 + max(record.episode for record in row.records),
        seed=config["seed"],
        workers=workers,
        settings=RunSettings(config["execute"], config["ensemble"], videos=0),
        env_options=made_with,
        checkpoint=checkpoint,
        split=config["split"],
        latency=_latency(config["latency"], out),
        perturb=PerturbationSettings(**config["perturb"]),
    )


def _latency(recorded: Mapping[str, Any], out: Path) -> LatencySettings:
    """A profile is found by its content among the runs of ``out``."""
    settings = {k: v for k, v in recorded.items() if k != "sha256"}
    if "sha256" not in recorded:
        return LatencySettings(**settings)
    for file in sorted(out.glob("*/episodes.jsonl")):
        if hashlib.sha256(file.read_bytes()).hexdigest() == recorded["sha256"]:
            return LatencySettings(**settings | {"delay": f"profile:{file}"})
    raise ManigymError(
        f"the timings of its latency.delay=profile (sha256 {recorded['sha256']}) are of no run "
        f"below {out}"
    )


def other_words(job: Evaluation, row: CheckedRow) -> list[str]:
    """What policy and task say of themselves here, where it is not what was recorded."""
    assert row.evidence is not None
    here = json.loads(json.dumps(job.resolved(), default=str))
    recorded = row.evidence.config["tasks"][job.env]
    found = [
        f"{key} is {here.get(key)!r}, recorded {recorded.get(key)!r}"
        for key in sorted({*here, *recorded})
        if here.get(key) != recorded.get(key)
    ]
    described = job.policy.describe()
    for name in DESCRIBED:
        text = "" if described.get(name) is None else str(described[name])
        if text != row.cells[name]:
            found.append(f"{name} is {text!r}, the row says {row.cells[name]!r}")
    return found


def rerun(
    job: Evaluation, run: Path, records: Sequence[EpisodeRecord], on_end: Callable[[], None]
) -> list[Replayed]:
    """Run the policy on the episodes of these records; nothing is written.

    ``on_end`` is called after every episode.
    """
    planned = [PlannedEpisode(r.env, r.episode, r.seed, r.policy_seed) for r in records]
    by_index = {record.episode: record for record in records}
    found: list[Replayed] = []

    def compare(outcome: Outcome) -> None:
        record = by_index[outcome.episode.index]
        found.append(Replayed(record, _differences(run, record, outcome)))
        on_end()

    workers = replace(job.workers, count=min(job.workers.count, len(records)))
    with opened(job, workers) as (pool, options):
        rollout(pool, job.policy, planned, compare, options)
    return found


def _differences(run: Path, record: EpisodeRecord, outcome: Outcome) -> list[str]:
    if outcome.summary is None:
        return [f"it cannot be executed here: {outcome.failure}"]
    found = outcome_differences(record, outcome.summary)
    if outcome.delays != record.delays:
        found.append(f"delays {outcome.delays}, recorded {record.delays}")
    recorded, here = sound_trace(run, record).actions, outcome.summary.actions
    common = min(len(recorded), len(here))
    differs = (recorded[:common] != here[:common]).any(axis=1)
    if differs.any():
        found.insert(0, f"the policy acts otherwise from step {differs.argmax() + 1} on")
    return found
