"""Stable-Baselines3 checkpoints behind our interface."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from envs.schema import Interface, ManigymError
from policies.base import Observations, Policy, PolicySpec


class SB3Policy(Policy):
    """Runs a ``model.save`` file of any Stable-Baselines3 algorithm, deterministically.

    A model over a ``Box`` sees the named modalities concatenated in order (float32); one over a
    ``Dict`` sees them under their flat keys. ``algorithm``: class name, e.g. PPO, SAC, TD3.
    """

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
        loader = getattr(stable_baselines3, algorithm, None)
        if loader is None:
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
        return cls(checkpoint, **options)

    def start(self, interface: Interface, seeds: Sequence[int]) -> list[None]:
        got, expected = self._model.action_space.shape, (interface.action_size,)
        if got != expected:
            raise ManigymError(
                f"the checkpoint acts in {got} dimensions, {interface.env} takes {expected}"
            )
        if hasattr(self._model.observation_space, "spaces"):
            return [None] * len(seeds)
        sizes = [int(np.prod(interface.observation[key][0])) for key in self.spec.observations]
        if self._model.observation_space.shape != (sum(sizes),):
            raise ManigymError(
                f"the checkpoint sees {self._model.observation_space.shape}, "
                f"{' + '.join(self.spec.observations)} of {interface.env} has ({sum(sizes)},)"
            )
        return [None] * len(seeds)

    def act(self, observations: Observations, states: Sequence[None]) -> np.ndarray:
        now = {key: np.asarray(value)[:, -1] for key, value in observations.items()}
        given: Any = now
        if not hasattr(self._model.observation_space, "spaces"):
            given = np.concatenate([now[key] for key in self.spec.observations], axis=-1)
        actions, _ = self._model.predict(given, deterministic=True)
        return np.asarray(actions, np.float32)[:, None]
