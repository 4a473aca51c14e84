"""Which rows of the leaderboard are shown, in which order, under which short names."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

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
}


def number(text: str | None) -> float | None:
    """A finite number, or ``None`` where the cell has none."""
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def newest(rows: Sequence[Row]) -> list[Row]:
    """The last row written of each run and task."""
    return list({(row["run"], row["env"]): row for row in rows}.values())


def best_first(rows: Sequence[Row]) -> list[Row]:
    """By task and protocol, the highest success rate first; no rate comes last."""
    return sorted(rows, key=lambda r: (r["env"], r["protocol"], -(number(r["success_rate"]) or -1)))


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
    named = [(row.get(column, ""), *usual) for column, usual in CONDITIONS.items()]
    return [wording.format(value) for value, usual, wording in named if value not in usual]


def error_bounds(row: Row) -> tuple[float, float] | None:
    """The rate if every errored episode had failed and if it had succeeded; none without errors."""
    successes, episodes, errors = (
        number(row[column]) for column in ("successes", "episodes", "errors")
    )
    if not errors or successes is None or episodes is None:
        return None
    return successes / (episodes + errors), (successes + errors) / (episodes + errors)
