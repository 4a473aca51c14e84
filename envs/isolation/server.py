"""Serve one environment: execute requests, leave the answers in the slot's arrays.

The same code runs in a worker process and, without isolation, in the caller's own: one path, one
result. A request is one byte (:data:`RESET`, :data:`RUN`, :data:`FOLLOW`, :data:`OBSERVE`,
:data:`CALL`); its numbers lie in the arrays, those of a ``CALL`` come as a message.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from envs.base import ManipEnv
from envs.episode import EpisodeRunner, Reply
from envs.fingerprint import fingerprint
from envs.isolation.memory import OBS, Row
from envs.schema import ManigymError
from envs.task_env import Expert

RESET, RUN, FOLLOW, OBSERVE, CALL = b"r", b"s", b"f", b"o", b"c"  # requests
DONE, MESSAGE, ERROR = b"d", b"m", b"e"  # answers: in the arrays, a message, a message
CHANGES = ("restore", "expert", "expert_act")  # calls after which the state is another
FLAGS = {"track": 1, "record": 2, "film": 4}

Answer = tuple[bytes, Any]


class EnvServer:
    """``row``: this slot of the arrays, set by :meth:`attach`."""

    def __init__(self, env: ManipEnv) -> None:
        self.env = env
        self._runner = EpisodeRunner(env, self._alive)
        self._experts: list[Expert] = []  # of the running episode
        self._requests: Mapping[bytes, Callable[[Any], Answer]] = {
            RESET: self._reset,
            RUN: self._run,
            FOLLOW: self._follow,
            OBSERVE: lambda _: self._answer(self._runner.observe()),
            CALL: self._call,
        }
        self._calls: Mapping[str, Callable[..., Any]] = {
            "render": env.render,
            "render_device": env.render_device,
            "object_names": env.object_names,
            "snapshot": env.snapshot,
            "restore": self._restore,
            "sim_state": env.sim_state,
            "state_bytes": env.state_bytes,
            "fingerprint": lambda: fingerprint(env.card.packages),
            "expert": self._new_expert,
            "expert_act": self._expert_act,
        }

    def attach(self, row: Row) -> None:
        """Read requests from, and leave answers in, this slot from now on."""
        self.row = row
        self._frames = [(n[len(OBS) :], v) for n, v in row.items() if n.startswith(OBS)]

    def handle(self, request: bytes, message: Any = None) -> Answer:
        """Execute one request; whatever it raises becomes the answer ``ERROR``."""
        try:
            return self._requests[request](message)
        except Exception as error:
            return ERROR, described(error)

    def _alive(self) -> None:
        self.row["progress"][0] += 1

    def _reset(self, _: Any) -> Answer:
        bits = int(self.row["flags"][0])
        flags = {name: bool(bits & bit) for name, bit in FLAGS.items()}
        self._experts.clear()
        reply = self._runner.reset(int(self.row["seed"][0]), **flags)
        for key, frames in self._frames:  # before there is a history, the first frame is repeated
            frames[:] = reply.observations[0][key]
        return self._answer(reply)

    def _run(self, _: Any) -> Answer:
        actions = self.row["action"][: int(self.row["count"][0])]
        return self._answer(self._runner.run(actions, int(self.row["n_obs"][0])))

    def _follow(self, _: Any) -> Answer:
        steps, n_obs = int(self.row["count"][0]), int(self.row["n_obs"][0])
        return self._answer(self._runner.follow(steps, n_obs))

    def _answer(self, reply: Reply) -> Answer:
        row, steps, new = self.row, len(reply.rewards), len(reply.observations)
        row["steps"][0], row["frames"][0] = steps, new
        row["terminated"][0], row["truncated"][0] = reply.terminated, reply.truncated
        row["succeeded"][0] = reply.succeeded
        if steps:
            row["reward"][:steps], row["goal"][:steps] = reply.rewards, reply.goals
        for key, frames in self._frames:
            kept = len(frames) - new
            if new and kept:
                frames[:kept] = frames[new:].copy()
            for i, observation in enumerate(reply.observations):
                frames[kept + i] = observation[key]
        return (DONE, None) if reply.summary is None else (MESSAGE, asdict(reply.summary))

    def _call(self, message: Mapping[str, Any]) -> Answer:
        method = message["method"]
        if method not in self._calls:
            raise ManigymError(f"no method {method!r} crosses; these do: {', '.join(self._calls)}")
        return MESSAGE, self._calls[method](*message["arguments"])

    def _restore(self, snapshot: Mapping[str, Any]) -> None:
        self.env.restore(snapshot)
        self._experts.clear()
        self.row["succeeded"][0] = self.env.succeeded

    def _new_expert(self) -> int:
        self.env.require_episode()
        self._experts.append(self.env.expert())
        return len(self._experts) - 1

    def _expert_act(self, number: int) -> np.ndarray:
        if number >= len(self._experts):
            raise ManigymError(f"{self.env.card.id}: no such expert; ask for expert() again")
        return self._experts[number].act()


def described(error: BaseException) -> dict[str, str]:
    """An exception as a message; ``details`` is empty where the text says all."""
    known = isinstance(error, ManigymError)
    details = "" if known else "".join(traceback.format_exception(error))
    return {"kind": type(error).__name__, "reason": str(error), "details": details}
