"""Everything that is not on the hot path crosses processes as JSON followed by .npy arrays.

Readable by every numpy and Python (pickles of numpy 2 are not by numpy 1). Allowed: what JSON has,
``bytes``, numpy arrays and scalars; tuples arrive as lists. Floats keep their bits, keys are text.
"""

from __future__ import annotations

import io
import json
import socket
import struct
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

_ARRAY, _BYTES = "__array__", "__bytes__"
_LENGTH = struct.Struct("<Q")


def encode(message: Any) -> bytes:
    """``message`` as bytes; ``TypeError`` for an object that cannot cross."""
    arrays: list[np.ndarray] = []

    def reference(value: Any) -> Any:
        if isinstance(value, np.generic):
            return value.item()
        if isinstance(value, bytes):
            arrays.append(np.frombuffer(value, np.uint8))
            return {_BYTES: len(arrays) - 1}
        if isinstance(value, np.ndarray) and value.dtype != object:
            arrays.append(value)
            return {_ARRAY: len(arrays) - 1}
        raise TypeError(f"{type(value).__name__} cannot be sent to another process: {value!r}")

    _check_keys(message)
    text = json.dumps(message, default=reference).encode()
    stream = io.BytesIO()
    stream.write(_LENGTH.pack(len(text)) + text)
    for array in arrays:
        np.save(stream, array, allow_pickle=False)
    return stream.getvalue()


def _check_keys(value: Any) -> None:
    """JSON would turn every key into text, silently."""
    inner: Iterable[Any] = value if isinstance(value, (list, tuple)) else ()
    if isinstance(value, dict):
        inner = value.values()
        for key in value:
            if not isinstance(key, str) or key in (_ARRAY, _BYTES):
                raise TypeError(f"keys of messages must be text, and not a mark: {key!r}")
    for entry in inner:
        _check_keys(entry)


def decode(data: bytes) -> Any:
    """Inverse of :func:`encode`."""
    stream = io.BytesIO(data)
    (length,) = _LENGTH.unpack(stream.read(_LENGTH.size))
    text = stream.read(length)
    arrays: list[np.ndarray] = []
    while stream.tell() < len(data):
        arrays.append(np.load(stream, allow_pickle=False))

    def resolve(entry: dict[str, Any]) -> Any:
        if _ARRAY in entry:
            return arrays[entry[_ARRAY]]
        return arrays[entry[_BYTES]].tobytes() if _BYTES in entry else entry

    return json.loads(text, object_hook=resolve)


def packed(code: bytes, message: Any) -> bytes:
    """``code`` (one byte, or none), then the message, as :func:`receive` expects it."""
    data = encode(message)
    return code + _LENGTH.pack(len(data)) + data


def send(connection: socket.socket, code: bytes, message: Any) -> None:
    """Hand over a message, whole."""
    connection.sendall(packed(code, message))


def receive(connection: socket.socket, waiting: Callable[[], object] = lambda: None) -> Any:
    """The message whose code byte has been read already; ``EOFError`` if the peer ended.

    ``waiting`` is called whenever the connection's own timeout has passed in mid-message.
    """
    (length,) = _LENGTH.unpack(_exactly(connection, _LENGTH.size, waiting))
    return decode(_exactly(connection, length, waiting))


def _exactly(connection: socket.socket, size: int, waiting: Callable[[], object]) -> bytes:
    data = bytearray(size)
    view, got = memoryview(data), 0
    while got < size:
        try:
            count = connection.recv_into(view[got:])
        except BlockingIOError:
            waiting()
            continue
        if not count:
            raise EOFError("the connection closed in the middle of a message")
        got += count
    return bytes(data)
