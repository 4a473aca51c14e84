"""The houses on which the promises of the generator are counted: some of every split."""

from functools import cache

from envs.mjthor.house.facts import House
from envs.mjthor.house.generate import HOUSES, generate


@cache
def sample() -> tuple[House, ...]:
    """25 houses of each split, spread over its indices."""
    return tuple(generate(split, i * HOUSES[split] // 25) for split in HOUSES for i in range(25))
