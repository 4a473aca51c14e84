"""Samples of the baseline DiT-X (12 x 768, 256 context tokens): frozen against upstream's way.

`FrozenDiTX.sample` and `sample_recomputing`, a full forward pass per step as upstream does, take
turns on the same input. Ratios of CPU time of one thread (`OMP_NUM_THREADS=1`); run with
``--benchmark-enable``, and ``-s`` for the table. Without, one step is run once: both ways must give
the same samples.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from policies.maniflow.ditx import DiTX, DiTXConfig
from policies.maniflow.frozen import FrozenDiTX
from policies.maniflow.sampler import sample_recomputing

pytest.importorskip("pytest_benchmark")

ROUNDS = 7
TOLERANCE = {"float32": 1e-5, "bfloat16": 0.03}
"""Largest difference of a sample; their rms is 1.1."""

CASES = [
    ("float32", 1, 10, 2.3),
    ("float32", 1, 1, 1.8),
    ("float32", 8, 10, 2.5),
    ("float32", 8, 1, 1.6),
    ("bfloat16", 1, 10, 4.0),
    ("bfloat16", 1, 1, 3.3),
    ("bfloat16", 8, 10, 5.0),
    ("bfloat16", 8, 1, 3.3),
]
"""Precision, batch, steps, and how many times as fast it must be."""


@pytest.fixture(scope="module")
def network() -> DiTX:
    torch.manual_seed(0)
    network = DiTX(DiTXConfig(14, 16, 192, 256, layers=12, width=768, heads=8)).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            if not parameter.any():
                parameter.normal_(std=0.02)
    return network


@pytest.fixture(scope="module")
def frozen(network: DiTX) -> dict[str, FrozenDiTX]:
    return {precision: FrozenDiTX(network, precision) for precision in TOLERANCE}


def seconds(call: Callable[[], Any]) -> float:
    start = time.process_time()
    call()
    return time.process_time() - start


@pytest.mark.parametrize(("precision", "batch", "steps", "least"), CASES)
def test_frozen_against_recomputing(
    benchmark: Any,
    network: DiTX,
    frozen: dict[str, FrozenDiTX],
    precision: str,
    batch: int,
    steps: int,
    least: float,
) -> None:
    if not benchmark.enabled and steps > 1:
        pytest.skip("a timing; one step shows that both ways agree")
    cond, noise = torch.randn(batch, 256, 192), torch.randn(batch, 16, 14)

    def ours() -> torch.Tensor:
        return frozen[precision].sample(cond, noise, steps)

    @torch.inference_mode()
    def upstreams() -> torch.Tensor:
        return sample_recomputing(network, cond, noise, steps)

    if not benchmark.enabled:
        assert float((benchmark(ours) - upstreams()).abs().max()) < TOLERANCE[precision]
        return
    difference = float((ours() - upstreams()).abs().max())
    assert difference < TOLERANCE[precision]
    pairs = [
        (seconds(ours), seconds(upstreams))
        if turn % 2
        else (seconds(upstreams), seconds(ours))[::-1]
        for turn in range(ROUNDS)
    ]
    ratios = [theirs / mine for mine, theirs in pairs]
    figures = {
        "ratio": float(np.median(ratios)),
        "ratio_least": min(ratios),
        "ratio_most": max(ratios),
        "difference": difference,
        "load": os.getloadavg()[0],
    }
    benchmark.group = f"{precision}, batch {batch}, {steps} steps"
    benchmark.extra_info.update(figures)
    benchmark.pedantic(ours, rounds=5)
    print(f"\n{benchmark.group}: " + ", ".join(f"{k} {v:.3g}" for k, v in figures.items()))
    assert figures["ratio"] >= least
