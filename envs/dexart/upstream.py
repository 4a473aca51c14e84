"""Upstream's own object files, for those who have them (``asset_folder=".../dexart/assets"``).

Objects: ``sapien/<id>/mobility.urdf`` and ``mobility_v2.json`` of PartNet-Mobility (buckets in
``sapien/<id>_thick_handle``), with what the task adds in ``annotation/``; the robot in
``robot/xarm6_description``. Download: the link in the README of Kami-code/dexart-release. Which
joint is the task's, and which numbers may be absent, is as in its ``dexart/env/sim_env``.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from envs.dexart.instance import Instance
from envs.dexart.robot import ARM_JOINTS, ARM_LINKS, FINGERS, HAND_JOINTS, PALM
from envs.dexart.setting import SETTINGS
from envs.dexart.upstream_files import (
    SOURCE,
    Urdf,
    entry,
    number,
    positive,
    read,
    triple,
    words,
)
from envs.schema import ManigymError

ROBOT = "robot/xarm6_description/xarm6_allegro_wrist_mounted_rotate.urdf"
_ROBOT_SOURCE = (
    "robot/ is part of the assets of Kami-code/dexart-release (link in its README), and is "
    "assets/robot of yzqin/dexpoint-release; copy it there"
)
_PLACES = "{}_allegro_hand_xarm6_wrist_mounted_face_front_relative_position.json"

# The objects of training and of testing: dexart/env/task_setting.py, TRAIN_CONFIG.
IDS: dict[str, dict[str, tuple[int, ...]]] = {
    "faucet": {
        "seen": (148, 693, 822, 857, 991, 1011, 1053, 1288, 1343, 1370, 1466),
        "unseen": (1556, 1633, 1646, 1667, 1741, 1832, 1925),
    },
    "bucket": {
        "seen": (
            100431, 100435, 100438, 100439, 100441, 100444, 100446, 100448, 100454, 100461, 100462,
        ),
        "unseen": (100468, 100470, 100473, 100482, 100484, 100486, 102352, 102358),
    },
    "laptop": {
        "seen": (11395, 11405, 11406, 11477, 11581, 11586, 9996, 10090, 10098, 10101, 10125),
        "unseen": (9748, 9912, 9918, 9960, 9968, 9992),
    },
    "toilet": {
        "seen": (
            102677, 102687, 102689, 102692, 102697, 102699, 102701, 102703, 102707, 102708, 103234,
            102663, 102666, 102667, 102669, 102670, 102675,
        ),
        "unseen": (
            101320, 102621, 102622, 102630, 102634, 102645, 102648, 102651, 102652, 102654, 102658,
        ),
    },
}  # fmt: skip


@dataclass(frozen=True)
class _Rules:
    """How upstream reads a task's objects.

    ``counted``: the kinds of ``mobility_v2.json`` that it counts as joints, none where it does not
    read the file; ``handle``: the name of the hinge it looks for, any without; ``complete``:
    whether every joint of the URDF, moving or not, has an entry. ``scale`` and ``place`` of an
    object without one, which is an error for ``None``. ``optional``: files that may be absent.
    """

    counted: tuple[str, ...] = ()
    handle: str = ""
    folder: str = "{}"
    scale: float | None = 1.0
    place: tuple[float, float, float] | None = None
    links: tuple[str, ...] = ()
    complete: bool = False
    optional: tuple[str, ...] = ()


_FAUCET = _Rules(("hinge", "slider"), "switch", scale=None, place=(0.5, 0.0, 0.1), complete=True)
# Without a place an object is put at (0, 0, 0.1) of the world; the robot stands at (-0.5, 0, h).
_RULES = {
    "faucet": _FAUCET,
    "bucket": _Rules(
        ("free",), "handle", "{}_thick_handle", scale=None, links=("link_1", "link_0")
    ),
    "laptop": _Rules(("free",), place=(0.5, 0.0, 0.1), optional=("scale", "place")),
    "toilet": _Rules(place=(0.5, 0.0, -0.3)),
}


def robot(folder: Path) -> Path:
    """Upstream's own robot; ManigymError where it is missing, or is another one."""
    urdf = Urdf(folder / ROBOT, _ROBOT_SOURCE)
    for link in (*ARM_LINKS, PALM, *(link for links in FINGERS.values() for link in links)):
        urdf.require_link(link)
    if len(urdf.moving) != ARM_JOINTS + HAND_JOINTS:
        raise ManigymError(
            f"{urdf.file} has {len(urdf.moving)} moving joints; an xArm6 with an Allegro hand has "
            f"{ARM_JOINTS + HAND_JOINTS}\n  {_ROBOT_SOURCE}"
        )
    return urdf.file


def instances(folder: Path, task: str, split: str) -> tuple[Instance, ...]:
    """The objects of ``task`` ("faucet", ...) and ``split`` ("seen", "unseen"), in upstream's
    order; ManigymError names the file that is missing or malformed, and what was expected."""
    if split not in IDS[task]:
        raise ManigymError(f"{task} has no objects {split!r}; choose: {', '.join(IDS[task])}")
    ids = IDS[task][split]
    places = {str(i): folder / "sapien" / _RULES[task].folder.format(i) for i in ids}
    missing = [path.name for path in places.values() if not path.is_dir()]
    if missing:
        raise ManigymError(
            f"{len(missing)} of the {len(ids)} {split} objects of {task} are missing in "
            f"{folder / 'sapien'}: {', '.join(missing)}\n  {SOURCE}"
        )
    return tuple(_instance(folder, task, i, place) for i, place in places.items())


def _instance(folder: Path, task: str, name: str, place: Path) -> Instance:
    rules, notes = _RULES[task], folder / "annotation"
    urdf = Urdf(place / "mobility.urdf")
    ghosts: tuple[str, ...] = ()
    if rules.counted:
        joint = _hinge(place / "mobility_v2.json", urdf, rules)
    else:
        joint, ghosts = _lid(notes / "toilet_joint.txt", urdf, name)
    for link in rules.links:
        urdf.require_link(link)
    known: dict[str, Any] = {}
    if task != "faucet":
        check = partial(_positions, ajar=SETTINGS[task].ajar)
        known = entry(notes / f"{task}_joint_annotation.json", name, check)
    return Instance(
        name=name,
        urdf=urdf.file,
        joint=joint,
        place=_note(rules, notes / _PLACES.format(task), "place", name),
        scale=_note(rules, notes / f"{task}_scale.json", "scale", name),
        body=rules.links[0] if rules.links else "",
        ghosts=ghosts,
        **known,
    )


def _note(rules: _Rules, file: Path, kind: str, name: str) -> Any:
    """The place or the scale of an object."""
    default = getattr(rules, kind)
    if kind in rules.optional and not file.exists():
        return default
    return entry(file, name, {"place": triple, "scale": positive}[kind], default)


def _positions(value: Any, ajar: float) -> dict[str, Any]:
    """Where the joint is when the task begins and when it is done, and its range if that is not
    the URDF's; the task starts with it open by ``ajar`` rad."""
    if not isinstance(value, dict):
        raise ValueError(f'expected {{"left": rad, "middle": rad}}, got {value!r}')
    ranged = not value.keys().isdisjoint(("min", "max"))
    for key in ("left", "middle", *(("min", "max") if ranged else ())):
        if key not in value:
            raise ValueError(f"expected {key!r}, got only {', '.join(value) or 'nothing'}")
    found: dict[str, Any] = {"closed": number(value["left"]), "open": number(value["middle"])}
    if abs(found["closed"] - found["open"]) <= ajar:
        raise ValueError(
            f"left {found['closed']} and middle {found['open']} are at most {ajar} rad apart, by "
            "which the task starts open: nothing is left to do"
        )
    if ranged:
        ends = number(value["min"]), number(value["max"])
        found["limits"] = min(ends), max(ends)
    return found


def _hinge(file: Path, urdf: Urdf, rules: _Rules) -> str:
    """The joint at which as many entries have been counted as SAPIEN has moving joints; the last
    hinge of the name is taken."""
    count, found = 0, None
    entries = read(file, list)
    for one in entries:
        if not isinstance(one, dict) or not {"joint", "name"} <= one.keys():
            raise ManigymError(f"{file}: every entry has a joint and a name, got {one!r}")
        count += one["joint"] in rules.counted
        if one["joint"] == "hinge" and rules.handle in ("", one["name"]):
            found = count - 1
    if count != len(urdf.moving) or (rules.complete and len(entries) != len(urdf.joints)):
        kinds = f"{len(entries)} entries, {count} of them {' or '.join(rules.counted)}"
        raise ManigymError(
            f"{file} has {kinds}; {urdf.file} has {len(urdf.joints)} joints, "
            f"{len(urdf.moving)} of them moving. They do not belong together.\n  {SOURCE}"
        )
    if found is None or not urdf.moving:
        named = f" named {rules.handle!r}" if rules.handle else ""
        raise ManigymError(f"object without a handle: {file} has no hinge{named}\n  {SOURCE}")
    return urdf.moving[found]


def _lid(file: Path, urdf: Urdf, name: str) -> tuple[str, tuple[str, ...]]:
    """A toilet's joint; its lid and its seat, which pass through one another."""
    table = words(file)
    if name not in table:
        raise ManigymError(f"{file} says nothing about object {name}\n  {SOURCE}")
    if len(table[name]) < 3:
        raise ManigymError(
            f"{file}, object {name}: expected lid joint, lid link, body link[, seat link], "
            f"got {' '.join(table[name]) or 'nothing'}\n  {SOURCE}"
        )
    joint, lid, _, *seat = table[name]
    if joint not in urdf.moving:
        raise ManigymError(
            f"object without a handle: {urdf.file} has no moving joint {joint!r}; "
            f"it has: {', '.join(urdf.moving) or 'none'}\n  {SOURCE}"
        )
    ghosts = (lid, seat[0]) if seat else ()
    for link in (lid, *ghosts):
        urdf.require_link(link)
    return joint, ghosts
