"""What one step across a process boundary costs: ours, Gymnasium's, a websocket's, in turn.

The environment itself costs nothing: two 256x256 pictures and 14 numbers (`trivial.py`). Figures
are milliseconds per control step; of a chunk only the last step is observed.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np
import pytest
import trivial
from gymnasium.vector import AsyncVectorEnv

from envs.construct import construct
from envs.isolation.child import Order
from envs.isolation.env import IsolatedEnv
from envs.isolation.interpreter import host
from envs.isolation.process import start
from envs.isolation.vector import ManipVectorEnv

pytest.importorskip("websockets")
pytest.importorskip("msgpack")

from websocket_peer import websocket_step

ROUNDS, STEPS, CHUNK = 15, 300, 8
CARD = trivial.CARDS[0]
ORDER = Order(trivial.SIMULATOR, CARD.id, trivial.OPTIONS, host())
CHUNKED = f"make_vec(1), chunks of {CHUNK}"


def make_trivial() -> Any:
    return construct(trivial.SIMULATOR, CARD, trivial.OPTIONS)


@contextmanager
def contenders() -> Iterator[dict[str, Callable[[], Any]]]:
    """Name -> one step of the same environment, each in its own way."""
    action = np.zeros(trivial.VALUES, np.float32)
    with ExitStack() as stack:

        def opened(env: Any) -> Any:
            stack.callback(env.close)
            env.reset(seed=0)
            return env

        inside, isolated = opened(make_trivial()), opened(IsolatedEnv(CARD, ORDER))
        vector = opened(ManipVectorEnv(start([ORDER]), CARD, "process"))
        chunked = opened(ManipVectorEnv(start([ORDER]), CARD, "process", max_chunk=CHUNK))
        chunk = np.zeros((1, CHUNK, trivial.VALUES), np.float32)
        views = opened(ManipVectorEnv(start([ORDER]), CARD, "process", copy=False))
        theirs = opened(AsyncVectorEnv([make_trivial], context="spawn"))
        their_views = opened(AsyncVectorEnv([make_trivial], context="spawn", copy=False))
        socket = stack.enter_context(websocket_step())
        yield {
            "in process": lambda: inside.step(action),
            "isolated": lambda: isolated.step(action),
            "make_vec(1)": lambda: vector.step(action[None]),
            "make_vec(1, copy=False)": lambda: views.step(action[None]),
            CHUNKED: lambda: chunked.step_chunk(chunk),
            "AsyncVectorEnv(1)": lambda: theirs.step(action[None]),
            "AsyncVectorEnv(1, copy=False)": lambda: their_views.step(action[None]),
            "websocket + msgpack": lambda: socket(action),
        }


def median_ms(name: str, step: Callable[[], Any]) -> float:
    times = np.empty(STEPS)
    for i in range(STEPS):
        begun = time.perf_counter()
        step()
        times[i] = time.perf_counter() - begun
    return float(np.median(times) * 1e3 / (CHUNK if name == CHUNKED else 1))


def test_a_step_of_an_isolated_environment(benchmark: Any) -> None:
    with contenders() as steps:
        for name, step in steps.items():
            median_ms(name, step)  # warm
        rounds = [{n: median_ms(n, step) for n, step in steps.items()} for _ in range(ROUNDS)]
        benchmark.pedantic(steps["isolated"], rounds=STEPS)
    figures = {
        name: [round(float(q), 4) for q in np.quantile([r[name] for r in rounds], (0, 0.5, 1))]
        for name in rounds[0]
    }
    benchmark.extra_info["milliseconds_per_step_min_median_max"] = figures
    print(json.dumps(figures, indent=1))
    added = {name: figures[name][1] - figures["in process"][1] for name in figures}
    assert added["AsyncVectorEnv(1)"] > 1.5 * added["isolated"]
    assert added["websocket + msgpack"] > 4 * added["isolated"]
