"""How a caller speaks to one environment: post a request, take the answer.

:class:`LocalLink` serves it in this process, :class:`envs.isolation.process.ProcessLink` in a
worker. Both write requests into, and read answers from, one row of the same :class:`SlotArrays`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from time import monotonic
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np

from envs.base import ManipEnv
from envs.episode import EpisodeSummary, Reply
from envs.isolation.memory import OBS, SlotArrays
from envs.isolation.scene import package_versions
from envs.isolation.server import CALL, ERROR, FLAGS, FOLLOW, RESET, RUN, Answer, EnvServer
from envs.schema import CAMERA_MODALITIES, Interface, ManigymError, SimulationError

CLOSE_SECONDS = 5.0  # that workers have to finish


class Request(NamedTuple):
    """One request; ``actions`` float32 (k, A), or ``steps`` of the expert's. ``call`` is (method,
    arguments)."""

    kind: bytes
    seed: int = 0
    flags: int = 0
    actions: np.ndarray | None = None
    steps: int = 0
    n_obs: int = 0
    call: tuple[str, tuple[Any, ...]] = ("", ())


def reset_request(seed: int, **flags: bool) -> Request:
    """Start the episode of ``seed``; flags as of :meth:`envs.episode.EpisodeRunner.reset`."""
    return Request(RESET, seed=seed, flags=sum(FLAGS[name] for name, on in flags.items() if on))


class WorkerDied(SimulationError):
    """A worker process ended, or was ended at its deadline.

    ``own``: not while it was serving another of its environments, so this one may be the cause.
    """

    def __init__(self, text: str, own: bool = True) -> None:
        super().__init__(text)
        self.own = own


class RemoteError(SimulationError):
    """An exception of the simulator's own kind; ``details`` is its traceback over there."""

    def __init__(self, text: str, details: str = "") -> None:
        super().__init__(text)
        self.details = details


class Link(ABC):
    """One environment. ``chosen``: its options with defaults filled in; ``versions``: of the
    packages its card names, where it runs."""

    interface: Interface
    chosen: Mapping[str, Any]
    versions: Mapping[str, str]

    def attach(self, memory: SlotArrays, slot: int) -> None:
        """Use row ``slot`` of these arrays from now on."""
        self.memory, self.slot = memory, slot
        self.row = memory.row(slot)
        self._frames = {n[len(OBS) :]: v for n, v in self.row.items() if n.startswith(OBS)}
        self._nested = {  # in the order of the options, as there; spaces sort theirs
            m: {c: f"{m}/{c}" for c in self.chosen["cameras"]} if m in CAMERA_MODALITIES else m
            for m in self.chosen["observations"]
        }

    def post(self, request: Request) -> None:
        """Hand over a request; its answer is fetched with :meth:`take`."""
        row = self.row
        if request.kind == RUN:
            assert request.actions is not None
            row["count"][0] = count = len(request.actions)
            row["action"][:count] = request.actions
            row["n_obs"][0] = request.n_obs
        elif request.kind == FOLLOW:
            row["count"][0], row["n_obs"][0] = request.steps, request.n_obs
        elif request.kind == RESET:
            row["seed"][0], row["flags"][0] = request.seed, request.flags
        self._post(request)

    def take(self) -> Any:
        """Wait for the answer: the content of a message, ``None`` when it lies in the arrays.

        Raises what the environment raised, :class:`RemoteError` for exceptions that have no
        meaning here, :class:`WorkerDied`.
        """
        code, content = self._take()
        if code == ERROR:
            raise rebuilt(content)
        return content

    def reply(self) -> Reply:
        """:meth:`take` for a reset or a run, with copies of the new observations."""
        summary = self.take()
        row, steps, new = self.row, int(self.row["steps"][0]), int(self.row["frames"][0])
        return Reply(
            [self.frame(i) for i in range(-new, 0)],
            row["reward"][:steps].tolist(),
            row["goal"][:steps].tolist(),
            bool(row["terminated"][0]),
            bool(row["truncated"][0]),
            bool(row["succeeded"][0]),
            None if summary is None else EpisodeSummary(**summary),
        )

    def frame(self, index: int = -1) -> dict[str, Any]:
        """A copy of one flat observation of the window; -1 is the newest."""
        return {key: self._copy(key, index) for key in self._frames}

    def newest(self) -> dict[str, Any]:
        """A copy of the newest observation, nested as Gymnasium's."""
        return {
            key: self._copy(key, -1)
            if inner == key
            else {name: self._copy(flat, -1) for name, flat in inner.items()}
            for key, inner in self._nested.items()
        }

    def _copy(self, key: str, index: int) -> Any:
        frame = self._frames[key][index]
        return str(frame) if key == "instruction" else frame.copy()

    def call(self, method: str, *arguments: Any) -> Any:
        """Call one of the server's named methods and wait for what it returns."""
        self.post(Request(CALL, call=(method, arguments)))
        return self.take()

    @abstractmethod
    def _post(self, request: Request) -> None: ...

    @abstractmethod
    def _take(self) -> Answer: ...

    @abstractmethod
    def abandon(self) -> None:
        """Forget an answer that nobody waits for any more."""

    @abstractmethod
    def hang_up(self) -> None:
        """Begin to close, without waiting: several workers finish side by side."""

    @abstractmethod
    def close(self, patience: float = CLOSE_SECONDS) -> None:
        """End it; a worker that does not by itself within ``patience`` seconds is killed."""


def close_all(links: Collection[Link]) -> None:
    """Close environments, those in workers at the same time."""
    for link in links:
        link.hang_up()
    end = monotonic() + CLOSE_SECONDS
    for link in links:
        link.close(max(end - monotonic(), 0.0))


class LocalLink(Link):
    """An environment in this process: answers while the request is posted."""

    def __init__(self, env: ManipEnv) -> None:
        self._server = EnvServer(env)
        self.interface, self.chosen = env.interface, env.chosen
        self.versions = package_versions(env.card.packages)
        self._answer: Answer | None = None

    def attach(self, memory: SlotArrays, slot: int) -> None:
        super().attach(memory, slot)
        self._server.attach(self.row)

    def _post(self, request: Request) -> None:
        method, arguments = request.call
        self._answer = self._server.handle(
            request.kind, {"method": method, "arguments": list(arguments)}
        )

    def _take(self) -> Answer:
        answer, self._answer = self._answer, None
        assert answer is not None, "nothing was asked"
        return answer

    @property
    def answered(self) -> bool:
        return self._answer is not None

    def abandon(self) -> None:
        self._answer = None

    def hang_up(self) -> None:
        self.abandon()

    def close(self, patience: float = CLOSE_SECONDS) -> None:
        self._server.env.close()


_KINDS: Sequence[type[Exception]] = (ManigymError, SimulationError, gym.error.ResetNeeded)


def rebuilt(content: Mapping[str, str]) -> Exception:
    """The exception that :func:`envs.isolation.server.described` described."""
    for kind in _KINDS:
        if content["kind"] == kind.__name__:
            return kind(content["reason"])
    return RemoteError(f"{content['kind']}: {content['reason']}", content["details"])
