"""Which format is this? Each by what makes it unmistakable, none by its name."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import h5py

from benchmark.data import mjthor_layout, robotwin_hdf5, spoc
from benchmark.data.hdf5 import opened
from benchmark.data.mjthor_layout import TRAJECTORY
from benchmark.data.mjthor_recordings import layout, of_mjthor
from benchmark.data.recordings import Recording, of_robomimic, of_robotwin, of_store
from envs.schema import ManigymError

STORE, ROBOMIMIC, ROBOTWIN = "trajectory store", "robomimic HDF5", "RoboTwin folder"
MJTHOR, SPOC = "MolmoSpaces", "SPOC"


@dataclass(frozen=True)
class Format:
    """``is_it``: whether a path that exists is of this format."""

    is_it: Callable[[Path], bool]
    recordings: Callable[[Path], Iterator[Recording]]


def _has(path: Path, wanted: Callable[[str], object]) -> bool:
    if not path.is_file() or not h5py.is_hdf5(path):
        return False
    with opened(path, "robomimic or MolmoSpaces") as file:
        return any(wanted(key) for key in file)


FORMATS: Mapping[str, Format] = {
    STORE: Format(lambda path: (path / "header.json").is_file(), of_store),
    ROBOMIMIC: Format(lambda path: _has(path, lambda key: key == "data"), of_robomimic),
    ROBOTWIN: Format(robotwin_hdf5.is_folder, of_robotwin),
    MJTHOR: Format(
        lambda path: mjthor_layout.is_folder(path) or _has(path, TRAJECTORY.fullmatch), of_mjthor
    ),
    SPOC: Format(spoc.is_folder, spoc.recordings),
}


def detect(path: Path) -> str:
    """The name of the format, a key of ``FORMATS``."""
    if not path.exists():
        raise ManigymError(f"{path}: no such file or folder")
    for name, kind in FORMATS.items():
        if kind.is_it(path):
            return name
    raise ManigymError(
        f"{path} is none of these: {', '.join(FORMATS)}; pass the file or the folder"
    )


def describe(path: Path, name: str) -> str:
    """The format in words."""
    return f"{name}, {layout(path)}" if name == MJTHOR else name
