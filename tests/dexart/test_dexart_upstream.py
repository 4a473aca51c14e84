"""Upstream's asset folder, made small: what is read of it, and what is said where it is wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from dexart_files import NUMBERS, place_of, small_object, write_robot, write_small

from envs.dexart import upstream
from envs.dexart.library import instances_of, robot_urdf
from envs.schema import ManigymError

TASKS = tuple(NUMBERS)


@pytest.fixture
def assets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with one object of every task, which is all there is to find."""
    monkeypatch.setattr(upstream, "IDS", {t: {"seen": (n,)} for t, n in NUMBERS.items()})
    return write_small(tmp_path)


def edit(file: Path, change: Callable[[Any], Any]) -> None:
    file.write_text(json.dumps(change(json.loads(file.read_text()))))


def edit_text(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


def one(folder: Path, task: str) -> Any:
    (found,) = upstream.instances(folder, task, "seen")
    return found


def test_the_numbers_of_objects_are_those_of_the_paper() -> None:
    counts = {
        task: tuple(len(ids) for ids in splits.values()) for task, splits in upstream.IDS.items()
    }
    assert counts == {"faucet": (11, 7), "bucket": (11, 8), "laptop": (11, 6), "toilet": (17, 11)}
    for splits in upstream.IDS.values():
        ids = [i for split in splits.values() for i in split]
        assert len(set(ids)) == len(ids)


@pytest.mark.parametrize("task", TASKS)
def test_an_object_is_read_as_it_was_written(assets: Path, task: str) -> None:
    wanted = small_object(task, str(NUMBERS[task]))
    found = one(assets, task)
    assert found.urdf == place_of(assets, task) / "mobility.urdf"
    for field in ("name", "joint", "place", "closed", "open", "scale", "limits", "body", "ghosts"):
        assert getattr(found, field) == getattr(wanted, field), field


def test_scale_and_place_of_every_object_are_its_own(assets: Path) -> None:
    edit(assets / "annotation/faucet_scale.json", lambda _: {"148": 0.25, "693": 4.0})
    assert one(assets, "faucet").scale == 0.25


def test_the_last_hinge_of_the_name_is_the_tasks_and_joints_are_counted_depth_first(
    assets: Path,
) -> None:
    """The second of three faucet joints in SAPIEN's order is the last one of the file."""
    folder = place_of(assets, "faucet")
    links = "".join(f'<link name="l{i}"/>' for i in range(5))
    (folder / "mobility.urdf").write_text(
        f'<robot name="r">{links}{joint("third", "l0", "l3")}{joint("first", "l4", "l1")}'
        f"{joint('none', 'l0', 'l4', 'fixed')}{joint('second', 'l1', 'l2', 'continuous')}</robot>"
    )
    hinges = [("hinge", "knob"), ("hinge", "switch"), ("hinge", "switch"), ("static", "switch")]
    entries = [{"joint": kind, "name": name} for kind, name in hinges]
    (folder / "mobility_v2.json").write_text(json.dumps(entries))
    assert one(assets, "faucet").joint == "second"


def joint(name: str, parent: str, child: str, kind: str = "revolute") -> str:
    ends = f'<parent link="{parent}"/><child link="{child}"/>'
    limit = '<limit lower="-1" upper="1"/>' if kind == "revolute" else ""
    return f'<joint name="{name}" type="{kind}">{ends}{limit}</joint>'


def test_a_hinge_before_everything_that_counts_is_pythons_last_joint(assets: Path) -> None:
    """Upstream indexes with -1 there."""
    file = place_of(assets, "laptop") / "mobility_v2.json"
    edit(file, lambda entries: entries[::-1])
    assert one(assets, "laptop").joint == "joint_moving"


def test_what_upstream_can_do_without(assets: Path) -> None:
    """Absent entries and files: the object at (0, 0, 0.1), as large as it is."""
    notes = assets / "annotation"
    for file in notes.glob("laptop_*e*on.json"):
        if "relative" in file.name:
            file.unlink()
    (notes / "laptop_scale.json").unlink()
    laptop = one(assets, "laptop")
    assert laptop.place == (0.5, 0.0, 0.1) and laptop.scale == 1.0
    edit(next(notes.glob("toilet_*position.json")), lambda _: {})
    edit(next(notes.glob("faucet_*position.json")), lambda _: {})
    assert one(assets, "toilet").place == (0.5, 0.0, -0.3)
    assert one(assets, "faucet").place == (0.5, 0.0, 0.1)


def test_the_bucket_s_range_may_be_written_either_way_round(assets: Path) -> None:
    file = assets / "annotation/bucket_joint_annotation.json"
    edit(file, lambda c: {"100431": c["100431"] | {"min": 1.5, "max": -0.25}})
    assert one(assets, "bucket").limits == (-0.25, 1.5)


def test_a_toilet_s_seat_passes_through_its_lid(assets: Path) -> None:
    file = assets / "annotation/toilet_joint.txt"
    file.write_text("header\n102677 joint_moving link_1 link_0 base\n")
    assert one(assets, "toilet").ghosts == ("link_1", "base")


def test_a_split_that_is_not_there(assets: Path) -> None:
    with pytest.raises(ManigymError, match="faucet has no objects 'train'; choose: seen"):
        upstream.instances(assets, "faucet", "train")


def test_missing_objects_are_counted(assets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upstream, "IDS", {"faucet": {"seen": (693, 148, 822)}})
    with pytest.raises(ManigymError, match=r"2 of the 3 seen objects of faucet .*: 693, 822\n"):
        upstream.instances(assets, "faucet", "seen")


def test_the_robot_is_the_folders_own_or_none(assets: Path) -> None:
    with pytest.raises(ManigymError, match=f"missing .*{upstream.ROBOT}\n.*dexpoint-release"):
        upstream.robot(assets)
    file = write_robot(assets)
    assert upstream.robot(assets) == file
    text = file.read_text()
    for old, new, message in (
        (text, "<robot name='r'><link name='a'/></robot>", "no link 'link_base'; it has: a\n"),
        ('"link_14.0"', '"thumb"', "has no link 'link_14.0'; it has: base_link, .*thumb"),
        ('name="joint_15.0" type="revolute"', 'name="joint_15.0" type="fixed"', "has 21 moving"),
    ):
        file.write_text(text)
        edit_text(file, old, new)
        with pytest.raises(ManigymError, match=message):
            upstream.robot(assets)


def test_the_folder_is_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    file = write_robot(tmp_path / "assets")
    assert robot_urdf(Path("~/assets")) == file
    for name, message in (
        ("~/other", f"no such folder: {tmp_path}/other\n  unpack"),
        (str(file), f"no such folder: {file}"),
        ("~nobody-here/assets", "asset_folder '~nobody-here/assets'"),
    ):
        with pytest.raises(ManigymError, match=message):
            robot_urdf(Path(name))
        with pytest.raises(ManigymError, match=message):
            instances_of("toilet", "seen", Path(name))


def test_an_edited_file_is_read_again(assets: Path) -> None:
    assert upstream.instances(assets, "faucet", "seen")[0].scale == 1.0
    edit(assets / "annotation/faucet_scale.json", lambda _: {"148": 0.25})
    assert upstream.instances(assets, "faucet", "seen")[0].scale == 0.25


NUMBER = "expected a finite number"
CHANGES: dict[str, tuple[str, str, Any, str]] = {
    "not JSON": ("faucet", "scale", "{", "faucet_scale.json cannot be read"),
    "not an object": ("faucet", "scale", [1], r"expected a JSON object, got \[1\]"),
    "no scale": ("faucet", "scale", {}, "scale.json says nothing about object 148"),
    "no bucket scale": ("bucket", "scale", {}, "says nothing about object 100431"),
    "NaN": ("faucet", "scale", {"148": float("nan")}, f"{NUMBER}, got NaN"),
    "a word": ("faucet", "scale", {"148": "1"}, f'{NUMBER}, got "1"'),
    "true": ("faucet", "scale", {"148": True}, f"{NUMBER}, got true"),
    "no size": ("faucet", "scale", {"148": 0}, "expected a number above 0, got 0"),
    "no place": ("bucket", "place", {}, "says nothing about object 100431"),
    "two numbers": ("bucket", "place", {"100431": [1, 2]}, r"expected three numbers, got \[1, 2\]"),
    "infinite": ("laptop", "place", {"11395": [0, 0, float("inf")]}, f"{NUMBER}, got Infinity"),
    "no joint": ("laptop", "joint_annotation", {}, "says nothing about object 11395"),
    "a list": ("toilet", "joint_annotation", {"102677": [0]}, "expected .*left.*middle.*got"),
    "no middle": ("laptop", "joint_annotation", {"11395": {"left": 1}}, "expected 'middle', got"),
    "min alone": (
        "bucket", "joint_annotation", {"100431": {"left": 1, "middle": 0, "min": 0}},
        "expected 'max'",
    ),
    "max alone": (
        "bucket", "joint_annotation", {"100431": {"left": 1, "middle": 0, "max": 0}},
        "expected 'min'",
    ),
    "ajar": (
        "laptop", "joint_annotation", {"11395": {"left": 0.25, "middle": 0.125}},
        "at most 0.2 rad apart.* nothing is left to do",
    ),
    "nothing to do": (
        "bucket", "joint_annotation", {"100431": {"left": 1, "middle": 1}}, "nothing is left to do",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CHANGES)
def test_a_malformed_annotation_is_named(assets: Path, case: str) -> None:
    task, name, content, message = CHANGES[case]
    pattern = f"{task}_*position.json" if name == "place" else f"{task}_{name}.json"
    (file,) = (assets / "annotation").glob(pattern)
    file.write_text(content if isinstance(content, str) else json.dumps(content))
    with pytest.raises(ManigymError, match=message) as error:
        one(assets, task)
    assert file.name in str(error.value)


@pytest.mark.parametrize(
    "task, name",
    [
        ("faucet", "annotation/faucet_scale.json"),
        ("bucket", "annotation/bucket_joint_annotation.json"),
        ("laptop", "annotation/laptop_joint_annotation.json"),
        ("toilet", "annotation/toilet_joint.txt"),
        ("toilet", "annotation/toilet_scale.json"),
        ("faucet", "sapien/148/mobility_v2.json"),
        ("faucet", "sapien/148/mobility.urdf"),
        ("bucket", "sapien/100431_thick_handle/textured_objs/shape_1.obj"),
    ],
)
def test_a_missing_file_is_named(assets: Path, task: str, name: str) -> None:
    (assets / name).unlink()
    with pytest.raises(ManigymError, match=f"missing upstream asset: .*{name}\n  unpack"):
        one(assets, task)


def test_an_object_without_a_handle(assets: Path) -> None:
    for task, name in (("faucet", "'switch'"), ("bucket", "'handle'")):
        file = place_of(assets, task) / "mobility_v2.json"
        edit(file, lambda entries: [entry | {"name": "other"} for entry in entries])
        with pytest.raises(
            ManigymError, match=f"object without a handle: .* has no hinge named {name}"
        ):
            one(assets, task)
    file = place_of(assets, "laptop") / "mobility_v2.json"
    edit(file, lambda entries: entries[:1])
    with pytest.raises(ManigymError, match=r"object without a handle: .* has no hinge\n"):
        one(assets, "laptop")
    edit_text(assets / "annotation/toilet_joint.txt", "joint_moving", "joint_still")
    with pytest.raises(ManigymError, match="no moving joint 'joint_still'; it has: joint_moving"):
        one(assets, "toilet")


@pytest.mark.parametrize("task", ["faucet", "bucket", "laptop"])
def test_files_that_do_not_belong_together(assets: Path, task: str) -> None:
    file = place_of(assets, task) / "mobility_v2.json"
    edit(file, lambda entries: entries * 2)
    with pytest.raises(ManigymError, match="2 joints, 1 of them moving"):
        one(assets, task)


def test_entries_of_another_kind(assets: Path) -> None:
    file = place_of(assets, "faucet") / "mobility_v2.json"
    for content, message in (([1], "a joint and a name, got 1"), ({}, "expected a JSON array")):
        file.write_text(json.dumps(content))
        with pytest.raises(ManigymError, match=message):
            one(assets, "faucet")


def test_a_toilet_s_line_that_is_not_one(assets: Path) -> None:
    file = assets / "annotation/toilet_joint.txt"
    for line, message in (
        ("102677 joint_moving link_1", "expected lid joint, lid link, body link.*got joint_moving"),
        ("102677", "got nothing"),
        ("1 joint_moving link_1 link_0", "says nothing about object 102677"),
        ("102677 joint_moving lid link_0", "has no link 'lid'; it has: base, link_0, link_1"),
    ):
        file.write_text(f"header\n{line}\n\n")
        with pytest.raises(ManigymError, match=message):
            one(assets, "toilet")
