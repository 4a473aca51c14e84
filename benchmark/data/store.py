"""Trajectories on disk: one memory-mapped array per key, an episode index, a JSON header.

::

    demos/                     header.json   what the numbers mean
      action.npy               index.npz     where each episode ends, its id, group, seed, ...
      reward.npy
      obs/proprio.npy          obs/rgb/agentview.npy
      sim_state.npy            (optional) flattened simulator state before each action

Row ``t`` of an observation is what was seen *before* row ``t`` of the action was executed.
Episodes may arrive in any order (workers finish when they finish). Everything this class shows is
in the order of episode ids, so nothing built on it depends on arrival.

Appending is safe against a crash at any point: array bytes first, the index last and atomically.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt
from filelock import FileLock, Timeout

from benchmark.data.index import UNKNOWN_SEED, EpisodeIndex, StoreHeader
from benchmark.data.rows import Array, RowFile, check_finite
from envs.schema import ManigymError


@dataclass(frozen=True)
class Episode:
    """One trajectory: ``arrays`` maps every store key to ``(T, *shape)``.

    ``group`` names what must stay on one side of a split (a scene, a session); by default the
    episode stands alone.
    """

    id: int
    arrays: Mapping[str, Array]
    task: str = ""
    success: bool = False
    seed: int | None = None
    group: str | int | None = None
    instruction: str = ""


@dataclass(frozen=True)
class StoreReport:
    """Result of :meth:`TrajectoryStore.verify`; ``warnings`` are legal but suspicious facts."""

    episodes: int
    steps: int
    successes: int
    warnings: tuple[str, ...]


class TrajectoryStore:
    """Episodes in one directory; see the module text. Indices count episodes in id order."""

    def __init__(
        self, path: Path, header: StoreHeader, index: EpisodeIndex, lock: FileLock | None
    ) -> None:
        self.path = path
        self.header = header
        self._index = index
        self._lock = lock
        self._files = header.files(path)
        self._maps: dict[str, Array] = {}
        self._sort()

    @classmethod
    def create(cls, path: str | Path, header: StoreHeader) -> TrajectoryStore:
        """Make an empty store, open for appending. ``path`` must not exist."""
        path = Path(path)
        if path.exists():
            raise ManigymError(
                f"{path} exists already; open it to append, or choose another path or delete it"
            )
        temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        try:
            temporary.mkdir(parents=True)
            for file in header.files(temporary).values():
                file.create()
            EpisodeIndex.empty().save(temporary)
            header.save(temporary)
            temporary.rename(path)
        except BaseException as error:
            shutil.rmtree(temporary, ignore_errors=True)
            if isinstance(error, OSError) and path.exists():
                raise ManigymError(
                    f"{path} was just made by another process; wait for it to end, then the same "
                    "command continues"
                ) from error
            raise
        return cls.open(path, "a")

    @classmethod
    def open(cls, path: str | Path, mode: Literal["r", "a"] = "r") -> TrajectoryStore:
        """Open for reading, or for appending (one process at a time; cuts leftovers of a crash)."""
        path = Path(path)
        header = StoreHeader.load(path)
        lock = _locked(path) if mode == "a" else None
        try:
            index = EpisodeIndex.load(path)
            for file in header.files(path).values():
                file.check(index.num_steps)
                if lock is not None:
                    file.cut(index.num_steps)
        except BaseException:
            if lock is not None:
                lock.release()
            raise
        return cls(path, header, index, lock)

    def close(self) -> None:
        """Release the writer's lock; a store opened for reading needs no closing."""
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __getstate__(self) -> dict[str, Any]:
        # A memory map pickles as a full copy and a lock belongs to one process: drop both.
        return self.__dict__ | {"_maps": {}, "_lock": None}

    def append(self, episode: Episode) -> None:
        """Add one episode; after return it survives a crash, before that it leaves no trace."""
        if self._lock is None:
            raise ManigymError(f"{self.path} is open for reading; open it with mode 'a' to append")
        steps = self._check(episode)
        index = self._index.add(
            steps,
            episode_id=int(episode.id),
            group=str(episode.id if episode.group is None else episode.group),
            task=episode.task,
            success=bool(episode.success),
            seed=UNKNOWN_SEED if episode.seed is None else int(episode.seed),
            instruction=episode.instruction,
        )
        for key, file in self._files.items():
            file.append(episode.arrays[key], self.num_steps)
        index.save(self.path)
        self._index = index
        self._maps.clear()
        self._sort()

    def __len__(self) -> int:
        return len(self._index)

    @property
    def num_steps(self) -> int:
        return self._index.num_steps

    def array(self, key: str) -> Array:
        """Read-only map ``(num_steps, *shape)`` in storage order; see :attr:`starts`."""
        if key not in self._maps:
            self._maps[key] = self._file(key).open(self.num_steps)
        return self._maps[key]

    def read(self, key: str, positions: Sequence[int]) -> Array:
        """Copy in RAM of the rows of these episodes, in this order: ``(their steps, *shape)``."""
        chosen = np.asarray(positions, np.int64)
        return self._file(key).read(self.starts[chosen].tolist(), self.lengths[chosen].tolist())

    def episode(self, i: int) -> dict[str, Array]:
        """Views ``(T, *shape)`` of every key of the ``i``-th episode in id order."""
        rows = slice(int(self.starts[i]), int(self.starts[i] + self.lengths[i]))
        return {key: self.array(key)[rows] for key in self._files}

    def positions(self, ids: Iterable[int]) -> npt.NDArray[np.int64]:
        """Where these episode ids stand in id order."""
        wanted = np.fromiter(ids, np.int64)
        missing = np.setdiff1d(wanted, self.ids)
        if len(missing):
            raise ManigymError(
                f"{self.path} has no episodes {missing.tolist()}; it holds {len(self)} episodes"
            )
        return np.searchsorted(self.ids, wanted)

    def verify(self) -> StoreReport:
        """Read everything; raise on non-finite numbers, report what is legal but suspicious."""
        for i, id_ in enumerate(self.ids):
            for key, values in self.episode(i).items():
                check_finite(values, f"{self.path}: key {key!r}, episode {id_}")
        warnings = [*self._copies_of_action()]
        if len(self) and np.abs(self.array("action")).max() > 1:
            warnings.append("action leaves [-1, 1]")
        return StoreReport(len(self), self.num_steps, int(self.successes.sum()), tuple(warnings))

    def content_hash(self, instructions: bool = False) -> str:
        """SHA-256 over index and arrays in id order: equal for any order of arrival.

        ``instructions``: of the sentences too, for whoever trains on them.
        """
        digest = hashlib.sha256()
        for i, id_ in enumerate(self.ids):
            facts = (
                int(id_),
                self.groups[i],
                self.tasks[i],
                bool(self.successes[i]),
                int(self.seeds[i]),
            )
            digest.update(repr(tuple(str(fact) for fact in facts)).encode())
            if instructions:
                digest.update(self.instructions[i].encode())
            for key, values in sorted(self.episode(i).items()):
                digest.update(f"{key} {values.dtype.str} {values.shape}".encode())
                digest.update(np.ascontiguousarray(values).data)
        return digest.hexdigest()

    def _file(self, key: str) -> RowFile:
        if key not in self._files:
            raise ManigymError(f"{self.path} has no key {key!r}; it holds {sorted(self._files)}")
        return self._files[key]

    def _sort(self) -> None:
        """Publish the index in id order: ids, starts, lengths, groups, tasks, successes, seeds."""
        index = self._index
        order = np.argsort(index.episode_id)
        lengths = np.diff(index.episode_ends, prepend=0)
        self.ids = index.episode_id[order]
        self.lengths = lengths[order]
        self.starts = (index.episode_ends - lengths)[order]
        self.groups = index.group[order]
        self.tasks = index.task[order]
        self.successes = index.success[order]
        self.seeds = index.seed[order]
        self.instructions = index.instruction[order]

    def _check(self, episode: Episode) -> int:
        """Raise unless the episode fits the header; returns its number of steps."""
        name = f"{self.path}: episode {episode.id}"
        if not 0 <= episode.id < 2**63 or not 0 <= (episode.seed or 0) < 2**63:
            raise ManigymError(f"{name}, seed {episode.seed}: expected both in 0..2**63-1")
        if episode.id in self.ids:
            raise ManigymError(f"{name} is stored already; give each episode its own id")
        if set(episode.arrays) != set(self._files):
            raise ManigymError(
                f"{name} has keys {sorted(episode.arrays)}, the store {sorted(self._files)}"
            )
        steps = len(episode.arrays["action"])
        if steps == 0:
            raise ManigymError(f"{name} has no steps; an episode needs at least one")
        for key, file in self._files.items():
            got, shape = episode.arrays[key], (steps, *file.shape)
            if got.shape != shape or got.dtype != file.dtype:
                raise ManigymError(
                    f"{name}, key {key!r}: {got.dtype} {got.shape}, expected {file.dtype} {shape}"
                )
            check_finite(got, f"{name}, key {key!r}")
        return steps

    def _copies_of_action(self) -> Iterable[str]:
        """A measured state equal to the action of its step shows a policy its own target."""
        action = self.array("action")
        for key in self._files:
            if key.startswith("obs/") and len(self) and np.array_equal(self.array(key), action):
                yield f"{key} equals action at every step: a policy would see its own target"


def _locked(path: Path) -> FileLock:
    """The writer's lock, held until released or the process ends."""
    lock = FileLock(path / ".lock")
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise ManigymError(
            f"{path} is being appended to by another process; wait for it to end"
        ) from error
    return lock
