"""What an episode did, step by step: enough to do it again and to compare.

``traces/<task>-<episode>.npz`` holds ``actions`` float32 (T, A) as they were asked for, and
``state_chain`` uint8 (T + 1, 8): the chained hash of the physical state after the reset and after
every step (``envs.episode``).
"""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from benchmark.results.files import write_whole
from envs.schema import ManigymError


@dataclass(frozen=True)
class Trace:
    """See the top of this file."""

    actions: np.ndarray
    state_chain: np.ndarray

    def first_difference(self, other: Trace) -> int | None:
        """The first step whose state differs: 0 is the reset, ``None`` no difference."""
        mine, theirs = self.state_chain, other.state_chain
        common = min(len(mine), len(theirs))
        differs = (mine[:common] != theirs[:common]).any(axis=1)
        if differs.any():
            return int(differs.argmax())
        return None if len(mine) == len(theirs) else common


def write_trace(path: Path, trace: Trace) -> str:
    """Write it and return the file's sha256; equal traces give equal files."""
    buffer = io.BytesIO()
    np.savez(buffer, actions=trace.actions, state_chain=trace.state_chain)
    write_whole(path, buffer.getvalue())
    return hashlib.sha256(buffer.getvalue()).hexdigest()


def read_trace(path: Path) -> Trace:
    """Read :func:`write_trace`'s file; a missing or damaged one raises ``ManigymError``."""
    try:
        with np.load(path, allow_pickle=False) as content:
            return Trace(content["actions"], content["state_chain"])
    except FileNotFoundError:
        raise ManigymError(f"{path} is missing; its episode cannot be replayed") from None
    except (OSError, ValueError, KeyError, EOFError, BadZipFile) as error:
        raise ManigymError(f"{path} is damaged ({error}); restore it from a copy") from None
