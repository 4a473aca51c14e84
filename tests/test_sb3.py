"""Stable-Baselines3 checkpoints."""

from __future__ import annotations

import sys

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import spaces
from toy import TOY, bench

import policies
from benchmark.results.leaderboard import read_rows
from envs.make import make_env
from envs.schema import ManigymError, flatten


def test_without_the_package_the_pip_line_is_given(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "stable_baselines3", None)
    with pytest.raises(ManigymError, match=r'pip install -c constraints.txt -e "\.\[sb3\]"'):
        policies.get("sb3").from_options(tmp_path / "model.zip", {})


def test_a_checkpoint_is_asked_for():
    with pytest.raises(ManigymError, match="needs --checkpoint FILE"):
        policies.get("sb3").from_options(None, {})


class Shapes(gym.Env):
    """Nothing but spaces, for an untrained model."""

    def __init__(self, sees, acts):
        self.observation_space, self.action_space = sees, spaces.Box(-1, 1, (acts,))


def save(path, sees, acts=2):
    sb3 = pytest.importorskip("stable_baselines3")
    policy = "MultiInputPolicy" if isinstance(sees, spaces.Dict) else "MlpPolicy"
    model = sb3.PPO(policy, Shapes(sees, acts), n_steps=8, batch_size=8, device="cpu", seed=0)
    model.save(path)
    return model


def vector(size):
    return spaces.Box(-np.inf, np.inf, (size,), np.float32)


def test_a_model_over_a_box_sees_the_modalities_in_order(tmp_path):
    model = save(tmp_path / "m.zip", vector(6))
    policy = policies.get("sb3").from_options(
        tmp_path / "m.zip", {"observations": ["state", "proprio"]}
    )
    env = make_env(TOY, {"observations": policy.spec.observations})
    flat = flatten(env.reset(seed=0)[0])
    expected, _ = model.predict(
        np.concatenate([flat["state"], flat["proprio"]]), deterministic=True
    )
    states = policy.start(env.interface, [0])
    # As a pool has them: the order of the keys is not that of the modalities.
    got = policy.act({key: flat[key][None, None] for key in ("proprio", "state")}, states)
    assert got.shape == (1, 1, 2)
    np.testing.assert_allclose(got[0, 0], expected, rtol=1e-6)


def test_a_model_over_a_dict_sees_flat_keys(tmp_path):
    save(tmp_path / "m.zip", spaces.Dict({"proprio": vector(4), "state": vector(2)}))
    policy = policies.get("sb3").from_options(tmp_path / "m.zip", {})
    env = make_env(TOY, {"observations": policy.spec.observations})
    flat = flatten(env.reset(seed=0)[0])
    batch = {key: np.stack([value, value])[:, None] for key, value in flat.items()}
    got = policy.act(batch, policy.start(env.interface, [0, 1]))
    assert got.shape == (2, 1, 2)
    np.testing.assert_allclose(got[0], got[1], rtol=1e-4)


def test_the_command_runs_a_checkpoint(tmp_path):
    save(tmp_path / "m.zip", vector(6))
    arguments = ("run", "--policy", "sb3", "--env", TOY, "--checkpoint", tmp_path / "m.zip")
    assert bench(*arguments, "--episodes", 2, "--out", tmp_path, "run.videos=0") == 0
    (row,) = read_rows(tmp_path / "leaderboard.csv")
    assert (row["policy"], row["episodes"], row["errors"]) == ("sb3", "2", "0")
    assert len(row["checkpoint_sha256"]) == 64


@pytest.mark.parametrize(
    ("sees", "acts", "message"),
    [
        (vector(6), 7, r"acts in \(7,\) dimensions, Toy/reach-v0 takes \(2,\)"),
        (vector(5), 2, r"sees \(5,\), Toy/reach-v0 gives .*policy.observations"),
        (spaces.Dict({"proprio": vector(4)}), 2, "policy.observations"),
        (spaces.Dict({"proprio": vector(4), "state": vector(3)}), 2, "policy.observations"),
    ],
)
def test_a_model_that_does_not_fit_is_refused(tmp_path, sees, acts, message):
    save(tmp_path / "m.zip", sees, acts)
    policy = policies.get("sb3").from_options(tmp_path / "m.zip", {})
    env = make_env(TOY, {"observations": policy.spec.observations})
    with pytest.raises(ManigymError, match=message):
        policy.start(env.interface, [0])


def test_foreign_files_algorithms_and_settings_are_refused(tmp_path):
    pytest.importorskip("stable_baselines3")
    foreign = tmp_path / "m.zip"
    foreign.write_bytes(b"not a zip at all")
    sb3 = policies.get("sb3")
    with pytest.raises(ManigymError, match="not a Stable-Baselines3 PPO checkpoint"):
        sb3.from_options(foreign, {})
    with pytest.raises(ManigymError, match="no algorithm 'PPOO'"):
        sb3.from_options(foreign, {"algorithm": "PPOO"})
    with pytest.raises(ManigymError, match=r"its settings: policy.algorithm, policy.observations"):
        sb3.from_options(foreign, {"algoritm": "PPO"})
