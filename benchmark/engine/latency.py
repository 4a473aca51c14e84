"""The simulator moves on while the policy thinks.

Time is virtual, counted in control ticks: a delay is drawn from a generator of the episode, never
measured during a run, so a result is repeated exactly on a busy machine. A command takes effect at
the first tick after it is ready, so every delay is rounded up. The first answer of an episode is
waited for: the clock starts with the first command. Axes: K predicted, L executed ticks, A actions.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmark.engine.chunking import Executor
from benchmark.results.files import write_whole
from envs.schema import ActionMode, ActionSpec, ManigymError

MODES = ("hold", "overlap")
PROFILE = "profile.json"
FORMS = "TICKS, uniform:LEAST:MOST, lognormal:MEDIAN:SIGMA:MOST (in ticks) or profile:RUN"
# Modes whose physical value 0 means "stay here"; in every other one the last target is repeated.
_RELATIVE: tuple[ActionMode, ...] = ("joint_delta", "ee_delta", "twist", "base_displacement")


@dataclass
class LatencySettings:
    """``latency.*``: how long the policy thinks, and what the robot does meanwhile.

    ``delay``: in control ticks, one of ``FORMS``. ``mode``: with ``hold`` thinking begins when the
    chunk is used up and the robot idles; with ``overlap`` it begins ``lead`` ticks earlier, the
    rest of the old chunk is executed meanwhile, and actions of the new one whose tick has passed
    are dropped (asynchronous inference).
    """

    delay: str = "0"
    mode: str = "hold"
    lead: int = 0

    def __post_init__(self) -> None:
        self.delay = str(self.delay).strip()
        if not self.delay.startswith("profile:"):  # a file is read when the control rate is known
            parse_delay(self.delay, control_hz=1.0)
        if self.mode not in MODES:
            raise ManigymError(f"latency.mode={self.mode}: choose one of {', '.join(MODES)}")
        if self.lead < 0:
            raise ManigymError(f"latency.lead must be at least 0, got {self.lead}")
        if self.lead and self.mode != "overlap":
            raise ManigymError(
                f"latency.lead={self.lead} has no meaning with latency.mode={self.mode}; "
                "set latency.mode=overlap too"
            )

    def describe(self, delays: Delays) -> str:
        """Text for a result's row: ``hold 3``, ``overlap(lead=4) uniform:1:4``; empty without."""
        if delays.most == 0:
            return ""
        lead = f"(lead={self.lead})" if self.lead else ""
        return f"{self.mode}{lead} {delays.name}"


@dataclass(frozen=True)
class Delays:
    """A distribution of delays in control ticks, at most ``most``.

    ``name``: canonical text. ``identity``: plain data that changes when the distribution does,
    for the hash of a configuration; for a profile it has the timings' hash, not their place.
    """

    name: str
    most: int
    identity: Mapping[str, str]
    _sample: Callable[[np.random.Generator], int]

    def draw(self, rng: np.random.Generator) -> int:
        """Ticks that one answer takes."""
        return self._sample(rng)

    def describe(self) -> str:
        """Canonical text for a result's row."""
        return self.name


def parse_delay(spec: str, control_hz: float) -> Delays:
    """The distribution that ``latency.delay`` names; ``control_hz``: ticks a second of the task."""
    kind, _, rest = str(spec).strip().partition(":")
    if kind == "profile":
        return _profile(Path(rest), control_hz)
    try:
        return _KINDS[kind](*rest.split(":")) if kind in _KINDS else _uniform(spec, spec)
    except (ValueError, TypeError):  # not a number, or not as many as the form has
        raise ManigymError(f"latency.delay={spec!r} is none of {FORMS}") from None


def _uniform(least: str, most: str) -> Delays:
    low, high = int(least), int(most)
    if not 0 <= low <= high:
        raise ManigymError(
            f"latency.delay: ticks must be at least 0 and in order, got {low} to {high}"
        )
    name = f"uniform:{low}:{high}" if low < high else str(low)
    return Delays(name, high, {"delay": name}, lambda rng: int(rng.integers(low, high + 1)))


def _lognormal(median: str, sigma: str, most: str) -> Delays:
    """Clipped at ``most`` and rounded up."""
    middle, spread, high = float(median), float(sigma), int(most)
    if not (0 < middle <= high and 0 <= spread < math.inf):  # false for NaN
        raise ManigymError(
            f"latency.delay=lognormal:{median}:{sigma}:{most}: "
            "need 0 < MEDIAN <= MOST and a finite SIGMA >= 0"
        )
    name = f"lognormal:{middle:.12g}:{spread:.12g}:{high}"
    mu = math.log(middle)
    return Delays(
        name, high, {"delay": name}, lambda rng: math.ceil(min(rng.lognormal(mu, spread), high))
    )


def _profile(source: Path, control_hz: float) -> Delays:
    """What an earlier run measured: drawn with replacement from all its policy calls."""
    milliseconds = timings(source)
    # Multiplied first: 70 ms are exactly 7 ticks of 100 Hz, 0.07 s * 100 Hz would be 8.
    ticks = np.ceil(milliseconds * control_hz / 1000).astype(int)
    most, digest = int(ticks.max()), hashlib.sha256(_as_json(milliseconds)).hexdigest()
    name = f"profile:{digest[:8]}(median={np.median(ticks):g},most={most})"
    identity = {"delay": "profile", "sha256": digest}
    return Delays(name, most, identity, lambda rng: int(ticks[rng.integers(len(ticks))]))


def timings(source: Path) -> np.ndarray:
    """float64 (calls,) ms: ``policy_ms`` of a run (its folder or ``episodes.jsonl``), or those that
    :func:`keep_profile` kept."""
    file = source / "episodes.jsonl" if source.is_dir() else source
    try:
        lines = file.read_bytes().splitlines()
    except OSError as error:
        raise ManigymError(
            f"latency.delay=profile:{source}: {error.strerror}; "
            "give the folder of an earlier run or its episodes.jsonl"
        ) from None
    try:
        found = [json.loads(line) for line in lines]
        calls = found if file.name == PROFILE else [one["policy_ms"] for one in found]
        milliseconds = np.array([ms for each in calls for ms in each], np.float64)
    except (ValueError, KeyError, TypeError) as error:
        raise ManigymError(
            f"{file} is not the episodes.jsonl of a run: {type(error).__name__}: {error}"
        ) from None
    usable = np.isfinite(milliseconds) & (milliseconds >= 0)
    if not len(usable) or not usable.all():
        raise ManigymError(
            f"{file} has {len(usable)} policy calls; a profile needs at least one, "
            "and only finite times of 0 ms or more in policy_ms"
        )
    return milliseconds


def keep_profile(settings: LatencySettings, run: Path) -> None:
    """Copy the timings of a ``profile:`` into ``profile.json`` of the run that uses them."""
    kind, _, source = settings.delay.partition(":")
    if kind == "profile" and not (run / PROFILE).exists():
        write_whole(run / PROFILE, _as_json(timings(Path(source))))


def _as_json(milliseconds: np.ndarray) -> bytes:
    return json.dumps(milliseconds.tolist()).encode()


_KINDS: Mapping[str, Callable[..., Delays]] = {"uniform": _uniform, "lognormal": _lognormal}


def idle(last: np.ndarray, spec: ActionSpec) -> np.ndarray:
    """The action float32 (A,) that keeps a robot where its ``last`` one (A,) sent it.

    Displacements and velocities are physically 0 (or as near as their range allows), targets and
    gripper openings are repeated.
    """
    zero = np.clip(spec.from_physical(np.zeros(spec.size)), -1.0, 1.0)
    relative = [group.mode in _RELATIVE for group in spec.groups for _ in group.labels]
    return np.where(relative, zero, last).astype(np.float32)


class LateExecutor:
    """Turns chunks that come late into the actions to execute; one object per episode.

    Action i of a chunk is meant for tick t + i, t being the tick of the observation it answers.
    """

    def __init__(
        self, n_action: int, execute: int | None, settings: LatencySettings, spec: ActionSpec
    ) -> None:
        self.execute = Executor(n_action, execute).execute
        self._overlap, self._lead, self._spec = settings.mode == "overlap", settings.lead, spec
        if self.execute + self._lead > n_action:
            raise ManigymError(
                f"latency.lead={self._lead} with run.execute={self.execute}: the policy predicts "
                f"{n_action} actions, which must be enough for both; lower one of them, "
                f"e.g. run.execute={max(n_action - self._lead, 1)}"
            )
        discrete = [group.name for group in spec.groups if group.mode == "discrete"]
        if discrete:
            raise ManigymError(
                f"latency: {discrete[0]} takes one discrete action at a time, of which none is "
                "waiting; leave the latency settings out for this task"
            )
        self._leftover = np.zeros((0, spec.size), np.float32)
        self._last: np.ndarray | None = None

    def next_actions(self, chunk: np.ndarray, delay: int) -> np.ndarray:
        """Chunk float32 (K, A) that is ready ``delay`` ticks after its observation -> (L, A).

        First ``delay`` ticks of what is left of the old chunk, then idle. ``hold``: then the first
        ``execute`` actions. ``overlap``: then actions delay..execute, so that L is the larger of
        the two; an answer later than ``execute`` leaves only its ``lead`` actions for the next
        time of thinking, one later than the chunk is long leaves nothing.
        """
        if self._last is None:
            self._last, delay = chunk[0], 0
        passed = delay if self._overlap else 0
        end = max(self.execute, passed)
        kept = self._leftover[:delay]
        still = idle(kept[-1] if len(kept) else self._last, self._spec)
        gap = np.repeat(still[None], delay - len(kept), axis=0)
        actions = np.concatenate([kept, gap, chunk[passed : self.execute]]).astype(np.float32)
        self._leftover = chunk[end : end + self._lead].copy()
        self._last = actions[-1]
        return actions

    def longest(self, most: int) -> int:
        """Upper bound of L when no delay is above ``most``."""
        return max(self.execute, most) if self._overlap else self.execute + most
