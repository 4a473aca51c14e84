"""Which split of a plan a seed belongs to: the top bits of every planned seed.

``benchmark.engine.plan`` puts them there; an environment may read them, to keep the scenes of
demonstrations, validation and test apart. Other seeds below 2**50 count as demonstrations.
"""

from __future__ import annotations

from typing import Literal

Split = Literal["demonstrations", "validation", "test", "finetuning"]
SPLITS: tuple[Split, ...] = ("demonstrations", "validation", "test", "finetuning")
RANDOM_BITS = 50  # with 2 bits of split below 2**53: exact in JSON and spreadsheets


def planned_seed(split: Split, random: int) -> int:
    """The seed of a split with these (at most ``RANDOM_BITS``) random bits."""
    return (SPLITS.index(split) << RANDOM_BITS) | random


def split_of(seed: int) -> Split:
    """The split a planned seed belongs to."""
    return SPLITS[(seed >> RANDOM_BITS) % len(SPLITS)]
