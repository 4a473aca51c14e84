"""Batches of windows on their way to the device.

A batch of pictures is megabytes. Where each one is allocated anew the system takes its memory back
and clears it again page by page, which costs several times what copying the pictures does; hence
:class:`Buffers`. To a GPU they go as they are stored (pictures as uint8), from pinned memory, on a
stream of their own, gathered by a thread while the device computes. On a CPU there is no such
thread: the training threads have the cores.
"""

from __future__ import annotations

import math
import sys
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from benchmark.data.rows import Array
from benchmark.data.windows import Empty

AHEAD = 2

Batch = dict[str, Any]
"""Names to tensors (text: to arrays), nested as :meth:`Windows.batch` gives it."""


class Buffers:
    """Memory for arrays, used again as soon as nobody looks at it any more.

    ``allocate`` makes the memory: so many bytes, uint8, one-dimensional.
    """

    def __init__(self, allocate: Callable[[int], Array]) -> None:
        self._allocate = allocate
        self._kept: dict[int, list[Array]] = {}

    def empty(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
        """Like ``numpy.empty``."""
        size = math.prod(shape) * dtype.itemsize
        return self._free(size).view(dtype).reshape(shape)

    def _free(self, size: int) -> Array:
        kept = self._kept.setdefault(size, [])
        for i in range(len(kept)):
            # Every view, and every tensor made of one, holds a reference to the array that owns
            # the memory. Two are ours: the list's and this call's argument.
            if sys.getrefcount(kept[i]) == 2:
                return kept[i]
        kept.append(self._allocate(size))
        return kept[-1]


@contextmanager
def feed(
    source: Callable[[Empty], Iterator[Mapping[str, Any]]],
    device: torch.device,
    threaded: bool | None = None,
) -> Iterator[Iterator[Batch]]:
    """The batches of ``source`` on ``device``, in their order, as a context.

    ``source`` is called with what makes its arrays and gives batches of arrays. With ``threaded``
    (by default on a GPU) it runs in a thread, ``AHEAD`` batches in advance; what it raises is
    raised where the batch was to be. Leaving the context ends the thread.
    """
    buffers = Buffers(_pinned if device.type == "cuda" else _plain)
    stream = torch.cuda.Stream(device) if device.type == "cuda" else None
    moved = (_on_device(batch, device, stream) for batch in source(buffers.empty))
    if not (device.type == "cuda" if threaded is None else threaded):
        yield _received(moved, device)
        return
    pool = ThreadPoolExecutor(1, "feed")
    try:
        yield _received(_ahead(moved, pool), device)
    finally:
        pool.shutdown(cancel_futures=True)


def _ahead(batches: Iterator[Batch], pool: ThreadPoolExecutor) -> Iterator[Batch]:
    """``batches`` made by the pool's only thread, so they are in order and never made twice."""
    pending: deque[Future[Batch | None]] = deque(
        pool.submit(next, batches, None) for _ in range(AHEAD)
    )
    while (batch := pending.popleft().result()) is not None:
        pending.append(pool.submit(next, batches, None))
        yield batch


def _received(batches: Iterator[Batch], device: torch.device) -> Iterator[Batch]:
    """Tell a GPU's allocator that the tensors, made on another stream, are used on this one."""
    for batch in batches:
        if device.type == "cuda":
            _each(batch, lambda tensor: tensor.record_stream(torch.cuda.current_stream(device)))
        yield batch


def _on_device(
    batch: Mapping[str, Any], device: torch.device, stream: torch.cuda.Stream | None
) -> Batch:
    tensors = _each(batch, _tensor)
    if stream is None:
        return tensors
    with torch.cuda.stream(stream):
        moved = _each(tensors, lambda tensor: tensor.to(device, non_blocking=True))
    stream.synchronize()  # before the pinned memory may be used again
    return moved


def _each(batch: Mapping[str, Any], change: Callable[[Any], Any]) -> Batch:
    """The batch with ``change`` applied to everything but text, which a policy turns to numbers."""

    def changed(value: Any) -> Any:
        if isinstance(value, Mapping):
            return _each(value, change)
        text = isinstance(value, np.ndarray) and value.dtype.kind == "U"
        return value if text else change(value)

    return {key: changed(value) for key, value in batch.items()}


def _tensor(values: Array) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(values))


def _plain(size: int) -> Array:
    return np.empty(size, np.uint8)


def _pinned(size: int) -> Array:
    return torch.empty(size, dtype=torch.uint8, pin_memory=True).numpy()
