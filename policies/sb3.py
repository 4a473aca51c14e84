"""Stable-Baselines3 checkpoints behind our interface."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from envs.schema import Interface, ManigymError
from policies.base import Observations, Policy, PolicySpec

VECTORS = ("proprio", "state")
# Attributes that ``train`` gives a model: the modalities it was trained on, and the interface.
RECORDED = "manigym_observations"
INTERFACE = "manigym_interface"


def library(wanted: str) -> Any:
    """The package ``stable_baselines3``, or what to do without it."""
    try:
        import stable_baselines3
    except ImportError:
        raise ManigymError(
            f'{wanted} needs stable-baselines3: pip install -c constraints.txt -e ".[sb3]"'
        ) from None
    return stable_baselines3


def concatenated(rows: Mapping[str, np.ndarray], modalities: Sequence[str]) -> np.ndarray:
    """Flat key -> (B, ...) to float32 (B, N), in the order of ``modalities`` and not of the keys:
    what a model over a ``Box`` sees, in training as in a run."""
    ordered = [v for name in modalities for k, v in rows.items() if k.split("/")[0] == name]
    return np.concatenate([np.asarray(v, np.float32).reshape(len(v), -1) for v in ordered], 1)


class SB3Policy(Policy):
    """Runs a ``model.save`` file of any Stable-Baselines3 algorithm, deterministically.

    A model over a ``Box`` sees the named modalities concatenated in order (float32); one over a
    ``Dict`` sees them under their flat keys. ``algorithm``: class name, e.g. PPO, SAC, TD3.
    ``observations``: by default those the file names, which ``train`` writes, else ``VECTORS``.
    """

    packages: ClassVar[tuple[str, ...]] = ("stable-baselines3",)

    def __init__(
        self,
        checkpoint: Path,
        algorithm: str = "PPO",
        observations: Sequence[str] | None = None,
    ) -> None:
        loader: Any = getattr(library(f'policy "{self.name or "sb3"}"'), algorithm, None)
        if not hasattr(loader, "load"):
            raise ManigymError(
                f"stable-baselines3 has no algorithm {algorithm!r}; try PPO, SAC or TD3"
            )
        try:
            self._model = loader.load(checkpoint, device="cpu")
        except Exception as error:  # its loader raises many kinds for a foreign file
            raise ManigymError(
                f"{checkpoint} is not a Stable-Baselines3 {algorithm} checkpoint "
                f"({type(error).__name__}: {error})"
            ) from error
        recorded = getattr(self._model, RECORDED, VECTORS)
        self.spec = PolicySpec(observations=tuple(observations or recorded))

    @classmethod
    def from_options(cls, checkpoint: Path | None, options: Mapping[str, Any]) -> SB3Policy:
        if checkpoint is None:
            raise ManigymError(f"policy {cls.name!r} needs --checkpoint FILE (a model.save() zip)")
        return cls._made(options, checkpoint)

    def start(self, interface: Interface, seeds: Sequence[int]) -> list[None]:
        got, expected = self._model.action_space.shape, (interface.action_size,)
        if got != expected:
            raise ManigymError(
                f"the checkpoint acts in {got} dimensions, {interface.env} takes {expected}"
            )
        if trained := getattr(self._model, INTERFACE, None):
            interface.check_action(Interface.from_dict(trained), "the checkpoint")
        given = {key: shape for key, (shape, _) in interface.observation.items()}
        sees, sizes = self._sees(), [math.prod(shape) for shape in given.values()]
        if sees != (given if isinstance(sees, dict) else (sum(sizes),)):
            raise ManigymError(
                f"the checkpoint sees {sees}, {interface.env} gives {given}; name the modalities "
                "it was trained on, in order: policy.observations=[...]"
            )
        return [None] * len(seeds)

    def _sees(self) -> dict[str, tuple[int, ...]] | tuple[int, ...]:
        """Shape of a model over a ``Box``, shapes by key of one over a ``Dict``."""
        space = self._model.observation_space
        return {k: s.shape for k, s in space.items()} if hasattr(space, "spaces") else space.shape

    def act(self, observations: Observations, states: Sequence[None]) -> np.ndarray:
        now = {key: np.asarray(value)[:, -1] for key, value in observations.items()}
        over_dict = isinstance(self._sees(), dict)
        given: Any = now if over_dict else concatenated(now, self.spec.observations)
        actions, _ = self._model.predict(given, deterministic=True)
        return np.asarray(actions, np.float32)[:, None]


class SB3TrainedPolicy(SB3Policy):
    """One that ``train`` makes: the ``algorithm`` is fixed."""

    algorithm: ClassVar[str]

    def __init__(self, checkpoint: Path, observations: Sequence[str] | None = None) -> None:
        super().__init__(checkpoint, self.algorithm, observations)

    @classmethod
    def from_options(cls, checkpoint: Path | None, options: Mapping[str, Any]) -> SB3Policy:
        if checkpoint is None:
            raise ManigymError(
                f"policy {cls.name!r} needs --checkpoint FILE. Train it first: "
                f"python -m benchmark train --policy {cls.name} --env ID"
            )
        return super().from_options(checkpoint, options)


class PPOPolicy(SB3TrainedPolicy):
    """Proximal policy optimisation (Schulman et al. 2017)."""

    algorithm = "PPO"


class SACPolicy(SB3TrainedPolicy):
    """Soft actor-critic (Haarnoja et al. 2018)."""

    algorithm = "SAC"
