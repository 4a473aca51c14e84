"""What lies behind a row: configuration, records, films, training. What is missing is named."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmark.report.charts import Series
from benchmark.report.rows import Row
from benchmark.results.provenance import located
from benchmark.results.records import EpisodeRecord, read_records
from envs.schema import ManigymError

CURVES = {"loss": "training", "validation_loss": "validation"}


@dataclass(frozen=True)
class Film:
    """A recorded episode; ``path`` may not exist any more."""

    caption: str
    path: Path

    @property
    def problem(self) -> str | None:
        """Why it cannot be shown; ``None`` when it can."""
        if not self.path.is_file():
            return "the film is no longer there"
        with self.path.open("rb") as file:
            start = file.read(12)
        return None if start[4:8] == b"ftyp" else "the film is not a readable MP4 file"


@dataclass(frozen=True)
class Behind:
    """Everything found on disk for a row, and in words what was not.

    ``files``: what the run was told and what it ran under, by name, as text.
    """

    folder: Path
    files: Mapping[str, str]
    records: tuple[EpisodeRecord, ...]
    films: tuple[Film, ...]
    curve: tuple[Series, ...]
    missing: tuple[str, ...]


def behind(row: Row, out: Path) -> Behind:
    """Look below ``out`` for what a row's numbers came from."""
    folder, missing = out / row["run"], []
    files = _files(folder, row)
    records: Sequence[EpisodeRecord] = ()
    if not folder.is_dir():
        missing.append(f"the run's folder {row['run']}")
    else:
        missing += [] if "config.yaml" in files else ["config.yaml"]
        try:
            records = [r for r in read_records(folder) if r.env == row["env"]]
        except (ManigymError, OSError, UnicodeDecodeError) as error:
            missing.append(f"readable episode records ({error})")
        else:
            missing += [] if records else ["episode records of this task"]
    curve: tuple[Series, ...] = ()
    if row["checkpoint"]:
        checkpoint = located(out, row["checkpoint"])
        missing += [] if checkpoint.is_file() else [f"the checkpoint {row['checkpoint']}"]
        curve = learning_curve(checkpoint.with_name("metrics.jsonl"))
    films = tuple(_films(folder, records))
    return Behind(folder, files, tuple(records), films, curve, tuple(missing))


def learning_curve(file: Path) -> tuple[Series, ...]:
    """Losses against the optimiser's step from ``metrics.jsonl``; none where there is no file.

    Lines cut by a crash and numbers that are not finite are left out.
    """
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in CURVES}
    for line in (_text(file) or "").splitlines():
        try:
            entry = json.loads(line)
            step = float(entry["step"])
            values = {name: float(entry[name]) for name in CURVES if name in entry}
        except (ValueError, KeyError, TypeError):
            continue
        for name, value in values.items():
            if math.isfinite(value):
                found[name].append((step, value))
    return tuple(Series(CURVES[name], points) for name, points in found.items() if points)


def _films(folder: Path, records: Sequence[EpisodeRecord]) -> list[Film]:
    """The first filmed success and the first filmed failure."""
    filmed = [r for r in records if r.video and r.status == "ok"]
    found = []
    for success, name in ((True, "success"), (False, "failure")):
        record = next((r for r in filmed if r.success is success), None)
        if record is not None:
            caption = f"First filmed {name}: episode {record.episode}, {record.steps} steps"
            found.append(Film(caption, folder / str(record.video)))
    return found


def _files(folder: Path, row: Row) -> dict[str, str]:
    """``config.yaml`` and the conditions that the row names, where they can be read."""
    named = [folder / "config.yaml"]
    named += [
        file
        for file in sorted(folder.glob("conditions/*.json"))
        if file.stem in row.get("conditions", "")
    ]
    found = {file.relative_to(folder).as_posix(): _text(file) for file in named}
    return {name: text for name, text in found.items() if text is not None}


def _text(file: Path) -> str | None:
    try:
        return file.read_text()
    except (OSError, UnicodeDecodeError):
        return None
