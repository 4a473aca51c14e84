"""What the numbers of flat vectors mean: actions, ``proprio`` and ``state``, group by group."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.floating[Any]]

ActionMode = Literal[
    "joint_position",
    "joint_delta",
    "ee_pose",
    "ee_delta",
    "twist",
    "base_displacement",
    "gripper_opening",
    "discrete",  # one of the labels, the one with the largest number
]


@dataclass(frozen=True)
class ActionGroup:
    """Consecutive action dimensions that drive one part of the robot in one mode.

    ``low[i]`` and ``high[i]`` are the physical values that actions -1 and +1 stand for.
    ``native`` tells what the simulator's own step takes for this group: the normalised number
    itself or the physical value.
    """

    name: str
    mode: ActionMode
    labels: tuple[str, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    unit: str
    frame: str = "joint"
    native: Literal["normalised", "physical"] = "normalised"

    def __post_init__(self) -> None:
        if not len(self.labels) == len(self.low) == len(self.high):
            raise ValueError(
                f"action group {self.name!r}: {len(self.labels)} labels, {len(self.low)} lows "
                f"and {len(self.high)} highs; the three must have the same length"
            )
        if any(lo >= hi for lo, hi in zip(self.low, self.high, strict=True)):
            raise ValueError(f"action group {self.name!r}: every low must be below its high")

    @property
    def size(self) -> int:
        return len(self.labels)

    @property
    def meaning(self) -> str:
        """What its numbers make the robot do, in words and six digits: groups that differ in it
        cannot stand for one another."""
        bounds = [f"{low:g} .. {high:g}" for low, high in zip(self.low, self.high, strict=True)]
        shown = bounds[:1] if len({*bounds}) == 1 else bounds
        return f"{self.mode} ({self.frame}), {', '.join(shown)} {self.unit}"


@dataclass(frozen=True)
class VectorGroup:
    """Named, consecutive entries of ``proprio`` or ``state``."""

    name: str
    size: int
    unit: str
    description: str = ""


def group_slices(groups: Sequence[VectorGroup | ActionGroup]) -> dict[str, slice]:
    """Group name -> slice of the vector the groups describe."""
    ends = np.cumsum([g.size for g in groups])
    return {g.name: slice(int(e) - g.size, int(e)) for g, e in zip(groups, ends, strict=True)}


@dataclass(frozen=True)
class ActionSpec:
    """Ordered action groups; the meaning of ``Box(-1, 1, (A,), float32)``."""

    groups: tuple[ActionGroup, ...]

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> ActionSpec:
        """What ``dataclasses.asdict`` made, also by way of JSON."""
        groups: list[dict[str, Any]] = [
            {k: tuple(v) if isinstance(v, list) else v for k, v in group.items()}
            for group in data["groups"]
        ]
        return cls(tuple(ActionGroup(**group) for group in groups))

    @cached_property
    def size(self) -> int:
        """A, the number of action dimensions."""
        return sum(group.size for group in self.groups)

    @cached_property
    def slices(self) -> dict[str, slice]:
        """Group name -> slice of the action vector."""
        return group_slices(self.groups)

    @cached_property
    def low(self) -> FloatArray:
        """float64 (A,) physical values of action -1."""
        return np.array([v for g in self.groups for v in g.low])

    @cached_property
    def high(self) -> FloatArray:
        """float64 (A,) physical values of action +1."""
        return np.array([v for g in self.groups for v in g.high])

    @cached_property
    def _physical(self) -> npt.NDArray[np.bool_]:
        return np.array([g.native == "physical" for g in self.groups for _ in g.labels])

    @cached_property
    def _any_physical(self) -> bool:  # asked for at every step
        return bool(self._physical.any())

    @cached_property
    def _all_physical(self) -> bool:
        return bool(self._physical.all())

    def to_physical(self, action: FloatArray) -> FloatArray:
        """Actions (..., A) in [-1, 1] -> float64 (..., A) physical values; exact at both ends."""
        a = np.asarray(action, np.float64)
        return 0.5 * (1.0 - a) * self.low + 0.5 * (1.0 + a) * self.high

    def from_physical(self, value: FloatArray) -> FloatArray:
        """Inverse of :meth:`to_physical`: (..., A) physical values -> float32 actions."""
        v = np.asarray(value, np.float64)
        return (((v - self.low) - (self.high - v)) / (self.high - self.low)).astype(np.float32)

    def to_native(self, action: FloatArray) -> FloatArray:
        """Actions (..., A) -> what the simulator's own step takes."""
        if not self._any_physical:
            return action
        if self._all_physical:
            return self.to_physical(action)
        return np.where(self._physical, self.to_physical(action), action)

    def from_native(self, native: FloatArray) -> FloatArray:
        """Simulator actions (..., A) -> float32 (..., A); inverse of :meth:`to_native`."""
        if not self._any_physical:
            return np.asarray(native, np.float32)
        return np.where(self._physical, self.from_physical(native), native).astype(np.float32)
