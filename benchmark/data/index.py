"""What a trajectory store says about itself: its header (JSON) and its episode index (``.npz``)."""

from __future__ import annotations

import json
import os
import re
import zipfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmark.data.rows import RowFile, sync
from envs.schema import ActionSpec, ManigymError

FORMAT = "manigym-trajectories"
VERSION = 2
KEY_PATTERN = re.compile(r"[A-Za-z0-9_\-]+(/[A-Za-z0-9_\-]+)*")
UNKNOWN_SEED = -1

KeySpec = tuple[str, tuple[int, ...]]


@dataclass(frozen=True)
class StoreHeader:
    """``header.json``: what the numbers mean.

    ``keys`` maps a store key (``"action"``, ``"obs/rgb/agentview"``, ``"sim_state"``) to the dtype
    name and the shape of one step. ``action_spec`` is ``dataclasses.asdict`` of the
    :class:`envs.schema.ActionSpec`; ``source`` names the origin ("expert", a file);
    ``settings`` is whatever created the store and must be known to create it again.
    """

    env: str
    keys: Mapping[str, KeySpec]
    fps: float
    env_options: Mapping[str, Any] = field(default_factory=dict)
    action_spec: Mapping[str, Any] = field(default_factory=dict)
    source: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        bad = [key for key in self.keys if not KEY_PATTERN.fullmatch(key)]
        if bad or "action" not in self.keys:
            raise ManigymError(
                f"store keys {sorted(self.keys)}: 'action' is required and a key is made of "
                f"letters, digits, '_', '-' and '/' (bad: {bad})"
            )

    @property
    def action(self) -> ActionSpec | None:
        """What the actions mean; ``None`` where the source did not say."""
        return ActionSpec.from_dict(self.action_spec) if self.action_spec.get("groups") else None

    def files(self, directory: Path) -> dict[str, RowFile]:
        """The array file of each key below ``directory``."""
        return {
            key: RowFile(directory / f"{key}.npy", np.dtype(dtype), tuple(shape))
            for key, (dtype, shape) in self.keys.items()
        }

    def save(self, directory: Path) -> None:
        text = json.dumps({"format": FORMAT, "version": VERSION, **asdict(self)}, indent=2)
        (directory / "header.json").write_text(text + "\n", encoding="utf-8")

    @classmethod
    def load(cls, directory: Path) -> StoreHeader:
        """Read and check the header; every way it can be wrong is one :class:`ManigymError`."""
        path = directory / "header.json"
        if not path.is_file():
            found = (
                "which is not a trajectory store (no header.json)"
                if directory.exists()
                else "which is missing"
            )
            raise ManigymError(
                f"expected a trajectory store at {directory}, {found}; "
                "create one with `python -m benchmark collect` or pass another path"
            )
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
            kind, version = data.pop("format"), data.pop("version")
        except (ValueError, KeyError, AttributeError) as error:
            raise ManigymError(
                f"{path} is not the header of a trajectory store: {error!r}"
            ) from error
        if (kind, version) != (FORMAT, VERSION):
            raise ManigymError(
                f"{path}: format {kind!r} version {version!r}, this code reads {FORMAT!r} "
                f"version {VERSION}; collect the demonstrations again or use the matching Manigym"
            )
        try:
            data["keys"] = {
                key: (dtype, tuple(shape)) for key, (dtype, shape) in data["keys"].items()
            }
            return cls(**data)
        except (TypeError, ValueError, KeyError, AttributeError) as error:
            raise ManigymError(f"{path} is damaged: {error!r}; restore the directory") from error


@dataclass(frozen=True)
class EpisodeIndex:
    """``index.npz``, one row per episode in the order of arrival.

    ``episode_ends`` int64 exclusive cumulative steps, ``episode_id`` int64, ``group`` str (what
    must stay on one side of a split), ``task`` str, ``success`` bool, ``seed`` int64 (-1: unknown),
    ``instruction`` str, the goal in words (empty: unknown).
    """

    episode_ends: npt.NDArray[np.int64]
    episode_id: npt.NDArray[np.int64]
    group: npt.NDArray[np.str_]
    task: npt.NDArray[np.str_]
    success: npt.NDArray[np.bool_]
    seed: npt.NDArray[np.int64]
    instruction: npt.NDArray[np.str_]

    @classmethod
    def empty(cls) -> EpisodeIndex:
        number, text = np.empty(0, np.int64), np.empty(0, "U1")
        return cls(number, number, text, text, np.empty(0, bool), number, text)

    def __len__(self) -> int:
        return len(self.episode_ends)

    @property
    def num_steps(self) -> int:
        return int(self.episode_ends[-1]) if len(self) else 0

    def add(self, steps: int, **columns: Any) -> EpisodeIndex:
        """The index with one more episode of ``steps`` steps; ``columns``: the other fields."""
        columns["episode_ends"] = self.num_steps + steps
        return EpisodeIndex(
            **{n: np.append(c, np.array([columns[n]])) for n, c in self.columns().items()}
        )

    def columns(self) -> dict[str, npt.NDArray[Any]]:
        return {f.name: getattr(self, f.name) for f in fields(self)}

    def save(self, directory: Path) -> None:
        """Replace ``index.npz`` atomically: a reader sees the old index or the new one."""
        temporary = directory / "index.npz.tmp"
        with temporary.open("wb") as file:
            np.savez(file, **self.columns())
            sync(file)
        temporary.replace(directory / "index.npz")
        descriptor = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(descriptor)  # the rename itself is durable only once the directory is
        finally:
            os.close(descriptor)

    @classmethod
    def load(cls, directory: Path) -> EpisodeIndex:
        path = directory / "index.npz"
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as data:
                index = cls(**{f.name: data[f.name] for f in fields(cls)})
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            raise ManigymError(
                f"{path} cannot be read ({error!r}); restore the directory"
            ) from error
        index.check(path)
        return index

    def check(self, path: Path) -> None:
        """Raise unless the columns agree, ends increase and ids are unique."""
        lengths = {name: len(column) for name, column in self.columns().items()}
        if len(set(lengths.values())) > 1:
            raise ManigymError(
                f"{path}: columns of different lengths {lengths}; restore the directory"
            )
        if np.any(np.diff(self.episode_ends, prepend=0) <= 0):
            raise ManigymError(
                f"{path}: episode_ends must increase strictly from above 0; restore the directory"
            )
        if len(np.unique(self.episode_id)) != len(self):
            raise ManigymError(f"{path}: episode ids occur twice; restore the directory")
