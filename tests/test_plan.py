"""Episode seeds: a function of (root, task, split, index) and nothing else."""

from __future__ import annotations

from benchmark.engine.plan import plan_episodes, plan_from_seeds
from envs.seeds import SPLITS, split_of


def test_a_longer_plan_starts_with_the_shorter_one():
    assert plan_episodes("A/b-v0", "test", 100, 3)[:7] == plan_episodes("A/b-v0", "test", 7, 3)


def test_seeds_do_not_meet_between_splits_tasks_and_roots():
    plans = [
        plan_episodes(env, split, 300, root)
        for env in ("A/b-v0", "A/c-v0")
        for split in SPLITS
        for root in (0, 1)
    ]
    seeds = [episode.seed for plan in plans for episode in plan]
    streams = [episode.policy_seed for plan in plans for episode in plan]
    assert len(set(seeds)) == len(seeds)
    assert len(set(streams)) == len(streams)
    assert not set(seeds) & set(streams)


def test_a_seed_tells_its_split_and_survives_json():
    for split in SPLITS:
        seeds = [episode.seed for episode in plan_episodes("A/b-v0", split, 200, 0)]
        assert {split_of(seed) for seed in seeds} == {split}
        assert all(0 <= seed < 2**53 for seed in seeds)


def test_rule_v1_is_frozen():
    """Published results name ``seedsequence-v1``: these numbers may never change."""
    episode = plan_episodes("Toy/reach-v0", "test", 4, 0)[3]
    assert (episode.index, episode.seed, episode.policy_seed) == FROZEN


def test_given_start_states_keep_their_order():
    plan = plan_from_seeds("A/b-v0", [9, 4])
    assert [(e.index, e.seed) for e in plan] == [(0, 9), (1, 4)]


FROZEN = (3, 2342460740964607, 1068173601309288)
