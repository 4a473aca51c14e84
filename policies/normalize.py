"""Linear normalisation of observations and actions, one scale per dimension.

A dimension is an index of the last axis: an entry of a vector, a channel of a point cloud. What
the scales are made of is in `policies.statistics`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from envs.schema import ManigymError
from policies.statistics import SMALLEST_RANGE, Modes, Statistics


class Normalizer(nn.Module):
    """Centre and half-width of every key. Moves between devices with the network that holds it.

    Keys without statistics (mode `identity`) pass through unchanged.
    """

    def __init__(self, linear: Mapping[str, tuple[Any, Any]]) -> None:
        super().__init__()
        self.keys = tuple(linear)
        for index, (centre, half) in enumerate(linear.values()):
            for name, values in (("centre", centre), ("half", half)):
                tensor = torch.as_tensor(values, dtype=torch.float32)
                # Not persistent: checkpoints hold a normaliser of their own, from `to_dict`.
                self.register_buffer(f"{name}_{index}", tensor, persistent=False)

    @classmethod
    def fit(
        cls,
        data: Mapping[str, np.ndarray] | Iterable[Mapping[str, np.ndarray]],
        modes: Mapping[str, str] | None = None,
        groups: Mapping[str, int] | None = None,
        floor: float = SMALLEST_RANGE,
    ) -> Normalizer:
        """Fit to arrays (..., D) by key, or to an iterable of such mappings (read once, in turn).

        `modes` overrides `default_mode` for the keys it names, and for the action groups
        (`action/<group>`), whose sizes are `groups`. Ranges below `floor` are not stretched.
        """
        chunks = [data] if isinstance(data, Mapping) else data
        chosen = Modes(modes or {}, groups or {})
        found: dict[str, Statistics] = {}
        rows_before: dict[str, int] = {}
        for chunk in chunks:
            chosen.check_keys(list(chunk))
            for key, values in chunk.items():
                wanted = chosen.of(key)
                if wanted == {"identity"} or not np.size(values):
                    continue
                check_finite(key, values, rows_before.get(key, 0))
                rows_before[key] = rows_before.get(key, 0) + len(values)
                rows = np.asarray(values).reshape(-1, values.shape[-1])
                new = Statistics.of(rows, keep="quantiles" in wanted)
                found[key] = found[key].merge(new) if key in found else new
        return cls({key: chosen.linear(key, s, floor) for key, s in found.items()})

    def normalize(self, key: str, x: Tensor) -> Tensor:
        """(..., D) physical -> (..., D) normalised."""
        if key not in self.keys:
            return x
        return (x - self._matching("centre", key, x)) / self._matching("half", key, x)

    def unnormalize(self, key: str, x: Tensor) -> Tensor:
        """(..., D) normalised -> (..., D) physical."""
        if key not in self.keys:
            return x
        return x * self._matching("half", key, x) + self._matching("centre", key, x)

    def to_dict(self) -> dict[str, dict[str, list[float]]]:
        """Plain values, exact: `from_dict` gives the same float32 numbers."""
        return {
            key: {name: self._values(name, key).tolist() for name in ("centre", "half")}
            for key in self.keys
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Mapping[str, list[float]]]) -> Normalizer:
        """Inverse of `to_dict`."""
        return cls({key: (entry["centre"], entry["half"]) for key, entry in data.items()})

    def _values(self, name: str, key: str) -> Tensor:
        return self.get_buffer(f"{name}_{self.keys.index(key)}")

    def _matching(self, name: str, key: str, x: Tensor) -> Tensor:
        values = self._values(name, key)
        if x.shape[-1] != len(values):
            raise ManigymError(
                f"{key!r} has {x.shape[-1]} dimensions, but its normaliser was fitted to "
                f"{len(values)}; use the data and the environment options it was fitted with"
            )
        return values


def check_finite(key: str, values: np.ndarray, first_row: int = 0) -> None:
    """Raise if values (n, ..., D) hold NaN or infinity, naming the first such row and dimension."""
    finite = np.isfinite(values)
    if finite.all():
        return
    where = np.argwhere(~finite)[0]
    raise ManigymError(
        f"{key!r} is {values[tuple(where)]} in row {first_row + where[0]}, dimension {where[-1]} "
        f"({np.count_nonzero(~finite)} such numbers in this piece); remove the episode that holds "
        "this row, or collect it again, then fit the normaliser"
    )
