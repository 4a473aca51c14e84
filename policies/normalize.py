"""Linear normalisation of observations and actions, one scale per dimension.

A dimension is an index of the last axis: an entry of a vector, a channel of a point cloud.
Modes (geyan21/ManiFlow_Policy, `model/common/normalizer.py`):

- `limits`: smallest to -1, largest to 1; dimensions whose range is below 1e-4 are only shifted.
- `gaussian`: zero mean, unit variance; dimensions whose deviation is below 1e-4 are only shifted.
- `identity`: untouched. Images are: their network scales uint8 to [0, 1] itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from envs.schema import ManigymError

MODES = ("limits", "gaussian", "identity")
SMALLEST_RANGE = 1e-4


def default_mode(key: str) -> str:
    """`identity` for images, `limits` for everything else."""
    return "identity" if key.startswith(("rgb/", "depth/")) else "limits"


@dataclass
class Statistics:
    """Running minimum, maximum, mean and squared deviation per dimension, each float64 (D,)."""

    low: np.ndarray
    high: np.ndarray
    mean: np.ndarray
    squares: np.ndarray
    count: int

    @classmethod
    def of(cls, rows: np.ndarray) -> Statistics:
        """Statistics of float64 rows (n, D)."""
        mean = rows.mean(0)
        return cls(rows.min(0), rows.max(0), mean, ((rows - mean) ** 2).sum(0), len(rows))

    def merge(self, other: Statistics) -> Statistics:
        """Statistics of both sets of rows (Chan et al. 1979, for the squares)."""
        count = self.count + other.count
        gap = other.mean - self.mean
        return Statistics(
            np.minimum(self.low, other.low),
            np.maximum(self.high, other.high),
            self.mean + gap * other.count / count,
            self.squares + other.squares + gap**2 * self.count * other.count / count,
            count,
        )

    def linear(self, mode: str) -> tuple[np.ndarray, np.ndarray]:
        """Centre and half-width (D,) such that normalised = (value - centre) / half-width."""
        if mode == "limits":
            spread, centre, half = self.high - self.low, (self.low + self.high) / 2, 0.5
        else:
            spread, centre, half = np.sqrt(self.squares / self.count), self.mean, 1.0
        return centre, np.where(spread < SMALLEST_RANGE, 1.0, half * spread)


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
    ) -> Normalizer:
        """Fit to arrays (..., D) by key, or to an iterable of such mappings (read once, in turn).

        `modes` overrides `default_mode` for the keys it names.
        """
        chunks = [data] if isinstance(data, Mapping) else data
        modes = modes or {}
        check_modes(modes)
        found: dict[str, Statistics] = {}
        rows_before: dict[str, int] = {}
        for chunk in chunks:
            for key, values in chunk.items():
                if modes.get(key, default_mode(key)) == "identity" or not np.size(values):
                    continue
                check_finite(key, values, rows_before.get(key, 0))
                rows_before[key] = rows_before.get(key, 0) + len(values)
                new = Statistics.of(np.asarray(values, np.float64).reshape(-1, values.shape[-1]))
                found[key] = found[key].merge(new) if key in found else new
        return cls({k: s.linear(modes.get(k, default_mode(k))) for k, s in found.items()})

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


def check_modes(modes: Mapping[str, str]) -> None:
    """Raise for a mode that does not exist."""
    for key, mode in modes.items():
        if mode not in MODES:
            raise ManigymError(
                f"normalisation mode of {key!r} must be one of {', '.join(MODES)}; got {mode!r}"
            )


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
