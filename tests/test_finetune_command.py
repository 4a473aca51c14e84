"""``python -m benchmark finetune``: what it says, what it refuses, what it leaves behind."""

from __future__ import annotations

import sys
from dataclasses import fields

import pytest
import torch
from finetuning import QUICK, reacher
from test_maniflow_policy import STATE, made
from toy import TOY, bench

from benchmark.finetuning.settings import RATIOS, AdvantageSettings, FinetuneSettings
from benchmark.results.leaderboard import read_rows
from envs.schema import Interface
from policies.maniflow.chain_config import ChainConfig

SHORT = (*QUICK, "training.total_timesteps=100", "training.validation_episodes=2")


@pytest.fixture(scope="session")
def start(tmp_path_factory):
    return reacher(tmp_path_factory.getbasetemp())


@pytest.fixture
def says(start, out, capsys):
    """Exit status and output of ``finetune`` on the toy."""

    def run(*arguments, policy="maniflow", checkpoint=start, env=TOY):
        capsys.readouterr()
        given = ("--policy", policy, "--checkpoint", checkpoint, "--env", env, "--out", out)
        status = bench("finetune", *given, *arguments)
        return status, "".join(capsys.readouterr())

    return run


def checkpoints(out):
    return sorted((out / "finetuning").glob("*/checkpoint.pt"))


def test_help_names_every_key_with_its_default(capsys):
    assert bench("finetune", "--help") == 0
    text = capsys.readouterr().out.split()
    for kind in (FinetuneSettings, AdvantageSettings, ChainConfig):
        for field in fields(kind):
            assert any(word.startswith(f"{field.name}=") for word in text), field.name
    assert {"gamma=0.99", "clip_range=0.2", "noise_method=flow_sde", "backend=manigym"} <= set(text)
    assert {"training", "advantage", "policy", "env", "debug,", "state,", "state_dense"} <= set(
        text
    )


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("training.learning_rat=1", "'learning_rat'; did you mean 'learning_rate'?"),
        ("policy.noise_metod=flow_sde", "'noise_metod'; did you mean 'noise_method'?"),
        ("advantage.gama=0.9", "'gama'; did you mean 'gamma'?"),
        ("advantages.gamma=0.9", "'advantages'; did you mean 'advantage'?"),
        ("training.epochs=few", "Value 'few' of type 'str' could not be converted to Integer"),
        (f"training.ratio={RATIOS[0]}s", f"must be one of {', '.join(RATIOS)}"),
        ("policy.noise_method=flow_ode", "flow_ode has no noise to learn from"),
        ("policy.noise_method=flow_sed", "must be one of flow_sde, flow_cps, flow_noise"),
        ("policy.n_action=10", "policy.n_action=10 does not fit"),
        ("env.colour=red", "no option 'colour'"),
        ("env.observations=[rgb]", "env.observations is not for you to set"),
    ],
)
def test_settings_that_do_not_exist_or_cannot_work(says, out, setting, message):
    status, text = says(*SHORT, setting)
    assert status == 2
    assert message in text
    assert "Traceback" not in text
    assert checkpoints(out) == []


def test_a_policy_whose_actions_have_no_density_is_refused(says):
    for policy in ("uniform", "sb3"):
        status, text = says(policy=policy)
        assert status == 2
        assert f"policy '{policy}' cannot be fine-tuned" in text


def test_a_checkpoint_that_is_not_there(says, tmp_path):
    status, text = says(checkpoint=tmp_path / "nothing.pt")
    assert status == 2
    assert f"no checkpoint at {tmp_path / 'nothing.pt'}" in text


def test_a_checkpoint_of_another_environment(says, tmp_path):
    path = tmp_path / "other.pt"
    made(interface=STATE, steps=1).save(path)
    status, text = says(*SHORT, checkpoint=path)
    assert status == 2
    assert f"{TOY} gives shape (4,) for observation 'proprio'" in text
    assert "trained with shape (3,)" in text


def test_a_checkpoint_with_another_number_of_actions(says, tmp_path):
    path = tmp_path / "three.pt"
    seen = {"proprio": ((4,), "float32"), "state": ((2,), "float32")}
    made(interface=Interface("Test/env-v0", 3, seen), steps=1).save(path)
    status, text = says(*SHORT, checkpoint=path)
    assert status == 2
    assert f"{TOY} takes actions of size 2, but this policy was trained for 3" in text


def test_an_environment_that_does_not_exist(says):
    status, text = says(env="Toy/reech-v0")
    assert (status, "nearest: Toy/reach-v0" in text) == (2, True)


def test_from_the_command_to_the_leaderboard_and_once_only(says, out):
    """The line it prints at the end is the command that evaluates."""
    status, text = says(*SHORT, "advantage.gamma=0.9")
    assert status == 0
    (checkpoint,) = checkpoints(out)
    (line,) = [line for line in text.splitlines() if line.startswith("evaluate: python -m")]
    assert str(checkpoint) in line
    assert "/2" in text  # successes before and after
    command = line.removeprefix("evaluate: python -m benchmark ").split()
    assert bench(*command, "--episodes", 2, "run.videos=0", "--out", out) == 0
    (row,) = read_rows(out / "leaderboard.csv")
    assert row["checkpoint"] == str(checkpoint.relative_to(out))
    written = checkpoint.stat().st_mtime_ns
    status, text = says(*SHORT, "advantage.gamma=0.9")
    assert status == 2
    assert f"{checkpoint} is fine-tuned already; --overwrite begins anew" in text
    assert checkpoint.stat().st_mtime_ns == written
    assert says(*SHORT, "advantage.gamma=0.9", "--overwrite")[0] == 0
    assert checkpoint.stat().st_mtime_ns > written


def test_a_sweep_makes_several(says, out):
    status, text = says(*SHORT, "--sweep", "training.seed=0,1", "training.num_envs=1")
    assert status == 0
    assert len(checkpoints(out)) == 2
    assert text.count("evaluate:") == 2


def test_a_configuration_that_comes_along(says, out):
    status, _ = says("--config", "debug", *SHORT)
    assert status == 0
    (checkpoint,) = checkpoints(out)
    record = torch.load(checkpoint, weights_only=True)["finetuning"]
    assert record["policy"]["num_inference_steps"] == 2  # the file's
    assert record["training"]["validation_episodes"] == 2  # the command line's


def test_films_of_validation_episodes(says, out):
    pytest.importorskip("imageio")
    from conftest import HAS_GL

    if not HAS_GL:
        pytest.skip("no off-screen OpenGL")
    assert says(*SHORT, "training.videos=1")[0] == 0
    films = sorted(file.name for file in out.glob("finetuning/*/videos/*.mp4"))
    assert len(films) == 2
    assert films[0] == "step-00000000-episode-0000.mp4"


def test_without_the_package_the_sb3_back_end_says_what_to_install(says, monkeypatch):
    monkeypatch.setitem(sys.modules, "stable_baselines3", None)
    status, text = says(*SHORT, "training.backend=sb3")
    assert status == 2
    assert (
        'training.backend=sb3 needs stable-baselines3: pip install -c constraints.txt -e ".[sb3]"'
        in text
    )
