"""Where objects and robot come from: our own, or the files of upstream."""

from __future__ import annotations

from pathlib import Path

from envs.dexart import upstream
from envs.dexart.instance import Instance
from envs.dexart.objects import COUNTS, build
from envs.dexart.robot import URDF
from envs.dexart.upstream_files import SOURCE
from envs.schema import ManigymError

SPLITS = ("seen", "unseen")


def instances_of(task: str, split: str, folder: Path | None) -> tuple[Instance, ...]:
    """The objects of a task, in upstream's order; ``folder``: upstream's ``assets``, or none."""
    if folder is not None:
        return upstream.instances(_existing(folder), task, split)
    return tuple(build(task, split, index) for index in range(COUNTS[task][split]))


def robot_urdf(folder: Path | None) -> Path:
    """Our robot, or upstream's in its ``assets`` folder."""
    return URDF if folder is None else upstream.robot(_existing(folder))


def _existing(folder: Path) -> Path:
    """The folder, ``~`` being the user's own."""
    try:
        found = folder.expanduser()
    except RuntimeError as error:  # ~name of a user that is not there
        raise ManigymError(f"asset_folder {str(folder)!r}: {error}") from error
    if not found.is_dir():
        raise ManigymError(f"asset_folder: no such folder: {found}\n  {SOURCE}")
    return found
