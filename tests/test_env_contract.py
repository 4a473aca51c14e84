"""The conformance kit over every registered task."""

from __future__ import annotations

import pytest
from conftest import needs_gl, task_params

import envs
from envs.checks import CHECKS, ContractError, check_pictures, check_seeding, check_snapshot


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("env_id", task_params())
def test_contract(env_id, check):
    check(env_id)


@needs_gl
@pytest.mark.parametrize("env_id", task_params())
def test_pictures_survive_other_environments(env_id):
    check_pictures(env_id, "Toy/reach-v0")


@pytest.fixture
def toy_env():
    pytest.importorskip("mujoco")
    from envs.toy.env import ToyEnv

    return ToyEnv


def test_kit_catches_an_episode_that_depends_on_the_one_before(monkeypatch, toy_env):
    counter = iter(range(1000))
    honest = toy_env._reset
    monkeypatch.setattr(toy_env, "_reset", lambda self, seed: honest(self, seed + next(counter)))
    with pytest.raises(ContractError, match="same seed"):
        check_seeding("Toy/reach-v0")


def test_kit_catches_a_snapshot_that_forgets(monkeypatch, toy_env):
    monkeypatch.setattr(toy_env, "_set_physics", lambda self, state: None)
    with pytest.raises(ContractError, match="after restore"):
        check_snapshot("Toy/reach-v0")


def test_import_envs_loads_no_simulator():
    import subprocess
    import sys

    code = (
        "import envs, sys; print([m for m in ('mujoco', 'robosuite', 'torch') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_unknown_id_names_the_nearest():
    with pytest.raises(envs.schema.ManigymError, match="Toy/reach-v0"):
        envs.card("Toy/reech-v0")
