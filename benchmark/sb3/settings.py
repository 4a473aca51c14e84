"""What can be said of a training with Stable-Baselines3; known without the package."""

from __future__ import annotations

from dataclasses import dataclass

from envs.schema import ManigymError

REWARDS = ("env", "success")
LOWEST = {
    "total_timesteps": 1,
    "num_envs": 1,
    "validate_every": 1,
    "validation_episodes": 1,
    "seed": 0,
    "threads": 0,
}


@dataclass
class SB3Settings:
    """``training.*``: reinforcement learning with Stable-Baselines3 on vectors.

    ``total_timesteps`` and ``validate_every`` count steps of all ``num_envs`` environments.
    ``reward``: the environment's, or ``success``: 1 in the step in which an episode succeeds.
    ``threads`` of a CPU: one gives the same weights whatever the number of cores; 0 is all cores.
    """

    total_timesteps: int = 200_000
    num_envs: int = 8
    learning_rate: float = 3e-4
    reward: str = "env"
    validate_every: int = 10_000
    validation_episodes: int = 20
    seed: int = 0
    device: str = "cpu"
    threads: int = 1
    wandb: bool = False

    def __post_init__(self) -> None:
        for name, low in LOWEST.items():
            if getattr(self, name) < low:
                raise ManigymError(
                    f"training.{name} must be at least {low}, got {getattr(self, name)}"
                )
        if not self.learning_rate > 0:  # NaN is not either
            raise ManigymError(f"training.learning_rate must be above 0, got {self.learning_rate}")
        if self.reward not in REWARDS:
            raise ManigymError(
                f"training.reward must be one of {', '.join(REWARDS)}; got {self.reward!r}"
            )
