"""Stable-Baselines3 checkpoints behind our interface."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from envs.schema import Interface, ManigymError
from policies.base import Observations, Policy, PolicySpec


class SB3Policy(Policy):
    """Runs a ``model.save`` file of any Stable-Baselines3 algorithm, deterministically.

    A model over a ``Box`` sees the named modalities concatenated in order (float32); one over a
    ``Dict`` sees them under their flat keys. ``algorithm``: class name, e.g. PPO, SAC, TD3.
    """

    packages: ClassVar[tuple[str, ...]] = ("stable-baselines3",)

    def __init__(
        self,
        checkpoint: Path,
        algorithm: str = "PPO",
        observations: Sequence[str] = ("proprio", "state"),
    ) -> None:
        try:
            import stable_baselines3
        except ImportError:
            raise ManigymError(
                'policy "sb3" needs stable-baselines3: pip install -c constraints.txt -e ".[sb3]"'
            ) from None
        loader: Any = getattr(stable_baselines3, algorithm, None)
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
        self.spec = PolicySpec(observations=tuple(observations))

    @classmethod
    def from_options(cls, checkpoint: Path | None, options: Mapping[str, Any]) -> SB3Policy:
        if checkpoint is None:
            raise ManigymError('policy "sb3" needs --checkpoint FILE (a model.save() zip)')
        return cls._made(options, checkpoint)

    def start(self, interface: Interface, seeds: Sequence[int]) -> list[None]:
        got, expected = self._model.action_space.shape, (interface.action_size,)
        if got != expected:
            raise ManigymError(
                f"the checkpoint acts in {got} dimensions, {interface.env} takes {expected}"
            )
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
        given: Any = now
        if not isinstance(self._sees(), dict):
            given = np.concatenate([rows.reshape(len(states), -1) for rows in now.values()], -1)
        actions, _ = self._model.predict(given, deterministic=True)
        return np.asarray(actions, np.float32)[:, None]
