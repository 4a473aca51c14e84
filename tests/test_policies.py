"""Policies that need no training, and how all are found."""

from __future__ import annotations

import inspect
import json
from dataclasses import replace
from importlib.metadata import entry_points
from pathlib import Path

import numpy as np
import pytest
from toy import TOY, toy_store

import policies
from benchmark.engine.plan import plan_episodes, plan_from_seeds
from benchmark.engine.rollout import RolloutOptions, rollout
from envs import card
from envs.pool import make_pool
from envs.schema import Interface, ManigymError
from policies.base import Policy, TrainablePolicy

INTERFACE = Interface(TOY, 2, {"proprio": ((4,), "float32"), "state": ((2,), "float32")})


def test_every_policy_class_in_the_folder_has_an_entry_point():
    entries = {e.name: e.load() for e in entry_points(group=policies.GROUP)}
    ours = {n: c for n, c in entries.items() if c.__module__.startswith("policies.")}
    files = Path(policies.__file__).parent.rglob("*.py")
    defined = {
        line.split("(")[0].removeprefix("class ")
        for file in files
        for line in file.read_text().splitlines()
        if line.startswith("class ") and "Policy)" in line
    }
    assert {c.__name__ for c in ours.values()} == defined - {
        "TrainablePolicy",
        "SB3TrainedPolicy",
        "FinetunablePolicy",
    }
    for cls in ours.values():
        assert issubclass(cls, Policy)
        assert not inspect.isabstract(cls)
    assert issubclass(entries["maniflow"], TrainablePolicy)
    assert policies.names() == sorted(entries)


def test_an_unknown_name_lists_the_nearest():
    with pytest.raises(ManigymError, match=r"unknown policy 'unifrm'; nearest: uniform"):
        policies.get("unifrm")


def test_a_policy_knows_the_name_it_was_asked_by():
    assert policies.get("uniform").name == "uniform"


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("uniform", {"n_acton": 3}, r"'n_acton'; its settings: policy.n_action"),
        ("uniform", {"n_action": 0}, "must be at least 1, got 0"),
        ("uniform", {"n_action": "two"}, "must be at least 1, got 'two'"),
        ("expert", {"speed": 1}, "its settings: none"),
        ("replay", {}, "missing a required argument: 'data'"),
    ],
)
def test_bad_settings_are_refused(name, options, message):
    with pytest.raises(ManigymError, match=message):
        policies.get(name).from_options(None, options)


def test_a_policy_without_weights_takes_no_checkpoint(tmp_path):
    with pytest.raises(ManigymError, match="'uniform' takes no checkpoint"):
        policies.get("uniform").from_options(tmp_path, {})


def test_uniform_is_uniform_and_seeded():
    policy = policies.get("uniform")(5)
    states = policy.start(INTERFACE, [1, 2, 1])
    draws = np.stack([policy.act({}, states) for _ in range(2000)])
    assert draws.shape == (2000, 3, 5, 2)
    assert draws.dtype == np.float32
    np.testing.assert_array_equal(draws[:, 0], draws[:, 2])
    values = draws[:, :2].ravel().astype(float)  # 40,000 numbers: standard error of the mean 0.003
    assert abs(values.mean()) < 0.012
    assert values.var() == pytest.approx(1 / 3, abs=0.01)
    assert -1 <= values.min() < -0.999
    assert 0.999 < values.max() <= 1
    assert abs(np.corrcoef(draws[:, 0].ravel(), draws[:, 1].ravel())[0, 1]) < 0.03


def run(policy, plan, **options):
    found = {}
    with make_pool(TOY, {"observations": policy.spec.observations, **options}) as pool:
        rollout(pool, policy, plan, lambda o: found.update({o.episode.seed: o}), RolloutOptions())
    return found


def test_expert_solves_every_episode_with_its_own_actions():
    found = run(policies.get("expert")(), plan_episodes(TOY, "test", 10, 0))
    assert all(outcome.summary.success for outcome in found.values())


def test_replay_reproduces_collected_episodes_bit_for_bit(tmp_path):
    store = toy_store(tmp_path / "demos")
    replay = policies.get("replay").from_options(None, {"data": str(store.path)})
    replayed = run(replay, plan_from_seeds(TOY, replay.reset_seeds()))
    expert = policies.get("expert")()
    recorded = run(expert, plan_episodes(TOY, "demonstrations", max(store.ids) + 1, 0))
    assert list(replayed) == store.seeds.tolist()
    assert set(replayed) == {seed for seed, o in recorded.items() if o.summary.success}
    for seed, outcome in replayed.items():
        ours, theirs = outcome.summary, recorded[seed].summary
        assert ours.success
        assert (ours.state_hash, ours.action_hash) == (theirs.state_hash, theirs.action_hash)
        assert (ours.steps, ours.total_reward) == (theirs.steps, theirs.total_reward)


def edit(store, **changes):
    header = store.path / "header.json"
    header.write_text(json.dumps(json.loads(header.read_text()) | changes))


def test_replay_asks_for_the_options_of_the_recording(tmp_path):
    store = toy_store(tmp_path / "demos", 2)
    edit(store, env_options={"protocol": "hold"})
    assert policies.get("replay")(str(store.path)).spec.env_options == {"protocol": "hold"}


def test_replay_refuses_actions_of_another_meaning(tmp_path):
    path = toy_store(tmp_path / "demos", 1).path
    header = json.loads((path / "header.json").read_text())
    header["action_spec"]["groups"][0]["mode"] = "joint_position"
    (path / "header.json").write_text(json.dumps(header))
    policy = policies.get("replay")(str(path))
    here = replace(INTERFACE, action=card(TOY).action)
    with pytest.raises(ManigymError, match=r"joint_delta .* \(there: joint_position .*data"):
        policy.start(here, policy.reset_seeds())


def test_replay_refuses_what_it_cannot_replay(tmp_path):
    with pytest.raises(ManigymError, match="no trajectory store there"):
        policies.get("replay")(str(tmp_path))
    store = toy_store(tmp_path / "demos", 2)
    replay = policies.get("replay")(str(store.path))
    with pytest.raises(ManigymError, match="no recorded episode starts from seed 3"):
        replay.start(INTERFACE, [3])
    edit(store, env="Toy/other-v0")
    with pytest.raises(ManigymError, match="cannot be replayed on Toy/reach-v0"):
        policies.get("replay")(str(store.path)).start(INTERFACE, replay.reset_seeds())
    with np.load(store.path / "index.npz") as index:
        columns = dict(index) | {"seed": np.array([-1, -1])}
    np.savez(store.path / "index.npz", **columns)
    with pytest.raises(ManigymError, match="from which seed"):
        policies.get("replay")(str(store.path))
