"""Changing a leaderboard and its runs the way a forger would: everything else made to fit."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmark.results.leaderboard import csv_text, outcome_figures, read_rows, seal
from benchmark.results.records import EpisodeRecord, read_records


def rewrite_rows(board: Path, *, sealed: bool, **cells: str) -> None:
    """Other cells in every row; ``sealed`` makes their seals fit."""
    rows = [row | cells for row in read_rows(board)]
    if sealed:
        rows = [row | {"row_sha256": seal(row)} for row in rows]
    board.write_text(csv_text(rows), newline="")


def rewrite_record(run: Path, episode: int, **fields: Any) -> None:
    """Other fields in a record, with a digest that fits; the row is left as it was."""
    file = run / "episodes.jsonl"
    records = [EpisodeRecord.from_json(line) for line in file.read_text().splitlines()]
    changed = [replace(r, **fields) if r.episode == episode else r for r in records]
    file.write_text("".join(f"{record.to_json()}\n" for record in changed))


def make_rows_fit(board: Path, run: Path, **cells: str) -> None:
    """All figures and hashes of the rows follow from the records as they are now."""
    content = (run / "episodes.jsonl").read_bytes()
    figures = {
        k: "" if v is None else str(v) for k, v in outcome_figures(read_records(run)).items()
    }
    digests = {
        "records_bytes": str(len(content)),
        "records_sha256": hashlib.sha256(content).hexdigest(),
    }
    rewrite_rows(board, sealed=True, **figures, **digests, **cells)


def rewrite_json(file: Path, changes: Mapping[str, Any]) -> None:
    """Other values in a file of conditions."""
    file.write_text(json.dumps(json.loads(file.read_text()) | changes, indent=1))
