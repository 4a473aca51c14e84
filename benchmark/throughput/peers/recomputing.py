"""ManiFlow as its authors' code calls it: a full forward pass of the network for every step."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from benchmark.throughput.contest import Contender
from benchmark.throughput.policies import PolicyJob
from benchmark.throughput.policies import calls as our_calls
from envs.schema import ManigymError
from policies.maniflow.ditx import DiTX
from policies.maniflow.policy import ManiFlowPolicy
from policies.maniflow.sampler import sample_recomputing


class Recomputing:
    """In place of the network's frozen form: the same samples up to rounding."""

    def __init__(self, network: DiTX) -> None:
        self.network = network

    @torch.inference_mode()
    def sample(self, cond: Tensor, noise: Tensor, *settings: Any) -> Tensor:
        """Actions (B, T, A) from context tokens (B, L, C) and noise (B, T, A)."""
        return sample_recomputing(self.network, cond, noise, *settings)


def straightforward(policy: ManiFlowPolicy) -> ManiFlowPolicy:
    """The same policy, computed that way."""
    plain = copy.copy(policy)
    plain.frozen = Recomputing  # type: ignore[assignment]  # as a Freezer: network -> sampler
    return plain


def calls(job: PolicyJob, variant: str) -> Contender:
    """The unit is a call."""
    if not isinstance(job.policy, ManiFlowPolicy):
        raise ManigymError(f"--against recomputing is for ManiFlow, not {job.policy.name!r}")
    return our_calls(replace(job, policy=straightforward(job.policy)), "recomputing")
