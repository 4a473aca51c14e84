"""One ``.npy`` file that grows along axis 0.

NumPy pads the header of every ``.npy`` file so that the first dimension can be rewritten in place
(``numpy.lib.format``, version 1.0), therefore a growing file stays readable by ``numpy.load``.
The number of rows that count is kept by the caller (the store's index); rows beyond it are
leftovers of an interrupted append and are cut by :meth:`RowFile.cut`.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from envs.schema import ManigymError

Array = npt.NDArray[Any]


def sync(file: BinaryIO) -> None:
    """Push what was written to ``file`` down to the disk."""
    file.flush()
    os.fsync(file.fileno())


def check_finite(values: Array, where: str) -> None:
    """Raise on the first NaN or infinity in ``values`` (T, ...); ``where`` names its place."""
    if values.dtype.kind != "f" or np.isfinite(values).all():
        return
    step, *place = np.argwhere(~np.isfinite(values))[0].tolist()
    raise ManigymError(
        f"{where}, step {step}: {values[(step, *place)]} at {tuple(place)}, expected finite "
        "numbers; leave this episode out or collect it again"
    )


@dataclass(frozen=True)
class RowFile:
    """A ``.npy`` file of rows with a fixed per-row ``shape`` and ``dtype``."""

    path: Path
    dtype: np.dtype[Any]
    shape: tuple[int, ...]

    @property
    def row_bytes(self) -> int:
        return int(np.prod(self.shape, dtype=np.int64)) * self.dtype.itemsize

    def create(self) -> None:
        """Write an empty file (0 rows); the file must not exist."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("xb") as file:
            self._write_header(file, 0)
            sync(file)

    def append(self, rows: Array, start: int) -> None:
        """Write ``rows`` (T, *shape) behind the first ``start`` rows, then the header; synced."""
        with self.path.open("r+b") as file:
            offset = self._offset(file)
            file.seek(offset + start * self.row_bytes)
            file.write(np.ascontiguousarray(rows, self.dtype).data)
            sync(file)
            self._write_header(file, start + len(rows))
            sync(file)

    def cut(self, count: int) -> None:
        """Keep the first ``count`` rows and drop the rest."""
        with self.path.open("r+b") as file:
            file.truncate(self._offset(file) + count * self.row_bytes)
            self._write_header(file, count)
            sync(file)

    def check(self, count: int) -> None:
        """Raise unless the file describes these rows and holds at least ``count`` of them."""
        if not self.path.is_file():
            raise ManigymError(
                f"{self.path} is missing but the store's header lists it; the copy is incomplete: "
                "copy the whole directory again or collect the demonstrations again"
            )
        with self.path.open("rb") as file:
            offset = self._offset(file)
        expected = offset + count * self.row_bytes
        size = self.path.stat().st_size
        if size < expected:
            raise ManigymError(
                f"{self.path} is truncated: {size} bytes, expected {expected} for {count} steps; "
                "copy the directory again or collect the demonstrations again"
            )

    def open(self, count: int) -> Array:
        """Read-only memory map (count, *shape) of the first ``count`` rows."""
        if count == 0:  # an empty range cannot be mapped
            return np.empty((0, *self.shape), self.dtype)
        with self.path.open("rb") as file:
            offset = self._offset(file)
        return np.memmap(self.path, self.dtype, "r", offset, (count, *self.shape))

    def read(self, starts: Sequence[int], lengths: Sequence[int]) -> Array:
        """Rows ``starts[i] .. starts[i] + lengths[i] - 1`` of all i, one run behind the other.

        They are read, not mapped: a copy in RAM costs the memory of these rows and no more.
        """
        rows = np.empty((sum(lengths), *self.shape), self.dtype)
        with self.path.open("rb") as file:
            offset, at = self._offset(file), 0
            content = rows.reshape(-1).view(np.uint8).data
            for start, length in zip(starts, lengths, strict=True):
                size = length * self.row_bytes
                file.seek(offset + start * self.row_bytes)
                if file.readinto(content[at : at + size]) != size:
                    raise ManigymError(
                        f"{self.path} became shorter than the store's index says; copy the "
                        "directory again or collect the demonstrations again"
                    )
                at += size
        return rows

    def _write_header(self, file: BinaryIO, count: int) -> None:
        file.seek(0)
        descr = np.lib.format.dtype_to_descr(self.dtype)
        header = {"descr": descr, "fortran_order": False, "shape": (count, *self.shape)}
        np.lib.format.write_array_header_1_0(file, header)

    def _offset(self, file: BinaryIO) -> int:
        """Byte at which the rows start; raises if the header describes other rows."""
        try:
            np.lib.format.read_magic(file)
            shape, fortran, dtype = np.lib.format.read_array_header_1_0(file)
        except ValueError as error:
            raise ManigymError(
                f"{self.path} is no .npy file ({error}); restore or delete the store"
            ) from error
        if dtype != self.dtype or shape[1:] != self.shape or fortran:
            raise ManigymError(
                f"{self.path} holds rows {dtype.name} {shape[1:]}, the store's header says "
                f"{self.dtype.name} {self.shape}; these files do not belong together, "
                "restore the directory"
            )
        return file.tell()
