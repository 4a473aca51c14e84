"""Is ``leaderboard.csv`` what was written, and do its numbers follow from the records?

Every byte of the file is bound: the file must be exactly what the writer writes, each row is
sealed, and its cells are made again from the run's folder. Nothing is executed here: that is
``reexecution`` (recorded actions) and ``rerun`` (the policy).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import policies
from benchmark.results import conditions
from benchmark.results.leaderboard import seal
from benchmark.results.provenance import file_hash
from benchmark.results.records import find_run
from benchmark.verification.board import CheckedRow, read_lines
from benchmark.verification.evidence import DAMAGED, OTHER_CODE, UNCHECKED, Evidence, gather
from benchmark.verification.recount import Cells, counted, expected_cells
from envs import card
from envs.schema import ManigymError


@dataclass(frozen=True)
class Verification:
    """``board``: what is wrong with the file itself. ``runs``: damage in runs that no row shows.
    ``unreported``: runs and tasks with episodes that no row counts, and how many these are."""

    board: Sequence[str]
    rows: Sequence[CheckedRow]
    runs: Sequence[str]
    unreported: Sequence[tuple[Path, str, int]]


def verify(out: Path, names: Sequence[str] = ()) -> Verification:
    """Check the leaderboard in ``out``; with ``names`` only the rows of these runs."""
    board = out / "leaderboard.csv"
    problems, lines = read_lines(board)
    wanted = {find_run(out, name).name for name in names}
    rows = [line for line in lines if not wanted or line.cells.get("run") in wanted]
    gathered: dict[str, Evidence] = {}
    for row in rows:
        if row.cells:
            _check_row(row, out, gathered)
    runs = {path.parent.name: path.parent for path in sorted(out.glob("*/config.yaml"))}
    for name in runs:
        if name not in gathered and (not wanted or name in wanted):
            gathered[name] = gather(runs[name])
    return Verification(problems, rows, _unshown(gathered, rows), _unreported(gathered, rows))


def _check_row(row: CheckedRow, out: Path, gathered: dict[str, Evidence]) -> None:
    cells = row.cells
    if cells["row_sha256"] != (sealed := seal(cells)):
        row.found(
            DAMAGED,
            f"the row was changed after it was written: its cells have the sha256 {sealed}, "
            f"row_sha256 is {cells['row_sha256']!r}; restore the line",
        )
    run = out / cells["run"]
    if Path(cells["run"]).name != cells["run"] or not run.is_dir():
        row.found(DAMAGED, f"the run's folder {run} is missing; restore it from a copy")
        return
    if run.name not in gathered:
        gathered[run.name] = gather(run)
    row.evidence = evidence = gathered[run.name]
    if cells["env"] not in evidence.config.get("tasks", {}):
        row.found(DAMAGED, f"{run / 'config.yaml'} has no task {cells['env']!r}")
    else:
        try:
            _check_figures(row, evidence)
        except (KeyError, TypeError, ValueError, AttributeError, ManigymError) as error:
            text = f"{type(error).__name__}: {error}"
            row.found(DAMAGED, f"{run} is not as runs of this version are written ({text})")
    shown = {(r.env, r.episode) for r in row.records}
    row.findings += [f for f in evidence.findings if f.episode is None or f.episode in shown]
    _check_checkpoint(row)


def _check_figures(row: CheckedRow, evidence: Evidence) -> None:
    cells = row.cells
    row.found(DAMAGED, *_sealed_records(cells, evidence))
    row.records, problems = counted(cells, evidence)
    row.found(DAMAGED, *problems)
    if problems:
        return  # figures of other episodes say nothing
    for name, expected in expected_cells(cells, evidence, row.records).items():
        if cells[name] != expected:
            row.found(DAMAGED, f"{name} is {cells[name]!r}; the run gives {expected!r}")
    _check_code(row, evidence)


def _sealed_records(cells: Cells, evidence: Evidence) -> list[str]:
    size, digest = cells["records_bytes"], cells["records_sha256"]
    if not size.isdecimal():
        return [f"records_bytes is {size!r}, expected a whole number"]
    if len(evidence.content) < int(size):
        return [
            f"{evidence.file} has {len(evidence.content)} bytes, the row was made from {size}: "
            "something was removed; restore the file"
        ]
    found = evidence.sha256(int(size))
    if found == digest:
        return []
    return [
        f"{evidence.file} was changed: its first {size} bytes have the sha256 {found}, the row "
        f"was made from {digest}; restore the file"
    ]


def _check_code(row: CheckedRow, evidence: Evidence) -> None:
    """Other code is no damage: a result stays what it was, but may not come out again here."""
    cells, names = row.cells, sorted({r.conditions for r in row.records})
    try:
        found = [conditions.read(evidence.path, name) for name in names]
    except ManigymError:
        return  # damaged: a finding of its own
    digest = conditions.code_hash()
    here = _code(conditions.code_version(), digest)
    other = {_code(one["code_version"], one["code"]) for one in found if one["code"] != digest}
    if other:
        made = " | ".join(sorted(other))
        row.found(
            OTHER_CODE,
            f"made with other code: Manigym {made}, here {here}; results may differ here",
        )
    else:
        task = card(cells["env"])
        told = {"simulator": task.simulator, "asset_source": task.asset_source}
        row.found(
            DAMAGED,
            *(
                f"{name} is {cells[name]!r}; the task card says {text!r}"
                for name, text in told.items()
                if cells[name] != text
            ),
        )
    _check_policy_code(row, {one["policy_code"] for one in found})


def _code(version: str, digest: str) -> str:
    return f"{version} (files {digest[:12]})"


def _check_policy_code(row: CheckedRow, recorded: set[str]) -> None:
    """A policy of another package has code of its own."""
    assert row.evidence is not None
    name = row.evidence.config["policy"]
    try:
        here = conditions.policy_code(policies.get(name))
    except (ManigymError, ImportError) as error:
        row.found(UNCHECKED, f"the code of the policy: {error}")
        return
    if recorded - {here}:
        row.found(
            OTHER_CODE, f"made with other code of the policy {name!r}; results may differ here"
        )


def _check_checkpoint(row: CheckedRow) -> None:
    file, digest = Path(row.cells["checkpoint"]), row.cells["checkpoint_sha256"]
    if not row.cells["checkpoint"]:
        return
    if not file.is_file():
        row.found(UNCHECKED, f"the checkpoint {file} is not here (sha256 {digest})")
    elif (found := file_hash(file)) != digest:
        row.found(DAMAGED, f"checkpoint {file} has the sha256 {found}, the row says {digest}")


def _unshown(gathered: dict[str, Evidence], rows: Sequence[CheckedRow]) -> list[str]:
    """Damage of episodes that no row counts, and of runs without a row."""
    told = {(row.evidence.path, f.text) for row in rows if row.evidence for f in row.findings}
    return [
        finding.text
        for evidence in gathered.values()
        for finding in evidence.findings
        if (evidence.path, finding.text) not in told
    ]


def _unreported(
    gathered: dict[str, Evidence], rows: Sequence[CheckedRow]
) -> list[tuple[Path, str, int]]:
    told = {(row.cells["run"], r.env, r.episode) for row in rows for r in row.records}
    found = []
    for name, evidence in sorted(gathered.items()):
        left = [r.env for r in evidence.records() if (name, r.env, r.episode) not in told]
        found += [(evidence.path, env, left.count(env)) for env in dict.fromkeys(left)]
    return found
