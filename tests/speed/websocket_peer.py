"""A peer for comparison: one environment behind a websocket, arrays packed with msgpack.

In the manner of openpi's policy server (`openpi/serving/websocket_policy_server.py`: asyncio
server, blocking client, no compression, raw array bytes), the environment on the server's side.
"""

from __future__ import annotations

import asyncio
import multiprocessing
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any

import msgpack
import numpy as np
import trivial
from websockets.asyncio.server import ServerConnection, serve
from websockets.sync.client import connect

from envs.construct import construct
from envs.schema import flatten


def pack(message: dict[str, Any]) -> bytes:
    arrays = {k: v for k, v in message.items() if isinstance(v, np.ndarray)}
    packed = {k: [v.dtype.str, v.shape, v.tobytes()] for k, v in arrays.items()}
    return msgpack.packb(message | packed)


def array(entry: list[Any]) -> np.ndarray:
    dtype, shape, data = entry
    return np.frombuffer(data, dtype).reshape(shape)


def run_server(port: Connection) -> None:
    """Serve the trivial environment until this process is ended."""
    env = construct(trivial.SIMULATOR, trivial.CARDS[0], trivial.OPTIONS)
    env.reset(seed=0)

    async def answer(socket: ServerConnection) -> None:
        async for data in socket:
            action = array(msgpack.unpackb(data)["action"])
            observation, reward, terminated, truncated, _ = env.step(action)
            outcome = {"reward": reward, "terminated": terminated, "truncated": truncated}
            await socket.send(pack(flatten(observation) | outcome))

    async def main() -> None:
        options = {"compression": None, "max_size": None}
        async with serve(answer, "127.0.0.1", 0, **options) as server:
            port.send(server.sockets[0].getsockname()[1])
            await asyncio.get_running_loop().create_future()

    asyncio.run(main())


@contextmanager
def websocket_step() -> Iterator[Callable[[np.ndarray], dict[str, Any]]]:
    """One step of the environment behind the socket."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    server = context.Process(target=run_server, args=(theirs,), daemon=True)
    server.start()
    try:
        address = f"ws://127.0.0.1:{ours.recv()}"
        with connect(address, compression=None, max_size=None) as socket:

            def step(action: np.ndarray) -> dict[str, Any]:
                socket.send(pack({"action": action}))
                message = msgpack.unpackb(socket.recv())
                return {k: array(v) if isinstance(v, list) else v for k, v in message.items()}

            yield step
    finally:
        server.kill()
        server.join()
