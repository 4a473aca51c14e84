"""ManiFlow under PPO: its network with a value head, chains instead of actions.

Axes: B batch, O observed steps, N steps of the chain, H predicted and K executed steps, A action.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from policies.base import ActorCritic, Chain, Observations
from policies.maniflow.chain import (
    ChainNoise,
    Moment,
    Velocity,
    chain_logprob,
    gaussian_entropy,
    sample_chain,
)
from policies.maniflow.chain_config import ChainConfig
from policies.maniflow.sampler import conditioned
from policies.maniflow.value import NoiseNetwork, ValueHead

if TYPE_CHECKING:
    from policies.maniflow.policy import ManiFlowPolicy


class ManiFlowActorCritic(ActorCritic):
    """`policy` is the one that is trained: evaluating or saving it at any time is fine.

    `module` holds everything with weights: the policy's network, the value head with what it sees,
    the noise network. It stays in eval mode: with dropout on, ratios would be wrong by far more
    than the clip range.
    """

    policy: ManiFlowPolicy
    module: nn.ModuleDict

    def __init__(self, policy: ManiFlowPolicy, config: ChainConfig) -> None:
        """`config` must be resolved."""
        self.policy, self.config = policy, config
        network = policy.network
        tokens = network.encoder.length, network.encoder.size
        self.module = parts = nn.ModuleDict({"network": network})
        if config.add_value_head:
            if config.value_features == "own":
                parts["value_encoder"] = copy.deepcopy(network.encoder)
            parts["value_head"] = ValueHead(*tokens, config.value_hidden)
        if config.noise_method == "flow_noise":
            sizes = policy.config.horizon, policy.interface.action_size
            parts["noise"] = NoiseNetwork(*tokens, config.noise_hidden, sizes, config.noise_range)
        self.module.eval()
        network.encoder.requires_grad_(not config.freeze_encoder)

    @property
    def device(self) -> torch.device:
        return self.policy.network.device

    def tensors(self, observations: Observations) -> dict[str, Tensor]:
        return self.policy.tensors(observations)

    @property
    def chain_shape(self) -> tuple[int, int, int]:
        horizon, size = self.policy.config.horizon, self.policy.interface.action_size
        return self.config.num_inference_steps + 1, horizon, size

    def sample(self, obs: Mapping[str, Tensor], generators: Sequence[torch.Generator]) -> Chain:
        draws = torch.stack([torch.randn(self.chain_shape, generator=g) for g in generators])
        draws = draws.to(self.device)
        with torch.no_grad():
            velocity, noise = self._field(obs)
            chain, logprob = sample_chain(velocity, draws[:, 0], draws[:, 1:], noise)
        return Chain(chain, self._executed(logprob))

    def actions(self, chain: Tensor) -> np.ndarray:
        last = self.policy.network.normalizer.unnormalize("action", chain[:, -1])
        return self.policy.executed(last.float().cpu())

    def logprob(self, obs: Mapping[str, Tensor], chain: Tensor) -> tuple[Tensor, Tensor]:
        velocity, noise = self._field(obs)
        return self._executed(chain_logprob(velocity, chain, noise)), self._entropy(noise, chain)

    def value(self, obs: Mapping[str, Tensor]) -> Tensor:
        if "value_head" not in self.module:
            return torch.zeros(len(obs[self.policy.keys[0]]), device=self.device)
        network = self.policy.network
        if "value_encoder" in self.module:
            encoder = self.module["value_encoder"]
            return self.module["value_head"](encoder(network.normalized(self._used(obs))))
        with torch.no_grad():
            tokens = self._tokens(obs)
        return self.module["value_head"](tokens)

    def actor_parameters(self) -> list[nn.Parameter]:
        network = self.policy.network
        modules = [network.transformer, *([self.module["noise"]] if "noise" in self.module else [])]
        if not self.config.freeze_encoder:
            modules.append(network.encoder)
        return [p for module in modules for p in module.parameters()]

    def critic_parameters(self) -> list[nn.Parameter]:
        names = [name for name in ("value_encoder", "value_head") if name in self.module]
        return [p for name in names for p in self.module[name].parameters()]

    def _tokens(self, obs: Mapping[str, Tensor]) -> Tensor:
        return self.policy.network.encode(self._used(obs))

    def _used(self, obs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return {key: obs[key] for key in self.policy.keys}

    def _field(self, obs: Mapping[str, Tensor]) -> tuple[Velocity, ChainNoise]:
        """The velocity field of these observations and the noise that goes with it."""
        with torch.no_grad() if self.config.freeze_encoder else nullcontext():
            tokens = self._tokens(obs)
        network, config = self.policy.network, self.config
        steps, target = config.num_inference_steps, self.policy.config.target
        assert config.hop is not None
        velocity = conditioned(network.transformer, tokens, steps, target, config.hop)
        learned = self.module["noise"](tokens) if "noise" in self.module else None
        method, level = config.noise_method, config.noise_level
        return velocity, ChainNoise(method, level, config.min_std, learned)

    def _executed(self, logprob: Tensor) -> Tensor:
        """(B, N, H, A) -> (B, N, K): of the executed steps, summed over the action."""
        return logprob[:, :, self.policy.slice].float().sum(-1)

    def _entropy(self, noise: ChainNoise, chain: Tensor) -> Tensor:
        """Mean over the steps, executed actions and dimensions (B,); a step without noise has none.

        Of `flow_sde` and `flow_cps` it is a constant, as their noise is fixed.
        """
        x, steps = chain[:, 0], self.config.num_inference_steps
        stds = [noise.transition(x, x, Moment(k, steps))[1].expand_as(x) for k in range(steps)]
        std = torch.stack([s for s in stds if (s > 0).all()], 1)
        return gaussian_entropy(std[:, :, self.policy.slice]).mean((1, 2, 3))
