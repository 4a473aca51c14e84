"""Settings: three sources, types, and errors that help."""

from __future__ import annotations

from dataclasses import asdict

import pytest

from benchmark.config import DataSettings, RunSettings, TrainingSettings, parse, resolved
from envs.schema import ManigymError
from policies.maniflow.config import ManiFlowConfig

KINDS = {"training": TrainingSettings, "run": RunSettings, "env": None}


def test_later_sources_win(tmp_path):
    file = tmp_path / "settings.yaml"
    file.write_text("training:\n  steps: 7\n  batch_size: 9\nenv:\n  image_size: [84, 84]\n")
    found = parse(KINDS, ["training.steps=11", "env.horizon=5"], file)
    assert (found["training"].steps, found["training"].batch_size) == (11, 9)
    assert found["training"].seed == TrainingSettings().seed
    assert found["env"] == {"image_size": [84, 84], "horizon": 5}
    assert isinstance(found["run"], RunSettings)


@pytest.mark.parametrize("text", ["1e-4", "0.0001", "1E-4", "1.0e-04"])
def test_scientific_numbers_are_numbers(tmp_path, text):
    assert parse(KINDS, [f"training.learning_rate={text}"])["training"].learning_rate == 1e-4
    file = tmp_path / "settings.yaml"
    file.write_text(f"training:\n  learning_rate: {text}\n")
    assert parse(KINDS, [], file)["training"].learning_rate == 1e-4


def test_values_keep_their_types():
    found = parse(
        {"data": DataSettings, "policy": ManiFlowConfig, "run": RunSettings},
        [
            "data.max_train=null",
            "data.in_memory=false",
            "policy.observations=[rgb,proprio]",
            "policy.normalization={action: identity}",
            "run.ensemble=act",
        ],
    )
    assert found["data"].max_train is None
    assert found["data"].in_memory is False
    assert found["policy"].observations == ["rgb", "proprio"]
    assert found["policy"].normalization == {"action": "identity"}
    assert found["run"].ensemble == "act"


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("trainin.steps=3", "unknown section: 'trainin'; did you mean 'training'"),
        ("training.stps=3", "unknown key in 'training': 'stps'; did you mean 'steps'"),
        ("training.steps=many", "steps.*many|many.*Integer"),
        ("training.steps=1.5", "bad setting"),
        ("training.wandb=maybe", "bad setting"),
        ("training.steps.more=3", "bad setting"),
        ("training=3", "section.key=value"),
        ("steps", "section.key=value"),
        ("training.steps=0", "training.steps must be at least 1, got 0"),
        ("training.learning_rate=-1", "learning_rate must be above 0"),
        ("training.precision=half", "auto, float32, bfloat16"),
    ],
)
def test_bad_settings_are_refused(override, message):
    with pytest.raises(ManigymError, match=message):
        parse(KINDS, [override])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("training: [", "not valid YAML"),
        ("- 1\n- 2\n", "must hold sections"),
        ("training: 5\n", "section 'training' must hold key: value, got 5"),
        ("training:\n", "section 'training' must hold key: value"),
        ("training:\n  stepz: 5\n", "did you mean 'steps'"),
    ],
)
def test_bad_files_are_refused(tmp_path, content, message):
    file = tmp_path / "settings.yaml"
    file.write_text(content)
    with pytest.raises(ManigymError, match=message):
        parse(KINDS, [], file)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ManigymError, match=r"no configuration file at .*absent.yaml"):
        parse(KINDS, [], tmp_path / "absent.yaml")


def test_resolved_is_plain_data():
    found = resolved(parse(KINDS, ["env.horizon=5"]))
    assert found["env"] == {"horizon": 5}
    assert found["run"] == asdict(RunSettings())
