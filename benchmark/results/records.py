"""A run on disk: its configuration, one record per episode, their traces, its films.

``episodes.jsonl`` is appended to as episodes finish, so an interruption loses at most those in
flight; opening the run again tells which episodes are still to do. Every record carries a digest of
itself. What a crash left of a last line is put aside when the run is opened.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from benchmark.engine.rollout import Outcome
from benchmark.results.files import append_whole, write_whole
from benchmark.results.provenance import slug
from benchmark.results.traces import Trace, write_trace
from envs.schema import ManigymError

NOT_SIMULATED = ("encode", "denoise", "act", "film")


class DamagedRecord(ManigymError):
    """A line that is not a record, or not the one that was written."""


class OtherVersion(DamagedRecord):
    """A whole record with other fields than this version writes."""


@dataclass(frozen=True)
class EpisodeRecord:
    """One line of ``episodes.jsonl``.

    ``status`` is ``ok`` or ``error`` (harness or simulator failed: ``success`` is null, counted
    apart, never as a failure of the policy). Hashes chain over all states and all actions; the
    ``trace`` file has them step by step. ``isolation``: where the simulator ran; ``conditions``:
    name of a file that says all else a result could depend on. ``delays``: in control ticks.
    ``measures``: what the environment measures beside success (``ManipEnv.measures``). ``stages``:
    seconds spent in each part of the simulator (:class:`envs.episode.EpisodeSummary`) and of the
    policy (``encode``, ``denoise``, ``act`` for the rest; shares of calls that served several).
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
    stages: dict[str, float]
    isolation: str
    conditions: str
    trace: str | None = None
    trace_sha256: str | None = None
    error: str | None = None
    video: str | None = None
    delays: list[int] = field(default_factory=list)
    measures: dict[str, float] = field(default_factory=dict)

    @property
    def sim_seconds(self) -> float:
        """Time in the simulator, films apart."""
        return sum(s for name, s in self.stages.items() if name not in NOT_SIMULATED)

    @property
    def outcome(self) -> tuple[Any, ...]:
        """What must be the same whoever runs the episode, however: no times, no places."""
        figures = (self.status, self.success, self.steps, self.total_reward)
        start = (self.env, self.episode, self.seed, self.policy_seed)
        return (*start, *figures, self.state_hash, self.action_hash, tuple(self.delays))

    @classmethod
    def of(
        cls,
        outcome: Outcome,
        isolation: str,
        conditions: str,
        trace: tuple[str, str] | None = None,
        video: str | None = None,
    ) -> EpisodeRecord:
        """``trace``: name and sha256 of its file."""
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
            stages=_rounded(outcome.stages | (summary.stages if summary else {})),
            isolation=isolation,
            conditions=conditions,
            trace=trace[0] if trace else None,
            trace_sha256=trace[1] if trace else None,
            error=str(outcome.failure) if outcome.failure else None,
            video=video,
            delays=outcome.delays,
            measures=summary.measures if summary else {},
        )

    def to_json(self) -> str:
        """One line, ending in a digest of the rest."""
        data = asdict(self)
        data["return"] = data.pop("total_reward")
        return json.dumps(data | {"digest": _digest(data)})

    @classmethod
    def from_json(cls, line: str) -> EpisodeRecord:
        """Read :meth:`to_json`'s line; any other raises :class:`DamagedRecord`, one of another
        version :class:`OtherVersion`."""
        try:
            data = json.loads(line)
            digest = data.pop("digest")
            if digest != _digest(data):
                raise DamagedRecord("its content does not match its digest")
            data["total_reward"] = data.pop("return")
            other = sorted({*data} ^ {field.name for field in fields(cls)})
            if other:
                raise OtherVersion(f"it differs in {', '.join(other)}")
            record = cls(**data)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise DamagedRecord(f"{type(error).__name__}: {error}") from None
        if record.to_json() != line:
            raise DamagedRecord("it is not written as records are")
        return record


def _rounded(stages: Mapping[str, float]) -> dict[str, float]:
    return {name: round(seconds, 5) for name, seconds in stages.items()}


def _digest(data: Mapping[str, Any]) -> str:
    text = json.dumps(data, sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


class RunFolder:
    """``config.yaml``, ``episodes.jsonl``, ``traces/``, ``conditions/``, ``errors.log``, ``logs/``
    and ``videos/`` of one run; one process at a time writes it (``benchmark.claim``).

    ``mended``: what was found damaged at the end of the records, put aside in ``damaged.jsonl``.
    """

    def __init__(self, path: Path, config: Mapping[str, Any]) -> None:
        self.path = path
        self._records = path / "episodes.jsonl"
        path.mkdir(parents=True, exist_ok=True)
        text, file = config_text(config), path / "config.yaml"
        if not file.exists():
            write_whole(file, text.encode())
        elif file.read_text() != text:
            raise ManigymError(
                f"{path} holds a run with another configuration; choose another --out"
            )
        self.mended = _mend(self._records)

    def records(self) -> list[EpisodeRecord]:
        """Finished episodes: see :func:`read_records`."""
        return read_records(self.path)

    def append(self, record: EpisodeRecord) -> None:
        append_whole(self._records, record.to_json().encode() + b"\n")

    def write_trace(self, outcome: Outcome) -> tuple[str, str] | None:
        """Keep what an episode did; name and sha256 of the file."""
        if outcome.summary is None:
            return None
        name = f"traces/{slug(outcome.episode.env)}-{outcome.episode.index:04d}.npz"
        trace = Trace(outcome.summary.actions, outcome.summary.state_chain)
        return name, write_trace(self.path / name, trace)

    def log_error(self, record: EpisodeRecord, details: str) -> None:
        with (self.path / "errors.log").open("a") as file:
            file.write(
                f"{record.env} episode {record.episode} seed {record.seed}: {record.error}\n"
                f"{details}\n"
            )


def config_text(config: Mapping[str, Any]) -> str:
    """``config.yaml`` of a run."""
    return str(OmegaConf.to_yaml(OmegaConf.create(dict(config))))


def _mend(path: Path) -> bytes:
    """Put what a crash left at the end of the records aside; return it.

    That is a line without its end, or one that is no JSON (zeros after a power failure). Anything
    else is not a crash's doing and is left for a person to look at.
    """
    data = path.read_bytes() if path.exists() else b""
    keep = data.rfind(b"\n") + 1
    last = data.rfind(b"\n", 0, keep - 1) + 1
    if keep and keep == len(data) and not _is_json(data[last:keep]):
        keep = last
    cut = data[keep:]
    if cut:
        append_whole(path.with_name("damaged.jsonl"), cut + b"\n")
        write_whole(path, data[:keep])
    return cut


def _is_json(line: bytes) -> bool:
    try:
        json.loads(line)
    except ValueError:
        return False
    return True


def read_records(run: Path) -> list[EpisodeRecord]:
    """Finished episodes of a run's folder, by task and index; none where there is no file.

    An episode that was tried twice counts once, the later try (a retried error).
    """
    file = run / "episodes.jsonl"
    return parse_records(file.read_bytes(), file) if file.exists() else []


def parse_records(content: bytes, file: Path) -> list[EpisodeRecord]:
    """The records in a (part of a) file; ``file`` is for the message of a damaged one."""
    found: dict[tuple[str, int], EpisodeRecord] = {}
    for number, line in enumerate(content.split(b"\n")[:-1], 1):
        try:
            record = EpisodeRecord.from_json(line.decode())
        except OtherVersion as problem:
            raise OtherVersion(
                f"{file} was written by another version of Manigym ({problem}); read it with that "
                "one (the leaderboard's code_version), or run it again below another --out"
            ) from None
        except (DamagedRecord, UnicodeDecodeError) as problem:
            raise DamagedRecord(
                f"{file} line {number} is not an episode record as this version writes them "
                f"({problem}); restore the file, or remove the line to run that episode again"
            ) from None
        found[record.env, record.episode] = record
    return [found[key] for key in sorted(found)]


def find_run(out: Path, name: str) -> Path:
    """The folder of a run: a path, or a name below ``out`` (its beginning or end will do).

    ``latest`` is the one that was written to last. Runs without an episode are not found by name.
    """
    if (Path(name) / "config.yaml").is_file():
        return Path(name)
    files = sorted(out.glob("*/episodes.jsonl"), key=lambda file: file.stat().st_mtime)
    runs = [file.parent for file in files]
    if name == "latest" and runs:
        return runs[-1]
    found = [run for run in runs if run.name == name] or [
        run for run in runs if run.name.startswith(name) or run.name.endswith(name)
    ]
    if len(found) == 1:
        return found[0]
    problem = f"{name!r} fits {len(found)} runs" if found else f"no run {name!r}"
    known = ", ".join(run.name for run in (found or runs)) or "none"
    raise ManigymError(f"{problem} below {out}; there are, the newest last: {known}")
