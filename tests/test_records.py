"""A run's folder survives crashes and refuses what it did not write."""

from __future__ import annotations

import json
import os
from dataclasses import asdict

import pytest

from benchmark.results.records import (
    EpisodeRecord,
    OtherVersion,
    RunFolder,
    _digest,
    find_run,
    read_records,
)
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
        "stages": {"simulate": 0.1},
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


def test_a_record_of_another_version_is_not_called_damaged(tmp_path):
    data = asdict(record(0)) | {"sim_seconds": 0.1}
    del data["stages"]
    data["return"] = data.pop("total_reward")
    line = json.dumps(data | {"digest": _digest(data)})
    (tmp_path / "episodes.jsonl").write_text(line + "\n")
    with pytest.raises(OtherVersion, match=r"another version .* differs in sim_seconds, stages"):
        read_records(tmp_path)


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


@pytest.mark.parametrize("torn", [b'{"env": "A/b', b"\0" * 40 + b"\n", b'{"env": "A\n', b"\xff\n"])
def test_what_a_crash_left_at_the_end_is_put_aside(tmp_path, torn):
    folder = RunFolder(tmp_path, CONFIG)
    folder.append(record(0))
    path = tmp_path / "episodes.jsonl"
    whole = path.read_bytes()
    path.write_bytes(whole + torn)
    again = RunFolder(tmp_path, CONFIG)
    assert again.mended == torn
    assert path.read_bytes() == whole
    assert (tmp_path / "damaged.jsonl").read_bytes() == torn + b"\n"
    assert not RunFolder(tmp_path, CONFIG).mended


def test_records_of_another_version_are_left_alone(tmp_path):
    """A readable line that we did not write is no damage: cutting it off would lose an episode."""
    folder = RunFolder(tmp_path, CONFIG)
    for episode in range(3):
        folder.append(record(episode))
    path = tmp_path / "episodes.jsonl"
    old = [json.loads(line) for line in path.read_text().splitlines()]
    for one in old:
        del one["digest"]
    path.write_text("".join(json.dumps(one) + "\n" for one in old))
    before = path.read_bytes()
    with pytest.raises(ManigymError, match="line 1 is not an episode record as this version"):
        RunFolder(tmp_path, CONFIG).records()
    assert path.read_bytes() == before


@pytest.mark.parametrize("change", [b"1", b"7", b" "])
def test_one_changed_byte_in_a_record_is_found(tmp_path, change):
    folder = RunFolder(tmp_path, CONFIG)
    folder.append(record(0))
    path = tmp_path / "episodes.jsonl"
    data = path.read_bytes()
    for at in range(len(data) - 1):
        if data[at : at + 1] != change:
            path.write_bytes(data[:at] + change + data[at + 1 :])
            with pytest.raises(ManigymError, match="line 1"):
                folder.records()


def test_runs_are_found_by_any_unambiguous_part_of_their_name(tmp_path):
    for name in ("expert-0a1b", "expert-0c1d", "uniform-9f9f"):
        RunFolder(tmp_path / name, CONFIG).append(record(0))
    RunFolder(tmp_path / "expert-empty", CONFIG)  # a run that never began
    assert find_run(tmp_path, "uniform").name == "uniform-9f9f"
    assert find_run(tmp_path, "1d").name == "expert-0c1d"
    assert find_run(tmp_path, str(tmp_path / "expert-0a1b")).name == "expert-0a1b"
    os.utime(tmp_path / "expert-0a1b" / "episodes.jsonl", (2**31, 2**31))
    assert find_run(tmp_path, "latest").name == "expert-0a1b"
    with pytest.raises(ManigymError, match=r"'expert' fits 2 runs .*: expert-0c1d, expert-0a1b"):
        find_run(tmp_path, "expert")
    with pytest.raises(ManigymError, match="no run 'maniflow'"):
        find_run(tmp_path, "maniflow")
