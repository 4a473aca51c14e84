"""Episodes per hour on other machines, from what an episode costs on this one.

An episode costs ``simulator`` CPU seconds in worker processes and ``engine`` CPU seconds in the
caller's, which asks the policy, hashes nothing and draws nothing. One caller serves all workers, so
it is a bound of its own. The model::

    policy on the CPU   min(C / (simulator + engine + policy),  1 / (engine + policy))
    policy on a GPU     min((C - 1) / simulator,  1 / engine,  B / (calls * latency))

with C cores, ``calls`` of the policy per episode, and a GPU that answers B episodes at once after
``latency`` seconds. Assumed: cores are equal and do not share much else (times ``efficiency``, what
this machine's cores made of the first bound), every core has a worker, memory suffices, and
episodes are many more than workers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tabulate import tabulate

CORES = (2, 16, 96)
GPU_LATENCY = 0.010  # seconds; an assumption where none was measured
GPU_BATCH = 8


@dataclass(frozen=True)
class EpisodeCost:
    """CPU seconds of one episode, by who spends them; ``calls`` of the policy."""

    simulator: float
    engine: float
    policy: float
    calls: float
    efficiency: float = 1.0

    def on_cpu(self, cores: int) -> float:
        """Episodes per hour with the policy in the caller's process, on a core."""
        own = self.engine + self.policy
        return 3600 * min(self.efficiency * cores / (self.simulator + own), 1 / own)

    def with_gpu(self, cores: int, latency: float = GPU_LATENCY, batch: int = GPU_BATCH) -> float:
        """Episodes per hour with a GPU that answers ``batch`` episodes within ``latency``."""
        workers = self.efficiency * (cores - 1) / self.simulator
        return 3600 * min(workers, 1 / self.engine, batch / (self.calls * latency))


def forecast(costs: Sequence[tuple[str, EpisodeCost]], with_gpu: bool = True) -> str:
    """A table of predictions for a few machines; ``with_gpu``: whether the policy could use one."""
    larger = CORES[1:] if with_gpu else ()
    body = [
        [
            name,
            *(f"{1e3 * value:.3g}" for value in (cost.simulator, cost.engine, cost.policy)),
            *(f"{cost.on_cpu(cores):,.0f}" for cores in CORES),
            *(f"{cost.with_gpu(cores):,.0f}" for cores in larger),
        ]
        for name, cost in costs
    ]
    heads = [
        "ms of an episode:",
        *("simulator", "engine", "policy"),
        *(f"{cores} cores" for cores in CORES),
        *(f"{cores} cores + GPU" for cores in larger),
    ]
    assumed = f"; the GPU answers {GPU_BATCH} episodes within {1e3 * GPU_LATENCY:g} ms"
    note = (
        f"Predicted episodes per hour, with a worker on every core{assumed if with_gpu else ''} "
        "(assumptions: docs/throughput.md)"
    )
    return f"{note}\n{tabulate(body, heads, disable_numparse=True)}"
