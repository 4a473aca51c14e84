"""The policy of a run once more, in memory: are the recorded actions its actions?"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import policies
from benchmark.config import RunSettings
from benchmark.engine.perturbations import PerturbationSettings
from benchmark.engine.plan import PlannedEpisode
from benchmark.engine.rollout import Outcome, rollout
from benchmark.evaluate import Evaluation, opened
from benchmark.results import conditions
from benchmark.results.records import EpisodeRecord
from benchmark.verification.board import CheckedRow
from benchmark.verification.evidence import sound_trace
from benchmark.verification.recount import recorded_latency
from benchmark.verification.reexecution import (
    RecordedTask,
    Replayed,
    likely_causes,
    outcome_differences,
    rules,
)
from envs.make import Workers
from envs.schema import ManigymError
from policies.base import inference_options

DECIDING = ("env_options", "seed_rule", "n_obs", "n_action", "policy", "checkpoint_sha256")
DESCRIBED = ("nfe", "train_episodes")  # columns that are the policy's own words


def recorded_job(row: CheckedRow, workers: Workers) -> Evaluation:
    """The evaluation a row came from; raises where something of it is not here."""
    assert row.evidence is not None
    config, cells = row.evidence.config, row.cells
    if "unrepeatable" in cells["inference"]:
        raise ManigymError("it ran with run.allow_unrepeatable: its answers cannot be repeated")
    if cells["checkpoint"] and row.checkpoint is None:
        raise ManigymError(f"its checkpoint (sha256 {cells['checkpoint_sha256']}) is not here")
    policy_class = policies.get(config["policy"])
    options = inference_options(policy_class, config["policy_options"])
    made_with = dict(config["tasks"][cells["env"]]["env_options"])
    made_with.pop("observations", None)
    return Evaluation(
        env=cells["env"],
        policy=policy_class.from_options(row.checkpoint, options),
        policy_name=config["policy"],
        episodes=1 + max(record.episode for record in row.records),
        seed=config["seed"],
        workers=workers,
        settings=RunSettings(config["execute"], config["ensemble"], videos=0),
        env_options=made_with,
        checkpoint=row.checkpoint,
        split=config["split"],
        latency=recorded_latency(config["latency"], row.evidence.path),
        perturb=PerturbationSettings(**config["perturb"]),
    )


def other_words(job: Evaluation, row: CheckedRow) -> list[str]:
    """What policy and task are here, where it is not what was recorded and can change results."""
    assert row.evidence is not None
    here = _deciding(json.loads(json.dumps(job.resolved(), default=str)))
    recorded = _deciding(row.evidence.config["tasks"][job.env])
    found = [
        f"{key} is {here[key]!r}, recorded {recorded[key]!r}"
        for key in here
        if here[key] != recorded[key]
    ]
    described = job.policy.describe()
    for name in DESCRIBED:
        text = "" if described.get(name) is None else str(described[name])
        if text != row.cells[name]:
            found.append(f"{name} is {text!r}, the row says {row.cells[name]!r}")
    return found


def _deciding(task: Mapping[str, Any]) -> dict[str, Any]:
    """Of one task in ``config.yaml``: not how a protocol is worded."""
    return {key: task.get(key) for key in DECIDING} | {
        f"protocol {key}": value for key, value in rules(task["protocol"]).items()
    }


def rerun(
    job: Evaluation, run: Path, records: Sequence[EpisodeRecord], on_end: Callable[[], None]
) -> tuple[list[Replayed], list[str]]:
    """Run the policy on the episodes of these records; nothing is written.

    ``on_end`` is called after every episode. Returns what came out, and the likely causes where
    something came out otherwise.
    """
    planned = [PlannedEpisode(r.env, r.episode, r.seed, r.policy_seed) for r in records]
    by_index = {record.episode: record for record in records}
    found: list[Replayed] = []

    def compare(outcome: Outcome) -> None:
        record = by_index[outcome.episode.index]
        found.append(_compared(run, record, outcome))
        on_end()

    workers = job.workers.at_most(len(records))
    with opened(job, workers) as (pool, options):
        rollout(pool, job.policy, planned, compare, options)
        different = [one.record for one in found if not one.identical]
        if not different:
            return found, []
        here = conditions.conditions(pool, job.policy, options.inference.describe())
    return found, likely_causes(RecordedTask.read(run, job.env), different, here)


def _compared(run: Path, record: EpisodeRecord, outcome: Outcome) -> Replayed:
    if outcome.summary is None:
        return Replayed(record, [f"it cannot be executed here: {outcome.failure}"], ran=False)
    found = outcome_differences(record, outcome.summary)
    if outcome.delays != record.delays:
        found.append(f"delays {outcome.delays}, recorded {record.delays}")
    recorded, here = sound_trace(run, record).actions, outcome.summary.actions
    common = min(len(recorded), len(here))
    differs = (recorded[:common] != here[:common]).any(axis=1)
    if differs.any():
        found.insert(0, f"the policy acts otherwise from step {differs.argmax() + 1} on")
    return Replayed(record, found)
