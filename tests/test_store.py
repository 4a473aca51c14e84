"""The trajectory store: round trip, crash safety, errors, independence of arrival order."""

from __future__ import annotations

import json
import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from trajectories import KEYS, episode, header, write_store

from benchmark.data.store import TrajectoryStore
from envs.schema import ManigymError

CRASH = """
import os, signal, sys
from pathlib import Path
from benchmark.data import rows
from benchmark.data.store import TrajectoryStore
from trajectories import episode

def die(*_args, **_kwargs):
    os.kill(os.getpid(), signal.SIGKILL)

store = TrajectoryStore.open(sys.argv[1], "a")
if sys.argv[2] == "before the index":
    os.replace = die
else:  # in the header of the second array: its bytes are written, the other arrays are not
    whole, calls = rows.RowFile._write_header, []
    rows.RowFile._write_header = lambda *a: die() if calls else (calls.append(1), whole(*a))
store.append(episode(7))
"""


def assert_same(got: dict[str, np.ndarray], id_: int) -> None:
    expected = episode(id_).arrays
    assert set(got) == set(expected)
    for key, values in expected.items():
        assert got[key].dtype == values.dtype
        np.testing.assert_array_equal(got[key], values)


def test_round_trip(tmp_path: Path) -> None:
    store = write_store(tmp_path / "demos", [4, 0, 9])
    assert len(store) == 3
    assert store.ids.tolist() == [0, 4, 9]
    assert store.num_steps == sum(3 + i % 4 for i in (0, 4, 9))
    for i, id_ in enumerate((0, 4, 9)):
        assert_same(store.episode(i), id_)
    assert store.successes.tolist() == [True, True, False]
    assert store.seeds.tolist() == [1000, 1004, 1009]
    assert store.groups.tolist() == ["0", "4", "9"]
    assert store.header == header()
    report = store.verify()
    assert (report.episodes, report.successes, report.warnings) == (3, 2, ())


def test_arrays_are_plain_npy_files_mapped_from_disk(tmp_path: Path) -> None:
    store = write_store(tmp_path / "demos", [1, 2])
    plain = np.load(tmp_path / "demos" / "obs" / "rgb" / "top.npy")
    np.testing.assert_array_equal(plain, store.array("obs/rgb/top"))
    assert isinstance(store.array("obs/rgb/top"), np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        store.array("action")[0] = 0


def test_empty_store_reads(tmp_path: Path) -> None:
    store = write_store(tmp_path / "demos", [])
    assert (len(store), store.num_steps, store.array("action").shape) == (0, 0, (0, 2))
    assert store.verify().episodes == 0


def test_hash_depends_on_content_and_not_on_arrival(tmp_path: Path) -> None:
    first = write_store(tmp_path / "a", [3, 1, 2]).content_hash()
    assert write_store(tmp_path / "b", [1, 2, 3]).content_hash() == first
    assert write_store(tmp_path / "c", [1, 2]).content_hash() != first
    changed = TrajectoryStore.create(tmp_path / "d", header())
    for id_ in (1, 2, 3):
        changed.append(replace(episode(id_), success=True))
    assert changed.content_hash() != first


@pytest.mark.parametrize("moment", ["before the index", "between two arrays"])
def test_kill_in_the_middle_of_an_append(tmp_path: Path, moment: str) -> None:
    path = tmp_path / "demos"
    write_store(path, [5, 6])
    sizes = {key: (path / f"{key}.npy").stat().st_size for key in KEYS}
    command = [sys.executable, "-c", CRASH, str(path), moment]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(command, env=environment, timeout=60)
    assert done.returncode == -signal.SIGKILL
    assert (path / "action.npy").stat().st_size > sizes["action"]  # leftovers are there

    store = TrajectoryStore.open(path)
    assert store.ids.tolist() == [5, 6]
    assert_same(store.episode(1), 6)
    with TrajectoryStore.open(path, "a") as writer:
        assert {key: (path / f"{key}.npy").stat().st_size for key in KEYS} == sizes
        np.testing.assert_array_equal(np.load(path / "action.npy"), store.array("action"))
        writer.append(episode(7))
        assert writer.content_hash() == write_store(tmp_path / "never", [5, 6, 7]).content_hash()


def test_failed_append_leaves_no_trace(tmp_path: Path) -> None:
    with TrajectoryStore.create(tmp_path / "demos", header()) as store:
        store.append(episode(1))
        bad = episode(2)
        bad.arrays["obs/proprio"][1, 2] = np.nan
        with pytest.raises(ManigymError, match=r"episode 2, key 'obs/proprio', step 1: nan"):
            store.append(bad)
        store.append(episode(3))
    assert TrajectoryStore.open(tmp_path / "demos").ids.tolist() == [1, 3]


def test_append_refuses_what_does_not_fit(tmp_path: Path) -> None:
    with TrajectoryStore.create(tmp_path / "demos", header()) as store:
        store.append(episode(1))
        arrays = dict(episode(2).arrays)
        bad = {
            "stored already": episode(1),
            "no steps": episode(2, steps=0),
            "has keys": replace(episode(2), arrays={"action": arrays["action"]}),
            r"float64 \(5, 2\), expected float32": replace(
                episode(2), arrays=arrays | {"action": arrays["action"].astype(np.float64)}
            ),
            r"expected float32 \(5,\)": replace(
                episode(2), arrays=arrays | {"reward": arrays["reward"][1:]}
            ),
            "seed": replace(episode(2), seed=2**63),
        }
        for message, candidate in bad.items():
            with pytest.raises(ManigymError, match=message):
                store.append(candidate)
        assert len(store) == 1


def test_one_writer_at_a_time(tmp_path: Path) -> None:
    with TrajectoryStore.create(tmp_path / "demos", header()):
        with pytest.raises(ManigymError, match="another process"):
            TrajectoryStore.open(tmp_path / "demos", "a")
        with pytest.raises(ManigymError, match="mode 'a'"):
            TrajectoryStore.open(tmp_path / "demos").append(episode(1))
    TrajectoryStore.open(tmp_path / "demos", "a").close()


def test_errors_of_open(tmp_path: Path) -> None:
    with pytest.raises(ManigymError, match="missing"):
        TrajectoryStore.open(tmp_path / "nothing")
    with pytest.raises(ManigymError, match="not a trajectory store"):
        TrajectoryStore.open(tmp_path)
    write_store(tmp_path / "demos", [1])
    with pytest.raises(ManigymError, match="exists already"):
        TrajectoryStore.create(tmp_path / "demos", header())


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        ({"version": 99}, "version 99"),
        ({"format": "other"}, "format 'other'"),
        ({"keys": {"action": ["float32", [2]], "../x": ["float32", [1]]}}, r"bad: \['../x'\]"),
        ({"keys": {"action": ["float32", [3]]}}, "do not belong together"),
        ({"surprise": 1}, "damaged"),
    ],
)
def test_foreign_headers(tmp_path: Path, edit: dict[str, object], message: str) -> None:
    write_store(tmp_path / "demos", [1])
    path = tmp_path / "demos" / "header.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | edit))
    with pytest.raises(ManigymError, match=message):
        TrajectoryStore.open(tmp_path / "demos")


def test_damaged_files(tmp_path: Path) -> None:
    def damaged(name: str, content: bytes | None) -> Path:
        path = tmp_path / str(len(list(tmp_path.iterdir())))
        write_store(path, [1, 2])
        whole = (path / name).read_bytes()
        (path / name).write_bytes(whole[:-1] if content is None else content)
        return path

    cases = {
        "truncated: .* expected": damaged("obs/rgb/top.npy", None),
        "no .npy file": damaged("action.npy", b"hello"),
        "index.npz cannot be read": damaged("index.npz", None),
        "header.json is not": damaged("header.json", b"{"),
    }
    (missing := damaged("action.npy", None)).joinpath("reward.npy").unlink()
    (missing / "action.npy").write_bytes((tmp_path / "0" / "action.npy").read_bytes())
    for message, path in (cases | {"reward.npy is missing": missing}).items():
        with pytest.raises(ManigymError, match=message):
            TrajectoryStore.open(path)


def test_damaged_index(tmp_path: Path) -> None:
    path = tmp_path / "demos" / "index.npz"
    write_store(tmp_path / "demos", [1, 2])
    with np.load(path) as data:
        good = dict(data)
    edits = {
        "increase": {"episode_ends": good["episode_ends"][::-1]},
        "twice": {"episode_id": np.array([1, 1])},
        "different lengths": {"seed": np.array([1])},
    }
    for message, edit in edits.items():
        np.savez(path, **(good | edit))
        with pytest.raises(ManigymError, match=message):
            TrajectoryStore.open(tmp_path / "demos")


def test_verify_finds_nan_and_copied_state(tmp_path: Path) -> None:
    keys = {"action": ("float32", (2,)), "obs/proprio": ("float32", (2,))}
    with TrajectoryStore.create(tmp_path / "demos", replace(header(), keys=keys)) as store:
        for id_ in (2, 1):
            action = 2 * episode(id_).arrays["action"]
            arrays = {"action": action, "obs/proprio": action}
            store.append(replace(episode(id_), arrays=arrays))
    report = store.verify()
    assert ["equals action" in w or "leaves" in w for w in report.warnings] == [True, True]
    written = np.load(tmp_path / "demos" / "action.npy", mmap_mode="r+")
    written[-1, 1] = np.inf  # last row in storage: episode 1, step 3
    written.flush()
    with pytest.raises(ManigymError, match=r"key 'action', episode 1, step 3: inf"):
        TrajectoryStore.open(tmp_path / "demos").verify()


def test_reader_travels_to_other_processes(tmp_path: Path) -> None:
    store = write_store(tmp_path / "demos", range(50))
    store.content_hash()  # maps are open now
    data = pickle.dumps(store)
    assert len(data) < 10_000  # no array travels
    assert_same(pickle.loads(data).episode(1), 1)
    with multiprocessing.get_context("fork").Pool(2) as pool:
        hashes = [pool.apply_async(store.content_hash) for _ in range(4)]
        assert {h.get(timeout=30) for h in hashes} == {store.content_hash()}
