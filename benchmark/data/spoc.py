"""SPOC's training data (``allenai/spoc-robot-training``, AI2-THOR), read into a store::

    <type>_type/<TASK>/house_id_to_sub_house_id_{train,val}.json
    <type>_type/<TASK>/{train,val}/<house id, 6 digits>/
      hdf5_sensors.hdf5                       /<episode>/<sensor>, T rows
      raw_navigation_camera__<episode>.mp4    T frames
      raw_manipulation_camera__<episode>.mp4

Row ``i`` of ``last_action_str`` is what led to row ``i``: the first is null and dropped, and the
last frame, after which nothing is done, as well. An action is one of 20; here it is float32 (20,),
1 for the chosen one and -1 for all others, so that the largest entry says which.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from benchmark.data import mjthor_videos as videos
from benchmark.data.hdf5 import alike, fill, opened
from benchmark.data.index import KeySpec, StoreHeader
from benchmark.data.mjthor_rows import decode_text
from benchmark.data.recordings import Recording
from benchmark.data.rows import Array
from benchmark.data.store import Episode, TrajectoryStore
from envs.schema import ManigymError

KIND = "SPOC"
SENSORS = "hdf5_sensors.hdf5"
# In the order of upstream's ALL_STRETCH_ACTIONS, so that indices are the same.
ACTIONS = (
    *("m", "r", "l", "b", "end", "sub_done", "ls", "rs", "p", "zm"),
    *("zp", "yp", "ym", "wp", "wm", "yms", "zms", "zps", "yps", "d"),
)
CAMERAS = ("navigation_camera", "manipulation_camera")
# Measured numbers of a row, joined to ``proprio`` as far as the files have them.
PROPRIO = ("last_agent_location", "relative_arm_location_metadata", "an_object_is_in_hand")
SENTENCES = {  # upstream chooses among synonyms at random, with tables of WordNet
    "ObjectNav": "navigate to a {}",
    "PickUp": "pick up a {}",
    "Pickup": "pick up a {}",
    "Fetch": "navigate to a {0} and pick up that {0}",
    "RoomNav": "navigate to the {}",
    "RoomVisit": "visit every room and say when you see a new one and when you are done",
    "SimpleExploreHouse": "visit every room and say when you see a new one and when you are done",
}


@dataclass(frozen=True)
class Sample:
    """Where one episode is."""

    file: Path
    key: str

    @property
    def group(self) -> str:
        """``train/house_000012``: houses stay on one side of a split."""
        return f"{self.file.parent.parent.name}/house_{self.file.parent.name}"

    def film(self, camera: str) -> Path:
        return self.file.with_name(f"raw_{camera}__{self.key}.mp4")

    def __str__(self) -> str:
        return f"{self.file}: {self.key}"


def is_folder(path: Path) -> bool:
    """Whether ``path`` holds SPOC's houses."""
    return path.is_dir() and any(True for _ in _files(path))


def find(root: Path) -> list[Sample]:
    """Episodes by house and number; where the list of a split is there, those it names."""
    found = []
    for path in _files(root):
        listed = _listed(path)
        with opened(path, KIND) as file:
            keys = sorted(file, key=lambda key: (len(key), key))
        found += [Sample(path, key) for key in keys if listed is None or key in listed]
    if not found:
        raise ManigymError(f"{root} holds no episodes; expected {{train,val}}/<house>/{SENSORS}")
    return found


def import_(
    folder: str | Path, store_path: str | Path, *, env: str = KIND, pictures: bool = True
) -> TrajectoryStore:
    """Read a folder into a new store; ``env``: the task's id, where there is one."""
    folder = Path(folder)
    found = find(folder)
    first = [camera for camera in CAMERAS if pictures and found[0].film(camera).is_file()]
    fps = videos.survey(found[0].film(first[0])).fps if first else 1.0

    def header(kinds: Mapping[str, KeySpec]) -> StoreHeader:
        settings = {"folder": folder.name, "actions": list(ACTIONS)}
        return StoreHeader(env, kinds, fps, source=KIND, settings=settings)

    episodes = (_read(i, sample, first) for i, sample in enumerate(found))
    return fill(Path(store_path), alike(episodes, dict(enumerate(found))), header)


def recordings(path: Path) -> Iterator[Recording]:
    """Episodes for inspection; a missing or shorter film is a finding, not an end."""
    for sample in find(path):
        films, problems = {}, []
        for camera in CAMERAS:
            try:
                films[camera] = videos.survey(sample.film(camera))
            except ManigymError as error:
                problems.append(str(error))
        with opened(sample.file, KIND) as file:
            data = file[sample.key]
            rows = {k: v for k, v in data.items() if isinstance(v, h5py.Dataset) and v.ndim}
            steps = len(rows["last_action_str"]) - 1
            yield Recording(
                name=str(sample),
                group=sample.group,
                steps=steps,
                actions={"action": _actions(data, sample)},
                shapes={k: (str(v.dtype), v.shape[1:]) for k, v in rows.items()},
                lengths={k: len(v) - 1 for k, v in rows.items() if k != "templated_task_spec"},
                numbers={k: v[()] for k, v in rows.items() if v.dtype.kind == "f"},
                films=films,
                film_frames=steps + 1,
                instruction=_instruction(data, sample),
                success=_success(data),
                problems=tuple(problems),
            )


def one_hot(names: list[str], where: str) -> Array:
    """float32 (T, 20): 1 for the chosen action, -1 for all others."""
    unknown = sorted({*names} - {*ACTIONS})
    if unknown:
        raise ManigymError(f"{where}: unknown actions {unknown}; SPOC's are {', '.join(ACTIONS)}")
    chosen = np.array([ACTIONS.index(name) for name in names])
    return (2.0 * (chosen[:, None] == np.arange(len(ACTIONS))) - 1).astype(np.float32)


def _files(root: Path) -> Iterator[Path]:
    yield from ([root / SENSORS] if (root / SENSORS).is_file() else sorted(root.rglob(SENSORS)))


def _listed(file: Path) -> set[str] | None:
    split = file.parent.parent
    path = split.parent / f"house_id_to_sub_house_id_{split.name}.json"
    if not path.is_file():
        return None
    houses = json.loads(path.read_text(encoding="utf-8"))
    return {str(key) for key in houses.get(file.parent.name, ())}


def _read(number: int, sample: Sample, cameras: list[str]) -> Episode:
    with opened(sample.file, KIND) as file:
        data = file[sample.key]
        action = _actions(data, sample)
        arrays = {"action": action}
        seen = [np.asarray(data[name][:-1], np.float32) for name in PROPRIO if name in data]
        if seen:
            arrays["obs/proprio"] = np.hstack([v.reshape(len(action), -1) for v in seen])
        spoken, success = _instruction(data, sample), _success(data)
    for camera in cameras:
        frames = videos.read(sample.film(camera))
        if len(frames) != len(action) + 1:
            raise ManigymError(
                f"{sample.film(camera)}: {len(frames)} frames, {sample.key} has {len(action) + 1} "
                "rows; copy the film again or leave this episode out"
            )
        arrays[f"obs/rgb/{camera}"] = frames[:-1]
    return Episode(number, arrays, success=success, group=sample.group, instruction=spoken)


def _actions(data: h5py.Group, sample: Sample) -> Array:
    names = [decode_text(row) for row in data["last_action_str"][()]]
    if len(names) < 2:
        raise ManigymError(f"{sample} has {len(names)} rows; 2 or more are needed for one action")
    return one_hot(names[1:], str(sample))


def _instruction(data: h5py.Group, sample: Sample) -> str:
    """A sentence for the task of the episode; the specification itself where none is known."""
    if "templated_task_spec" not in data:
        return ""
    text = decode_text(data["templated_task_spec"][0])
    try:
        spec: dict[str, Any] = json.loads(text)
    except ValueError as error:
        raise ManigymError(f"{sample}: templated_task_spec is not JSON ({error})") from error
    kind = str(spec.get("task_type", "")).removesuffix("Type")
    names = [*spec.get("synsets", ()), *spec.get("room_types", ()), ""]
    word = str(names[0]).split(".n.")[0].replace("_", " ").lower()
    return SENTENCES[kind].format(word) if kind in SENTENCES else text


def _success(data: h5py.Group) -> bool:
    """Of the last row; SPOC keeps what its expert solved, so without the sensor: yes."""
    reached = data.get("hypothetical_task_success")
    return True if reached is None else bool(np.asarray(reached[-1]).any())
