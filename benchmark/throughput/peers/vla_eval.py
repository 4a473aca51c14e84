"""``vla-eval`` 0.8.0: an evaluation harness whose policies answer through a websocket.

Its own parts run the episodes: ``SyncEpisodeRunner`` and ``Connection`` in one process per
environment (its shards), a ``PredictModelServer`` in this one (``serve_background``, as its
``evaluate`` does). Every step is observed and sent; the server keeps the rest of a chunk.
Settings: arrays as raw bytes (``set_image_format("raw")``; its default, PNG, is several times
slower), ``chunk_size`` of the policy, no batching across shards (``max_batch_size=1``, its
default), no recording, no stall watchdog; processes spawned with the thread settings of ours.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import count
from multiprocessing import get_context
from multiprocessing.connection import Connection as Pipe
from typing import Any

import numpy as np
from vla_eval.api import serve_background
from vla_eval.benchmarks.base import StepBenchmark, StepResult
from vla_eval.connection import Connection
from vla_eval.model_servers.predict import PredictModelServer
from vla_eval.protocol.numpy_codec import set_image_format
from vla_eval.runners.sync_runner import SyncEpisodeRunner

from benchmark.throughput.contest import Contender, Once
from benchmark.throughput.job import EnvJob
from benchmark.throughput.peers.lockstep import interface, named, processes_of, starting
from benchmark.throughput.peers.wrappers import Episodic, Log, Make


class PolicyServer(PredictModelServer):
    """The job's policy; keeps the newest frames and the policy's state of each connection."""

    def __init__(self, job: EnvJob) -> None:
        super().__init__(chunk_size=job.policy.spec.n_action)
        self._job, self._states = job, dict[str, Any]()
        n_obs = job.policy.spec.n_obs
        self._frames: dict[str, deque[Any]] = defaultdict(lambda: deque(maxlen=n_obs))

    async def on_episode_start(self, config: dict[str, Any], ctx: Any) -> None:
        await super().on_episode_start(config, ctx)
        self._frames[ctx.session_id].clear()
        self._states[ctx.session_id] = config["task"]["seed"]

    async def on_observation(self, obs: dict[str, Any], ctx: Any) -> None:
        frames = self._frames[ctx.session_id]
        frames.extend([obs] * (1 if frames else frames.maxlen or 1))
        await super().on_observation(obs, ctx)

    def predict(self, obs: dict[str, Any], ctx: Any) -> dict[str, Any]:
        policy, frames = self._job.policy, self._frames[ctx.session_id]
        windows = {key: np.stack([frame[key] for frame in frames])[None] for key in obs}
        if ctx.is_first:
            seed = self._states[ctx.session_id]
            self._states[ctx.session_id] = policy.start(interface(self._job, windows), [seed])
        return {"actions": policy.act(windows, self._states[ctx.session_id])[0]}


class OneTask(StepBenchmark):
    """Our environment as one of its benchmarks; a task is a seed."""

    def __init__(self, env: Episodic) -> None:
        super().__init__()
        self.env = env

    def get_tasks(self) -> list[dict[str, Any]]:
        return []

    def reset(self, task: dict[str, Any]) -> Any:
        return self.env.reset(seed=task["seed"])[0]

    def step(self, action: dict[str, Any]) -> StepResult:
        obs, reward, terminated, truncated, info = self.env.step(action["actions"])
        return StepResult(obs, reward, terminated or truncated, info)

    def make_obs(self, raw_obs: Any, task: dict[str, Any]) -> Any:
        return raw_obs

    def get_step_result(self, step_result: StepResult) -> dict[str, Any]:
        return {"success": step_result.done}


def shard(make: Make, url: str, pipe: Pipe) -> None:
    """A process with one environment: runs the episodes of the seeds it is sent, until ``None``."""
    set_image_format("raw")
    benchmark = OneTask(make.episode())
    pipe.send("ready")

    async def run() -> None:
        async with Connection(url) as connection:
            while (seeds := pipe.recv()) is not None:
                logs = []
                for seed in seeds:
                    task = {"name": make.env, "seed": seed}
                    await SyncEpisodeRunner().run_episode(benchmark, task, connection)
                    logs.append(benchmark.env.log())
                pipe.send(logs)

    try:
        asyncio.run(run())
    finally:
        benchmark.env.close()


@contextmanager
def opened(make: Make, workers: int, job: EnvJob) -> Iterator[list[Pipe]]:
    """The server here and a process for each environment; the pipes to them."""
    context, pipes = get_context("spawn"), list[Pipe]()
    set_image_format("raw")
    with ExitStack() as stack:
        server = stack.enter_context(serve_background(PolicyServer(job)))
        for _ in range(workers):
            ours, theirs = context.Pipe()
            process = context.Process(target=shard, args=(make, server.url, theirs), daemon=True)
            process.start()
            theirs.close()
            stack.callback(process.join)
            stack.callback(_dismiss, ours)
            pipes.append(ours)
        for pipe in pipes:
            pipe.recv()
        yield pipes


def _dismiss(pipe: Pipe) -> None:
    try:
        pipe.send(None)
    except ConnectionError:
        return  # it has ended already


def run_all(pipes: Sequence[Pipe], job: EnvJob, first: int) -> list[Log]:
    """``job.episodes`` episodes from the seeds ``first`` and following, shared out beforehand as
    its shards do: none waits for another."""
    size = len(pipes)
    for i, pipe in enumerate(pipes):
        pipe.send(list(range(first + i, first + job.episodes, size)))
    answers = [pipe.recv() for pipe in pipes]
    return [answers[i % size][i // size] for i in range(job.episodes)]


def episodes(job: EnvJob, variant: str) -> Contender:
    """The contender that runs ``job.episodes`` episodes a repeat, started from the seeds that ours
    starts them from."""
    make, spec = Make(job.env, job.options, variant, episodic=True), job.policy.spec
    workers, name = min(job.workers.count, job.episodes), named("vla-eval", variant)

    @contextmanager
    def running() -> Iterator[Once]:
        first = count(job.seed, job.episodes)
        with starting(name, make, lambda: opened(make, workers, job)) as pipes:

            def once() -> float:
                with processes_of(name, make):
                    return len(run_all(pipes, job, next(first)))

            yield once

    return Contender(name, running, workers, f"chunks of {spec.n_action}, {spec.n_obs} seen")
