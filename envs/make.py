"""From an id to a running environment: Gymnasium's entry point for every id.

``isolation`` says where the simulator runs: ``in_process``, in a worker ``process`` of the
simulator's own virtual environment, or ``auto``: in this process if it holds the simulator in the
pinned version, else in its own environment, which is set up at first use. The environment is the
same, bit for bit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import gymnasium as gym
from gymnasium.vector import AutoresetMode

from envs.construct import construct
from envs.isolation.child import DEADLINE, Order
from envs.isolation.env import IsolatedEnv
from envs.isolation.interpreter import choose, host
from envs.isolation.link import Link, LocalLink
from envs.isolation.process import start
from envs.isolation.vector import ManipVectorEnv
from envs.registry import card, simulator_of
from envs.schema import CAMERA_MODALITIES, ManigymError
from envs.task_env import TaskEnv


@dataclass(frozen=True)
class Workers:
    """How many environments run side by side, and where: see the top of this file.

    ``count``: worker processes; ``scenes``: environments in each, stepped one at a time, so that
    one is stepped while the policy thinks about another. ``deadline``: seconds without a simulator
    step after which a worker is ended; ``logs``: a folder for what the simulators print.
    """

    count: int = 1
    isolation: str = "auto"
    deadline: float = DEADLINE
    logs: Path | str | None = None
    scenes: int = field(default=1, kw_only=True)

    def __post_init__(self) -> None:
        for name, number in (("worker", self.count), ("scene in each worker", self.scenes)):
            if number < 1:
                raise ManigymError(f"at least 1 {name} is needed, got {number}")

    @property
    def slots(self) -> int:
        """Environments in all."""
        return self.count * self.scenes

    def at_most(self, slots: int) -> Workers:
        """No more than there is work for: first fewer scenes in each, then fewer workers."""
        count = min(self.count, slots)
        return replace(self, count=count, scenes=min(self.scenes, -(-slots // count)))


def launch(
    env_id: str,
    isolation: str = "auto",
    deadline: float = DEADLINE,
    log: Path | str | None = None,
    **options: Any,
) -> gym.Env[Any, Any]:
    """The environment of an id. For workers: ``deadline`` seconds without a simulator step end
    one (default 300), ``log`` is the file of what the simulator prints."""
    task, simulator = card(env_id), simulator_of(env_id)
    interpreter = choose(env_id, isolation, _draws(options))
    if interpreter is None:
        return construct(simulator, task, options)
    file = Path(log) if log is not None else None
    return IsolatedEnv(task, Order(simulator, env_id, options, interpreter, deadline, file))


def _draws(options: Mapping[str, Any]) -> bool:
    asked = options.get("observations", ())
    seen = {asked} if isinstance(asked, str) else set(asked)
    return bool(seen & {*CAMERA_MODALITIES, "point_cloud"} or options.get("render_mode"))


def make_env(env_id: str, options: Mapping[str, Any]) -> TaskEnv:
    """``gymnasium.make`` without wrappers."""
    env = gym.make(env_id, **options).unwrapped
    assert isinstance(env, TaskEnv)
    return env


def make_links(
    env_id: str, options: Mapping[str, Any], workers: Workers, slots: int | None = None
) -> tuple[list[Link], str]:
    """Environments to speak to, and where they run: ``in_process`` or ``process:<interpreter>``.

    One environment stays in this process where ``isolation`` lets it; more than one are in worker
    processes, unless ``isolation`` is ``in_process``. ``slots``: fewer environments than the
    workers would hold.
    """
    task, simulator = card(env_id), simulator_of(env_id)
    slots = workers.slots if slots is None else slots
    interpreter = choose(env_id, workers.isolation, _draws(options))
    if interpreter is None and (slots == 1 or workers.isolation == "in_process"):
        local = [LocalLink(construct(simulator, task, options)) for _ in range(slots)]
        return list[Link](local), "in_process"
    interpreter = interpreter or host()
    names = [f"{env_id.replace('/', '-')}-{number}.log" for number in range(workers.count)]
    files = [Path(workers.logs) / name if workers.logs else None for name in names]
    orders = [
        Order(simulator, env_id, options, interpreter, workers.deadline, file) for file in files
    ]
    return list[Link](start(orders, slots)), f"process:{interpreter.name}"


def _autoreset_mode(asked: AutoresetMode | str) -> AutoresetMode:
    for mode in AutoresetMode:
        if asked in (mode, mode.name, mode.value):
            return mode
    known = ", ".join(mode.name for mode in AutoresetMode)
    raise ManigymError(f"no autoreset_mode {asked!r}; choose one of {known}")


def make_vec(
    env_id: str,
    num_envs: int,
    *,
    scenes: int = 1,
    isolation: str = "auto",
    max_chunk: int = 1,
    n_obs: int = 1,
    copy: bool = True,
    autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
    deadline: float = DEADLINE,
    logs: Path | str | None = None,
    **options: Any,
) -> ManipVectorEnv:
    """``num_envs`` environments as a Gymnasium ``VectorEnv``, ``scenes`` in a worker process.

    ``isolation="in_process"`` keeps them all in this process; ``options`` as of
    ``gymnasium.make``; the others: :class:`ManipVectorEnv`.
    """
    if max_chunk < 1 or n_obs < 1:
        raise ManigymError(f"max_chunk={max_chunk} and n_obs={n_obs} must be at least 1")
    mode = _autoreset_mode(autoreset_mode)
    workers = Workers(num_envs, isolation, deadline, logs, scenes=scenes)
    workers = replace(workers, count=-(-num_envs // scenes))
    links, place = make_links(env_id, options, workers, num_envs)
    return ManipVectorEnv(
        links,
        card(env_id).under(options.get("protocol")),
        place,
        max_chunk=max_chunk,
        n_obs=n_obs,
        copy=copy,
        autoreset_mode=mode,
    )
