"""IsolatedEnv: a task whose simulator runs in a worker process, indistinguishable from one here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from envs.isolation.child import Order
from envs.isolation.durable import DurableLink
from envs.isolation.link import Request, reset_request
from envs.isolation.memory import SlotArrays, fields
from envs.isolation.process import start
from envs.isolation.server import CALL, OBSERVE, RUN
from envs.schema import TaskCard
from envs.task_env import Expert, Observation, TaskEnv


class IsolatedEnv(TaskEnv):
    """Options as of the environment in the worker.

    Should the worker die, another one repeats the episode so far and goes on with the same
    result: see :class:`DurableLink`.
    """

    def __init__(self, card: TaskCard, order: Order) -> None:
        (self._link,) = start([order])
        chosen = dict(self._link.chosen)
        known = (TaskEnv.__init__.__kwdefaults__ or {}).keys()
        super().__init__(card, **{name: chosen.pop(name) for name in known})
        self._others = chosen  # options that the simulator's side alone understands
        self.versions = self._link.versions
        self.interpreter = order.interpreter.name
        self._memory = SlotArrays.shared(fields(self.interface, chunk=1, n_obs=1), slots=1)
        self._link.attach(self._memory, 0)
        self._durable = DurableLink(self._link, card.id)

    @property
    def chosen(self) -> dict[str, Any]:
        return super().chosen | self._others

    # -------------------------------------------------------------- an episode
    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        self._ask(reset_request(self._next_seed(seed)))
        return self._observation(), {"seed": self.seed_used, "success": False, "is_success": False}

    def step(self, action: np.ndarray) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        reward, terminated, truncated = self._run(action, 1)
        row = self._link.row
        info = {"success": bool(row["goal"][0]), "is_success": bool(row["succeeded"][0])}
        return self._observation(), reward, terminated, truncated, info

    def advance(self, action: np.ndarray) -> tuple[float, bool, bool]:
        return self._run(action, 0)

    def observe(self) -> Observation:
        self._ask(Request(OBSERVE))
        return self._observation()

    def render(self) -> Any:
        return self._call("render")

    def render_device(self) -> str:
        return self._call("render_device")

    def object_names(self) -> tuple[str, ...]:
        return tuple(self._call("object_names"))

    @property
    def goal_reached(self) -> bool:
        return bool(self._link.row["steps"][0] and self._link.row["goal"][0])

    @property
    def succeeded(self) -> bool:
        return bool(self._link.row["succeeded"][0])

    def expert(self) -> Expert:
        return _RemoteExpert(self, self._call("expert"))

    # ---------------------------------------------------------- state as data
    def snapshot(self) -> dict[str, Any]:
        return self._call("snapshot")

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        self._call("restore", dict(snapshot))

    def sim_state(self) -> np.ndarray:
        return self._call("sim_state")

    def state_bytes(self) -> bytes:
        return self._call("state_bytes")

    def close(self) -> None:
        self._link.close()
        self._memory.close()

    # ---------------------------------------------------------------- requests
    def _run(self, action: np.ndarray, n_obs: int) -> tuple[float, bool, bool]:
        if np.shape(action) != self.action_space.shape:
            self._checked(action)  # raises; everything else about it is the worker's to check
        self._ask(Request(RUN, actions=np.array(action, np.float32, ndmin=2), n_obs=n_obs))
        row = self._link.row
        return float(row["reward"][0]), bool(row["terminated"][0]), bool(row["truncated"][0])

    def _observation(self) -> Observation:
        return self._link.newest()

    def _call(self, method: str, *arguments: Any) -> Any:
        return self._ask(Request(CALL, call=(method, arguments)))

    def _ask(self, request: Request) -> Any:
        self._durable.post(request)
        return self._durable.take()


class _RemoteExpert:
    def __init__(self, env: IsolatedEnv, number: int) -> None:
        self._env, self._number = env, number

    def act(self) -> np.ndarray:
        return self._env._call("expert_act", self._number)
