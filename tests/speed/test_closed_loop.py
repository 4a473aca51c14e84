"""Episodes per hour in closed loop, and steps per second, beside other ways to run them.

Chunks of eight, two frames seen, two cameras at 84 x 84, two processes, no policy cost: what an
evaluation of a chunked policy waits for. Run with ``--benchmark-enable``, and ``-s`` for the table;
without, one short round only shows that everyone does the work.
"""

from __future__ import annotations

from typing import Any

import pytest
from conftest import INSTALLED, needs_gl

from benchmark.throughput.contest import Contest, contest
from benchmark.throughput.environments import ClosedLoop, every_frame
from benchmark.throughput.figures import figures, table
from benchmark.throughput.job import EnvJob, StandIn
from benchmark.throughput.peers import peers_of
from envs.make import Workers

pytest.importorskip("pytest_benchmark")

SEEN = ("rgb", "proprio")
ROUNDS = 5
TASKS = ("Robomimic/lift-v0", "Robomimic/can-v0")


def job(env: str, seen: tuple[str, ...], timed: bool, workers: int = 2) -> EnvJob:
    if env not in INSTALLED:
        pytest.skip(f"{env} is not installed")
    horizon, seconds, episodes = (100, 3.0, 4) if timed else (8, 0.2, 2)
    options = {"observations": seen, "image_size": (84, 84), "horizon": horizon}
    policy = StandIn(seen, n_obs=2, n_action=8)
    return EnvJob(env, options, policy, Workers(workers), seconds=seconds, episodes=episodes)


def held(benchmark: Any, measure: str, env: str, contenders: Any) -> Contest:
    """The contest; its table is printed, its ratios are kept with the benchmark."""
    rounds = ROUNDS if benchmark.enabled else 1
    found: Contest = benchmark.pedantic(contest, (contenders, rounds), rounds=1)
    rows = figures(measure, env, "", found)
    benchmark.extra_info["ratios"] = {f"{r.contender} x {r.workers}": r.times for r in rows}
    benchmark.extra_info["load"] = found.load
    print(f"\n{table(rows)}")
    return found


@needs_gl
@pytest.mark.parametrize("env", TASKS)
@pytest.mark.parametrize(("peer", "ratio"), [("runner", 2.1), ("runner:bare", 7.5)])
def test_episodes_with_pictures(benchmark: Any, env: str, peer: str, ratio: float) -> None:
    work = job(env, SEEN, benchmark.enabled)
    contenders = [ClosedLoop(work).contender(), *peers_of("episodes", [peer], work)]
    ours, theirs = held(benchmark, "episodes", env, contenders).results
    if benchmark.enabled:
        assert ours.against(theirs)[0] >= ratio


def test_episodes_from_state(benchmark: Any) -> None:
    """A message per chunk and no picture: about as fast as the fastest peer, hashes included."""
    env = "Adroit/door-v0"
    work = job(env, ("proprio", "state"), benchmark.enabled)
    contenders = [ClosedLoop(work).contender(), *peers_of("episodes", ["runner", "async"], work)]
    ours, runner, one_by_one = held(benchmark, "episodes", env, contenders).results
    if benchmark.enabled:
        assert ours.against(runner)[0] >= 0.9
        assert ours.against(one_by_one)[0] >= 1.2


@needs_gl
@pytest.mark.parametrize("env", TASKS)
def test_steps_with_every_frame(benchmark: Any, env: str) -> None:
    two, one = (job(env, SEEN, benchmark.enabled, n) for n in (2, 1))
    contenders = [every_frame(two), every_frame(one), *peers_of("steps", ["async"], two)]
    both, alone, theirs = held(benchmark, "steps", env, contenders).results
    if benchmark.enabled:
        assert both.against(alone)[0] >= 1.6  # 1.9 on two idle cores
        assert both.against(theirs)[0] >= 0.9
