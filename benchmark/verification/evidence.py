"""What a run's folder holds, checked against itself: configuration, records, traces, conditions.

Every file but the films is bound to another one: the folder's name ends in the configuration's
hash, a record carries its own digest and the hashes of its trace, conditions are named by their
hash, and rows are sealed over the records.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from benchmark.results import conditions
from benchmark.results.provenance import config_hash, file_hash
from benchmark.results.records import DamagedRecord, EpisodeRecord, config_text
from benchmark.results.traces import Trace, read_trace
from envs.schema import ManigymError

DAMAGED, DIFFERENT = "DAMAGED", "DIFFERENT"
UNCHECKED, OTHER_CODE, SUPERSEDED = "NOT CHECKABLE", "OTHER CODE", "SUPERSEDED"
OK = "OK"
KINDS = (DAMAGED, DIFFERENT, UNCHECKED, OTHER_CODE, SUPERSEDED, OK)  # the gravest first


@dataclass(frozen=True)
class Finding:
    """Something that is not as it should be. ``episode``: the task and index it is about;
    ``None`` is everything."""

    kind: str
    text: str
    episode: tuple[str, int] | None = None


@dataclass(frozen=True)
class Line:
    """One line of ``episodes.jsonl``: the bytes of the file up to its end, and its record."""

    end: int
    record: EpisodeRecord


@dataclass(frozen=True)
class Evidence:
    """A run's folder. ``config`` is empty where it cannot be read, ``findings`` what is wrong."""

    path: Path
    config: Mapping[str, Any]
    content: bytes
    lines: Sequence[Line]
    findings: Sequence[Finding]

    @property
    def file(self) -> Path:
        return self.path / "episodes.jsonl"

    @property
    def sound_config(self) -> bool:
        """Whether the configuration is the one that the folder is named after."""
        return not any(f.text.startswith(str(self.path / "config.yaml")) for f in self.findings)

    @cached_property
    def damaged(self) -> set[tuple[str, int]]:
        """Tasks and indices of episodes about which there are findings."""
        return {f.episode for f in self.findings if f.episode is not None}

    def sha256(self, size: int) -> str:
        """Of the first ``size`` bytes of the records."""
        return hashlib.sha256(self.content[:size]).hexdigest()

    def records(self, within: int | None = None) -> list[EpisodeRecord]:
        """Of the first ``within`` bytes (default: all) by task and index; a later try counts."""
        lines = self.lines if within is None else [x for x in self.lines if x.end <= within]
        found = {(line.record.env, line.record.episode): line.record for line in lines}
        return [found[key] for key in sorted(found)]


def gather(run: Path) -> Evidence:
    """Read a run's folder and check all that can be checked without running anything."""
    config, problems = _config(run)
    file = run / "episodes.jsonl"
    content = file.read_bytes() if file.exists() else b""
    lines, damaged = _lines(content, file)
    findings = [Finding(DAMAGED, text) for text in problems + damaged]
    for line in lines:
        findings += _about(line.record, _trace(run, line.record))
    findings += _conditions(run, sorted({line.record.conditions for line in lines}))
    return Evidence(run, config, content, lines, findings)


def read_config(run: Path) -> dict[str, Any]:
    """``config.yaml`` of a run as plain data; a missing or unreadable one raises."""
    file = run / "config.yaml"
    try:
        config = OmegaConf.to_container(OmegaConf.create(file.read_bytes().decode()))
    except FileNotFoundError:
        raise ManigymError(f"{file} is missing; restore it from a copy") from None
    except Exception as error:  # yaml raises its own family
        first = str(error).partition("\n")[0]
        raise ManigymError(f"{file} cannot be read ({first}); restore it from a copy") from None
    if not isinstance(config, dict) or not isinstance(config.get("tasks"), dict):
        raise ManigymError(f"{file} is not the configuration of a run; restore it from a copy")
    return {str(key): value for key, value in config.items()}


def sound_trace(run: Path, record: EpisodeRecord) -> Trace:
    """The trace of an episode that ran; one that is not the record's raises ``ManigymError``."""
    if record.trace is None:
        raise ManigymError(f"{run}: the record of {_named(record)} names no trace")
    file = run / record.trace
    if file.is_file() and (found := file_hash(file)) != record.trace_sha256:
        raise ManigymError(
            f"{file} is not the trace of {_named(record)}: sha256 {found}, recorded "
            f"{record.trace_sha256}; restore it from a copy"
        )
    trace = read_trace(file)
    expected = _figures(record.steps or 0, record)
    for name, found in _trace_figures(trace).items():
        if found != expected[name]:
            raise ManigymError(
                f"{file} and the record of {_named(record)} differ: {name} {found} in the trace, "
                f"{expected[name]} in the record"
            )
    return trace


def _figures(steps: int, record: EpisodeRecord) -> dict[str, str]:
    return {
        "actions": f"float32, {steps} steps",
        "state_chain": f"uint8, {steps + 1} links",
        "action_hash": str(record.action_hash),
        "state_hash": str(record.state_hash)[:16] + "...",
    }


def _trace_figures(trace: Trace) -> dict[str, str]:
    """What a trace says of the same things as :func:`_figures` of its record."""
    actions, chain = trace.actions, trace.state_chain
    whole = actions.ndim == chain.ndim == 2 and len(chain) and chain.shape[1] == 8
    return {
        "actions": f"{actions.dtype}, {len(actions) if actions.ndim else 0} steps",
        "state_chain": f"{chain.dtype}, {len(chain) if whole else 0} links",
        "action_hash": hashlib.blake2b(actions.tobytes(), digest_size=16).hexdigest(),
        "state_hash": (chain[-1].tobytes().hex() if whole else "") + "...",
    }


def _named(record: EpisodeRecord) -> str:
    return f"{record.env} episode {record.episode}"


def _config(run: Path) -> tuple[dict[str, Any], list[str]]:
    file = run / "config.yaml"
    try:
        config = read_config(run)
    except ManigymError as problem:
        return {}, [str(problem)]
    ending, found = run.name.rsplit("-", 1)[-1], config_hash(config)
    if found != ending:
        return config, [
            f"{file} was changed: its content has the hash {found}, the folder's name says "
            f"{ending}; restore it from a copy"
        ]
    if file.read_bytes() != config_text(config).encode():
        return config, [f"{file} is not written as it was; restore it from a copy"]
    return config, []


def _lines(content: bytes, file: Path) -> tuple[list[Line], list[str]]:
    """Whole lines, and what is wrong with the others."""
    *whole, rest = content.split(b"\n")
    lines, end = list[Line](), 0
    damaged: dict[str, list[str]] = {}  # problem -> line numbers
    for number, text in enumerate(whole, 1):
        end += len(text) + 1
        try:
            lines.append(Line(end, EpisodeRecord.from_json(text.decode())))
        except (DamagedRecord, UnicodeDecodeError) as problem:
            damaged.setdefault(str(problem), []).append(str(number))
    problems = [
        f"{file} line {', '.join(numbers)}: not what was written ({problem}); restore the file"
        for problem, numbers in damaged.items()
    ]
    if rest:
        problems.append(
            f"{file} line {len(whole) + 1} is cut off ({len(rest)} bytes without a line end), as "
            "a crash leaves it; the command that made the run mends this"
        )
    return lines, problems


def _trace(run: Path, record: EpisodeRecord) -> list[str]:
    if record.status != "ok":
        return []
    try:
        sound_trace(run, record)
    except ManigymError as problem:
        return [str(problem)]
    return []


def _about(record: EpisodeRecord, texts: Iterable[str]) -> list[Finding]:
    return [Finding(DAMAGED, text, (record.env, record.episode)) for text in texts]


def _conditions(run: Path, names: Sequence[str]) -> list[Finding]:
    findings = []
    for name in names:
        try:
            conditions.read(run, name)
        except ManigymError as problem:
            findings.append(Finding(DAMAGED, str(problem)))
    return findings
