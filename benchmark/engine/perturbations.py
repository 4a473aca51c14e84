"""Robustness: what a policy sees and does, made worse on purpose; seeded per episode.

Every kind draws from a stream of its own, so switching one on leaves the draws of the others as
they were. Arrays are never changed in place: they may be shared.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field, fields

import numpy as np

from envs.schema import CAMERA_MODALITIES, FlatObservation, Interface, ManigymError

_SENSORS = (*CAMERA_MODALITIES, "point_cloud")


@dataclass
class PerturbationSettings:
    """``perturb.*``; everything is off by default.

    ``drop_frames``: probability that a frame asked for does not arrive and the policy gets the one
    before it again (all sensors together; never the first of an episode). ``stale_frames``: control
    ticks by which frames are late. ``sensors``: flat keys or modalities that these two apply to; by
    default the cameras and the point cloud, and everything if the policy sees none of them.
    ``camera_noise``: standard deviation of Gaussian noise on rgb, in grey levels of 0..255 (depth,
    segmentation and point cloud stay as they are). ``proprio_noise``: on ``proprio`` only, in its
    units. ``action_noise``: on what is executed, in normalised units, clipped to [-1, 1].
    ``missing``: flat keys (``rgb/wrist``) or modalities (``proprio``) that are zero throughout.
    """

    action_noise: float = 0.0
    camera_noise: float = 0.0
    drop_frames: float = 0.0
    missing: list[str] = field(default_factory=list)
    proprio_noise: float = 0.0
    sensors: list[str] = field(default_factory=list)
    stale_frames: int = 0

    def __post_init__(self) -> None:
        for name in ("action_noise", "camera_noise", "proprio_noise", "stale_frames"):
            if not 0 <= getattr(self, name) < math.inf:  # NaN is not either
                raise ManigymError(
                    f"perturb.{name} must be finite and at least 0, got {getattr(self, name)}"
                )
        if not 0 <= self.drop_frames <= 1:
            raise ManigymError(f"perturb.drop_frames must lie in [0, 1], got {self.drop_frames}")
        if self.sensors and not (self.drop_frames or self.stale_frames):
            raise ManigymError(
                f"perturb.sensors={self.sensors} has no effect alone; it says what "
                "perturb.drop_frames and perturb.stale_frames apply to: set one of them"
            )

    @property
    def active(self) -> bool:
        """Whether anything is switched on."""
        return bool(self.describe())

    def describe(self) -> str:
        """Canonical text for a result's row: ``action_noise=0.1 drop_frames=0.2``, by name."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        return " ".join(f"{name}={_text(values[name])}" for name in sorted(values) if values[name])


def _text(value: float | Sequence[str]) -> str:
    """Numbers as short as they are exact enough; names sorted."""
    return f"{value:.12g}" if isinstance(value, int | float) else "+".join(sorted(set(value)))


class Perturber:
    """The settings against one interface; made once, starts one :class:`EpisodePerturber` each.

    ``extra_frames``: how many frames beyond the policy's own must be asked for in every reply.
    """

    def __init__(self, settings: PerturbationSettings, interface: Interface) -> None:
        keys = tuple(interface.observation)
        self.settings, self.extra_frames = settings, settings.stale_frames
        self.missing = _matching(keys, settings.missing, "missing")
        self.rgb = _matching(keys, ["rgb"] * bool(settings.camera_noise), "camera_noise")
        self.proprio = _matching(keys, ["proprio"] * bool(settings.proprio_noise), "proprio_noise")
        seen = [name for name in _SENSORS if _fitting(keys, name)]
        named = _matching(keys, settings.sensors or seen, "sensors")
        self.sensors = named or keys

    def start(self, rng: np.random.Generator) -> EpisodePerturber:
        """A new episode, whose streams are children of ``rng``."""
        return EpisodePerturber(self, rng)


class EpisodePerturber:
    """One episode's sensors and motors."""

    def __init__(self, plan: Perturber, rng: np.random.Generator) -> None:
        self._plan, self._settings = plan, plan.settings
        # A new kind goes to the end: the order is what keeps the streams of the others.
        self._camera, self._proprio, self._action, self._drop = rng.spawn(4)
        self._recent: deque[FlatObservation] = deque(maxlen=plan.extra_frames + 1)
        self._arrived: FlatObservation | None = None

    def frames(self, observations: Sequence[FlatObservation]) -> list[FlatObservation]:
        """What arrives instead of a reply's newest frames, oldest first; as many as came in.

        When a policy that sees O frames gets replies of the newest O + ``extra_frames`` (fewer
        after a shorter chunk), the newest O delivered here are those of the ticks it asked for,
        ``stale_frames`` earlier: the frames of a reply that follow a gap are older than these.
        """
        return [self._deliver(self._noisy(observation)) for observation in observations]

    def _noisy(self, frame: FlatObservation) -> FlatObservation:
        """The frame as measured: a frame that is seen twice has the same noise twice."""
        settings = self._settings
        noisy = dict(frame)
        for key in self._plan.rgb:
            noise = self._camera.standard_normal(frame[key].shape, np.float32)
            grey = np.rint(frame[key] + np.float32(settings.camera_noise) * noise)
            noisy[key] = np.clip(grey, 0, 255).astype(np.uint8)
        for key in self._plan.proprio:
            noise = self._proprio.standard_normal(frame[key].shape)
            noisy[key] = (frame[key] + settings.proprio_noise * noise).astype(frame[key].dtype)
        return noisy

    def _deliver(self, frame: FlatObservation) -> FlatObservation:
        self._recent.append(frame)
        lost = self._drop.random() < self._settings.drop_frames
        if self._arrived is None or not lost:
            self._arrived = self._recent[0]  # the first frame until enough have passed
        delivered = frame | {key: self._arrived[key] for key in self._plan.sensors}
        return delivered | {key: _zero(frame[key]) for key in self._plan.missing}

    def actions(self, actions: np.ndarray) -> np.ndarray:
        """float32 (L, A) that were commanded -> float32 (L, A) that are executed."""
        if not self._settings.action_noise:
            return actions
        noise = self._settings.action_noise * self._action.standard_normal(actions.shape)
        return np.clip(actions + noise, -1.0, 1.0).astype(np.float32)


def _zero(value: np.ndarray | str) -> np.ndarray | str:
    return "" if isinstance(value, str) else np.zeros_like(value)


def _fitting(keys: Sequence[str], name: str) -> tuple[str, ...]:
    """The keys that a flat key or a modality stands for."""
    return tuple(key for key in keys if name in (key, key.split("/")[0]))


def _matching(keys: Sequence[str], names: Sequence[str], setting: str) -> tuple[str, ...]:
    for name in names:
        if not _fitting(keys, name):
            raise ManigymError(
                f"perturb.{setting}: the policy does not see {name!r}; it sees {', '.join(keys)}"
            )
    return tuple(key for key in keys if any(key in _fitting(keys, name) for name in names))
