"""Which rows of the leaderboard are shown, in which order, under which short names."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from benchmark.comparison.averages import stopping_rule
from benchmark.results.table import cell_text, says_something

Row = Mapping[str, str]

# Said of a row whenever it is not the usual value, which comes first.
CONDITIONS = {
    "split": (("", "test"), "{} split"),
    "perturbation": (("",), "{}"),
    "latency": (("",), "latency {}"),
}
# Said where it tells two rows of one policy apart.
DISTINGUISHING = {
    "protocol": "{}",
    "nfe": "{} NFE",
    "train_episodes": "{} demonstrations",
    "seed": "seed {}",
    "render_profile": "{} rendering",
    "run": "{}",
    "stopping": "{}",
    "episodes": "{} episodes",
    "date": "{}",
}
REMARKS = {"stopping": "{}", "selection": "{} checkpoints", "inference": "{}"}


def number(text: str | None) -> float | None:
    """A finite number, or ``None`` where the cell has none."""
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def longest(rows: Sequence[Row]) -> list[Row]:
    """Of each run, task and stopping rule the row with most episodes, of equals the newest.

    A row over the first few episodes of a longer run, written later, does not stand in for it.
    """
    found: dict[tuple[str, str, str], Row] = {}
    for row in rows:
        key = row["run"], row["env"], stopping_rule(row)
        if key not in found or _tried(row) >= _tried(found[key]):
            found[key] = row
    return list(found.values())


def _tried(row: Row) -> int:
    return int(row["episodes"] or 0) + int(row["errors"] or 0)


def best_first(rows: Sequence[Row]) -> list[Row]:
    """By task, protocol and split (test first), the highest success rate first, no rate last."""
    return sorted(rows, key=_place)


def _place(row: Row) -> tuple[str, str, bool, str, float]:
    rate, split = number(row["success_rate"]), row["split"]
    return row["env"], row["protocol"], split != "test", split, 1.0 if rate is None else -rate


def remarks(row: Row) -> list[str]:
    """What is unusual about how a row came about, in a few words each."""
    return [
        wording.format(cell_text(column, row))
        for column, wording in REMARKS.items()
        if says_something(column, row)
    ]


def labels(rows: Sequence[Row]) -> list[str]:
    """A short name for each row of one task: the policy and what sets it apart from its others."""
    return [_label(row, [r for r in rows if r["policy"] == row["policy"]]) for row in rows]


def _label(row: Row, same_policy: Sequence[Row]) -> str:
    parts = _conditions(row)
    rivals = [r for r in same_policy if r is not row and _conditions(r) == parts]
    for column, wording in DISTINGUISHING.items():
        value = row.get(column, "")
        kept = [r for r in rivals if r.get(column, "") == value]
        if len(kept) < len(rivals):
            parts.append(wording.format(value or "none"))
        rivals = kept
    return ", ".join([row["policy"], *parts])


def _conditions(row: Row) -> list[str]:
    named = [(cell_text(column, row), *usual) for column, usual in CONDITIONS.items()]
    return [wording.format(value) for value, usual, wording in named if value not in usual]


def error_bounds(row: Row) -> tuple[float, float] | None:
    """The rate if every errored episode had failed and if it had succeeded; none without errors."""
    successes, episodes, errors = (
        number(row[column]) for column in ("successes", "episodes", "errors")
    )
    if not errors or successes is None or episodes is None:
        return None
    return successes / (episodes + errors), (successes + errors) / (episodes + errors)
