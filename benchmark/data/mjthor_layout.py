"""Folders and names of MolmoSpaces' data (``docs/data_format.md`` of ``allenai/molmospaces``)::

    <root>/{train,val,test}/house_7/
      trajectories_batch_1_of_1.h5                       traj_0, traj_1, ...
      episode_00000000_head_camera_batch_1_of_1.mp4      of traj_0; depth: ..._head_camera_depth_...

In the older *flat* layout ``traj_<i>/actions`` is a dataset, in the current one a group. A house is
on one side of a split, so its folder ("train/house_7") is the group of its episodes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import h5py

from benchmark.data.hdf5 import opened
from benchmark.data.mjthor_rows import decode_text
from envs.schema import ManigymError

Say = Callable[[str], object]  # what the user should know; print, or a list's append
KIND = "MolmoSpaces"
SCHEMA = "mjthor-spoc-13/1"
# MolmoSpaces' names of tasks (``task_type``) that are others than ours.
TASK_TYPES = {"nav_to_obj": "nav_to_object", "open": "open_drawer", "door_open": "open_door"}
SPLITS = ("train", "val", "test")
HOUSE = re.compile(r"(train|val|test)/house_\d+")
TRAJECTORY = re.compile(r"traj_(\d+)")
BATCH = "_batch_1_of_1"
DEPTH = "_depth"


@dataclass(frozen=True)
class Trajectory:
    """Where one episode is: a file, its number there, and its group ("train/house_7")."""

    file: Path
    number: int
    group: str

    @property
    def key(self) -> str:
        return f"traj_{self.number}"

    def __str__(self) -> str:
        return f"{self.file}: {self.key}"

    def video(self, camera: str) -> Path:
        """The film of a camera by the naming rule."""
        return self.file.with_name(video_name(self.number, camera, _suffix(self.file)))

    def cameras(self) -> list[str]:
        """Cameras with a film by the naming rule, depth films included."""
        pattern = re.compile(f"episode_{self.number:08d}_(.+){re.escape(_suffix(self.file))}")
        names = (pattern.fullmatch(path.stem) for path in self.file.parent.glob("*.mp4"))
        return sorted(match[1] for match in names if match)


def video_name(number: int, camera: str, suffix: str = BATCH) -> str:
    return f"episode_{number:08d}_{camera}{suffix}.mp4"


def group_folder(group: str, id_: int) -> str:
    """The folder of a store's group; an episode without a house gets one of its own."""
    return group if HOUSE.fullmatch(group) else f"train/house_{id_}"


def find(root: Path) -> list[Trajectory]:
    """All trajectories below ``root``: by folder, then file, then number."""
    found: list[Trajectory] = []
    for path in files(root):
        with opened(path, KIND) as file:
            matches = sorted(int(m[1]) for m in map(TRAJECTORY.fullmatch, file) if m)
        found += [Trajectory(path, number, _group(root, path)) for number in matches]
    if not found:
        raise ManigymError(
            f"{root} holds no trajectories; expected {{train,val,test}}/house_<n>/*.h5 with "
            "traj_0, traj_1, ..."
        )
    return found


def files(root: Path) -> list[Path]:
    """The HDF5 files of a root, a split or a house."""
    return [root] if root.is_file() else sorted({*_files(root)}, key=_order)


def is_folder(path: Path) -> bool:
    """Whether ``path`` holds MolmoSpaces' trajectories."""
    if not path.is_dir():
        return False
    first = next(iter(files(path)), None)
    if first is None or not h5py.is_hdf5(first):
        return False
    with opened(first, KIND) as file:
        return any(TRAJECTORY.fullmatch(key) for key in file)


def is_flat(trajectory: h5py.Group) -> bool:
    """Whether this is the older layout."""
    return isinstance(trajectory.get("actions"), h5py.Dataset)


def films(data: h5py.Group, where: Trajectory) -> tuple[dict[str, Path], list[str]]:
    """Camera -> film, and the cameras found by the naming rule because the file names none.

    Upstream's writer leaves ``obs/sensor_data`` empty when it saves films before it collects the
    rows, its normal way. A name is relative to the folder of the file, whatever folder was asked
    for.
    """
    named = data.get("obs/sensor_data", {})
    paths = {
        camera: where.file.with_name(Path(decode_text(values[()])).name)
        for camera, values in named.items()
        if isinstance(values, h5py.Dataset) and values.ndim <= 1
    }
    guessed = [camera for camera in where.cameras() if camera not in paths]
    return paths | {camera: where.video(camera) for camera in guessed}, guessed


def _files(root: Path) -> Iterator[Path]:
    for depth in ("*.h5", "*/*.h5", "*/*/*.h5"):
        yield from root.glob(depth)


def _order(path: Path) -> list[str | int]:
    """house_10 comes after house_9."""
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", str(path))]


def _suffix(file: Path) -> str:
    return file.stem.removeprefix("trajectories")


def _group(root: Path, path: Path) -> str:
    """``train/house_7`` where the folders say so, even from inside; else the folder."""
    house = path.parent
    named = f"{house.parent.name}/{house.name}"
    if HOUSE.fullmatch(named) or house == root:
        return named if HOUSE.fullmatch(named) else house.name
    return house.relative_to(root).as_posix() if root.is_dir() else house.name
