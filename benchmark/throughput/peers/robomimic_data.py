"""robomimic's ``SequenceDataset`` behind a torch ``DataLoader``, on the same episodes as HDF5.

Variants are its cache modes: ``all`` (every window is kept in RAM as it was made), ``low_dim``,
``none``.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmark.data.robomimic import export
from benchmark.data.robomimic_layout import plain_layout
from benchmark.data.store import TrajectoryStore
from benchmark.throughput.contest import Contender, Once
from benchmark.throughput.job import LoaderJob
from benchmark.throughput.loading import drawing, shuffled
from envs.schema import ManigymError

MODES = {"all": "all", "low_dim": "low_dim", "none": None}


def sequences(job: LoaderJob, variant: str = "") -> Contender:
    """Its windows of the same frames and actions."""
    from robomimic.utils.dataset import SequenceDataset
    from robomimic.utils.obs_utils import initialize_obs_utils_with_obs_specs

    mode = variant or "all"
    if mode not in MODES:
        raise ManigymError(f"--against robomimic:{mode}: its cache modes are {', '.join(MODES)}")

    @contextmanager
    def opened() -> Iterator[Once]:
        store = TrajectoryStore.open(job.data)
        layout = {key: plain_layout(store)[key] for key in job.keys}
        names = {key: parts[0].name for key, parts in layout.items()}
        pictures = [name for key, name in names.items() if key.startswith("rgb/")]
        vectors = [name for name in names.values() if name not in pictures]
        initialize_obs_utils_with_obs_specs({"obs": {"low_dim": vectors, "rgb": pictures}})
        with tempfile.TemporaryDirectory() as folder:
            dataset: Any = SequenceDataset(
                hdf5_path=str(export(store, Path(folder) / "demos.hdf5", layout=layout)),
                obs_keys=tuple(names.values()),
                dataset_keys=("actions",),
                frame_stack=job.n_obs,
                seq_length=job.horizon - job.n_obs + 1,
                get_pad_mask=True,
                load_next_obs=False,
                hdf5_cache_mode=MODES[mode],
            )
            yield drawing(shuffled(dataset, job), job)

    return Contender("robomimic", opened, detail=f"cache {mode}")
