"""The files that MolmoSpaces' training reads beside the trajectories.

``valid_trajectory_index.json``: house -> HDF5 file relative to the root -> trajectory -> rows.
``aggregated_statistics.json``: "<key>/<group>" -> mean, std, min, max, count, sum, sum_sq over all
rows but the first and the last of each episode.
"""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path

import numpy as np

from benchmark.data.hdf5 import opened
from benchmark.data.mjthor_layout import KIND, Trajectory, find, is_flat
from benchmark.data.mjthor_rows import decode_rows
from benchmark.data.rows import Array

INDEX, STATISTICS = "valid_trajectory_index.json", "aggregated_statistics.json"
SHORTEST = 3  # rows of a trajectory that upstream calls valid


def write_index(root: Path) -> Path:
    """Write ``valid_trajectory_index.json`` for every folder of houses below ``root``."""
    index: dict[Path, dict[str, dict[str, dict[str, int]]]] = defaultdict(dict)
    for where in find(root):
        with opened(where.file, KIND) as file:
            rows = len(file[where.key]["success"])
        if rows >= SHORTEST:
            house = where.file.parent
            files = index[house.parent].setdefault(house.name, {})
            files.setdefault(f"{house.name}/{where.file.name}", {})[where.key] = rows
    for folder, houses in index.items():
        (folder / INDEX).write_text(json.dumps(houses, indent=2), encoding="utf-8")
    return root


def statistics(root: Path) -> dict[str, dict[str, object]]:
    """Statistics of every JSON column of numbers: of the actions, ``qpos`` and ``qvel``."""
    seen: dict[str, list[Array]] = defaultdict(list)
    for where in find(root):
        for key, values in _columns(where).items():
            seen[key].append(values)
    return {key: _summary(np.concatenate(parts)) for key, parts in sorted(seen.items())}


def write_statistics(root: Path) -> Path:
    """Write ``aggregated_statistics.json`` into ``root``."""
    path = root / STATISTICS
    path.write_text(json.dumps(statistics(root), indent=2), encoding="utf-8")
    return path


def _columns(where: Trajectory) -> dict[str, Array]:
    """ "<key>/<group>" -> (T - 2, n), rows that leave the group out not counted."""
    columns: dict[str, list[list[float]]] = defaultdict(list)
    with opened(where.file, KIND) as file:
        data = file[where.key]
        names = (
            {"actions": "actions"}
            if is_flat(data)
            else {f"actions/{name}": f"actions/{name}" for name in data["actions"]}
        )
        names |= {f"obs/agent/{name}": name for name in data["obs/agent"]}
        for dataset, key in names.items():
            for row in decode_rows(data[dataset][()], f"{where}, {dataset}")[1:-1]:
                for group, values in row.items():
                    if isinstance(values, list):
                        columns[f"{key}/{group}"].append(values)
    return {key: np.array(rows, np.float64) for key, rows in columns.items()}


def _summary(values: Array) -> dict[str, object]:
    facts = {
        "mean": values.mean(axis=0),
        "std": values.std(axis=0),
        "min": values.min(axis=0),
        "max": values.max(axis=0),
        "sum": values.sum(axis=0),
        "sum_sq": (values**2).sum(axis=0),
    }
    return {name: row.tolist() for name, row in facts.items()} | {"count": len(values)}
