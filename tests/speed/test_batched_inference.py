"""CPU time of ManiFlow for 8 episodes that wait at once: one call against one call each.

The CPU preset as it is, 10 network evaluations, one thread (`OMP_NUM_THREADS=1`). Run with
``--benchmark-enable``; that both give the same bits is asserted either way.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from paired import cpu_ratio

from envs.schema import Interface
from policies.maniflow import ManiFlowConfig, ManiFlowPolicy
from policies.normalize import Normalizer

EPISODES, PAIRS, CALLS = 8, 15, 3
PROPRIO = {"proprio": ((9,), "float32")}
SEEN: dict[str, dict[str, Any]] = {
    "state": PROPRIO | {"state": ((10,), "float32")},
    "rgb": PROPRIO | {"rgb/front": ((84, 84, 3), "uint8")},
    "point_cloud": PROPRIO | {"point_cloud": ((512, 6), "float32")},
}


def windows(interface: Interface, n_obs: int) -> dict[str, np.ndarray]:
    """Random observations of all episodes, key -> (B, O, ...)."""
    rng = np.random.default_rng(0)
    return {
        key: rng.uniform(0, 255 if dtype == "uint8" else 1, (EPISODES, n_obs, *shape)).astype(dtype)
        for key, (shape, dtype) in interface.observation.items()
    }


def untrained(interface: Interface, modality: str) -> ManiFlowPolicy:
    """Weights have no part in the time, but zeros would hide differences."""
    config = ManiFlowConfig(observations=["proprio", modality])
    obs = windows(interface, config.n_obs)
    action = np.random.default_rng(1).uniform(-1, 1, (EPISODES, 10, 7)).astype(np.float32)
    policy = ManiFlowPolicy.build(config, interface, Normalizer.fit({**obs, "action": action}))
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for weights in policy.module.parameters():
            if not weights.any():
                weights.normal_(std=0.02, generator=generator)
    policy.module.eval()
    return policy


@pytest.mark.parametrize("modality", SEEN)
def test_one_call_for_eight_episodes(modality: str, benchmark: Any) -> None:
    interface = Interface("Test/env-v0", 7, SEEN[modality])
    policy = untrained(interface, modality)
    obs = windows(interface, policy.spec.n_obs)
    single = [{key: rows[[i]] for key, rows in obs.items()} for i in range(EPISODES)]

    def together(_: Any = None) -> np.ndarray:
        return policy.act(obs, policy.start(interface, range(EPISODES)))

    def alone(_: Any = None) -> np.ndarray:
        states = policy.start(interface, range(EPISODES))
        return np.concatenate([policy.act(single[i], [states[i]]) for i in range(EPISODES)])

    assert together().tobytes() == alone().tobytes()
    calls = np.zeros((CALLS, 1))
    ratios = [cpu_ratio(together, alone, calls, bool(pair % 2)) for pair in range(PAIRS)]
    benchmark.extra_info["ratio_to_one_call_each"] = float(np.median(ratios))
    benchmark.pedantic(together, rounds=5)
    assert np.median(ratios) < 1
