"""The one observation and action schema: plain data, shared by every layer.

Nothing here imports a simulator, Gymnasium or torch, so policies, training and result tables can
use it anywhere. Units are metres, radians and seconds; quaternions are ``wxyz``; x points forward,
y left, z up. An *action* is always ``float32 (A,)`` in [-1, 1]; :class:`ActionSpec` says what it
means physically and converts it exactly to what the simulator's own ``step`` takes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.floating[Any]]
FlatObservation = dict[str, Any]


class ManigymError(Exception):
    """A problem the user can act on: the message says what was got, what was expected, what next.

    The command line prints it without a traceback and exits with status 2.
    """


class SimulationError(ManigymError):
    """The simulator failed inside an episode (non-finite numbers, a crash). Costs one episode."""


MODALITIES: Mapping[str, str] = {
    "proprio": "float32 (P,) measured robot state in named groups",
    "state": "float32 (S,) privileged task state",
    "rgb": "per camera uint8 (H, W, 3)",
    "depth": "per camera float32 (H, W), metres along the optical axis",
    "segmentation": "per camera int32 (H, W), object id, -1 for background",
    "point_cloud": "float32 (N, 6) xyz in metres (robot base frame) and rgb in 0..1",
    "instruction": "text, the goal in words",
    "expert": "float32 (A,) the action the expert takes here (privileged)",
}
CAMERA_MODALITIES = ("rgb", "depth", "segmentation")

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


@dataclass(frozen=True)
class ActionSpec:
    """Ordered action groups; the meaning of ``Box(-1, 1, (A,), float32)``."""

    groups: tuple[ActionGroup, ...]

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
        if not self._physical.any():
            return action
        if self._physical.all():
            return self.to_physical(action)
        return np.where(self._physical, self.to_physical(action), action)

    def from_native(self, native: FloatArray) -> FloatArray:
        """Simulator actions (..., A) -> float32 (..., A); inverse of :meth:`to_native`."""
        if not self._physical.any():
            return np.asarray(native, np.float32)
        return np.where(self._physical, self.from_physical(native), native).astype(np.float32)


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
class SuccessRule:
    """When an episode counts as a success.

    The simulator says after every control step whether the goal holds (``criterion``). The episode
    succeeds when it held in at least ``count`` of the last ``window`` steps; ``window=None`` is the
    whole episode, which latches: once decided it cannot be lost.
    """

    criterion: str
    source: str
    count: int = 1
    window: int | None = None

    @property
    def latched(self) -> bool:
        return self.window is None

    def decide(self, goals: Sequence[bool]) -> bool:
        """Whether an episode with these per-step goal flags (so far) is a success."""
        if self.window is not None and len(goals) < self.window:
            return False
        recent = goals if self.window is None else goals[-self.window :]
        return sum(recent) >= self.count


@dataclass(frozen=True)
class Protocol:
    """A way to run and score a task, as some source does it; ``action`` if not the card's."""

    name: str
    horizon: int
    control_hz: float
    success: SuccessRule
    description: str
    action_repeat: int = 1
    terminate_on_success: bool = True
    action: ActionSpec | None = None


@dataclass(frozen=True)
class TaskCard:
    """All that can be known about a task without launching its simulator.

    ``protocols``: the first is the default. ``packages``: distributions whose versions belong in
    every record. ``quick``: part of the suite that ``run`` evaluates when no task is named.
    ``demonstrations``: expert episodes that training records when it is given no data.
    ``scene_options``: environment options that choose where an episode takes place; a policy does
    not carry them from its data to its evaluation.
    """

    id: str
    simulator: str
    description: str
    packages: tuple[str, ...]
    action: ActionSpec
    proprio: tuple[VectorGroup, ...]
    state: tuple[VectorGroup, ...]
    cameras: tuple[str, ...]
    protocols: tuple[Protocol, ...]
    instructions: tuple[str, ...]
    modalities: tuple[str, ...]
    image_size: tuple[int, int] = (84, 84)
    num_points: int = 512
    asset_source: str = "embedded"
    expert: str | None = None
    quick: bool = False
    demonstrations: int = 100
    scene_options: tuple[str, ...] = ()

    @property
    def task(self) -> str:
        """``Adroit/door-v0`` -> ``door``."""
        return self.id.split("/")[1].rsplit("-v", 1)[0]

    def assets(self, options: Mapping[str, Any]) -> str:
        """Where the models come from under these environment options: "upstream" where its own
        files were given (``asset_folder``)."""
        return "upstream" if options.get("asset_folder") else self.asset_source

    def under(self, protocol: str | None) -> TaskCard:
        """This card with the action of the named protocol, or of the default one."""
        action = self.protocol(protocol).action
        return self if action is None else replace(self, action=action)

    def protocol(self, name: str | None = None) -> Protocol:
        """The named protocol, or the default one."""
        if name is None:
            return self.protocols[0]
        for candidate in self.protocols:
            if candidate.name == name:
                return candidate
        known = ", ".join(p.name for p in self.protocols)
        raise ManigymError(f"{self.id} has no protocol {name!r}; it offers: {known}")


@dataclass(frozen=True)
class Interface:
    """What a policy and an environment agree on; stored in every checkpoint.

    ``observation``: flat key (``"rgb/top"``) to per-step shape and dtype name. ``action_groups``:
    each group's name to its size, in order; empty where not known (old checkpoints).
    """

    env: str
    action_size: int
    observation: Mapping[str, tuple[tuple[int, ...], str]] = field(default_factory=dict)
    action_groups: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        groups = dict(self.action_groups)
        if groups and sum(groups.values()) != self.action_size:
            raise ValueError(f"{self.env}: {groups} do not add up to {self.action_size} actions")

    def to_dict(self) -> dict[str, Any]:
        return asdict(self) | {
            "observation": {k: [list(s), d] for k, (s, d) in self.observation.items()}
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Interface:
        observation = {k: (tuple(s), d) for k, (s, d) in data["observation"].items()}
        return cls(data["env"], data["action_size"], observation, data.get("action_groups", {}))


def flatten(observation: Mapping[str, Any]) -> FlatObservation:
    """Nested Gymnasium observation -> flat keys: ``{"rgb": {"top": x}}`` -> ``{"rgb/top": x}``."""
    flat: FlatObservation = {}
    for key, value in observation.items():
        if isinstance(value, Mapping):
            flat.update({f"{key}/{name}": entry for name, entry in value.items()})
        else:
            flat[key] = value
    return flat


def unflatten(flat: Mapping[str, Any]) -> dict[str, Any]:
    """Inverse of :func:`flatten`."""
    nested: dict[str, Any] = {}
    for key, value in flat.items():
        head, _, name = key.partition("/")
        if name:
            nested.setdefault(head, {})[name] = value
        else:
            nested[head] = value
    return nested
