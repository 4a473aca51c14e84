"""The module that is trained: normaliser, observation encoder and velocity network."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from envs.schema import Interface
from policies.maniflow.config import ManiFlowConfig
from policies.maniflow.ditx import DiTX, DiTXConfig
from policies.maniflow.encoders import build_encoder, used_keys
from policies.maniflow.groups import dimension_weights, head_sizes
from policies.maniflow.points import with_robot
from policies.maniflow.vectors import VECTORS
from policies.normalize import Normalizer


class ManiFlowNetwork(nn.Module):
    """Observations in physical units -> context tokens; and the velocity network on top."""

    dimension_weights: Tensor | None

    def __init__(
        self,
        config: ManiFlowConfig,
        interface: Interface,
        normalizer: Normalizer,
        words: int = 0,
    ) -> None:
        """`config` must be resolved; `words`: size of an encoded instruction."""
        super().__init__()
        assert config.layers and config.width and config.heads and config.state_size
        assert config.dropout is not None
        sizes = head_sizes(config.action_heads, interface)
        self.normalizer = normalizer
        self.limit = config.observation_limit
        self.encoder = build_encoder(
            used_keys(config.observations, interface, config.cameras),
            interface,
            config.n_obs,
            state_size=config.state_size,
            points=config.points,
            point_colors=config.point_colors,
            words=words,
        )
        self.transformer = DiTX(
            DiTXConfig(
                action_size=interface.action_size,
                horizon=config.horizon,
                context_size=self.encoder.size,
                context_length=self.encoder.length,
                layers=config.layers,
                width=config.width,
                heads=config.heads,
                time_size=config.time_size,
                dropout=config.dropout,
                qkv_bias=config.qkv_bias,
                qk_norm=config.qk_norm,
                head_sizes=sizes,
            )
        )
        weights = dimension_weights(interface, config.group_weights) if sizes else None
        # Not persistent: they follow from the settings. None counts all dimensions the same.
        self.register_buffer(
            "dimension_weights",
            torch.tensor(weights) if weights else None,
            persistent=False,
        )

    def encode(self, obs: Mapping[str, Tensor]) -> Tensor:
        """key -> (B, O, ...) to context tokens (B, L, C)."""
        return self.encoder(self.normalized(obs))

    def normalized(self, obs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """What the encoder sees of observations in physical units."""
        seen = with_robot(obs)
        found = {key: self.normalizer.normalize(key, value) for key, value in seen.items()}
        return {
            key: value.clamp(-self.limit, self.limit) if key in VECTORS else value
            for key, value in found.items()
        }

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.parameters()).device
