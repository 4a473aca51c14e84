"""Training windows over a trajectory store.

For every step ``t`` of every episode there is one window of ``H`` actions and ``O`` observed frames
that looks back ``O - 1`` steps, as in Diffusion Policy (Chi et al., 2023): actions
``t-(O-1) .. t-(O-1)+H-1`` and frames ``t-(O-1) .. t``, so index ``O - 1`` of both is the current
step. Steps outside the episode repeat its first or last step and are marked in ``action_is_pad``.

Nothing is listed per window: a window number is turned into rows by a cumulative sum, and a batch
is one gather per key from the memory map. Frames that no policy looks at are never read. Copying
the pictures is what a batch costs, as long as it does not go to memory that the system has to find
first: whoever draws batch after batch gives ``empty`` (see ``benchmark.training.feed``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmark.data.rows import Array
from benchmark.data.store import TrajectoryStore
from envs.schema import ManigymError

Indices = npt.NDArray[np.int64]
Empty = Callable[[tuple[int, ...], np.dtype[Any]], Array]
"""Makes the arrays that a batch is written to, like ``numpy.empty``."""


class Windows:
    """Random access to the windows of some episodes.

    ``obs_keys``: flat observation keys (``"proprio"``, ``"rgb/agentview"``), and ``"instruction"``,
    the sentence of the episode; all arrays of the store by default. ``episodes``: ids (of a split);
    all by default. ``in_memory`` copies these episodes into RAM. Windows are numbered by episode
    id, then step.
    """

    def __init__(
        self,
        store: TrajectoryStore,
        *,
        n_obs: int,
        horizon: int,
        obs_keys: Sequence[str] | None = None,
        episodes: Sequence[int] | None = None,
        in_memory: bool = False,
    ) -> None:
        if not 1 <= n_obs <= horizon:
            raise ManigymError(f"n_obs {n_obs}, horizon {horizon}: expected 1 <= n_obs <= horizon")
        self.store, self.n_obs, self.horizon = store, n_obs, horizon
        self.episodes = np.array(sorted(store.ids if episodes is None else episodes), np.int64)
        where = store.positions(self.episodes)
        self._starts, self._lengths = store.starts[where], store.lengths[where]
        self._ends = np.cumsum(self._lengths)
        if not len(self):
            raise ManigymError(
                f"{store.path}: no episodes to draw windows from; collect some or check the split"
            )
        self.obs_keys = tuple(obs_keys) if obs_keys is not None else _observations(store)
        self._sentences = store.instructions[where]
        keys = ["action", *(f"obs/{key}" for key in self.obs_keys if key != "instruction")]
        if in_memory:
            self._held = {key: store.read(key, where.tolist()) for key in keys}
            self._starts = self._ends - self._lengths
        else:
            self._held = {}
        for key in keys:
            self._array(key)  # an unknown key fails here, not in the first batch

    def __len__(self) -> int:
        return int(self._ends[-1]) if len(self._ends) else 0

    def locate(self, windows: npt.ArrayLike) -> tuple[Indices, Indices]:
        """Window numbers (B,) -> (position in ``episodes`` (B,), current step (B,))."""
        numbers = np.asarray(windows, np.int64)
        if ((numbers < 0) | (numbers >= len(self))).any():
            raise IndexError(f"window numbers must lie in 0..{len(self) - 1}")
        episode = np.searchsorted(self._ends, numbers, side="right")
        return episode, numbers - (self._ends - self._lengths)[episode]

    def batch(self, windows: npt.ArrayLike, empty: Empty = np.empty) -> dict[str, Any]:
        """Windows (B,) -> the training batch.

        ``{"obs": {key: (B, O, ...)}, "action": (B, H, A), "action_is_pad": (B, H) bool}``,
        contiguous arrays of ``empty`` in the stored dtype (pictures stay uint8); instructions are
        (B, O) text.
        """
        episode, current = self.locate(windows)
        steps = current[:, None] + np.arange(1 - self.n_obs, self.horizon - self.n_obs + 1)
        inside = np.minimum(np.maximum(steps, 0), self._lengths[episode, None] - 1)
        rows = self._starts[episode, None] + inside
        seen = rows[:, : self.n_obs]
        return {
            "obs": {key: self._observed(key, episode, seen, empty) for key in self.obs_keys},
            "action": self._gathered("action", rows, empty),
            "action_is_pad": steps != inside,
        }

    def num_batches(self, batch_size: int, *, drop_last: bool = False) -> int:
        """Batches in one epoch."""
        full, rest = divmod(len(self), batch_size)
        return full if drop_last else full + (rest > 0)

    def epoch(
        self,
        seed: int,
        epoch: int,
        batch_size: int,
        *,
        drop_last: bool = False,
        start: int = 0,
        empty: Empty = np.empty,
    ) -> Iterator[dict[str, Any]]:
        """All windows once in the random order of ``(seed, epoch)``, from batch ``start`` on.

        The order is a function of the arguments only, so a run resumed in the middle of an epoch
        sees exactly the batches it had not seen.
        """
        order = np.random.default_rng((seed, epoch)).permutation(len(self))
        for position in range(start, self.num_batches(batch_size, drop_last=drop_last)):
            yield self.batch(order[position * batch_size : (position + 1) * batch_size], empty)

    def _observed(
        self, key: str, episode: Indices, rows: Indices, empty: Empty
    ) -> npt.NDArray[Any]:
        if key == "instruction":
            return np.repeat(self._sentences[episode, None], rows.shape[1], axis=1)
        return self._gathered(f"obs/{key}", rows, empty)

    def _gathered(self, key: str, rows: Indices, empty: Empty) -> Array:
        array = self._array(key)
        out = empty((*rows.shape, *array.shape[1:]), array.dtype)
        # The rows exist, so nothing is ever clipped: the other modes copy to ``out`` in two steps.
        return array.take(rows, axis=0, out=out, mode="clip")

    def _array(self, key: str) -> Array:
        return self._held[key] if key in self._held else np.asarray(self.store.array(key))


def _observations(store: TrajectoryStore) -> tuple[str, ...]:
    return tuple(
        sorted(key.removeprefix("obs/") for key in store.header.keys if key.startswith("obs/"))
    )
