"""Where the environments of a training live."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from envs import installed
from envs.make import Workers
from envs.pool import Pool, make_pool


def training_pool(
    env_id: str,
    options: Mapping[str, Any],
    workers: Workers,
    num_envs: int,
    *,
    chunk: int = 1,
    n_obs: int = 1,
) -> Pool:
    """``num_envs`` environments, shared out among the workers; all in this process with one worker
    where the simulator is installed."""
    here = workers.count == 1 and workers.isolation != "process" and installed(env_id)
    places = replace(
        workers,
        count=min(workers.count, num_envs),
        scenes=-(-num_envs // workers.count),
        isolation="in_process" if here else workers.isolation,
    )
    return make_pool(env_id, options, places, slots=num_envs, chunk=chunk, n_obs=n_obs)
