"""Where objects and robot come from: our own, or the files of upstream."""

from __future__ import annotations

from pathlib import Path

from envs.dexart import upstream
from envs.dexart.instance import Instance
from envs.dexart.objects import COUNTS, build
from envs.dexart.robot import URDF

SPLITS = ("seen", "unseen")


def instances_of(task: str, split: str, folder: Path | None) -> tuple[Instance, ...]:
    """The objects of a task, in upstream's order; ``folder``: upstream's ``assets``, or none."""
    if folder is not None:
        return upstream.instances(folder, task, split)
    return tuple(build(task, split, index) for index in range(COUNTS[task][split]))


def robot_urdf(folder: Path | None) -> Path:
    """Upstream's robot where its folder has one, else ours."""
    found = None if folder is None else upstream.robot(folder)
    return found or URDF
