"""The cells of a leaderboard row, made once more from the run's folder.

What follows from configuration, plan, records and conditions is recomputed here. The rest (date,
``workers``, ``episodes_per_hour``, where the checkpoint lay and how it was chosen) is protected by
the row's seal alone; ``nfe`` and ``train_episodes`` are the policy's own words.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmark.config import RunSettings
from benchmark.engine.latency import PROFILE, LatencySettings, parse_delay
from benchmark.engine.perturbations import PerturbationSettings
from benchmark.engine.plan import SEED_RULE, PlannedEpisode, plan_episodes
from benchmark.results import conditions
from benchmark.results.leaderboard import outcome_figures
from benchmark.results.records import EpisodeRecord
from benchmark.rows import distinct
from benchmark.statistics.intervals import INTERVALS
from benchmark.stopping import stopping_rule
from benchmark.verification.evidence import Evidence
from envs.schema import ManigymError

Cells = Mapping[str, str]
_INTERVAL = re.compile(r"([a-z]+) (\S+) %")
_STOPPING = re.compile(
    r"(rate against (?P<rate>\S+)|against (?P<run>.+)) at (?P<confidence>\S+) %: .* "
    r"(?P<planned>\d+)"
)
FROM_CONDITIONS = {  # column -> key
    "isolation": "isolation",
    "inference": "inference",
    "simulator_version": "simulator",
    "simulator_files": "simulator_files",
    "code_version": "code_version",
    "code_hash": "code",
    "machine": "machine",
}


def counted(cells: Cells, evidence: Evidence) -> tuple[list[EpisodeRecord], list[str]]:
    """The records a row counts, from the bytes it was made from, and what is wrong with them.

    A row counts the first ``episodes`` + ``errors`` episodes of the plan.
    """
    within = cells["records_bytes"]
    records = [
        r
        for r in evidence.records(int(within) if within.isdecimal() else None)
        if r.env == cells["env"]
    ]
    tried = _tried(cells)
    if tried is None or tried > len(records):
        said = f"{cells['episodes']} episodes and {cells['errors']} errors"
        return records, [f"the row counts {said}, its records are of {len(records)} episodes"]
    kept = [r for r in records if r.episode < tried]
    plan, problems = _plan(evidence.config, cells["env"], tried, kept)
    planned = {e.index: e for e in plan}
    present = {r.episode for r in kept}
    problems += [f"episode {i} is missing from the records" for i in planned if i not in present]
    for record in kept:
        episode = planned.get(record.episode)
        if episode and (record.seed, record.policy_seed) != (episode.seed, episode.policy_seed):
            problems.append(
                f"episode {record.episode} started from the seeds {record.seed} and "
                f"{record.policy_seed} (policy); the plan gives {episode.seed} and "
                f"{episode.policy_seed}"
            )
    return kept, problems


def _tried(cells: Cells) -> int | None:
    counts = cells["episodes"], cells["errors"]
    return sum(map(int, counts)) if all(c.isdecimal() for c in counts) else None


def _plan(
    config: Mapping[str, Any], env: str, tried: int, records: Sequence[EpisodeRecord]
) -> tuple[list[PlannedEpisode], list[str]]:
    """What the configuration plans; a policy's own start states are taken from the records."""
    rule = config["tasks"][env]["seed_rule"]
    if rule == SEED_RULE:
        return plan_episodes(env, config["split"], tried, config["seed"]), []
    if rule == "recorded":
        return [PlannedEpisode(env, r.episode, r.seed, r.seed) for r in records], []
    return [], [f"seed rule {rule!r} is not one of this version ({SEED_RULE}, recorded)"]


def expected_cells(
    cells: Cells, evidence: Evidence, records: Sequence[EpisodeRecord]
) -> dict[str, str]:
    """Column -> what it must say."""
    figures = outcome_figures(records, *_interval(cells))
    stopping = {"stopping": _stopping(cells, evidence, records)}
    found = configured_cells(cells, evidence) | _from_conditions(evidence, records)
    return found | _as_text(figures) | stopping


def _as_text(values: Mapping[str, Any]) -> dict[str, str]:
    return {name: "" if value is None else str(value) for name, value in values.items()}


def _interval(cells: Cells) -> tuple[str, float]:
    """Name and confidence as the cell says; those of a default row where it says nonsense."""
    match = _INTERVAL.fullmatch(cells["interval"])
    name, confidence = (match[1], _share(match[2])) if match else ("", None)
    known = {"sequence"} if cells["stopping"] else set(INTERVALS)
    if confidence is None or name not in known:
        return ("sequence" if cells["stopping"] else "wilson"), confidence or 0.95
    return name, confidence


def _share(percent: str, scale: float = 100.0) -> float | None:
    try:
        share = float(percent) / scale
    except ValueError:
        return None
    return share if 0 < share < 1 else None


def _stopping(cells: Cells, evidence: Evidence, records: Sequence[EpisodeRecord]) -> str:
    """The cell as it must read; where it names no rule, that there is none."""
    match = _STOPPING.fullmatch(cells["stopping"])
    confidence = _share(match["confidence"]) if match else None
    if not match or confidence is None:
        return ""
    rate = _share(match["rate"], 1.0) if match["rate"] else None
    settings = RunSettings(stop_rate=rate, stop_against=match["run"], confidence=confidence)
    kept = evidence.path / "reference" / f"{Path(match['run'] or '').name}.json"
    if match["run"] and not kept.exists():  # it would be made from what that run is by now
        raise ManigymError(f"{kept} is missing; restore it from a copy")
    rule = stopping_rule(cells["env"], settings, evidence.path.parent, evidence.path)
    if rule is None:
        return ""
    plan = [PlannedEpisode(r.env, r.episode, r.seed, r.policy_seed) for r in records]
    end = rule.end(plan, records)
    return rule.describe(len(records) if end is None else int(match["planned"]), end)


def configured_cells(cells: Cells, evidence: Evidence) -> dict[str, str]:
    """Those that follow from the run's configuration, whatever came out."""
    config = evidence.config
    task = config["tasks"][cells["env"]]
    latency = recorded_latency(config["latency"], evidence.path)
    found = {
        "policy": config["policy"],
        "protocol": task["protocol"]["name"],
        "split": config["split"],
        "latency": latency.describe(parse_delay(latency.delay, task["protocol"]["control_hz"])),
        "perturbation": PerturbationSettings(**config["perturb"]).describe(),
        "seed": config["seed"],
        "seed_rule": task["seed_rule"],
        "checkpoint_sha256": task["checkpoint_sha256"],
        "render_profile": task["env_options"].get("render_profile", "fast"),
        "config_hash": evidence.path.name.rsplit("-", 1)[-1],
    }
    return _as_text(found)


def recorded_latency(recorded: Mapping[str, Any], run: Path) -> LatencySettings:
    """``latency.*`` of a run; the timings of a profile are kept in its folder, bound by a hash."""
    if "sha256" not in recorded:
        return LatencySettings(**recorded)
    plain = {key: value for key, value in recorded.items() if key != "sha256"}
    settings = LatencySettings(**plain | {"delay": f"profile:{run / PROFILE}"})
    found = parse_delay(settings.delay, control_hz=1.0).identity["sha256"]
    if found != recorded["sha256"]:
        raise ManigymError(
            f"{run / PROFILE} was changed: its timings have the sha256 {found}, the run was made "
            f"with {recorded['sha256']}; restore it from a copy"
        )
    return settings


def _from_conditions(evidence: Evidence, records: Sequence[EpisodeRecord]) -> dict[str, str]:
    """Nothing where a file is damaged, which is a finding of its own."""
    names = sorted({r.conditions for r in records})
    try:
        found = [conditions.read(evidence.path, name) for name in names]
    except ManigymError:
        return {}
    cells = {c: distinct(f.get(key, "") for f in found) for c, key in FROM_CONDITIONS.items()}
    return cells | {"conditions": distinct(names)}
