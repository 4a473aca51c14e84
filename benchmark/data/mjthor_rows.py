"""Rows of JSON text in HDF5, as MolmoSpaces stores dictionaries (``molmo_spaces`` 0.2.9).

A row is ``json.dumps(row, sort_keys=True, separators=(",", ":"))`` in UTF-8, filled up with NUL to
K bytes; T rows are one uint8 array (T, K). Upstream's writer cuts a longer text at K bytes, and the
row can then never be parsed again; here K grows.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from benchmark.data.rows import Array
from envs.schema import ManigymError

Row = Mapping[str, Any]
WIDTH = 2000  # K of upstream's action and joint sensors
NAME_WIDTH = 100  # bytes of a file name in obs/sensor_data


def encode_rows(rows: Sequence[Row], width: int = WIDTH) -> Array:
    """Rows as uint8 (T, K); K is ``width``, or the longest row where that is more."""
    texts = [_dump(row) for row in rows]
    width = max(width, *map(len, texts))
    return np.frombuffer(b"".join(t.ljust(width, b"\0") for t in texts), np.uint8).reshape(
        -1, width
    )


def decode_rows(data: Array, where: str) -> list[dict[str, Any]]:
    """Inverse of :func:`encode_rows`; ``where`` names the dataset in an error."""
    if data.ndim != 2 or data.dtype != np.uint8:
        raise ManigymError(f"{where} is {data.dtype} {data.shape}, expected JSON rows uint8 (T, K)")
    return [_parse(row.tobytes(), f"{where}, row {i}") for i, row in enumerate(data)]


def unreadable_rows(data: Array) -> list[int]:
    """Rows that are no JSON object, such as those cut by upstream's writer."""
    bad = []
    for i, row in enumerate(data):
        try:
            _parse(row.tobytes(), "")
        except ManigymError:
            bad.append(i)
    return bad


def encode_name(name: str) -> Array:
    """A file name as uint8 (100,)."""
    data = name.encode()
    if len(data) > NAME_WIDTH:
        raise ManigymError(
            f"file name {name!r} has {len(data)} bytes, MolmoSpaces' files hold {NAME_WIDTH}; use "
            "shorter camera names"
        )
    return np.frombuffer(data.ljust(NAME_WIDTH, b"\0"), np.uint8)


def decode_text(data: Any) -> str:
    """Text of a dataset's content: bytes, str or uint8 with NULs behind it."""
    if isinstance(data, str):
        return data.rstrip("\0")
    raw = data if isinstance(data, bytes) else np.asarray(data).tobytes()
    return raw.rstrip(b"\0").decode("utf-8", "replace")


def _dump(row: Row) -> bytes:
    return json.dumps(row, sort_keys=True, separators=(",", ":")).encode()


def _parse(data: bytes, where: str) -> dict[str, Any]:
    text = data.rstrip(b"\0")
    try:
        row = json.loads(text)
    except ValueError as error:
        cut = f"; all {len(data)} bytes are used, it was cut when written" * (
            len(text) == len(data)
        )
        raise ManigymError(f"{where}: not JSON ({error}){cut}; leave this episode out") from error
    if not isinstance(row, dict):
        raise ManigymError(f"{where}: expected a JSON object, got {type(row).__name__}")
    return row
