"""What a policy is. No torch here, so that plain policies load anywhere.

A policy object holds no episode state: everything that changes during an episode (its generator,
its memory) lives in the state that :meth:`Policy.start` makes, so that a result cannot depend on
which other episodes run beside it. Axes: B batch, O observed steps, H predicted steps, K executed
steps, A action size, N steps from noise to actions.
"""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Self

import numpy as np

from envs.schema import Interface, ManigymError

if TYPE_CHECKING:
    import torch

    from policies.normalize import Normalizer

Observations = Mapping[str, Any]


@dataclass(frozen=True)
class PolicySpec:
    """What a policy needs from an environment and gives back.

    ``observations``: modalities to ask for; ``env_options``: further ``gymnasium.make`` options the
    policy was trained with (image size, cameras, render profile); ``n_obs`` = O; ``n_action`` = K.
    """

    observations: tuple[str, ...] = ()
    n_obs: int = 1
    n_action: int = 1
    env_options: Mapping[str, Any] = field(default_factory=dict)


class Policy(ABC):
    """Chooses action chunks.

    ``packages``: distributions whose versions can change its answers (besides numpy, torch and its
    own, which are recorded anyway). ``stages``: seconds of the parts of the last :meth:`act` that a
    policy cares to tell apart, e.g. ``encode`` and ``denoise``.
    """

    spec: PolicySpec
    stages: Mapping[str, float] = MappingProxyType({})
    name: ClassVar[str] = ""
    packages: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def from_options(cls, checkpoint: Path | None, options: Mapping[str, Any]) -> Policy:
        """The policy that ``--policy NAME --checkpoint FILE policy.KEY=VALUE`` asks for."""
        if checkpoint is not None:
            raise ManigymError(f"policy {cls.name!r} takes no checkpoint, got {checkpoint}")
        return cls._made(options)

    @classmethod
    def _made(cls, options: Mapping[str, Any], *given: Any) -> Self:
        """``cls(*given, **options)``; a setting that it lacks or does not have is an error."""
        signature = inspect.signature(cls)
        try:
            signature.bind(*given, **options)
        except TypeError as error:
            takes = [f"policy.{name}" for name in list(signature.parameters)[len(given) :]]
            raise ManigymError(
                f"policy {cls.name!r}: {error}; its settings: {', '.join(takes) or 'none'}"
            ) from None
        return cls(*given, **options)

    @abstractmethod
    def start(self, interface: Interface, seeds: Sequence[int]) -> list[Any]:
        """One state per episode, seeded by ``seeds``; raises if ``interface`` does not fit."""

    @abstractmethod
    def act(self, observations: Observations, states: Sequence[Any]) -> np.ndarray:
        """Observations ``key -> (B, O, ...)``, B states -> float32 actions (B, K, A) in [-1, 1]."""

    def reset_seeds(self) -> list[int] | None:
        """Start states this policy has to be run on; ``None``: whatever the plan says."""
        return None

    def describe(self) -> dict[str, Any]:
        """What a leaderboard row says of this policy, e.g. ``{"nfe": 4}``."""
        return {}


class TrainablePolicy(Policy):
    """A policy with a network that behaviour cloning can fit.

    ``Config`` is a dataclass of plain values (the ``policy.*`` keys of the command line), of which
    ``inference_keys`` may still be changed after training (``from_options``).
    """

    Config: ClassVar[type[Any]]
    inference_keys: ClassVar[tuple[str, ...]] = ()
    config: Any
    module: torch.nn.Module

    @classmethod
    @abstractmethod
    def build(cls, config: Any, interface: Interface, normalizer: Normalizer) -> Self:
        """A fresh, untrained policy."""

    def read_instructions(self, sentences: Sequence[str]) -> None:
        """All sentences of the data, once before training: what is costly is computed now."""

    @abstractmethod
    def loss(
        self,
        batch: Mapping[str, Any],
        teacher: torch.nn.Module,
        generator: torch.Generator,
    ) -> tuple[torch.Tensor, dict[str, float]]:
        """Scalar loss and figures to log for a batch of windows.

        ``batch``: ``{"obs": {key: (B, O, ...)}, "action": (B, H, A), "action_is_pad": (B, H)}``,
        tensors but for the text ``instruction`` (B, O);
        ``teacher``: the EMA copy of :attr:`module`; all randomness comes from ``generator``.
        """

    @abstractmethod
    def save(self, path: Path, extra: Mapping[str, Any] | None = None) -> None:
        """Write one self-contained checkpoint (weights, config, interface, normaliser)."""

    @classmethod
    @abstractmethod
    def load(cls, path: Path) -> Self:
        """Read :meth:`save`'s file; a foreign or truncated file raises ``ManigymError``."""


class Chain(NamedTuple):
    """Actions with the noise that made them: ``steps`` float32 (B, N + 1, H, A) from the noise to
    the (normalised) actions, ``logprob`` float32 (B, N, K): the log-density of each of the N noisy
    steps, summed over the action, of the K steps that are executed."""

    steps: torch.Tensor
    logprob: torch.Tensor


class ActorCritic(ABC):
    """A policy under reinforcement learning: actions with a density, and a value.

    Observations are what ``tensors`` makes of an environment's: tensors ``key -> (B, O, ...)`` on
    ``device``. Nothing in it depends on a train mode: dropout is off.
    """

    policy: FinetunablePolicy
    module: torch.nn.Module

    @property
    @abstractmethod
    def device(self) -> torch.device:
        """Where the weights are, and where observations and chains must be."""

    @abstractmethod
    def tensors(self, observations: Observations) -> dict[str, torch.Tensor]:
        """Arrays ``key -> (B, O, ...)`` on ``device``; text as the numbers that stand for it."""

    @property
    @abstractmethod
    def chain_shape(self) -> tuple[int, int, int]:
        """(N + 1, H, A) of one chain."""

    @abstractmethod
    def sample(self, obs: Observations, generators: Sequence[torch.Generator]) -> Chain:
        """One chain per row, each from its own generator."""

    @abstractmethod
    def actions(self, chain: torch.Tensor) -> np.ndarray:
        """What a chain (B, N + 1, H, A) makes the robot do: float32 (B, K, A) in [-1, 1]."""

    @abstractmethod
    def logprob(self, obs: Observations, chain: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Log-densities (B, N, K) of chains under the present weights, and the mean entropy of an
        element in nats (B,)."""

    @abstractmethod
    def value(self, obs: Observations) -> torch.Tensor:
        """Expected return (B,); zeros without a value head."""

    @abstractmethod
    def actor_parameters(self) -> list[torch.nn.Parameter]:
        """What the policy's loss trains."""

    @abstractmethod
    def critic_parameters(self) -> list[torch.nn.Parameter]:
        """What the value's loss trains; shares nothing with the actor's."""


class FinetunablePolicy(TrainablePolicy):
    """A trained policy that reinforcement learning can go on with.

    ``ChainConfig`` is a dataclass of plain values: the ``policy.*`` keys of ``finetune``.
    """

    ChainConfig: ClassVar[type[Any]]

    @abstractmethod
    def actor_critic(self, config: Any, seed: int) -> ActorCritic:
        """A copy of the policy as an actor with a critic; ``seed`` decides new weights."""


def inference_options(kind: type[Policy], options: Mapping[str, Any]) -> dict[str, Any]:
    """Of ``policy.*`` those that may be given with a checkpoint; the others went into training."""
    if not issubclass(kind, TrainablePolicy):
        return dict(options)
    return {key: value for key, value in options.items() if key in kind.inference_keys}
