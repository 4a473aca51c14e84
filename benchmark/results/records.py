"""A run on disk: its configuration, one record per episode, its films.

``episodes.jsonl`` is appended to as episodes finish, so an interruption loses at most those in
flight; opening the run again tells which episodes are still to do. A line that was cut short by a
crash is dropped when the run is opened.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from benchmark.engine.rollout import Outcome
from envs.schema import ManigymError


@dataclass(frozen=True)
class EpisodeRecord:
    """One line of ``episodes.jsonl``.

    ``status`` is ``ok`` or ``error`` (harness or simulator failed: ``success`` is null, counted
    apart, never as a failure of the policy). Hashes chain over all states and all actions.
    ``isolation`` and ``versions`` tell where the simulator ran: see :class:`envs.pool.Pool`.
    """

    env: str
    episode: int
    seed: int
    policy_seed: int
    status: str
    success: bool | None
    steps: int | None
    total_reward: float | None
    state_hash: str | None
    action_hash: str | None
    policy_ms: list[float]
    sim_seconds: float | None
    isolation: str
    versions: str
    error: str | None = None
    video: str | None = None

    @classmethod
    def of(
        cls,
        outcome: Outcome,
        isolation: str,
        versions: Mapping[str, str],
        video: str | None = None,
    ) -> EpisodeRecord:
        episode, summary = outcome.episode, outcome.summary
        return cls(
            env=episode.env,
            episode=episode.index,
            seed=episode.seed,
            policy_seed=episode.policy_seed,
            status="ok" if summary else "error",
            success=summary.success if summary else None,
            steps=summary.steps if summary else None,
            total_reward=summary.total_reward if summary else None,
            state_hash=summary.state_hash if summary else None,
            action_hash=summary.action_hash if summary else None,
            policy_ms=[round(1e3 * s, 3) for s in outcome.policy_seconds],
            sim_seconds=round(summary.sim_seconds, 4) if summary else None,
            isolation=isolation,
            versions=" ".join(f"{name}={number}" for name, number in versions.items()),
            error=str(outcome.failure) if outcome.failure else None,
            video=video,
        )

    def to_json(self) -> str:
        data = asdict(self)
        data["return"] = data.pop("total_reward")
        return json.dumps(data)

    @classmethod
    def from_json(cls, line: str) -> EpisodeRecord:
        data = json.loads(line)
        data["total_reward"] = data.pop("return")
        return cls(**data)


class RunFolder:
    """``config.yaml``, ``episodes.jsonl``, ``errors.log`` and ``videos/`` of one run."""

    def __init__(self, path: Path, config: Mapping[str, Any]) -> None:
        self.path = path
        self._records = path / "episodes.jsonl"
        path.mkdir(parents=True, exist_ok=True)
        text = OmegaConf.to_yaml(OmegaConf.create(dict(config)))
        file = path / "config.yaml"
        if file.exists() and file.read_text() != text:
            raise ManigymError(
                f"{path} holds a run with another configuration; choose another --out"
            )
        file.write_text(text)
        drop_cut_line(self._records)

    def records(self) -> list[EpisodeRecord]:
        """Finished episodes: see :func:`read_records`."""
        return read_records(self.path)

    def append(self, record: EpisodeRecord) -> None:
        with self._records.open("a") as file:
            file.write(record.to_json() + "\n")
            file.flush()
            os.fsync(file.fileno())

    def log_error(self, record: EpisodeRecord, details: str) -> None:
        with (self.path / "errors.log").open("a") as file:
            file.write(
                f"{record.env} episode {record.episode} seed {record.seed}: {record.error}\n"
                f"{details}\n"
            )


def read_records(run: Path) -> list[EpisodeRecord]:
    """Finished episodes of a run's folder, by task and index; none where there is no file.

    An episode that was tried twice counts once, the later try (a retried error).
    """
    file = run / "episodes.jsonl"
    if not file.exists():
        return []
    found: dict[tuple[str, int], EpisodeRecord] = {}
    for number, line in enumerate(file.read_text().splitlines(), 1):
        try:
            record = EpisodeRecord.from_json(line)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ManigymError(
                f"{file} line {number} is not an episode record ({error}); "
                "restore the file or remove the line to run that episode again"
            ) from None
        found[record.env, record.episode] = record
    return [found[key] for key in sorted(found)]


def find_run(out: Path, name: str) -> Path:
    """The folder of a run: a path, or a name (or its unambiguous beginning or end) below ``out``."""
    if (Path(name) / "config.yaml").is_file():
        return Path(name)
    runs = sorted(file.parent for file in out.glob("*/config.yaml"))
    found = [run for run in runs if run.name == name] or [
        run for run in runs if run.name.startswith(name) or run.name.endswith(name)
    ]
    if len(found) == 1:
        return found[0]
    problem = f"{name!r} fits {len(found)} runs" if found else f"no run {name!r}"
    known = ", ".join(run.name for run in (found or runs)) or "none"
    raise ManigymError(f"{problem} below {out}; there are: {known}")


def drop_cut_line(path: Path) -> None:
    """Remove bytes after the last newline, left by a crash in the middle of a write."""
    if not path.exists():
        return
    data = path.read_bytes()
    keep = data.rfind(b"\n") + 1
    if keep < len(data):
        os.truncate(path, keep)
