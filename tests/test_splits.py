"""Group splits: nothing leaks, caps nest and never move an episode, the hash is fixed for ever."""

from __future__ import annotations

from pathlib import Path

import pytest
from trajectories import episode, header, write_store

from benchmark.data.splits import split_episodes, split_store
from benchmark.data.store import TrajectoryStore
from envs.schema import ManigymError

IDS = list(range(120))
ALONE = [str(i) for i in IDS]


def test_parts_are_disjoint_and_complete() -> None:
    split = split_episodes(IDS, ALONE, seed=3, val_fraction=0.1, test_fraction=0.2)
    assert (len(split.train), len(split.val), len(split.test)) == (84, 12, 24)
    assert sorted(split.train + split.val + split.test) == IDS


def test_caps_nest_and_leave_validation_alone() -> None:
    whole = split_episodes(IDS, ALONE, seed=3)
    caps = {n: split_episodes(IDS, ALONE, seed=3, max_train=n) for n in (10, 50, 100, 1000)}
    assert [len(s.train) for s in caps.values()] == [10, 50, 100, 108]
    assert all(s.val == whole.val for s in caps.values())
    assert set(caps[10].train) < set(caps[50].train) < set(caps[100].train) < set(whole.train)
    small = split_episodes(IDS, ALONE, seed=3, max_val=5)
    assert set(small.val) < set(whole.val)
    assert len(small.val) == 5
    assert small.train == whole.train


def test_capped_training_set_is_not_the_lowest_ids() -> None:
    assert split_episodes(IDS, ALONE, seed=3, max_train=10).train[-1] > 50


def test_groups_stay_together() -> None:
    groups = [f"scene{i // 10}" for i in IDS]
    split = split_episodes(IDS, groups, seed=0, val_fraction=0.25, test_fraction=0.1)
    scenes = [{i // 10 for i in part} for part in (split.train, split.val, split.test)]
    assert [len(s) for s in scenes] == [8, 3, 1]
    assert sum(map(len, scenes)) == len(set.union(*scenes)) == 12


def test_order_of_listing_is_irrelevant_and_seed_is_not() -> None:
    split = split_episodes(IDS, ALONE, seed=3, max_train=20)
    backwards = split_episodes(IDS[::-1], ALONE[::-1], seed=3, max_train=20)
    assert backwards == split
    assert backwards.sha256 == split.sha256
    assert split_episodes(IDS, ALONE, seed=4, max_train=20).sha256 != split.sha256


def test_order_of_arrival_is_irrelevant(tmp_path: Path) -> None:
    first = write_store(tmp_path / "a", [0, 1, 2, 3, 4, 5])
    second = write_store(tmp_path / "b", [5, 2, 4, 0, 1, 3])
    assert split_store(first, seed=1, max_train=3) == split_store(second, seed=1, max_train=3)


def test_golden_hash() -> None:
    """A change here makes every recorded split unreproducible."""
    groups = list("aabbccddee")
    split = split_episodes(list(range(10)), groups, seed=0, val_fraction=0.2, max_train=4)
    assert (split.train, split.val, split.groups) == ((0, 4, 5, 8), (6, 7), 5)
    assert split.sha256 == "b6f8c51c1da491770b40955acc3b2f2ef48a19bc3c7fe99aa1c424498b18a2bf"
    assert split.to_dict()["sha256"] == split.sha256


def test_one_group_is_an_error_unless_nothing_is_held_out(tmp_path: Path) -> None:
    with TrajectoryStore.create(tmp_path / "demos", header()) as store:
        for id_ in range(3):
            store.append(episode(id_, group="kitchen"))
        with pytest.raises(ManigymError, match=r"3 episodes in 1 group\(s\) \['kitchen'\]"):
            split_store(store, seed=0)
        assert split_store(store, seed=0, val_fraction=0).train == (0, 1, 2)


def test_bad_numbers_are_errors() -> None:
    with pytest.raises(ManigymError, match="fraction"):
        split_episodes(IDS, ALONE, seed=0, val_fraction=1.0)
    with pytest.raises(ManigymError, match="cap on train"):
        split_episodes(IDS, ALONE, seed=0, max_train=0)
