"""One sample call of the baseline DiT-X (12 x 768, 256 context tokens), cached or recomputing.

Run with `OMP_NUM_THREADS=1` and `--benchmark-enable`. `sample` computes the keys and values of the
context and the modulation of all steps once; `sample_recomputing` does a full forward pass per
step, as upstream does.
"""

import pytest
import torch

from policies.maniflow.ditx import DiTX, DiTXConfig
from policies.maniflow.sampler import sample, sample_recomputing

pytest.importorskip("pytest_benchmark")


@pytest.fixture(scope="module")
def network() -> DiTX:
    torch.manual_seed(0)
    network = DiTX(DiTXConfig(14, 16, 192, 256, layers=12, width=768, heads=8)).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            if not parameter.any():
                parameter.normal_(std=0.02)
    return network


@pytest.mark.parametrize("steps", [1, 2, 4, 10])
@pytest.mark.parametrize("way", [sample, sample_recomputing], ids=["cached", "recomputing"])
def test_sample_call(benchmark, network, way, steps):
    benchmark.group = f"{steps} steps, batch 1"
    cond, noise = torch.randn(1, 256, 192), torch.randn(1, 16, 14)
    with torch.inference_mode():
        made = benchmark.pedantic(way, (network, cond, noise, steps), rounds=5, warmup_rounds=1)
        torch.testing.assert_close(
            made, sample_recomputing(network, cond, noise, steps), atol=1e-5, rtol=1e-4
        )
