"""How long a policy thinks: calls on real observations, in batches of several sizes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

import policies
from benchmark.engine.chunking import History
from benchmark.engine.inference import ask
from benchmark.throughput.contest import Contender, Once
from benchmark.throughput.environments import OURS
from benchmark.throughput.job import EnvJob
from envs.pool import Failure, make_pool
from envs.schema import Interface, ManigymError
from policies.base import Policy, TrainablePolicy
from policies.normalize import Normalizer

Window = dict[str, np.ndarray]


def load(
    name: str,
    checkpoint: Path | None,
    settings: Any,
    env: str,
    options: Mapping[str, Any],
    scratch: Path,
) -> Policy:
    """The policy to time; a trainable one without a checkpoint has random weights, and is read from
    a file in ``scratch`` like any other, so that it has its device and threads.

    ``settings``: the ``policy`` section; then an instance of the policy's ``Config``.
    """
    kind = policies.get(name)
    if checkpoint is not None or not issubclass(kind, TrainablePolicy):
        return kind.from_options(checkpoint, settings)
    spec = settings.spec()
    asked = {**spec.env_options, **options, "observations": spec.observations}
    with make_pool(env, asked) as pool:
        policy = kind.build(settings.resolved(), pool.interface, Normalizer({}))
    file = scratch / "random_weights.pt"
    policy.save(file)
    return kind.from_options(file, {})


@dataclass(frozen=True)
class PolicyJob:
    """Calls of ``policy`` with these windows, one for each row of the batch; ``seconds``: of a
    repeat, which has at least one call."""

    policy: Policy
    interface: Interface
    windows: Sequence[Window]
    seconds: float = 2.0


def first_windows(job: EnvJob, rows: int) -> tuple[Interface, list[Window]]:
    """What the policy sees at the start of the first episodes."""
    windows = []
    with make_pool(job.env, job.options) as pool:
        for seed in range(job.seed, job.seed + rows):
            pool.reset(0, seed)
            ((_, reply),) = pool.wait()
            if isinstance(reply, Failure):
                raise ManigymError(f"{job.env} cannot start: {reply}")
            history = History(job.policy.spec.n_obs)
            history.extend(reply.observations)
            windows.append(history.window())
        return pool.interface, windows


def calls(job: PolicyJob, name: str = OURS) -> Contender:
    """The unit is a call."""
    return Contender(name, lambda: _calling(job), detail=f"batch {len(job.windows)}")


@contextmanager
def _calling(job: PolicyJob) -> Iterator[Once]:
    rows = len(job.windows)

    def once() -> float:
        states = job.policy.start(job.interface, range(rows))
        done, end = 0, perf_counter() + job.seconds
        while not done or perf_counter() < end:
            ask(job.policy, job.windows, states)
            done += 1
        return done

    yield once
