"""The toy task for tests of the harness: a command in this process, a store, a network."""

from __future__ import annotations

from pathlib import Path

from benchmark.__main__ import main
from benchmark.collect import CollectJob, collect
from benchmark.data.store import TrajectoryStore

TOY = "Toy/reach-v0"
TINY = (
    "policy.preset=cpu_small",
    "policy.layers=1",
    "policy.width=16",
    "policy.heads=2",
    "policy.state_size=16",
    "policy.num_inference_steps=2",
    "training.batch_size=16",
    "training.threads=1",
    "training.device=cpu",
)


def bench(*arguments: object) -> int:
    """``python -m benchmark ARGUMENTS`` in this process: its exit status."""
    try:
        return main([str(argument) for argument in arguments])
    except SystemExit as stop:  # argparse
        return int(stop.code or 0)


def toy_store(path: Path, episodes: int = 6) -> TrajectoryStore:
    """Demonstrations of the toy's expert."""
    return collect(CollectJob(TOY, episodes), path)
