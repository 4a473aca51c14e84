"""ManiFlow: flow matching with consistency training on a DiT-X transformer (arXiv 2509.01819).

Axes: B batch, O observed steps, H predicted steps, K executed steps, A action size.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from time import perf_counter
from typing import Any, Self, cast

import numpy as np
import torch
from torch import Tensor, nn

from envs.schema import Interface, ManigymError
from policies.base import FinetunablePolicy, Observations
from policies.checkpoint import FIELDS, read_checkpoint, write_checkpoint
from policies.device import pick_device
from policies.maniflow.actor_critic import ManiFlowActorCritic
from policies.maniflow.augment import augment
from policies.maniflow.chain_config import ChainConfig
from policies.maniflow.config import INFERENCE_KEYS, ManiFlowConfig
from policies.maniflow.encoders import INSTRUCTION, trained_options, used_keys
from policies.maniflow.frozen import Freezer
from policies.maniflow.language import text_encoder
from policies.maniflow.network import ManiFlowNetwork
from policies.maniflow.objective import maniflow_loss
from policies.maniflow.seeding import draw_seed, seeded
from policies.normalize import Normalizer


@dataclass
class EpisodeState:
    """All that an episode carries from one call to the next: the source of its noise."""

    generator: torch.Generator


class ManiFlowPolicy(FinetunablePolicy):
    """Predicts H steps from O observations and executes K of them.

    ``record`` is what training stored beside the weights (data, settings, environment options).
    """

    name = "maniflow"
    Config = ManiFlowConfig
    inference_keys = INFERENCE_KEYS
    ChainConfig = ChainConfig
    config: ManiFlowConfig
    module: nn.Module
    stages: dict[str, float]

    def __init__(
        self,
        config: ManiFlowConfig,
        interface: Interface,
        module: ManiFlowNetwork,
        record: Mapping[str, Any] | None = None,
    ) -> None:
        self.config = config
        self.interface = interface
        self.module = module
        self.record = dict(record or {})
        self.frozen = Freezer(config.precision, config.compile)
        self.keys = used_keys(config.observations, interface, config.cameras)
        self.language = text_encoder(config.language) if INSTRUCTION in self.keys else None
        spec = config.spec()
        options = {
            **self.record.get("env_options", {}),
            **spec.env_options,
            **trained_options(self.keys, interface),
        }
        self.spec = replace(spec, env_options=options)

    @classmethod
    def build(cls, config: ManiFlowConfig, interface: Interface, normalizer: Normalizer) -> Self:
        """A fresh policy; `config.init_seed` alone decides its weights."""
        config = config.resolved()
        spoken = INSTRUCTION in config.observations
        words = text_encoder(config.language).size if spoken else 0
        try:
            with seeded(config.init_seed):
                return cls(config, interface, ManiFlowNetwork(config, interface, normalizer, words))
        except ValueError as error:  # sizes that do not go together
            raise ManigymError(f"policy {cls.name!r}: {error}") from None

    @classmethod
    def from_options(cls, checkpoint: Path | None, options: Mapping[str, Any]) -> Self:
        """A trained policy, with some of `INFERENCE_KEYS` changed."""
        if checkpoint is None:
            raise ManigymError(f"policy {cls.name!r} must be trained first; give --checkpoint FILE")
        policy = cls.load(checkpoint).with_options(options)
        policy.module.to(pick_device(policy.config.device))
        torch.set_num_threads(policy.config.threads)
        return policy

    @property
    def network(self) -> ManiFlowNetwork:
        """The module, by its own type."""
        return cast(ManiFlowNetwork, self.module)

    def with_options(self, options: Mapping[str, Any]) -> Self:
        """The same network, used with other inference settings."""
        others = sorted(set(options) - set(INFERENCE_KEYS))
        if others:
            known = hasattr(self.config, others[0])
            problem = "is fixed by training" if known else "does not exist"
            raise ManigymError(
                f"policy.{others[0]} {problem}; a checkpoint takes only {', '.join(INFERENCE_KEYS)}"
            )
        config = replace(self.config, **options).resolved()
        return type(self)(config, self.interface, self.network, self.record)

    def start(self, interface: Interface, seeds: Sequence[int]) -> list[EpisodeState]:
        """One state per seed, after checking that the policy fits the environment."""
        self._check(interface)
        return [EpisodeState(torch.Generator().manual_seed(seed)) for seed in seeds]

    def act(self, observations: Observations, states: Sequence[EpisodeState]) -> np.ndarray:
        """Observations key -> (B, O, ...) and B states -> float32 actions (B, K, A) in [-1, 1].

        Every row draws its noise from its own state, whatever the batch. `stages` are then the
        seconds of `encode` (observations to context tokens) and `denoise` (noise to actions).
        """
        self.module.eval()
        self.stages = dict.fromkeys(("encode", "denoise"), 0.0)
        self._check_batch(observations, len(states))
        size = (self.config.horizon, self.interface.action_size)
        noise = torch.stack([torch.randn(size, generator=s.generator) for s in states])
        rows = self.config.rows_per_call or len(states)
        chunks = [
            self._predict(observations, noise, np.arange(at, at + rows))
            for at in range(0, len(states), rows)
        ]
        return self.executed(torch.cat(chunks)[: len(states)])

    @property
    def slice(self) -> slice:
        """The predicted steps that are executed."""
        first = self.config.n_obs - 1
        return slice(first, first + self.config.n_action)

    def executed(self, actions: Tensor) -> np.ndarray:
        """Unnormalised actions (B, H, A) on the CPU -> float32 (B, K, A) in [-1, 1]."""
        return actions[:, self.slice].clamp(-1, 1).numpy()

    @torch.inference_mode()
    def _predict(self, observations: Observations, noise: Tensor, rows: np.ndarray) -> Tensor:
        """Unnormalised actions (b, H, A) of b rows, on the CPU; beyond the last it is repeated."""
        network = self.network
        device = network.device
        rows = rows.clip(max=len(noise) - 1)
        frozen = self.frozen(network.transformer)
        started = self._clock()
        obs = self.tensors({key: observations[key][rows] for key in self.keys})
        cond = network.encode(obs)
        encoded = self._clock()
        settings = self.config.num_inference_steps, self.config.target, self.config.hop
        actions = frozen.sample(cond, noise[rows].to(device), *settings)
        self.stages["encode"] += encoded - started
        self.stages["denoise"] += self._clock() - encoded
        return network.normalizer.unnormalize("action", actions).float().cpu()

    def _clock(self) -> float:
        """Seconds, once the device has done all it was given."""
        device = self.network.device
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        return perf_counter()

    def tensors(self, observations: Observations) -> dict[str, Tensor]:
        """What the network sees of arrays key -> (B, O, ...); text as vectors (B, O, D)."""
        given = {key: observations[key] for key in self.keys}
        if self.language is not None:
            given[INSTRUCTION] = self.language.encode(np.asarray(given[INSTRUCTION]))
        device = self.network.device
        return {key: torch.as_tensor(value, device=device) for key, value in given.items()}

    def read_instructions(self, sentences: Sequence[str]) -> None:
        if self.language is not None:
            self.language.read(sentences)

    def loss(
        self, batch: Mapping[str, Any], teacher: nn.Module, generator: torch.Generator
    ) -> tuple[Tensor, dict[str, float]]:
        """Scalar loss of a batch of windows; augments only while the module is in train mode.

        The teacher's transformer gives the consistency targets from the student's context tokens.
        """
        network = self.network
        device = network.device
        obs = self.tensors(batch["obs"])
        actions = torch.as_tensor(batch["action"], device=device)
        if self.config.augment and network.training:
            obs = augment(obs, generator)
        drops = bool(self.config.dropout) and network.training
        with seeded(draw_seed(generator), device) if drops else nullcontext():
            return maniflow_loss(
                network.transformer,
                cast(ManiFlowNetwork, teacher).transformer,
                network.normalizer.normalize("action", actions),
                network.encode(obs),
                self.config.objective(),
                generator,
                network.dimension_weights,
            )

    def actor_critic(self, config: Any, seed: int) -> ManiFlowActorCritic:
        """The network as PPO trains it, a copy; `seed` decides the weights of what is new."""
        config = config.resolved()
        options = {key: getattr(config, key) for key in ("num_inference_steps", "hop")}
        if config.n_action is not None:
            options["n_action"] = config.n_action
        policy = self.with_options({**options, "rows_per_call": None})
        policy.module = copy.deepcopy(self.module)
        with seeded(seed):
            return ManiFlowActorCritic(policy, config)

    def save(self, path: Path, extra: Mapping[str, Any] | None = None) -> None:
        """Write one self-contained checkpoint; `extra` holds plain values and tensors."""
        content: dict[str, Any] = {
            "policy": self.name,
            "config": asdict(self.config),
            "interface": self.interface.to_dict(),
            "normalizer": self.network.normalizer.to_dict(),
            "weights": self.module.state_dict(),
        }
        if self.language is not None:
            content["language"] = self.language.probe()
        write_checkpoint(path, {**(extra or {}), **content})

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what `save` wrote, on the CPU, in eval mode."""
        content = read_checkpoint(path, cls.name)
        policy = cls.build(
            ManiFlowConfig.from_dict(content["config"]),
            Interface.from_dict(content["interface"]),
            Normalizer.from_dict(content["normalizer"]),
        )
        try:
            policy.module.load_state_dict(content["weights"])
        except RuntimeError as error:
            raise ManigymError(
                f"the weights in {path} do not fit its own settings ({error}); train anew"
            ) from error
        policy.module.eval()
        if "action" not in content["interface"]:
            print(f"{path} is of an older version: it does not say what its actions mean")
        if policy.language is not None:
            policy.language.check(content["language"])
        record = {k: v for k, v in content.items() if k not in (*FIELDS, "language")}
        return cls(policy.config, policy.interface, policy.network, record)

    def describe(self) -> dict[str, Any]:
        """Number of function evaluations per call, and of demonstrations trained on."""
        return {
            "nfe": self.config.num_inference_steps,
            "train_episodes": self.record.get("train_episodes"),
        }

    def _check(self, interface: Interface) -> None:
        """Raise unless the environment gives what the policy was trained with."""
        trained = self.interface
        if interface.action_size != trained.action_size:
            raise ManigymError(
                f"{interface.env} takes actions of size {interface.action_size}, but this policy "
                f"was trained for {trained.action_size} ({trained.env}); use a checkpoint trained "
                f"on {interface.env}"
            )
        interface.check_action(trained, "this policy")
        for key in self.keys:
            shape, found = trained.observation[key][0], interface.observation.get(key)
            if found is None or tuple(found[0]) != tuple(shape):
                got = "nothing" if found is None else f"shape {tuple(found[0])}"
                raise ManigymError(
                    f"{interface.env} gives {got} for observation {key!r}, but this policy was "
                    f"trained with shape {tuple(shape)} ({trained.env}); use the options it was "
                    f"trained with {dict(self.spec.env_options)} or another checkpoint"
                )

    def _check_batch(self, observations: Observations, rows: int) -> None:
        for key in self.keys:
            want = (rows, self.config.n_obs, *self.interface.observation[key][0])
            got = np.shape(observations[key]) if key in observations else None
            if got != want:
                raise ValueError(
                    f"observation {key!r}: expected (B, O, ...) = {want}, got shape {got}"
                )
