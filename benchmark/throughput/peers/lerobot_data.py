"""LeRobot's ``LeRobotDataset`` with ``delta_timestamps``, on the same episodes written by LeRobot.

Variants: ``image`` (PNG in the tables, the same numbers) and ``video`` (LeRobot's default,
lossy; decoded by PyAV).
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmark.data.store import TrajectoryStore
from benchmark.throughput.contest import Contender, Once
from benchmark.throughput.job import LoaderJob
from benchmark.throughput.loading import drawing, shuffled
from envs.schema import ManigymError

VARIANTS = ("image", "video")


def sequences(job: LoaderJob, variant: str = "") -> Contender:
    """Its windows of the same frames and actions."""
    from lerobot.datasets.lerobot_dataset import LeRobotDataset

    kind = variant or "image"
    if kind not in VARIANTS:
        raise ManigymError(f"--against lerobot:{kind}: there are {', '.join(VARIANTS)}")

    @contextmanager
    def opened() -> Iterator[Once]:
        store = TrajectoryStore.open(job.data)
        names = {f"obs/{key}": f"observation.{key.replace('/', '.')}" for key in job.keys}
        names["action"] = "action"
        fps = round(store.header.fps)
        steps = [(i - job.n_obs + 1) / fps for i in range(job.horizon)]
        seen = dict.fromkeys(names.values(), steps[: job.n_obs]) | {"action": steps}
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder) / "demos"
            features = {name: _feature(store, key, kind) for key, name in names.items()}
            written = LeRobotDataset.create("local/demos", fps, features, root)
            _write(written, store, names)
            # Its other decoder needs FFmpeg's libraries beside it.
            dataset = LeRobotDataset(
                "local/demos", root=root, delta_timestamps=seen, video_backend="pyav"
            )
            yield drawing(shuffled(dataset, job), job)

    return Contender("LeRobotDataset", opened, detail=f"{kind}s")


def _feature(store: TrajectoryStore, key: str, kind: str) -> dict[str, Any]:
    dtype, shape = store.header.keys[key]
    if key.startswith("obs/rgb/"):
        return {"dtype": kind, "shape": shape, "names": ["height", "width", "channels"]}
    return {"dtype": dtype, "shape": shape, "names": None}


def _write(dataset: Any, store: TrajectoryStore, names: dict[str, str]) -> None:
    for i, length in enumerate(store.lengths.tolist()):
        episode = store.episode(i)
        for step in range(length):
            frame = {name: episode[key][step] for key, name in names.items()}
            dataset.add_frame({**frame, "task": str(store.instructions[i] or "demonstration")})
        dataset.save_episode()
    dataset.finalize()
