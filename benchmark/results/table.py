"""Rows of the leaderboard as a table to read: the columns that say something, in short."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from tabulate import tabulate

SHOWN = {
    "env": "environment",
    "policy": "policy",
    "protocol": "protocol",
    "split": "split",
    "latency": "latency",
    "perturbation": "perturbation",
    "successes": "successes",
    "episodes": "episodes",
    "errors": "errors",
    "success_rate": "rate",
    "low": "low",
    "high": "high",
    "interval": "interval",
    "stopping": "stopping",
    "selection": "selection",
    "inference": "inference",
    "mean_steps": "mean steps",
    "nfe": "NFE",
    "train_episodes": "demos",
    "policy_ms_p50": "policy ms",
    "run": "run",
}
OPTIONAL = {  # shown where a cell says something: what that looks like
    "split": "^(?!test$).",
    "latency": ".",
    "perturbation": ".",
    "errors": "[1-9]",
    "stopping": ".",
    "selection": "^best of",
    "inference": "unrepeatable",
    "nfe": ".",
    "train_episodes": "[1-9]",
}
SHORTER = {  # in a table; the file has the whole
    "latency": (r"profile:.* median=(\S+) .*", r"profile median=\1"),
    "stopping": (r"^.*: ", ""),
    "selection": (r" on \d+ validation episodes$", ""),
}


def table(rows: Sequence[Mapping[str, Any]], style: str = "simple") -> str:
    """A readable table; ``style`` is any of tabulate's, e.g. ``github`` for Markdown."""
    shown = [c for c in SHOWN if c not in OPTIONAL or any(says_something(c, r) for r in rows)]
    body = [[cell_text(column, row) for column in shown] for row in rows]
    headers = [SHOWN[column] for column in shown]
    return tabulate(body, headers=headers, tablefmt=style, disable_numparse=True)


def measures_table(rows: Sequence[Mapping[str, Any]], style: str = "simple") -> str:
    """Means of what environments measure beside success, one column each; empty without any."""
    found = [(row, json.loads(row["measures"])) for row in rows if row["measures"]]
    names = list(dict.fromkeys(name for _, means in found for name in means))
    body = [[row["env"], row["policy"], *(means.get(n) for n in names)] for row, means in found]
    return tabulate(body, headers=["environment", "policy", *names], tablefmt=style) if body else ""


def says_something(column: str, row: Mapping[str, Any]) -> bool:
    """Whether a cell of one of the ``OPTIONAL`` columns differs from the usual."""
    return re.search(OPTIONAL[column], cell_text(column, row)) is not None


def cell_text(column: str, row: Mapping[str, Any]) -> str:
    """A cell as a table shows it: ``decided after 23 of 100`` without the rule before it."""
    value = row.get(column)
    pattern, shorter = SHORTER.get(column, ("", ""))
    return "" if value is None else re.sub(pattern, shorter, str(value))
