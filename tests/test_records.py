"""A run's folder survives crashes and refuses what it did not write."""

from __future__ import annotations

import json

import pytest

from benchmark.results.records import EpisodeRecord, RunFolder
from envs.schema import ManigymError

CONFIG = {"policy": "uniform", "seed": 0}


def record(episode, status="ok", **fields):
    values = {
        "env": "A/b-v0",
        "episode": episode,
        "seed": 10 + episode,
        "policy_seed": 20,
        "status": status,
        "success": status == "ok",
        "steps": 3,
        "total_reward": -1.5,
        "state_hash": "00",
        "action_hash": "11",
        "policy_ms": [0.5],
        "sim_seconds": 0.1,
        "isolation": "in_process",
        "conditions": "0123456789ab",
    }
    return EpisodeRecord(**(values | fields))


def test_records_round_trip_under_the_published_names(tmp_path):
    folder = RunFolder(tmp_path, CONFIG)
    folder.append(record(0))
    line = json.loads((tmp_path / "episodes.jsonl").read_text())
    published = "env episode seed success steps return state_hash action_hash status"
    assert set(published.split()) <= set(line)
    assert line["return"] == -1.5
    assert folder.records() == [record(0)]


def test_a_line_cut_by_a_crash_is_dropped(tmp_path):
    folder = RunFolder(tmp_path, CONFIG)
    for episode in (1, 0):
        folder.append(record(episode))
    path = tmp_path / "episodes.jsonl"
    path.write_bytes(path.read_bytes()[:-20])
    again = RunFolder(tmp_path, CONFIG)
    assert [r.episode for r in again.records()] == [1]
    again.append(record(0))
    assert [r.episode for r in again.records()] == [0, 1]


def test_a_file_of_one_cut_line_is_empty(tmp_path):
    (tmp_path / "episodes.jsonl").write_text('{"env": "A/b')
    assert RunFolder(tmp_path, CONFIG).records() == []


@pytest.mark.parametrize("line", ["hello", "[]", "{}", '{"return": 1, "colour": 2}', "3"])
def test_a_foreign_line_is_named(tmp_path, line):
    folder = RunFolder(tmp_path, CONFIG)
    folder.append(record(0))
    with (tmp_path / "episodes.jsonl").open("a") as file:
        file.write(line + "\n")
    folder.append(record(1))
    with pytest.raises(ManigymError, match="line 2 is not an episode record"):
        RunFolder(tmp_path, CONFIG).records()


def test_the_later_try_counts(tmp_path):
    folder = RunFolder(tmp_path, CONFIG)
    folder.append(record(0, "error", success=None, error="boom"))
    folder.append(record(0))
    assert [r.status for r in folder.records()] == ["ok"]


def test_another_configuration_is_refused(tmp_path):
    RunFolder(tmp_path, CONFIG)
    RunFolder(tmp_path, CONFIG)
    with pytest.raises(ManigymError, match="another configuration"):
        RunFolder(tmp_path, CONFIG | {"seed": 1})
