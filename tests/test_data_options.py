"""What is asked of recorded demonstrations must be what they hold; names follow what is decided."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from mjthor_files import CARD, HEIGHT, WIDTH, house_store
from toy import TINY, TOY, bench, toy_store

from benchmark.data.store import TrajectoryStore
from benchmark.pipeline import Recipe, demonstrations
from envs.schema import ManigymError
from policies.maniflow import ManiFlowPolicy

SIZE = f"[{HEIGHT},{WIDTH}]"
SEEING = "policy.observations=[proprio,rgb]"
TRAIN = ("train", "--policy", "maniflow", "--env", TOY, *TINY, "training.steps=1")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> TrajectoryStore:
    """Pictures of two cameras, 48 x 64, under the default protocol."""
    return house_store(tmp_path_factory.mktemp("options") / "demos", ["train/house_1"])


def found(store: TrajectoryStore, *settings: str) -> Path:
    recipe = Recipe("maniflow", ManiFlowPolicy, CARD.id, Path(), data=store.path)
    recipe = replace(recipe, overrides=(SEEING, *settings))
    return demonstrations(recipe, recipe.settings())[0]


@pytest.mark.parametrize(
    ("setting", "held"),
    [
        ("env.protocol=delta", "with molmospaces,"),
        ("env.image_size=[64,64]", rf"with \[{HEIGHT}, {WIDTH}\],"),
        ("policy.image_size=[64,64]", rf"with \[{HEIGHT}, {WIDTH}\],"),
        ("policy.cameras=[camera_follower]", r"with \['head_camera', 'wrist_camera_r'\],"),
        ("env.cameras=[head_camera]", r"with \['head_camera', 'wrist_camera_r'\],"),
        ("policy.num_points=64", "without it,"),
        ("env.houses=val", "without it,"),
    ],
)
def test_what_the_data_do_not_hold_is_refused(
    store: TrajectoryStore, setting: str, held: str
) -> None:
    said, _, value = setting.partition("=")
    with pytest.raises(
        ManigymError, match=f"^{said}=.* {store.path} were recorded {held}"
    ) as error:
        found(store, setting)
    again = f"env.{said.partition('.')[2]}={value}"
    assert f"collect --env {CARD.id} --observations proprio rgb" in str(error.value)
    assert again in str(error.value).replace("'", "")


@pytest.mark.parametrize(
    "setting",
    [
        f"env.image_size={SIZE}",
        f"policy.image_size={SIZE}",
        "env.protocol=molmospaces",
        "env.cameras=[wrist_camera_r,head_camera]",
        "policy.cameras=[wrist_camera_r]",
        "policy.n_obs=1",
    ],
)
def test_what_the_data_hold_may_be_said(store: TrajectoryStore, setting: str) -> None:
    assert found(store, setting) == store.path


def test_options_of_the_recording_count(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    demos, out = tmp_path / "demos", tmp_path / "out"
    recorded = ("collect", "--env", TOY, "--data", demos, "--episodes", 2, "env.horizon=50")
    assert bench(*recorded) == 0
    assert bench(*TRAIN, "--data", demos, "--out", out, "env.horizon=60") == 2
    assert "env.horizon=60 was asked for, but" in capsys.readouterr().err
    assert not list(out.glob("training/*"))
    assert bench(*TRAIN, "--data", demos, "--out", out, "env.horizon=50") == 0


def test_a_folder_is_named_after_the_encoder_and_not_after_auto(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Machines where "auto" is another encoder must not share a folder."""
    toy_store(tmp_path / "demos", 2)
    told = ("policy.observations=[proprio,state,instruction]", "--data", tmp_path / "demos")

    def folders(language: str) -> set[str]:
        assert bench(*TRAIN, *told, "--out", tmp_path, f"policy.language={language}") in (0, 2)
        return {file.parent.name for file in tmp_path.glob("training/*/checkpoint.pt")}

    monkeypatch.setattr("policies.maniflow.config.chosen_language", lambda _: "hashed")
    here = folders("auto")
    assert folders("hashed") == here
    assert len(here) == 1
    text = next(tmp_path.glob("training/*/config.yaml")).read_text(encoding="utf-8")
    assert "language: hashed" in text
