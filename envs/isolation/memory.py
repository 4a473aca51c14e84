"""The memory that a vector of environments shares with its workers.

One region holds, for every field, one array with a leading axis over slots: a worker writes its
row and the caller sees the whole batch, without a copy in between. The region is an anonymous file
handed over as a descriptor: nothing has a name, so nothing can be left behind, however the
processes end, and the 64 MB that containers give ``/dev/shm`` are no limit.
"""

from __future__ import annotations

import mmap
import os
import tempfile
import weakref
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from envs.schema import Interface

OBS = "obs/"
_TEXT = "<U256"  # as the space of instructions
_ALIGNMENT = 64


Row = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Field:
    """One value per slot: its shape without the slot axis, and its numpy dtype string."""

    name: str
    shape: tuple[int, ...]
    dtype: str


def fields(interface: Interface, chunk: int, n_obs: int) -> tuple[Field, ...]:
    """What a request and its answer need: chunks of at most ``chunk`` actions, ``n_obs`` frames."""
    control = (
        Field("action", (chunk, interface.action_size), "<f4"),
        Field("reward", (chunk,), "<f8"),
        Field("goal", (chunk,), "|b1"),
        Field("seed", (), "<u8"),
        Field("flags", (), "<i4"),  # of a reset: bits of envs.isolation.server.FLAGS
        Field("count", (), "<i4"),  # actions to execute
        Field("n_obs", (), "<i4"),  # frames asked for
        Field("steps", (), "<i4"),  # actions executed
        Field("frames", (), "<i4"),  # new frames; they are the last ones of the window
        Field("progress", (), "<i8"),  # simulator steps since the start: a sign of life
        Field("busy", (), "|b1"),  # among several environments of a worker: this one is served
        Field("terminated", (), "|b1"),
        Field("truncated", (), "|b1"),
        Field("succeeded", (), "|b1"),
    )
    observations = (
        Field(OBS + key, (n_obs, *shape), _TEXT if dtype == "str" else np.dtype(dtype).str)
        for key, (shape, dtype) in interface.observation.items()
    )
    return (*control, *observations)


class SlotArrays:
    """``arrays[name]``: (slots, *shape). Backed by ``descriptor`` when there is one to share."""

    def __init__(self, layout: Iterable[Field], slots: int, descriptor: int | None = None) -> None:
        self.layout, self.slots, self.descriptor = tuple(layout), slots, descriptor
        self._closer = None if descriptor is None else weakref.finalize(self, os.close, descriptor)
        offsets, size = _offsets(self.layout, slots)
        buffer: mmap.mmap | bytearray
        buffer = bytearray(size) if descriptor is None else mmap.mmap(descriptor, size)
        self.arrays: Mapping[str, np.ndarray] = {
            field.name: np.ndarray((slots, *field.shape), field.dtype, buffer, offset)
            for field, offset in zip(self.layout, offsets, strict=True)
        }

    @classmethod
    def shared(cls, layout: Sequence[Field], slots: int) -> SlotArrays:
        """A new region that can be handed to other processes; zero everywhere."""
        descriptor = _anonymous_file(_offsets(layout, slots)[1])
        return cls(layout, slots, descriptor)

    def row(self, slot: int) -> Row:
        """Views of one slot: ``[name]`` is (*shape), of single numbers (1,)."""
        return {
            name: array[slot : slot + 1] if array.ndim == 1 else array[slot]
            for name, array in self.arrays.items()
        }

    def close(self) -> None:
        """Give the descriptor back; arrays already handed out stay valid."""
        if self._closer is not None:
            self._closer()
        self.descriptor = None


def _offsets(layout: Iterable[Field], slots: int) -> tuple[list[int], int]:
    offsets, end = [], 0
    for field in layout:
        offsets.append(end)
        size = slots * int(np.prod(field.shape)) * np.dtype(field.dtype).itemsize
        end += -(-size // _ALIGNMENT) * _ALIGNMENT
    return offsets, max(end, _ALIGNMENT)


def _anonymous_file(size: int) -> int:
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("manigym")
    else:
        with tempfile.TemporaryFile() as file:
            descriptor = os.dup(file.fileno())
    os.ftruncate(descriptor, size)
    return descriptor
