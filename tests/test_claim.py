"""One writer per folder."""

from __future__ import annotations

import pytest
from toy import TOY, bench

from benchmark.claim import claimed
from envs.schema import ManigymError


def test_a_second_writer_is_refused_and_a_later_one_is_not(tmp_path):
    with (
        claimed(tmp_path / "run"),
        pytest.raises(ManigymError, match="written by another process"),
        claimed(tmp_path / "run"),
    ):
        raise AssertionError("two writers hold one folder")
    with claimed(tmp_path / "run"):
        assert not (tmp_path / "run").exists()


def test_a_run_does_not_touch_the_folder_of_one_that_goes_on(tmp_path, capsys):
    run = ("run", "--policy", "uniform", "--env", TOY, "--episodes", 2, "run.videos=0")
    assert bench(*run, "--out", tmp_path) == 0
    (folder,) = (path.parent for path in tmp_path.glob("*/episodes.jsonl"))
    records = (folder / "episodes.jsonl").read_bytes()
    with claimed(folder):
        assert bench(*run, "--out", tmp_path, "--overwrite") == 2
    assert "another process" in capsys.readouterr().err
    assert (folder / "episodes.jsonl").read_bytes() == records
