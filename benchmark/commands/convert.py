"""robomimic HDF5 to a trajectory store, or a store to HDF5: the ending of the target decides.

python -m benchmark convert demo.hdf5 my_store --env Robomimic/lift-v0
python -m benchmark convert my_store demo.hdf5
"""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmark.data.robomimic import export, import_
from benchmark.data.robomimic_layout import task_layout
from benchmark.data.splits import split_store
from benchmark.data.store import TrajectoryStore
from envs import card
from envs.schema import ManigymError

HDF5 = (".hdf5", ".h5")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("source", type=Path)
    parser.add_argument("target", type=Path)
    parser.add_argument("--env", metavar="ID", help="task of an HDF5 file, e.g. Robomimic/lift-v0")
    parser.add_argument("--filter-key", metavar="NAME", help="keep the demos of mask/NAME")
    parser.add_argument("--pictures", action="store_true", help="also read the task's cameras")
    parser.add_argument("--next-obs", action="store_true", help="write next_obs (doubles the file)")


def main(args: argparse.Namespace) -> int:
    if not args.source.exists():
        raise ManigymError(f"{args.source}: no such file or folder")
    reading, writing = (path.suffix in HDF5 for path in (args.source, args.target))
    if reading == writing:
        raise ManigymError(
            f"one side must end in {' or '.join(HDF5)}: got {args.source} and {args.target}"
        )
    (_read if reading else _write)(args)
    print(args.target)
    return 0


def _read(args: argparse.Namespace) -> None:
    if args.env is None:
        raise ManigymError("--env ID is needed to read an HDF5 file, e.g. --env Robomimic/lift-v0")
    task = card(args.env)
    pictures = [f"rgb/{camera}" for camera in task.cameras] if args.pictures else []
    import_(
        args.source,
        args.target,
        env=task.id,
        layout=task_layout(task, ["proprio", "state", *pictures]),
        fps=task.protocol().control_hz,
        filter_key=args.filter_key,
        action=task.action,
    ).verify()


def _write(args: argparse.Namespace) -> None:
    store = TrajectoryStore.open(args.source)
    keys = [k.removeprefix("obs/") for k in store.header.keys if k.startswith("obs/")]
    layout = task_layout(card(store.header.env), keys)
    export(
        store, args.target, layout=layout, split=split_store(store, seed=0), next_obs=args.next_obs
    )
