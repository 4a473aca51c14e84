"""``train --policy sb3-ppo`` and ``sb3-sac``, from the command to a row of the leaderboard."""

from __future__ import annotations

import json
import random
import sys
from dataclasses import replace

import gymnasium as gym
import numpy as np
import pytest
import torch
from omegaconf import OmegaConf
from toy import TINY, TOY, bench

import policies
from benchmark.commands.train import KINDS
from benchmark.results.leaderboard import read_rows
from envs.schema import ManigymError

ALGORITHMS = ("sb3-ppo", "sb3-sac")
SHORT = (
    "training.total_timesteps=256",
    "training.num_envs=2",
    "training.validate_every=128",
    "training.validation_episodes=2",
    "policy.net_arch=[16]",
    "policy.batch_size=32",
    "policy.gamma=0.9",
)
PPO = (*SHORT, "policy.n_steps=64")


def command(policy, *arguments):
    return ("train", "--policy", policy, "--env", TOY, *arguments)


@pytest.fixture
def sb3():
    return pytest.importorskip("stable_baselines3")


@pytest.fixture
def says(out, capsys):
    """A command's exit status and what it printed."""

    def run(*arguments):
        capsys.readouterr()
        status = bench(*arguments, "--out", out)
        return status, "".join(capsys.readouterr())

    return run


def files(out, name="checkpoint.zip"):
    return sorted((out / "training").glob(f"sb3-*/{name}"), key=lambda f: f.stat().st_mtime_ns)


def weights(sb3, path, algorithm="PPO"):
    state = getattr(sb3, algorithm).load(path, device="cpu").policy.state_dict()
    return {name: tensor.numpy() for name, tensor in state.items()}


def metrics(path):
    return [json.loads(line) for line in (path.parent / "metrics.jsonl").read_text().splitlines()]


def test_ppo_learns_to_reach(sb3, says, out):
    """Untrained it reaches next to none of 40 targets, after 12 000 steps a good part."""
    learning = ("training.num_envs=16", "policy.n_steps=64", "policy.gamma=0.9")
    learning += ("policy.batch_size=128", "training.validation_episodes=40")
    untrained = ("policy.n_epochs=1", "training.learning_rate=1e-12", "training.total_timesteps=1")
    long = ("training.learning_rate=1e-3", "training.total_timesteps=12000")
    for settings in (untrained, (*long, "training.validate_every=12000")):
        assert says(*command("sb3-ppo", *learning, *settings))[0] == 0
    found = [metrics(file)[-1]["validation_success"] for file in files(out)]
    assert found[0] <= 0.05
    assert found[1] >= 0.2
    row = [row for row in metrics(files(out)[1]) if "rollout/success_rate" in row][-1]
    assert {"train/approx_kl", "rollout/ep_rew_mean"} <= set(row)
    assert list((files(out)[1].parent / "tensorboard").glob("events*"))


@pytest.mark.parametrize("policy", ALGORITHMS)
def test_the_same_command_gives_the_same_weights(sb3, says, out, policy):
    """Here and in workers."""
    arguments = command(policy, *(PPO if policy == "sb3-ppo" else SHORT))
    found = []
    for more in ((), ("--overwrite",), ("--overwrite", "--workers", 2)):
        assert says(*arguments, *more)[0] == 0
        (file,) = files(out)
        found.append(weights(sb3, file, policy[4:].upper()))
    for again in found[1:]:
        assert found[0].keys() == again.keys()
        assert all((found[0][name] == again[name]).all() for name in again)
    assert says(*arguments, "training.seed=1")[0] == 0
    other = weights(sb3, files(out)[-1], policy[4:].upper())
    assert any((found[0][name] != other[name]).any() for name in other)


def test_the_global_streams_and_threads_stay_as_they_were(sb3, says):
    def state():
        numpys = np.random.get_state()[1].tobytes()  # noqa: NPY002
        return random.getstate(), numpys, torch.get_rng_state().tolist(), torch.get_num_threads()

    before = state()
    assert says(*command("sb3-ppo", *PPO))[0] == 0
    assert state() == before


@pytest.mark.parametrize("policy", ALGORITHMS)
def test_run_evaluates_what_train_wrote(sb3, says, out, policy):
    """The modalities and their order come with the file."""
    swapped = ("policy.observations=[state,proprio]", "env.protocol=hold")
    settings = PPO if policy == "sb3-ppo" else SHORT
    assert says(*command(policy, *settings, *swapped, "training.reward=success"))[0] == 0
    (file,) = files(out)
    assert not list(file.parent.glob("*.zip"))[1:]
    config = OmegaConf.to_object(OmegaConf.load(file.parent / "config.yaml"))
    assert config["env_options"] == {"protocol": "hold", "observations": ["state", "proprio"]}
    assert policies.get(policy).from_options(file, {}).spec.observations == ("state", "proprio")
    run = ("run", "--policy", policy, "--env", TOY, "--checkpoint", file)
    assert says(*run, "--episodes", 2, "run.videos=0")[0] == 0
    (row,) = read_rows(out / "leaderboard.csv")
    assert (row["policy"], row["episodes"], row["errors"]) == (policy, "2", "0")
    other = policies.get(next(name for name in ALGORITHMS if name != policy))
    with pytest.raises(ManigymError, match="is not a Stable-Baselines3"):
        other.from_options(file, {})


def test_a_model_knows_what_its_actions_meant(sb3, says, out):
    assert says(*command("sb3-ppo", *PPO))[0] == 0
    (file,) = files(out)
    policy = policies.get("sb3-ppo").from_options(file, {})
    with gym.make(TOY, observations=policy.spec.observations) as env:
        here = env.unwrapped.interface
    policy.start(here, [0])
    group = replace(here.action.groups[0], mode="joint_position")
    with pytest.raises(ManigymError, match=r"joint_position .*\(there: joint_delta"):
        policy.start(replace(here, action=replace(here.action, groups=(group,))), [0])


def test_sac_updates_its_networks_and_respects_its_settings(sb3, says, out):
    settings = ("policy.learning_starts=50", "policy.tau=0.01", "policy.net_arch=[8,8]")
    assert says(*command("sb3-sac", *SHORT, *settings))[0] == 0
    (file,) = files(out)
    model = sb3.SAC.load(file)
    assert (model.tau, model.gamma, model.batch_size) == (0.01, 0.9, 32)
    assert model.policy.net_arch == [8, 8]
    last = [row for row in metrics(file) if "train/n_updates" in row][-1]
    # One for each step of any environment, but for the first 50 and those just being made.
    assert last["train/n_updates"] == last["step"] - 50 - 2


def test_the_best_weights_are_kept_and_of_equals_the_latest(sb3, says, out, monkeypatch):
    from benchmark.sb3.monitor import Validation

    successes = iter([1, 2, 2, 1])
    monkeypatch.setattr(Validation, "successes", lambda self, file: next(successes))
    status, text = says(*command("sb3-ppo", *PPO, "training.total_timesteps=512"))
    assert status == 0
    (file,) = files(out)
    assert sb3.PPO.load(file).num_timesteps == 384  # validated after 128, 256, 384 and 512
    assert "of step 384, succeed in 2 of 2 validation episodes" in text
    assert [r["validation_success"] for r in metrics(file) if "validation_success" in r] == [
        0.5,
        1.0,
        1.0,
        0.5,
    ]
    assert next(successes, None) is None


def test_ctrl_c_saves_what_there_is(sb3, says, out, monkeypatch):
    from benchmark.sb3.vec_env import PoolVecEnv

    step, calls = PoolVecEnv.step_wait, iter(range(100))

    def pressed(self):
        if next(calls) == 90:
            raise KeyboardInterrupt
        return step(self)

    train = command("sb3-ppo", *PPO)
    monkeypatch.setattr(PoolVecEnv, "step_wait", pressed)
    status, text = says(*train)
    assert status == 130
    assert not files(out)
    (newest,), (best,) = files(out, "unfinished.zip"), files(out, "best.zip")
    assert sb3.PPO.load(newest).num_timesteps == 180
    assert sb3.PPO.load(best).num_timesteps == 128
    assert f"stopped at step 180, whose weights are in {newest}; {best}: the best" in text
    assert "begins anew" in text
    monkeypatch.setattr(PoolVecEnv, "step_wait", step)
    assert says(*train)[0] == 0
    assert {p.name for p in files(out)[0].parent.glob("*.zip")} == {"checkpoint.zip"}


def test_a_failing_simulator_ends_training_and_what_there_is_is_saved(sb3, says, out, monkeypatch):
    from envs.toy.env import ToyEnv

    advance, calls = ToyEnv._advance, iter(range(1000))

    def broken(self, native):
        return np.nan if next(calls) == 200 else advance(self, native)

    monkeypatch.setattr(ToyEnv, "_advance", broken)
    status, text = says(*command("sb3-ppo", *PPO, "training.validate_every=1000"))
    assert status == 2
    assert "the simulator failed in episode" in text
    assert "returned reward nan. Stable-Baselines3 cannot leave a transition out" in text
    (newest,) = files(out, "unfinished.zip")
    assert f"stopped at step 200, whose weights are in {newest}. run --checkpoint takes" in text
    assert sb3.PPO.load(newest).num_timesteps == 200


def test_a_sweep_trains_once_for_each_value(sb3, says, out):
    train = command("sb3-ppo", *PPO, "--sweep", "training.learning_rate=1e-3,1e-4")
    assert says(*train)[0] == 0
    assert len(files(out)) == 2
    status, text = says(*train)
    assert status == 2
    assert "is trained already; --overwrite trains it again" in text
    assert says(*command("sb3-ppo", *PPO, "--sweep", "training.learning_rate=1e-3,1e-5"))[0] == 0
    assert len(files(out)) == 3


def test_behaviour_cloning_sweeps_as_well(says, out):
    train = ("train", "--policy", "maniflow", "--env", TOY, "--demonstrations", 4, *TINY)
    train += ("training.steps=2", "--sweep", "training.seed=0,1")
    assert says(*train)[0] == 0
    assert len(list(out.glob("training/maniflow-*/checkpoint.pt"))) == 2
    status, text = says(*train[:-1], "training.stps=0,1")  # refused before anything trains
    assert status == 2
    assert "did you mean 'steps'" in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("policy.gama=0.9",), "PPO has no setting policy.gama; did you mean policy.gamma?"),
        (("policy.policy_kwargs={}",), "Known: batch_size, clip_range"),
        (("policy.learning_rate=1e-3",), "learning_rate, seed and device belong to training.*"),
        (("policy.n_steps=many",), "does not take these settings"),
        (("policy.observations=[rgb]",), "sees vectors, of which Toy/reach-v0 has proprio, state"),
        (("policy.observations=[]",), "policy.observations=[]: sb3-ppo sees vectors"),
        (("training.steps=5",), "unknown key in 'training': 'steps'"),
        (("training.reward=dense",), "must be one of env, success; got 'dense'"),
        (("training.num_envs=0",), "training.num_envs must be at least 1, got 0"),
        (("training.learning_rate=nan",), "training.learning_rate must be above 0, got nan"),
        (("--data", "somewhere"), "--data is for behaviour cloning; sb3-ppo learns from its own"),
        (("env.protocol=fast",), "no protocol 'fast'"),
    ],
)
def test_what_cannot_be_is_refused(sb3, says, out, arguments, message):
    status, text = says(*command("sb3-ppo", *SHORT, *arguments))
    assert status == 2
    assert message in text
    assert not files(out)


def test_divergence_is_named(sb3, says):
    status, text = says(*command("sb3-ppo", *PPO, "training.learning_rate=1e30"))
    assert status == 2
    assert "training diverged at step 128" in text
    assert "try training.learning_rate=3.3e+29" in text


def test_run_without_a_checkpoint_says_how_to_train(says):
    status, text = says("run", "--policy", "sb3-sac", "--env", TOY)
    assert status == 2
    assert "Train it first: python -m benchmark train --policy sb3-sac --env ID" in text


def test_without_the_package_help_works_and_training_says_what_to_install(says, monkeypatch):
    monkeypatch.setitem(sys.modules, "stable_baselines3", None)
    status, text = says("train", "--help")
    assert status == 0
    assert all(kind.title in text for kind in KINDS)
    assert "total_timesteps=200000" in text
    status, text = says(*command("sb3-ppo"))
    assert status == 2
    assert "policy 'sb3-ppo' needs stable-baselines3: pip install" in text
