"""What happens between a policy and an environment: history, receding horizon, ensembling.

Done once here, for every policy. Axes: O observed steps, K steps of a predicted chunk, A actions.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from envs.schema import FlatObservation, ManigymError

# Weight of a prediction made ``age`` steps ago (0: the newest) among ``count`` of them.
ENSEMBLES: Mapping[str, Callable[[int, int], float]] = {
    # ACT (Zhao et al. 2023): exp(-0.01 i) with i = 0 for the *oldest* prediction.
    "act": lambda age, count: float(np.exp(-0.01 * (count - 1 - age))),
    # ManiFlow's EnsembleBuffer calls this "act": the *newest* weighs most.
    "act_newest": lambda age, count: float(np.exp(-0.01 * age)),
    # HATO (Lin et al. 2024): tau ** age with tau = 0.5.
    "hato": lambda age, count: 0.5**age,
    "average": lambda age, count: 1.0,
}


class History:
    """The last ``n_obs`` observations; before there are that many, the first one is repeated."""

    def __init__(self, n_obs: int) -> None:
        self._frames: deque[FlatObservation] = deque(maxlen=n_obs)
        self._n_obs = n_obs

    def extend(self, observations: Sequence[FlatObservation]) -> None:
        if not self._frames and observations:
            self._frames.extend([observations[0]] * self._n_obs)
            observations = observations[1:]
        self._frames.extend(observations)

    def window(self) -> dict[str, np.ndarray]:
        """Flat key -> array (O, ...), oldest first."""
        return {key: np.stack([frame[key] for frame in self._frames]) for key in self._frames[-1]}


class Executor:
    """Turns predicted chunks into the actions to execute next.

    Without ensembling: the first ``execute`` actions of each chunk (receding horizon). With it: one
    action a step, the weighted mean of every prediction still alive for that step.
    """

    def __init__(
        self, n_action: int, execute: int | None = None, ensemble: str | None = None
    ) -> None:
        self.execute = n_action if execute is None else execute
        if not 1 <= self.execute <= n_action:
            raise ManigymError(
                f"run.execute={self.execute}: the policy predicts {n_action} actions; "
                f"give 1..{n_action}"
            )
        if ensemble is not None and ensemble not in ENSEMBLES:
            raise ManigymError(f"run.ensemble={ensemble}: choose one of {', '.join(ENSEMBLES)}")
        if ensemble is not None and execute not in (None, 1):
            raise ManigymError(
                f"run.ensemble executes one action at a time, got run.execute={execute}"
            )
        self._ensemble = ENSEMBLES[ensemble] if ensemble else None
        self._predictions: deque[np.ndarray] = deque(maxlen=n_action)

    def next_actions(self, chunk: np.ndarray) -> np.ndarray:
        """Predicted (K, A) -> actions to execute now, (1, A) when ensembling, else (execute, A)."""
        if self._ensemble is None:
            return chunk[: self.execute]
        self._predictions.append(chunk)
        count = len(self._predictions)
        ages = range(count - 1, -1, -1)
        weights = np.array([self._ensemble(age, count) for age in ages])
        votes = np.stack([p[age] for p, age in zip(self._predictions, ages, strict=True)])
        return (weights[:, None] * votes).sum(0, keepdims=True).astype(np.float32) / np.float32(
            weights.sum()
        )
