"""The one observation and action schema: plain data, shared by every layer.

Nothing here imports a simulator, Gymnasium or torch, so policies, training and result tables can
use it anywhere. Units are metres, radians and seconds; quaternions are ``wxyz``; x points forward,
y left, z up. An *action* is always ``float32 (A,)`` in [-1, 1]; :class:`ActionSpec` says what it
means physically and converts it exactly to what the simulator's own ``step`` takes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from envs.vectors import ActionGroup as ActionGroup
from envs.vectors import ActionMode as ActionMode
from envs.vectors import ActionSpec as ActionSpec
from envs.vectors import FloatArray as FloatArray
from envs.vectors import VectorGroup as VectorGroup
from envs.vectors import group_slices as group_slices

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
    "robot_points": "float32 (K, 7) xyz of points on the robot, from its joints alone, and what of "
    "handle, other object, hand or arm each belongs to",
    "instruction": "text, the goal in words",
    "expert": "float32 (A,) the action the expert takes here (privileged)",
}
CAMERA_MODALITIES = ("rgb", "depth", "segmentation")


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
    ``robot_points``: how many points of the robot there are, where it has that modality.
    ``scene_options``: environment options that choose where an episode takes place; a policy does
    not carry them from its data to its evaluation. ``overview``: a camera for films alone.
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
    robot_points: int = 0
    asset_source: str = "embedded"
    expert: str | None = None
    quick: bool = False
    demonstrations: int = 100
    scene_options: tuple[str, ...] = ()
    overview: str | None = None

    @property
    def task(self) -> str:
        """``Adroit/door-v0`` -> ``door``."""
        return self.id.split("/")[1].rsplit("-v", 1)[0]

    def assets(self, options: Mapping[str, Any]) -> str:
        """Where the models come from under these environment options: "upstream" where its own
        files were given (``asset_folder``)."""
        return "upstream" if options.get("asset_folder") else self.asset_source

    def film_camera(self, chosen: Sequence[str]) -> str:
        """What films an episode: the overview, or, where not all cameras are ``chosen``, the first
        that is."""
        if self.overview is not None and tuple(chosen) == self.cameras:
            return self.overview
        return (chosen or self.cameras)[0]

    @property
    def film_cameras(self) -> tuple[str, ...]:
        """All that can film an episode."""
        return (*((self.overview,) if self.overview is not None else ()), *self.cameras)

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

    ``observation``: flat key (``"rgb/top"``) to per-step shape and dtype name. ``action``: what the
    numbers of an action mean, ``None`` where the data do not say; ``action_repeat``: how often the
    simulator executes each (:class:`Protocol`).
    """

    env: str
    action_size: int
    observation: Mapping[str, tuple[tuple[int, ...], str]] = field(default_factory=dict)
    action: ActionSpec | None = None
    action_repeat: int = 1

    def __post_init__(self) -> None:
        sizes = self.action_groups
        if sizes and sum(sizes.values()) != self.action_size:
            raise ValueError(f"{self.env}: {sizes} do not add up to {self.action_size} actions")

    @property
    def action_groups(self) -> dict[str, int]:
        """Each action group's name to its size, in order; empty where not known."""
        return {} if self.action is None else {g.name: g.size for g in self.action.groups}

    def check_action(self, trained: Interface, what: str) -> None:
        """Raise where an action means something else here than in ``trained``, the interface of
        ``what`` ("this policy"); what is not known on both sides is not compared."""
        if not (self.action_groups and trained.action_groups):
            return
        here, there = list(self.action_groups.items()), list(trained.action_groups.items())
        if here != there:
            raise ManigymError(
                f"{self.env} takes actions in groups {here}, but {what} has {there} "
                f"({trained.env}); use the protocol and options of its training data"
            )
        mine, theirs = self._meaning(), trained._meaning()
        others = [f"{k}: {mine[k]} (there: {theirs[k]})" for k in mine if mine[k] != theirs[k]]
        if others:
            raise ManigymError(
                f"an action of {self.env} means something else here than what {what} has "
                f"({trained.env}): {'; '.join(others)}. Use the protocol and options of its "
                "training data"
            )

    def _meaning(self) -> dict[str, str]:
        assert self.action is not None
        meaning = {group.name: group.meaning for group in self.action.groups}
        return meaning | {"every action": f"executed {self.action_repeat} x"}

    def to_dict(self) -> dict[str, Any]:
        return asdict(self) | {
            "observation": {k: [list(s), d] for k, (s, d) in self.observation.items()}
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Interface:
        """What :meth:`to_dict` made; one that lacks the action's meaning has none."""
        observation = {k: (tuple(s), d) for k, (s, d) in data["observation"].items()}
        said = data.get("action")
        action = None if said is None else ActionSpec.from_dict(said)
        repeat = data.get("action_repeat", 1)
        return cls(data["env"], data["action_size"], observation, action, repeat)


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
