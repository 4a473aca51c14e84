"""``data inspect`` and ``data convert``."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from mjthor_files import (
    CARD,
    exported,
    foreign_file,
    foreign_rows,
)
from robotwin_files import exported_folder
from trajectories import write_store

import envs
from benchmark.data.robomimic import export as export_robomimic
from benchmark.data.store import TrajectoryStore

Command = Callable[..., tuple[int, str]]
COMMANDS = "actions/commanded_action"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return exported(tmp_path_factory.mktemp("data"))


def test_inspect_tells_what_it_is(made: Path, data: Command) -> None:
    status, said = data("inspect", made / "files")
    assert status == 0
    assert "MolmoSpaces, current layout: 4 episodes in 2 group(s), 62 steps (14 to 17)" in said
    assert "1 x 'Pick up the mug number 3'" in said
    store = TrajectoryStore.open(made / "store")
    physical = CARD.action.to_physical(store.array("action"))
    (row,) = re.findall(r"^right_arm +3 +(\S+) +(\S+)", said, re.MULTILINE)
    np.testing.assert_allclose(
        [float(v) for v in row], [physical[:, 8].min(), physical[:, 8].max()], rtol=1e-3
    )
    facts = json.loads(data("inspect", made / "store", "--json")[1])
    assert facts["format"] == "trajectory store"
    assert facts["steps"] == {"all": 62, "shortest": 14, "longest": 17}
    assert facts["successes"] == 2
    assert facts["keys"]["obs/proprio"] == ["float32", [26]]
    assert [row["group"] for row in facts["actions"]] == (
        ["base"] * 3 + ["head"] * 2 + ["right_arm"] * 7 + ["right_gripper"]
    )


def test_every_format_is_recognised(made: Path, tmp_path: Path, data: Command) -> None:
    store = write_store(tmp_path / "toy", range(3))
    robomimic = export_robomimic(store, tmp_path / "toy.hdf5")
    foreign = foreign_file(tmp_path / "flat", foreign_rows(12), flat=True, cameras=())
    for path, name in (
        (tmp_path / "toy", "trajectory store"),
        (robomimic, "robomimic HDF5"),
        (exported_folder(tmp_path), "RoboTwin folder"),
        (tmp_path / "flat", "MolmoSpaces, flat layout"),
        (foreign, "MolmoSpaces, flat layout"),
    ):
        status, said = data("inspect", path, "--json")
        assert (status, json.loads(said)["format"]) == (0, name)
        assert data("validate", path)[0] == 0
    status, said = data("inspect", tmp_path / "flat" / "nothing")
    assert (status, "no such file or folder" in said) == (2, True)
    (tmp_path / "empty").mkdir()
    status, said = data("validate", tmp_path / "empty")
    assert (status, "is none of these: trajectory store, robomimic HDF5" in said) == (2, True)


def test_convert_houses_both_ways(
    made: Path, tmp_path: Path, data: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(envs.CARDS, CARD.id, CARD)
    out, back = tmp_path / "out", tmp_path / "back"
    assert data("convert", made / "store", out, "--flat", "--modes", "base=world_absolute")[0] == 0
    assert "flat layout" in data("inspect", out)[1]
    status, said = data("convert", out, back)
    assert (status, "--env ID is needed" in said) == (2, True)
    status, said = data("convert", out, back, "--env", CARD.id)
    assert (status, "left out: rgb/head_camera, rgb/wrist_camera_r (--pictures)" in said) == (
        0,
        True,
    )
    mine, theirs = TrajectoryStore.open(made / "store"), TrajectoryStore.open(back)
    for i in range(len(mine)):
        np.testing.assert_allclose(
            theirs.episode(i)["action"], mine.episode(i)["action"], atol=3e-6
        )
    foreign_file(tmp_path / "foreign" / "house_1", foreign_rows(12), cameras=())
    foreign = ("convert", tmp_path / "foreign", tmp_path / "x", "--env", CARD.id)
    assert "pass --modes base=robot_delta|world_delta|world_absolute" in data(*foreign)[1]
    doors = ("base=world_absolute", "right_arm=absolute", "right_gripper=force")
    assert data(*foreign, "--modes", *doors)[0] == 0
    assert "expected GROUP=MODE" in data(*foreign, "--modes", "base")[1]
