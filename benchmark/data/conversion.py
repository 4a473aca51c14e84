"""From one format to another: a store on one side, files of others on the other side."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from benchmark.data import (
    mjthor_export,
    mjthor_import,
    robotwin_hdf5,
    robotwin_layout,
    spoc,
)
from benchmark.data.formats import MJTHOR, ROBOMIMIC, ROBOTWIN, SPOC, STORE, detect
from benchmark.data.robomimic import export, import_
from benchmark.data.robomimic_layout import task_layout
from benchmark.data.splits import split_store
from benchmark.data.store import TrajectoryStore
from envs import card
from envs.schema import ManigymError, TaskCard

HDF5 = (".hdf5", ".h5")


@dataclass(frozen=True)
class Conversion:
    """What is asked for. ``modes``, ``clip`` and ``task_type`` concern MolmoSpaces, ``filter_key``
    and ``next_obs`` robomimic."""

    source: Path
    target: Path
    env: str | None = None
    pictures: bool = False
    filter_key: str | None = None
    next_obs: bool = False
    flat: bool = False
    modes: Mapping[str, str] = field(default_factory=dict)
    clip: bool = False
    task_type: str | None = None

    @property
    def task(self) -> TaskCard:
        if self.env is None:
            raise ManigymError("--env ID is needed to read these files, e.g. Robomimic/lift-v0")
        return card(self.env)


def convert(job: Conversion) -> None:
    """Do it; what is left out or changed is printed."""
    _direction(job)(job)


def _direction(job: Conversion) -> Callable[[Conversion], None]:
    """What the two paths ask for."""
    source, file = detect(job.source), job.target.suffix in HDF5
    if file and source != STORE:
        raise _unclear(job)
    if file:
        return _write_robomimic
    return READERS[source] if source in READERS else _folder_writer(job)


def _folder_writer(job: Conversion) -> Callable[[Conversion], None]:
    task = card(TrajectoryStore.open(job.source).header.env)
    if robotwin_layout.fits(task):
        return _write_robotwin
    if mjthor_export.fits(task):
        return _write_mjthor
    raise _unclear(job)


def _unclear(job: Conversion) -> ManigymError:
    return ManigymError(
        f"one side must end in {' or '.join(HDF5)}: got {job.source} and {job.target}; folders are "
        "written for tasks of RoboTwin and MJThor only"
    )


def _read_robomimic(job: Conversion) -> None:
    task = job.task
    pictures = [f"rgb/{camera}" for camera in task.cameras] if job.pictures else []
    import_(
        job.source,
        job.target,
        env=task.id,
        layout=task_layout(task, ["proprio", "state", *pictures]),
        fps=task.protocol().control_hz,
        filter_key=job.filter_key,
        action=task.action,
    ).verify()


def _write_robomimic(job: Conversion) -> None:
    store = TrajectoryStore.open(job.source)
    keys = [k.removeprefix("obs/") for k in store.header.keys if k.startswith("obs/")]
    layout, split = task_layout(card(store.header.env), keys), split_store(store, seed=0)
    export(store, job.target, layout=layout, split=split, next_obs=job.next_obs)


def _read_robotwin(job: Conversion) -> None:
    keys = _wanted(job, robotwin_hdf5.offered(job.source, job.task))
    robotwin_hdf5.import_(job.source, job.target, task=job.task, keys=keys).verify()


def _write_robotwin(job: Conversion) -> None:
    store = TrajectoryStore.open(job.source)
    task = card(store.header.env)
    robotwin_hdf5.export(store, job.target, task=task)
    print("RoboTwin's layout has no place for rewards, simulator states and the poses of things")
    if changed := robotwin_hdf5.changed(store, task):
        print(f"warning: {changed} actions were not what the joints were then told to do; written")
        print("is what they were told, which RoboTwin's layout takes for the action")


def _read_mjthor(job: Conversion) -> None:
    keys = _wanted(job, mjthor_import.offered(job.source, job.task))
    outside: mjthor_import.Outside = "clip" if job.clip else "refuse"
    mjthor_import.import_(
        job.source,
        job.target,
        task=job.task,
        keys=keys,
        modes=job.modes,
        outside=outside,
        task_type=job.task_type,
    ).verify()


def _write_mjthor(job: Conversion) -> None:
    store = TrajectoryStore.open(job.source)
    task = card(store.header.env)
    mjthor_export.export(store, job.target, task=task, modes=job.modes, flat=job.flat)


def _read_spoc(job: Conversion) -> None:
    env = job.env or spoc.KIND
    spoc.import_(job.source, job.target, env=env, pictures=job.pictures).verify()


def _wanted(job: Conversion, keys: list[str]) -> list[str]:
    """Without pictures, unless they are asked for."""
    wanted = [key for key in keys if job.pictures or not key.startswith("rgb/")]
    if len(wanted) < len(keys):
        print(f"left out: {', '.join(key for key in keys if key not in wanted)} (--pictures)")
    return wanted


READERS: Mapping[str, Callable[[Conversion], None]] = {
    ROBOMIMIC: _read_robomimic,
    ROBOTWIN: _read_robotwin,
    MJTHOR: _read_mjthor,
    SPOC: _read_spoc,
}
