"""Recorded actions executed once more: do they lead through the same states, bit for bit?

Nothing is observed on the way, as physics does not depend on what is looked at; so this is the
fastest way through an episode, and one may look at it afterwards through any camera.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from benchmark.results import conditions
from benchmark.results.provenance import slug
from benchmark.results.records import EpisodeRecord
from benchmark.results.traces import Trace
from benchmark.verification.evidence import read_config, sound_trace
from benchmark.video import write_video
from envs import card
from envs.episode import EpisodeSummary, Reply
from envs.make import Workers
from envs.pool import Failure, Pool, make_pool
from envs.schema import ManigymError

CHUNK = 64  # actions per message
EYES = {"observations", "cameras", "image_size", "num_points", "render_mode", "film_camera"}


@dataclass(frozen=True)
class RecordedTask:
    """One task of a run, ``config`` being its part of ``config.yaml``."""

    run: Path
    env: str
    config: Mapping[str, Any]

    @classmethod
    def read(cls, run: Path, env: str) -> RecordedTask:
        tasks = read_config(run)["tasks"]
        if env not in tasks:
            raise ManigymError(f"{run} has no task {env!r}; it has: {', '.join(tasks)}")
        return cls(run, env, tasks[env])

    def options(self, camera: str | None = None) -> dict[str, Any]:
        """``gymnasium.make`` options as recorded, but for what is looked at."""
        kept = {k: v for k, v in self.config["env_options"].items() if k not in EYES}
        film = {"film_camera": camera, "render_mode": "rgb_array"} if camera else {}
        return kept | {"observations": ("proprio",)} | film

    @property
    def film_camera(self) -> str:
        """The camera with which the run itself films."""
        task, options = card(self.env), self.config["env_options"]
        default = task.film_camera(options.get("cameras") or task.cameras)
        return str(options.get("film_camera") or default)

    @property
    def control_hz(self) -> float:
        return float(self.config["protocol"]["control_hz"])


@dataclass(frozen=True)
class Replayed:
    """An episode executed again. ``differences``: none when every bit came out as recorded.

    ``ran``: false where it could not be executed, which is no difference of the simulator's.
    """

    record: EpisodeRecord
    differences: Sequence[str] = ()
    ran: bool = True
    frames: Sequence[np.ndarray] = field(default=(), repr=False)
    film_problem: str = ""

    @property
    def identical(self) -> bool:
        return not self.differences


@contextmanager
def stage(task: RecordedTask, workers: Workers, camera: str | None = None) -> Iterator[Pool]:
    """The pool in which episodes of a task are executed again, seen through ``camera``."""
    with make_pool(task.env, task.options(camera), workers, chunk=CHUNK) as pool:
        yield pool


def replay(
    pool: Pool, task: RecordedTask, records: Sequence[EpisodeRecord], film: bool = False
) -> Iterator[Replayed]:
    """Execute the actions of every record, which must be of episodes that ran; in any order."""
    waiting: deque[_Tape] = deque()
    for record in records:
        try:
            waiting.append(_Tape(record, _trace(pool, task, record)))
        except ManigymError as problem:
            yield Replayed(record, [str(problem)], ran=False)
    playing: dict[int, _Tape] = {}

    def begin(slot: int) -> None:
        if waiting:
            playing[slot] = waiting.popleft()
            pool.reset(slot, playing[slot].record.seed, film=film)

    for slot in range(pool.size):
        begin(slot)
    while playing:
        for slot, reply in pool.wait():
            if isinstance(reply, Reply) and reply.summary is None:
                pool.run(slot, playing[slot].next_actions(), n_obs=0)
                continue
            yield playing.pop(slot).compared(reply)
            begin(slot)


def _trace(pool: Pool, task: RecordedTask, record: EpisodeRecord) -> Trace:
    trace = sound_trace(task.run, record)
    size = trace.actions.shape[1]
    if size != pool.interface.action_size:
        raise ManigymError(
            f"{task.run / str(record.trace)} holds actions of size {size}; {task.env} takes "
            f"{pool.interface.action_size}"
        )
    return trace


class _Tape:
    """Recorded actions on their way through the simulator."""

    def __init__(self, record: EpisodeRecord, trace: Trace) -> None:
        self.record, self._trace, self._played = record, trace, 0

    def next_actions(self) -> np.ndarray:
        """Up to ``CHUNK`` more. An episode that does not end where it did goes on with zeros."""
        rest = self._trace.actions[self._played : self._played + CHUNK]
        self._played += len(rest)
        return rest if len(rest) else np.zeros((CHUNK, self._trace.actions.shape[1]), np.float32)

    def compared(self, reply: Reply | Failure) -> Replayed:
        if isinstance(reply, Failure):
            return Replayed(self.record, [f"it cannot be executed here: {reply}"], ran=False)
        assert reply.summary is not None
        summary, differences = reply.summary, []
        step = self._trace.first_difference(Trace(summary.actions, summary.state_chain))
        if step is not None:
            differences.append(_where(step, self.record, summary))
        differences += outcome_differences(self.record, summary)
        return Replayed(self.record, differences, True, summary.frames, summary.film_problem)


def _where(step: int, record: EpisodeRecord, summary: EpisodeSummary) -> str:
    recorded = record.steps or 0
    if step > min(recorded, summary.steps):
        return f"the same states, but it ends after step {summary.steps} instead of {recorded}"
    return f"first difference at step {step} of {recorded} (0 = the start state)"


def outcome_differences(record: EpisodeRecord, summary: EpisodeSummary) -> list[str]:
    """Everything else that a record says of an execution."""
    names = ("success", "steps", "total_reward", "state_hash", "action_hash")
    return [
        f"{name.replace('_', ' ')} {getattr(summary, name)}, recorded {getattr(record, name)}"
        for name in names
        if getattr(summary, name) != getattr(record, name)
    ]


def likely_causes(
    task: RecordedTask, records: Sequence[EpisodeRecord], here: Mapping[str, str]
) -> list[str]:
    """In what machine, software and task differ from those of records that did not come out.

    ``here``: the conditions now, or those of them that the execution depends on.
    """
    pairs: dict[tuple[str, str, str], None] = {}
    for name in sorted({record.conditions for record in records}):
        recorded = conditions.read(task.run, name)
        for key in sorted({*here} - {*conditions.WITHOUT_EFFECT}):
            pairs[key, recorded.get(key, "not said"), here[key]] = None
    then = rules(task.config["protocol"])
    now = rules(asdict(card(task.env).protocol(task.config["protocol"]["name"])))
    for key, value in now.items():
        pairs[f"protocol {key}", str(then[key]), str(value)] = None
    return [f"recorded on {key}: {old}, here: {new}" for key, old, new in pairs if old != new]


def rules(protocol: Mapping[str, Any]) -> dict[str, Any]:
    """What of a recorded protocol decides an outcome: all but its words."""
    success = {f"success {key}": protocol["success"].get(key) for key in ("count", "window")}
    names = ("horizon", "control_hz", "action_repeat", "terminate_on_success")
    return {name: protocol.get(name) for name in names} | success


def write_film(task: RecordedTask, one: Replayed, camera: str) -> Path:
    """``videos/<task>-<episode>-<camera>.mp4`` of the run."""
    name = f"{slug(task.env)}-{one.record.episode:04d}-{camera}.mp4"
    path = task.run / "videos" / name
    write_video(path, one.frames, task.control_hz)
    return path
