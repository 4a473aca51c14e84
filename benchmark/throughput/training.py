"""Training samples per second: steps of behaviour cloning as ``train`` makes them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter
from typing import Any

from benchmark.config import TrainingSettings
from benchmark.data.splits import split_store
from benchmark.data.store import TrajectoryStore
from benchmark.data.windows import Windows
from benchmark.throughput.contest import Contender, Once
from benchmark.training.bc import begin, torch_threads, updates
from benchmark.training.job import fit_normalizer, store_interface
from envs.schema import ManigymError
from policies.base import TrainablePolicy
from policies.device import pick_device

ENDLESS = 1_000_000_000  # steps: far more than a repeat makes


@dataclass(frozen=True)
class TrainingJob:
    """Steps of ``policy_class`` with ``config`` (an instance of its ``Config``) on all episodes of
    the store at ``data``. Of ``settings`` the batch size, device, precision and threads matter.
    ``seconds``: of a repeat, which has at least one step."""

    policy_class: type[TrainablePolicy]
    config: Any
    data: Path
    settings: TrainingSettings
    seconds: float = 2.0


def ours(job: TrainingJob) -> Contender:
    """Batches, loss, gradients, optimizer and averaged weights; units are samples."""
    settings = replace(job.settings, steps=ENDLESS)
    device = pick_device(settings.device)

    @contextmanager
    def opened() -> Iterator[Once]:
        policy, windows = _prepared(job)
        size = min(settings.batch_size, len(windows))
        state = begin(policy, settings, device)
        with (
            torch_threads(settings),
            closing(updates(state, windows, settings, device)) as steps,
        ):

            def once() -> float:
                before, end = state.step, perf_counter() + job.seconds
                while state.step == before or perf_counter() < end:
                    next(steps)  # its loss is read, so a GPU has finished
                return float((state.step - before) * size)

            yield once

    return Contender("manigym", opened, detail=f"{settings.precision} on {device}")


def _prepared(job: TrainingJob) -> tuple[TrainablePolicy, Windows]:
    """The untrained policy and all windows of the data."""
    store = TrajectoryStore.open(job.data)
    interface = store_interface(store)
    wanted = tuple(job.config.observations)
    keys = [key for key in interface.observation if key.split("/")[0] in wanted]
    lacking = set(wanted) - {key.split("/")[0] for key in keys}
    if lacking:
        raise ManigymError(
            f"{job.data} has no {', '.join(sorted(lacking))}, which the policy looks at; it has "
            f"{', '.join(interface.observation)}"
        )
    split = split_store(store, seed=0, val_fraction=0.0)
    normalizer = fit_normalizer(store, split, keys, job.config, interface)
    policy = job.policy_class.build(job.config, interface, normalizer)
    if "instruction" in keys:
        policy.read_instructions(store.instructions.tolist())
    windows = Windows(
        store, n_obs=job.config.n_obs, horizon=job.config.horizon, obs_keys=keys, in_memory=True
    )
    return policy, windows
