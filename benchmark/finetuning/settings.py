"""Settings of ``finetune``: the sections ``training.*`` and ``advantage.*``."""

from __future__ import annotations

from dataclasses import dataclass

from benchmark.config import at_least
from envs.schema import ManigymError

BACKENDS = ("manigym", "sb3")
REWARDS = ("success", "env")
PRECISIONS = ("float32", "bfloat16")
RATIOS = ("chunk_mean", "chunk", "denoising_step", "action_step")


@dataclass
class AdvantageSettings:
    """``advantage.*``: a decision is one chunk, so ``gamma`` and ``gae_lambda`` are per chunk.

    ``reward``: ``success`` is 1 in the chunk in which the episode succeeds and 0 elsewhere, ``env``
    the environment's own, summed over the chunk. ``shaping``: times the change of the environment's
    own reward over the chunk is added: progress, for rewards that say how near the goal is.
    ``bootstrap_timeout``: an episode cut by its horizon is worth what the critic says of its last
    observation. ``normalize``: over all valid chunks of an iteration.
    """

    gamma: float = 0.99
    gae_lambda: float = 0.95
    reward: str = "success"
    reward_scale: float = 1.0
    shaping: float = 0.0
    bootstrap_timeout: bool = True
    normalize: bool = True

    def __post_init__(self) -> None:
        for name in ("gamma", "gae_lambda"):
            if not 0 <= getattr(self, name) <= 1:
                raise ManigymError(f"advantage.{name} must lie in [0, 1]: {getattr(self, name)}")
        _one_of("advantage.reward", self.reward, REWARDS)


@dataclass
class FinetuneSettings:
    """``training.*`` of ``finetune``. Defaults suit state observations on a CPU.

    ``num_envs``: simulators side by side; with the back end ``manigym`` the result does not depend
    on it. ``total_timesteps``: control steps of all of them. ``rollout_episodes``: whole episodes
    of one iteration; ``rollout_chunks``: of each environment, for the back end ``sb3``.
    ``epochs`` of the actor, ``value_epochs`` of the critic, which is small next to it.
    ``batch_size``: chunks of one optimizer step, taken ``micro_batch`` at a time (gradient
    accumulation). ``ratio``: what is clipped (``finetuning.loss``). ``critic_warmup``: iterations
    in which only the critic learns. ``target_kl``: an iteration's updates end above 1.5 times it.
    ``ema_decay``: of the weights that are evaluated and kept, per update; 0 is none.
    ``validate_every`` and ``save_every`` count iterations. ``kl_limit``, ``collapse``: an
    iteration above that divergence, or a validation success that fell below that share of the best
    one twice in a row (and by more than chance explains), ends the training with the best
    checkpoint.
    """

    backend: str = "manigym"
    num_envs: int = 16
    total_timesteps: int = 100_000
    rollout_episodes: int = 96
    rollout_chunks: int = 64
    epochs: int = 4
    value_epochs: int = 10
    batch_size: int = 512
    micro_batch: int = 256
    learning_rate: float = 1e-4
    value_learning_rate: float = 1e-3
    weight_decay: float = 0.0
    critic_warmup: int = 2
    ratio: str = "chunk_mean"
    clip_range: float = 0.2
    dual_clip: float | None = None
    value_clip: float | None = None
    entropy_coef: float = 0.0
    max_grad_norm: float = 1.0
    target_kl: float | None = None
    ema_decay: float = 0.0
    validate_every: int = 5
    validation_episodes: int = 20
    videos: int = 1
    save_every: int = 1
    kl_limit: float = 1.0
    collapse: float = 0.5
    seed: int = 0
    device: str = "auto"
    precision: str = "float32"
    threads: int = 1
    wandb: bool = False

    def __post_init__(self) -> None:
        counts = (
            *("num_envs", "total_timesteps", "rollout_episodes", "rollout_chunks", "epochs"),
            "value_epochs",
            *("batch_size", "micro_batch", "validate_every", "validation_episodes", "save_every"),
        )
        lowest = dict.fromkeys(counts, 1)
        zero = ("weight_decay", "critic_warmup", "videos", "seed", "threads", "entropy_coef")
        at_least("training", self, lowest | dict.fromkeys(zero, 0))
        for name in ("learning_rate", "value_learning_rate", "clip_range", "max_grad_norm"):
            if not getattr(self, name) > 0:  # NaN is not either
                raise ManigymError(f"training.{name} must be above 0, got {getattr(self, name)}")
        for name, inside, interval in (
            ("ema_decay", 0 <= self.ema_decay < 1, "[0, 1)"),
            ("collapse", 0 <= self.collapse <= 1, "[0, 1]"),
            ("kl_limit", self.kl_limit > 0, "(0, inf)"),
            ("target_kl", self.target_kl is None or self.target_kl > 0, "(0, inf)"),
            ("value_clip", self.value_clip is None or self.value_clip > 0, "(0, inf)"),
            ("dual_clip", self.dual_clip is None or self.dual_clip > 1, "(1, inf)"),
        ):
            if not inside:
                got = getattr(self, name)
                raise ManigymError(f"training.{name} must lie in {interval}, got {got}")
        _one_of("training.backend", self.backend, BACKENDS)
        _one_of("training.ratio", self.ratio, RATIOS)
        _one_of("training.precision", self.precision, PRECISIONS)


def _one_of(name: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise ManigymError(f"{name} must be one of {', '.join(known)}; got {value!r}")
