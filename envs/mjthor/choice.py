"""Which house and which episode a seed stands for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Integral

import numpy as np

from envs.mjthor.episodes import Episode, draw
from envs.mjthor.house.facts import House, Split
from envs.mjthor.house.generate import HOUSES, generate
from envs.schema import ManigymError, SimulationError
from envs.seeds import split_of

_HOUSE, _EPISODE = 0, 1  # streams of an episode
_ATTEMPTS = 20  # houses that are tried for an episode
_SPLITS: Mapping[str, Split] = {
    "demonstrations": "train",
    "finetuning": "train",
    "validation": "val",
    "test": "test",
}


@dataclass(frozen=True)
class Choice:
    """``houses``: the split, by default that of the seed; ``house``: always this index of it."""

    houses: Split | None
    house: int | None

    @classmethod
    def of(cls, houses: str | None, house: int | None) -> Choice:
        """From what a user says; anything else is an error that says what there is."""
        split = next((name for name in HOUSES if name == houses), None)
        if houses is not None and split is None:
            raise ManigymError(f"houses are {', '.join(HOUSES)}, got {houses!r}")
        count = min(HOUSES.values()) if split is None else HOUSES[split]
        if house is None:
            return cls(split, None)
        if isinstance(house, bool) or not isinstance(house, Integral) or not 0 <= house < count:
            of = f"of {split!r}" if split else "of every split"
            raise ManigymError(
                f"house is the index of a house {of}, a whole number below {count}; got {house!r}"
            )
        return cls(split, int(house))

    def draw(self, task: str, seed: int) -> tuple[House, Episode]:
        """The first house of the seed's stream in which the task has an episode, and the episode.

        Raises ``SimulationError`` where the chosen house has none.
        """
        split = _SPLITS[split_of(seed)] if self.houses is None else self.houses
        rng = np.random.default_rng([seed, _HOUSE])
        problem: SimulationError | None = None
        for attempt in range(_ATTEMPTS if self.house is None else 1):
            index = int(rng.integers(HOUSES[split])) if self.house is None else self.house
            house = generate(split, index)
            stream = np.random.default_rng([seed, _EPISODE, attempt])
            try:
                return house, draw(task, house, stream)
            except SimulationError as error:
                problem = error
        assert problem is not None
        raise problem
