"""What normalisation measures of the data, and how it is chosen per key and per action group.

Modes:

- `limits`: smallest to -1, largest to 1.
- `quantiles`: the 1 % quantile to -1, the 99 % quantile to 1; values outside are not cut. A few
  wild steps then do not squeeze all others. Quantiles are exact (all rows are kept until the end).
- `gaussian`: zero mean, unit variance.
- `identity`: untouched. Images are: their network scales uint8 to [0, 1] itself.

Dimensions whose range is below a floor are only shifted. A range of 1e-6 is rounding or a joint
that shook; stretched to [-1, 1] it would be a target like any other, and a value that leaves it a
little (an outlier, another episode) would be thousands. The range is largest minus smallest in
`limits`, the deviation in `gaussian` (both as geyan21/ManiFlow_Policy, `model/common/
normalizer.py`, whose floor is 1e-4), and in `quantiles` the distance of the two or a tenth of
`limits`' range if that is more: a gripper that moves in one step of two hundred has two equal
quantiles, and no value of the data shall be farther out than 20.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from envs.schema import ManigymError

_UNTOUCHED = ("rgb/", "depth/", "instruction", "robot_points")
MODES = ("identity", "limits", "quantiles", "gaussian")
SMALLEST_RANGE = 1e-4
QUANTILES = (0.01, 0.99)
SMALLEST_SHARE = 0.1


@dataclass
class Statistics:
    """Minimum, maximum, mean and squared deviation per dimension, each float64 (D,).

    ``rows``: the data itself in pieces (n, D), where quantiles are wanted.
    """

    low: np.ndarray
    high: np.ndarray
    mean: np.ndarray
    squares: np.ndarray
    count: int
    rows: tuple[np.ndarray, ...] = ()

    @classmethod
    def of(cls, rows: np.ndarray, keep: bool = False) -> Statistics:
        """Statistics of rows (n, D); ``keep`` holds on to them."""
        exact = rows.astype(np.float64)
        mean = exact.mean(0)
        squares = ((exact - mean) ** 2).sum(0)
        kept = (rows,) if keep else ()
        return cls(exact.min(0), exact.max(0), mean, squares, len(exact), kept)

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
            self.rows + other.rows,
        )

    def linear(self, mode: str, floor: float) -> tuple[np.ndarray, np.ndarray]:
        """Centre and half-width (D,) such that normalised = (value - centre) / half-width."""
        if mode == "identity":
            return np.zeros_like(self.mean), np.ones_like(self.mean)
        if mode == "gaussian":
            spread, centre, half = np.sqrt(self.squares / self.count), self.mean, 1.0
        else:
            low, high = (self.low, self.high) if mode == "limits" else self._quantiles()
            spread, centre, half = high - low, (low + high) / 2, 0.5
        if mode == "quantiles":
            spread = np.maximum(spread, SMALLEST_SHARE * (self.high - self.low))
        return centre, np.where(spread < floor, 1.0, half * spread)

    def _quantiles(self) -> np.ndarray:
        """float64 (2, D), interpolated linearly between rows."""
        return np.quantile(np.concatenate(self.rows).astype(np.float64), QUANTILES, axis=0)


@dataclass(frozen=True)
class Modes:
    """Which mode each key has; ``chosen`` maps a key, or ``action/<group>``, to one of ``MODES``.

    ``groups``: sizes of the action groups, in their order. What is not chosen takes the mode of
    its key; a key that is not chosen takes ``default_mode``.
    """

    chosen: Mapping[str, str]
    groups: Mapping[str, int]

    def __post_init__(self) -> None:
        check_modes(self.chosen)

    def check_keys(self, keys: Sequence[str]) -> None:
        """Raise for a choice that names none of ``keys`` and no action group."""
        groups = [f"action/{name}" for name in self.groups]
        check_names("normalization", self.chosen, sorted({"action", *groups, *keys}))

    def parts(self, key: str) -> Iterator[tuple[slice, str]]:
        """The dimensions of a key and their modes, in order."""
        whole = self.chosen.get(key, default_mode(key))
        if key != "action" or not any(f"action/{name}" in self.chosen for name in self.groups):
            yield slice(None), whole
            return
        start = 0
        for name, size in self.groups.items():
            yield slice(start, start + size), self.chosen.get(f"action/{name}", whole)
            start += size

    def of(self, key: str) -> set[str]:
        """The modes that occur in a key."""
        return {mode for _, mode in self.parts(key)}

    def linear(
        self, key: str, statistics: Statistics, floor: float
    ) -> tuple[np.ndarray, np.ndarray]:
        """Centre and half-width (D,) of a key, every part in its own mode."""
        sizes = sum(self.groups.values())
        if key == "action" and sizes not in (0, len(statistics.mean)):
            raise ValueError(f"action groups {dict(self.groups)} of {len(statistics.mean)} actions")
        centre, half = np.zeros_like(statistics.mean), np.ones_like(statistics.mean)
        for part, mode in self.parts(key):
            found = statistics.linear(mode, floor)
            centre[part], half[part] = found[0][part], found[1][part]
        return centre, half


def default_mode(key: str) -> str:
    """`identity` for images, text and the robot's own points, which follow the cloud that they
    join; `limits` for everything else."""
    return "identity" if key.startswith(_UNTOUCHED) else "limits"


def check_modes(modes: Mapping[str, str]) -> None:
    """Raise for a mode that does not exist."""
    for key, mode in modes.items():
        if mode not in MODES:
            raise ManigymError(
                f"normalisation mode of {key!r} must be one of {', '.join(MODES)}; got {mode!r}"
            )


def check_names(setting: str, given: Mapping[str, object], known: Sequence[str]) -> None:
    """Raise for a key of ``policy.<setting>`` that is not known, with the nearest one."""
    for name in given:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else "."
            raise ManigymError(
                f"policy.{setting} names {name!r}, which is not there{hint} "
                f"There is: {', '.join(known)}"
            )
