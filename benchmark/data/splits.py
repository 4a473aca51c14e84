"""Train, validation and test episodes, split by group.

The order matters: groups are divided first, over *all* episodes; caps come afterwards and are
prefixes of a fixed order. So a cap never moves an episode into another part (dropped training
episodes never become validation), and smaller training sets are nested in larger ones.

The order is the order of ``sha256("seed:purpose:name")``: a seeded permutation that depends on
names and nothing else, neither on arrival nor on a version of a random number generator.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property

from benchmark.data.store import TrajectoryStore
from envs.schema import ManigymError


@dataclass(frozen=True)
class Split:
    """Episode ids of each part, ascending; ``groups`` is the number of groups split."""

    train: tuple[int, ...]
    val: tuple[int, ...]
    test: tuple[int, ...]
    seed: int
    groups: int

    @cached_property
    def sha256(self) -> str:
        """Hash of the three id lists, for the run record."""
        parts = {name: getattr(self, name) for name in ("train", "val", "test")}
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()

    def to_dict(self) -> dict[str, object]:
        """Plain data for a record: ids, seed, number of groups and the hash."""
        return asdict(self) | {"sha256": self.sha256}


def split_store(
    store: TrajectoryStore,
    *,
    seed: int,
    val_fraction: float = 0.1,
    test_fraction: float = 0.0,
    max_train: int | None = None,
    max_val: int | None = None,
) -> Split:
    """:func:`split_episodes` over all episodes of a store."""
    return split_episodes(
        store.ids.tolist(),
        store.groups.tolist(),
        seed=seed,
        val_fraction=val_fraction,
        test_fraction=test_fraction,
        max_train=max_train,
        max_val=max_val,
    )


def split_episodes(
    ids: Sequence[int],
    groups: Sequence[str],
    *,
    seed: int,
    val_fraction: float = 0.1,
    test_fraction: float = 0.0,
    max_train: int | None = None,
    max_val: int | None = None,
) -> Split:
    """Divide episodes; ``groups[i]`` is the group of ``ids[i]``.

    Fractions count groups: a fraction above 0 gives at least one group. ``max_train`` and
    ``max_val`` are upper bounds on episodes, applied after the division.
    """
    names = _shuffled(set(groups), seed, "groups")
    n_val, n_test = (_share(fraction, len(names)) for fraction in (val_fraction, test_fraction))
    if n_val + n_test >= len(names):
        raise ManigymError(_too_few(len(ids), names, n_val, n_test))
    part_of = dict.fromkeys(names, "train")
    part_of |= dict.fromkeys(names[:n_val], "val")
    part_of |= dict.fromkeys(names[n_val : n_val + n_test], "test")
    parts: dict[str, list[int]] = {"train": [], "val": [], "test": []}
    for id_, group in zip(ids, groups, strict=True):
        parts[part_of[group]].append(id_)
    return Split(
        train=_capped(parts["train"], max_train, seed, "train"),
        val=_capped(parts["val"], max_val, seed, "val"),
        test=tuple(sorted(parts["test"])),
        seed=seed,
        groups=len(names),
    )


def _share(fraction: float, groups: int) -> int:
    """Number of groups for a fraction: rounded, at least one if anything was asked for."""
    if not 0 <= fraction < 1:
        raise ManigymError(f"split fraction {fraction}: expected 0 <= fraction < 1")
    return max(1, round(fraction * groups)) if fraction else 0


def _shuffled(names: Iterable[object], seed: int, purpose: str) -> list[str]:
    def rank(name: str) -> tuple[bytes, str]:
        return hashlib.sha256(f"{seed}:{purpose}:{name}".encode()).digest(), name

    return sorted(map(str, names), key=rank)


def _capped(ids: Sequence[int], cap: int | None, seed: int, purpose: str) -> tuple[int, ...]:
    if cap is not None and cap < 1:
        raise ManigymError(
            f"cap on {purpose} episodes is {cap}; expected at least 1, or none for all"
        )
    return tuple(sorted(int(name) for name in _shuffled(ids, seed, purpose)[:cap]))


def _too_few(episodes: int, names: Sequence[str], n_val: int, n_test: int) -> str:
    return (
        f"{episodes} episodes in {len(names)} group(s) {list(names[:3])}: cannot give {n_val} to "
        f"validation, {n_test} to test and keep one for training. Episodes of one group stay "
        "together so that nothing leaks; collect more groups, or set the fractions to 0 to train "
        "without held-out episodes"
    )
