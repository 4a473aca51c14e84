"""A simulator of a few lines, with faults that are switched on by options.

A point moves in the plane. ``FAULTS`` lists what can go wrong, ``when`` and ``at`` say where.
"""

from __future__ import annotations

import ctypes
import gc
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np

from envs.base import ManipEnv
from envs.isolation.child import Order
from envs.isolation.env import IsolatedEnv
from envs.isolation.interpreter import host
from envs.isolation.memory import SlotArrays, fields
from envs.isolation.process import start
from envs.isolation.vector import ManipVectorEnv
from envs.pool import Pool
from envs.registry import Simulator
from envs.schema import (
    ActionGroup,
    ActionSpec,
    ManigymError,
    Protocol,
    SuccessRule,
    TaskCard,
    VectorGroup,
)

CARD = TaskCard(
    id="Faulty/point-v0",
    simulator="Faulty",
    description="A point in the plane.",
    packages=("numpy",),
    action=ActionSpec((ActionGroup("p", "ee_delta", ("x", "y"), (-1.0,) * 2, (1.0,) * 2, "m"),)),
    proprio=(VectorGroup("position", 2, "m"),),
    state=(VectorGroup("time", 1, "steps"),),
    cameras=("front",),
    protocols=(Protocol("default", 20, 20.0, SuccessRule("x > 1.5", "none"), "to the right"),),
    instructions=("go right",),
    modalities=("proprio", "state", "rgb"),
    image_size=(8, 8),
)
CARDS = (CARD,)
SIMULATOR = Simulator("Faulty", "faulty", "faulty:FaultyEnv")
SEEN = {"observations": ("proprio", "state", "rgb")}
BIG, LINE = 100 << 20, "all work and no play\n"
LAST_WORDS = "the end of a long story"


def _die(env: FaultyEnv) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _die_outside(env: FaultyEnv) -> None:
    """As often as an episode leads there."""
    if env.position[0] > 1.2:
        _die(env)


def _sleep(env: FaultyEnv) -> None:
    time.sleep(1000)


def _hold(env: FaultyEnv) -> None:
    """In C code, with the interpreter lock."""
    ctypes.PyDLL(None).pause()


def _fork(env: FaultyEnv) -> None:
    """A process of its own, which holds on to everything; then both hang."""
    os.fork()
    time.sleep(1000)


def _slow(env: FaultyEnv) -> None:
    time.sleep(0.5)


def _segfault(env: FaultyEnv) -> None:
    print(LAST_WORDS)
    ctypes.string_at(0)


def _chatter(env: FaultyEnv) -> None:
    block = LINE * 50_000
    for _ in range(BIG // 2 // len(block)):
        os.write(1, block.encode())
        print(block, end="")
    print(LAST_WORDS)


def _raise(env: FaultyEnv) -> None:
    raise RuntimeError("the gripper came off")


def _refuse(env: FaultyEnv) -> None:
    raise ManigymError("numpy 9.9 is too new for this simulator: pip install 'numpy<9'")


def _nan_reward(env: FaultyEnv) -> None:
    env.bonus = np.nan


def _nan_sensor(env: FaultyEnv) -> None:
    env.noise = np.nan


def _nan_physics(env: FaultyEnv) -> None:
    env.position[:] = np.nan


FAULTS: dict[str, Callable[[FaultyEnv], None]] = {
    "die": _die,
    "die_outside": _die_outside,
    "sleep": _sleep,
    "hold": _hold,
    "fork": _fork,
    "slow": _slow,
    "segfault": _segfault,
    "chatter": _chatter,
    "raise": _raise,
    "refuse": _refuse,
    "nan_reward": _nan_reward,
    "nan_sensor": _nan_sensor,
    "nan_physics": _nan_physics,
}


class FaultyEnv(ManipEnv):
    """``fault`` happens ``when`` (construct, reset, step, observe, render) ``at`` that many steps.

    ``at=-1``: at every one. ``once``: a file; the fault happens only while it is absent, and makes
    it: a sign to other processes, and one fault among several workers.
    """

    def __init__(
        self,
        card: TaskCard,
        *,
        fault: str = "",
        when: str = "step",
        at: int = 0,
        once: str = "",
        **options: Any,
    ) -> None:
        super().__init__(card, **options)
        self._fault, self._when, self._at, self._once = fault, when, at, once
        self.position, self.bonus, self.noise, self.time = np.zeros(2), 0.0, 0.0, 0
        self._perhaps("construct")

    def _perhaps(self, now: str) -> None:
        if now != self._when or self._at not in (-1, self.time) or not self._fault:
            return
        if self._once:
            try:
                Path(self._once).touch(exist_ok=False)
            except FileExistsError:
                return
        FAULTS[self._fault](self)

    def _reset(self, seed: int) -> None:
        self.position = np.random.default_rng(seed).uniform(-1, 1, 2)
        self.bonus, self.noise, self.time = 0.0, 0.0, 0
        self._perhaps("reset")

    def _advance(self, native: np.ndarray) -> float:
        self.time += 1
        self.position = 0.9 * self.position + 0.2 * native
        self._perhaps("step")
        return float(self.position[0]) + self.bonus

    def _goal_reached(self) -> bool:
        return bool(self.position[0] > 1.5)

    def _sense(self, modality: str) -> np.ndarray:
        self._perhaps("observe")
        values = self.position + self.noise if modality == "proprio" else np.array([self.time])
        return values.astype(np.float32)

    def _picture(self, kind: str, camera: str, size: tuple[int, int]) -> np.ndarray:
        self._perhaps("render")
        first = np.clip(100 + 50 * self.position[0], 0, 200)
        return (np.arange(np.prod(size) * 3) % 50 + int(first)).astype(np.uint8).reshape(*size, 3)

    def _physics(self) -> np.ndarray:
        return np.array([*self.position, self.time])

    def _set_physics(self, state: np.ndarray) -> None:
        self.position, self.time = state[:2].copy(), int(state[2])


def order(deadline: float = 60.0, log: Path | None = None, **options: Any) -> Order:
    return Order(SIMULATOR, CARD.id, SEEN | options, host(), deadline, log)


def isolated(**options: Any) -> IsolatedEnv:
    """In a worker process; ``deadline`` and ``log`` as of :class:`Order`."""
    return IsolatedEnv(CARD, order(**options))


def vector(
    count: int, orders: dict[str, Any] | None = None, scenes: int = 1, **options: Any
) -> ManipVectorEnv:
    """``count`` workers with ``scenes`` each; ``orders``: options of the environments,
    ``options``: of the vector."""
    links = start([order(**(orders or {})) for _ in range(count)], count * scenes)
    return ManipVectorEnv(links, CARD, "process:host", **options)


@contextmanager
def pool(count: int, scenes: int = 1, **options: Any) -> Iterator[Pool]:
    links = start([order(**options) for _ in range(count)], count * scenes)
    memory = SlotArrays.shared(fields(links[0].interface, 64, 1), len(links))
    for slot, link in enumerate(links):
        link.attach(memory, slot)
    with Pool(links, "process:host") as made:
        yield made


def workers(of: int | None = None) -> set[int]:
    """Process ids of the workers that a process (this one) has started, zombies included."""
    found: set[int] = set()
    for listing in Path(f"/proc/{of or os.getpid()}/task").glob("*/children"):
        with suppress(OSError):  # it may end while we look
            found |= {int(pid) for pid in listing.read_text().split()}
    return {pid for pid in found if _is_worker(pid)}


def _is_worker(pid: int) -> bool:
    """A zombie has no command line any more."""
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
    return not command or b"bootstrap.py" in command


def group(leader: int) -> set[int]:
    """A worker and the processes that it has started, as far as they run."""
    found = set()
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            _, _, group, *_ = path.read_text().rsplit(")", 1)[1].split()
            found |= {int(path.parent.name)} if int(group) == leader else set()
    return {pid for pid in found if alive(pid)}


def alive(pid: int) -> bool:
    """Whether a process runs: neither gone nor waiting to be reaped."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False


def held() -> list[int]:
    """How many descriptors and threads this process has."""
    gc.collect()
    return [len(list(Path("/proc/self", kind).iterdir())) for kind in ("fd", "task")]


def eventually(holds: Callable[[], bool], seconds: float = 30.0) -> bool:
    """Poll until ``holds()``, or the time is over; whether it came true."""
    limit = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > limit:
            return False
        time.sleep(0.01)
    return True
