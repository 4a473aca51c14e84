"""The lines of ``leaderboard.csv``, byte by byte.

The file must be exactly what the writer writes. A damaged line is named and the others are still
read: lines are taken apart before they are parsed, so that a quote in one cannot swallow the next.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass, field
from pathlib import Path

from benchmark.results.leaderboard import COLUMNS, csv_text
from benchmark.results.records import EpisodeRecord
from benchmark.verification.evidence import DAMAGED, KINDS, OK, Evidence, Finding
from benchmark.verification.recount import Cells
from envs.schema import ManigymError


@dataclass
class CheckedRow:
    """Line ``number`` of the file; ``cells`` is empty where it is not a row, ``evidence`` ``None``
    where its run cannot be read. ``records``: those it counts; ``checkpoint``: its weights, where
    they are here."""

    number: int
    cells: Cells
    findings: list[Finding] = field(default_factory=list)
    evidence: Evidence | None = None
    records: list[EpisodeRecord] = field(default_factory=list)
    checkpoint: Path | None = None

    @property
    def verdict(self) -> str:
        """The gravest kind of its findings."""
        return min((f.kind for f in self.findings), key=KINDS.index, default=OK)

    def found(self, kind: str, *texts: str) -> None:
        self.findings += [Finding(kind, text) for text in texts]

    @property
    def executable(self) -> list[EpisodeRecord]:
        """Counted episodes that ran and whose files are whole."""
        if self.evidence is None or not self.evidence.sound_config:
            return []
        damaged = self.evidence.damaged
        return [r for r in self.records if r.status == "ok" and (r.env, r.episode) not in damaged]


def read_lines(path: Path) -> tuple[list[str], list[CheckedRow]]:
    """Problems of the file's header, and its other lines, each checked byte by byte."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise ManigymError(
            f"no leaderboard at {path}; make one with: python -m benchmark run --policy uniform"
        ) from None
    if not content:
        return [f"{path} is empty; restore it from a copy"], []
    *lines, rest = content.split(b"\n")
    rows = [_row(number, line) for number, line in enumerate(lines[1:], 2)]
    if rest or not lines:
        rows.append(_no_row(len(lines) + 1, "the line is cut off: it has no line end"))
    header = csv_text([]).encode()
    if lines and lines[0] + b"\n" == header:
        return [], rows
    return [f"{path} line 1 is not the header that is written: {_first_odd(content)}"], rows


def _first_odd(content: bytes) -> str:
    """Where a header differs from the one that is written."""
    got = content.partition(b"\n")[0].decode(errors="backslashreplace").split(",")
    for place, (expected, found) in enumerate(zip(COLUMNS, got, strict=False), 1):
        if expected != found:
            return f"column {place} is {found!r}, expected {expected!r}"
    return f"it has {len(got)} columns, expected {len(COLUMNS)}"


def _row(number: int, line: bytes) -> CheckedRow:
    try:
        texts = [cell for row in csv.reader([line.decode()]) for cell in row]
    except (UnicodeDecodeError, csv.Error) as error:
        return _no_row(number, f"the line cannot be read ({error})")
    if len(texts) != len(COLUMNS):
        return _no_row(number, f"the line has {len(texts)} cells, expected {len(COLUMNS)}")
    row = CheckedRow(number, dict(zip(COLUMNS, texts, strict=True)))
    if csv_text([row.cells], header=False).encode() != line + b"\n":
        row.found(DAMAGED, "the line is not written as rows are (quotes or line end)")
    return row


def _no_row(number: int, problem: str) -> CheckedRow:
    return CheckedRow(number, {}, [Finding(DAMAGED, f"{problem}; restore it from a copy")])
