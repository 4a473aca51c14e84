"""AI2THOR: the contract, pictures and failures with a stand-in; starting AI2-THOR itself."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import gymnasium as gym
import numpy as np
import pytest
from ai2thor_stand_in import StandIn, play

from envs.ai2thor.env import AI2ThorEnv
from envs.ai2thor.launch import SPOC_COMMIT, Build, open_controller
from envs.ai2thor.tasks import CARDS
from envs.checks import CHECKS, check_pictures
from envs.registry import installed
from envs.schema import ManigymError, SimulationError

NAV, FETCH = CARDS
IDS = [card.id for card in CARDS]
BUILD = Path.home() / f".ai2thor/releases/thor-CloudRendering-{SPOC_COMMIT}"


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("env_id", IDS)
def test_contract_with_the_stand_in(stand_ins, env_id, check):
    check(env_id)
    assert all(world.stopped for world in stand_ins)


def test_pictures_are_cut_as_spoc_cuts_them(stand_ins):
    env = AI2ThorEnv(NAV, observations=("rgb", "depth", "segmentation"))
    observation, _ = env.reset(seed=0)
    navigation, manipulation = (observation["rgb"][name] for name in NAV.cameras)
    assert navigation.shape == manipulation.shape == (224, 384, 3)
    np.testing.assert_array_equal(navigation[0, :, 0], np.arange(6, 390) % 256)
    assert (navigation[..., 2] == 0).all() and (manipulation[..., 2] == 1).all()
    near, far = (observation["depth"][name] for name in NAV.cameras)
    np.testing.assert_allclose(near[:, 0], np.linspace(1, 3, 224), atol=1e-6)
    np.testing.assert_allclose(far - near, 1.0, atol=1e-6)
    for thing, camera in zip(stand_ins[0].things, NAV.cameras, strict=False):
        ids = observation["segmentation"][camera]
        (number,) = set(np.unique(ids)) - {-1}
        assert env.object_names()[number] == thing
        first = 10 * NAV.cameras.index(camera)
        np.testing.assert_array_equal(np.flatnonzero(ids[0] >= 0), np.arange(first, first + 10))
    assert env.render().shape == (256, 438, 3)
    small = AI2ThorEnv(NAV, observations=("rgb",), image_size=(112, 192))
    assert small.reset(seed=0)[0]["rgb"]["manipulation_camera"].shape == (112, 192, 3)
    assert stand_ins[-1].width == 198 and not stand_ins[-1].depth
    check_pictures(NAV.id, FETCH.id)  # several in one process


def test_a_replay_that_leads_elsewhere_is_said(stand_ins, monkeypatch):
    env = AI2ThorEnv(NAV)
    env.reset(seed=2)
    play(env, "m", "r")
    snapshot = env.snapshot()
    honest = StandIn._RotateAgent
    monkeypatch.setattr(StandIn, "_RotateAgent", lambda self, degrees: honest(self, degrees + 1))
    with pytest.raises(SimulationError, match=r"has no snapshots.*led to another state"):
        env.restore(snapshot)


def test_a_crash_costs_the_episode_and_no_more(stand_ins):
    env = AI2ThorEnv(NAV)
    env.reset(seed=2)
    stand_ins[0].fails_at = "MoveAgent"
    with pytest.raises(SimulationError, match="failed at MoveAgent: RuntimeError: the pipe"):
        play(env, "m")
    env.reset(seed=2)
    play(env, "m")
    assert len(stand_ins) == 2


def test_a_build_without_spocs_robot_is_named(stand_ins, monkeypatch):
    monkeypatch.delattr(StandIn, "_RotateCameraMount")
    with pytest.raises(ManigymError, match=r"cannot RotateCameraMount.*\n.*env\.commit_id"):
        AI2ThorEnv(NAV).reset(seed=0)
    assert stand_ins[0].stopped


# ------------------------------------------------------------------ starting AI2-THOR
@pytest.fixture
def package(monkeypatch):
    """A package ``ai2thor`` whose controller does what the test puts here."""
    controller, platform = ModuleType("ai2thor.controller"), ModuleType("ai2thor.platform")
    platform.CloudRendering = type("CloudRendering", (), {})
    parent = ModuleType("ai2thor")
    parent.controller, parent.platform = controller, platform
    for module in (parent, controller, platform):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    return controller


def test_the_controller_gets_spocs_settings(package):
    package.Controller = lambda **settings: settings
    got = open_controller(Build(), 224, 396, False, True)
    assert (got["agentMode"], got["fieldOfView"]) == ("stretch", 59)
    assert (got["width"], got["height"]) == (396, 224)
    assert got["commit_id"] == "5e43486351ac6339c399c199e601c9dd18daecc3"
    assert got["platform"] is sys.modules["ai2thor.platform"].CloudRendering  # a class, no name
    assert (got["renderDepthImage"], got["renderInstanceSegmentation"]) == (False, True)
    assert "local_executable_path" not in got


def test_without_a_build_the_error_says_what_was_tried(package):
    def none(**settings):
        raise ValueError(f"Invalid commit_id: {settings['commit_id']} - no build exists")

    package.Controller = none
    with pytest.raises(ManigymError) as caught:
        AI2ThorEnv(NAV)
    text = str(caught.value)
    for part in (SPOC_COMMIT, "CloudRendering", "ValueError: Invalid commit_id", "no build exists"):
        assert part in text
    assert "network access" in text and "env.local_executable_path=FILE" in text


def test_a_path_is_used_or_refused(package, tmp_path):
    with pytest.raises(ManigymError, match=r"local_executable_path=.*is no file"):
        AI2ThorEnv(NAV, local_executable_path=str(tmp_path / "thor"))
    with pytest.raises(ManigymError, match=r"platform='Amiga'.*CloudRendering"):
        AI2ThorEnv(NAV, platform="Amiga")
    (tmp_path / "thor").touch()
    package.Controller = lambda **settings: settings
    build = Build(local_executable_path=str(tmp_path / "thor"))
    got = open_controller(build, 224, 396, True, False)
    assert got["local_executable_path"] == build.local_executable_path
    assert "commit_id" not in got  # nothing is looked for on the network

    def broken(**settings):
        raise OSError("Exec format error")

    package.Controller = broken
    with pytest.raises(ManigymError, match=r"local_executable_path=.*\n.*Exec format error"):
        open_controller(build, 224, 396, True, False)


@pytest.mark.skipif(installed(NAV.id), reason="this Python holds ai2thor")
def test_without_the_package_nothing_starts():
    with pytest.raises(ManigymError, match=r"needs ai2thor==5\.0\.0"):
        gym.make(NAV.id, isolation="in_process")


@pytest.mark.skipif(not installed(NAV.id), reason="needs ai2thor: tox -e ai2thor")
def test_the_package_takes_our_call_and_refuses_an_unknown_build():
    with pytest.raises(ManigymError, match="ai2thor said: ") as caught:
        AI2ThorEnv(NAV, commit_id="0" * 40)
    assert "0" * 40 in str(caught.value)
    assert "TypeError" not in str(caught.value)


@pytest.mark.skipif(not (installed(NAV.id) and BUILD.is_dir()), reason=f"needs {BUILD}")
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("env_id", IDS)
def test_contract_with_ai2thor(env_id, check):
    check(env_id)
