"""What is recorded beside a result: whatever could change it, and nothing that cannot."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from conftest import needs_gl
from toy import TOY, bench

import policies
from benchmark.results import conditions
from benchmark.results.conditions import code_hash, policy_code, policy_packages, surroundings
from benchmark.results.leaderboard import read_rows
from benchmark.verification.checks import verify
from benchmark.verification.evidence import OTHER_CODE
from envs.make import Workers
from envs.pool import make_pool
from policies.base import Policy, PolicySpec, TrainablePolicy, inference_options
from policies.maniflow.policy import ManiFlowPolicy
from policies.uniform import UniformPolicy

ROOT = Path(conditions.__file__).parents[2]
PLUGIN = """
import numpy as np
from policies.base import Policy, PolicySpec
from still.inner.speed import SPEED

class Still(Policy):
    spec = PolicySpec(("state",))
    def start(self, interface, seeds):
        return [interface.action_size] * len(seeds)
    def act(self, observations, states):
        return np.full((len(states), 1, states[0]), SPEED, np.float32)
"""


@pytest.fixture
def plugin(tmp_path, monkeypatch):
    """An installed package of three files with a policy: its folder."""
    site = tmp_path / "site"
    about, inner = site / "still_policy-1.2.dist-info", site / "still" / "inner"
    about.mkdir(parents=True)
    inner.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: still-policy\nVersion: 1.2\n")
    (about / "entry_points.txt").write_text("[manigym.policies]\nstill = still.policy:Still\n")
    (site / "still" / "__init__.py").touch()
    (site / "still" / "policy.py").write_text(PLUGIN)
    (inner / "speed.py").write_text("SPEED = 0.25\n")
    monkeypatch.syspath_prepend(site)
    yield site / "still"
    for name in [name for name in sys.modules if name.split(".")[0] == "still"]:
        del sys.modules[name]


def found(observations=("state",), policy=None):
    with make_pool(TOY, {"observations": observations}) as pool:
        pool.reset(0, 0)
        pool.wait()
        return conditions.conditions(pool, policy or UniformPolicy(), "alone")


def test_every_file_of_a_plugin_and_its_version_count(plugin):
    kind = policies.get("still")
    before = policy_code(kind)
    assert policy_code(kind) == before
    assert policy_packages(kind) == "still-policy=1.2"
    (plugin / "inner" / "speed.py").write_text("SPEED = 0.5\n")
    edited = policy_code(kind)
    (plugin / "inner" / "speed.py").rename(plugin / "inner" / "tempo.py")
    assert len({before, edited, policy_code(kind)}) == 3


def test_a_plugin_whose_other_file_changed_is_other_code(plugin, out):
    run = ("run", "--policy", "still", "--env", TOY, "run.videos=0", "env.horizon=5", "--out", out)
    assert bench(*run, "--episodes", 2) == 0
    (plugin / "inner" / "speed.py").write_text("SPEED = 0.25  # as before\n")
    (row,) = verify(out).rows
    assert [f.text for f in row.findings if f.kind == OTHER_CODE] == [
        "made with other code of the policy 'still'; results may differ here"
    ]
    assert bench(*run, "--episodes", 3) == 0
    assert " | " in read_rows(out / "leaderboard.csv")[1]["conditions"]


def test_a_plugin_of_another_version_is_named(plugin, out):
    run = ("run", "--policy", "still", "--env", TOY, "run.videos=0", "env.horizon=5", "--out", out)
    assert bench(*run, "--episodes", 2) == 0
    metadata = plugin.parent / "still_policy-1.2.dist-info" / "METADATA"
    metadata.write_text(metadata.read_text().replace("1.2", "1.3"))
    (row,) = verify(out).rows
    text = "the policy 'still' was made with still-policy=1.2; here still-policy=1.3"
    assert text in [f.text for f in row.findings if f.kind == OTHER_CODE]


def test_a_policy_of_one_file_is_its_file(tmp_path, monkeypatch):
    (tmp_path / "lonely.py").write_text(PLUGIN.replace("still.inner.speed", "pace"))
    (tmp_path / "pace.py").write_text("SPEED = 0.25\n")
    monkeypatch.syspath_prepend(tmp_path)
    kind = __import__("lonely").Still
    before = policy_code(kind)
    (tmp_path / "pace.py").write_text("SPEED = 0.5\n")
    assert policy_code(kind) == before
    (tmp_path / "lonely.py").write_text("")
    assert policy_code(kind) != before
    assert policy_packages(kind) == ""  # nothing registers it


def test_a_policy_typed_into_a_session_has_no_code():
    kind = type("Typed", (UniformPolicy,), {"__module__": "nowhere"})
    assert policy_code(kind) == "unknown"


def test_the_libraries_that_a_policy_names_are_recorded(monkeypatch):
    monkeypatch.setattr(conditions, "package_versions", lambda names: dict.fromkeys(names, "7"))
    assert policy_packages(policies.get("sb3")).split() == ["manigym=7", "stable-baselines3=7"]


def test_the_installed_version_is_the_one_recorded():
    assert policy_packages(policies.get("uniform")) == found()["policy_packages"] == "manigym=0.1.0"


@pytest.mark.parametrize(
    ("edited", "counts"),
    [
        ("benchmark/engine/rollout.py", True),
        ("benchmark/evaluate.py", True),
        ("policies/maniflow/linear.py", True),
        ("envs/toy/tasks.py", True),
        ("benchmark/report/charts.py", False),
        ("benchmark/commands/verify.py", False),
        ("benchmark/statistics/paired.py", False),
        ("benchmark/comparison/runs.py", False),
        ("benchmark/verification/recount.py", False),
    ],
)
def test_code_is_what_a_result_can_depend_on(tmp_path, monkeypatch, edited, counts):
    for name in ("assets", "benchmark", "envs", "policies"):
        ignore = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, tmp_path / name, ignore=ignore)
        copy = SimpleNamespace(__name__=name, __path__=[str(tmp_path / name)])
        monkeypatch.setattr(conditions, name, copy)
    hashed = code_hash.__wrapped__
    before = hashed()
    assert before == code_hash()  # wherever it is installed
    with (tmp_path / edited).open("a") as file:
        file.write("# edited\n")
    assert (hashed() != before) == counts


def test_what_linear_algebra_depends_on_is_recorded(monkeypatch):
    for name in conditions.VARIABLES:
        monkeypatch.delenv(name, raising=False)
    assert found()["variables"] == ""
    monkeypatch.setenv("MKL_CBWR", "COMPATIBLE")
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    assert found()["variables"] == "OMP_NUM_THREADS=2 MKL_CBWR=COMPATIBLE"
    with make_pool(TOY, {}) as pool:
        assert surroundings(pool)["variables"] == "OMP_NUM_THREADS=2 MKL_CBWR=COMPATIBLE"


def test_the_library_behind_torch_is_recorded():
    assert found()["torch_blas"] not in ("", "unknown")


def test_no_renderer_where_no_picture_is_seen(monkeypatch):
    monkeypatch.setattr("envs.pool.Pool.render_device", lambda self: pytest.fail("asked"))
    assert found()["renderer"] == ""


@needs_gl
@pytest.mark.parametrize("seen", ["rgb", "depth", "segmentation", "point_cloud"])
def test_the_renderer_of_pictures_is_recorded(seen):
    from OpenGL import GL  # only once MuJoCo has chosen its platform

    told = found(("state", seen))["renderer"]
    with make_pool(TOY, {"observations": (seen,)}) as pool:
        pool.reset(0, 0)
        pool.wait()
        renderer, version = (GL.glGetString(n).decode() for n in (GL.GL_RENDERER, GL.GL_VERSION))
    assert told == f"{os.environ['MUJOCO_GL']}, {renderer}, {version}"


@needs_gl
def test_the_renderer_is_the_one_of_the_worker_process():
    here = found(("rgb",))["renderer"]
    with make_pool(TOY, {"observations": ("rgb",)}, Workers(isolation="process")) as pool:
        pool.reset(0, 0)
        pool.wait()
        assert pool.render_device() == here


class Trained(TrainablePolicy):
    inference_keys = ("steps",)


class Plain(Policy):
    spec = PolicySpec()

    def start(self, interface, seeds):
        return [None] * len(seeds)

    def act(self, observations, states):
        return np.zeros((len(states), 1, 2), np.float32)


def test_options_of_training_are_left_out_of_inference():
    given = {"steps": 3, "width": 16}
    assert inference_options(Trained, given) == {"steps": 3}
    assert inference_options(Plain, given) == given
    options = {"num_inference_steps": 2, "layers": 1}
    assert inference_options(ManiFlowPolicy, options) == {"num_inference_steps": 2}
