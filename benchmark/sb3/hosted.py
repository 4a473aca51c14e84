"""Stable-Baselines3's PPO as a host: the whole chain is its action, the rest it does as always.

The reference for our own loop: the same chains, densities and critic, but SB3's rollouts, GAE and
updates. For the decision process whose action is the chain this is exact, as what happens depends
on the chain's last element only. What SB3 cannot do is not offered: ratios by step, masks of early
chunk ends, critic warm-up, gradient accumulation, EMA, an exact resume.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from gymnasium import spaces
from stable_baselines3 import PPO
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.policies import BasePolicy
from stable_baselines3.common.utils import safe_mean
from torch import Tensor

from benchmark.engine.plan import planned_episode
from benchmark.finetuning.monitor import Monitor
from benchmark.finetuning.ppo import check_ratios
from benchmark.finetuning.settings import AdvantageSettings, FinetuneSettings
from benchmark.progress import progress
from benchmark.sb3.model import separate_streams
from benchmark.sb3.vec_env import PoolVecEnv, Reward, Translation, Window
from envs.pool import Pool
from envs.schema import Interface, ManigymError
from policies.base import ActorCritic, Observations

if TYPE_CHECKING:
    from benchmark.finetuning.job import FinetuneJob

BOUND = 1e6
"""SB3 wants finite bounds and clips to them; chains never get near these."""

LOGPROB = {
    "chunk_mean": lambda logprob: logprob.mean(1).sum(-1),
    "chunk": lambda logprob: logprob.sum((1, 2)),
}
"""Log-densities (B, N, K) to the one number per action that SB3 has room for."""

FIGURES = {
    "train/approx_kl": "kl",
    "train/clip_fraction": "clip_fraction",
    "train/policy_gradient_loss": "actor_loss",
    "train/value_loss": "critic_loss",
    "train/explained_variance": "explained_variance",
}
"""SB3's names and ours."""


class ChainPolicy(BasePolicy):
    """An :class:`ActorCritic` as SB3 sees a policy: its action is a flat chain."""

    def __init__(
        self,
        observation_space: spaces.Space[Any],
        action_space: spaces.Box,
        lr_schedule: Any,
        actor_critic: ActorCritic,
        settings: FinetuneSettings,
        use_sde: bool = False,  # PPO always says so
    ) -> None:
        super().__init__(observation_space, action_space)
        self.actor_critic = actor_critic
        self.module = actor_critic.module  # registered, for SB3's device and saving
        self.settings = settings
        self._reduce = LOGPROB[settings.ratio]
        self._generator = torch.Generator().manual_seed(settings.seed)
        groups = [
            {"params": actor_critic.actor_parameters(), "lr": settings.learning_rate},
            {"params": actor_critic.critic_parameters(), "lr": settings.value_learning_rate},
        ]
        self.optimizer = torch.optim.AdamW(groups, weight_decay=settings.weight_decay)

    def set_training_mode(self, mode: bool) -> None:
        """Stays in eval mode: with dropout on, ratios are wrong."""

    def forward(
        self, obs: Mapping[str, Tensor], deterministic: bool = False
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Flat chains (B, D), values (B, 1) and log-densities (B,)."""
        rows = len(next(iter(obs.values())))
        chain = self.actor_critic.sample(obs, [self._generator] * rows)
        value = self.actor_critic.value(obs)[:, None]
        return chain.steps.flatten(1), value, self._reduce(chain.logprob)

    def evaluate_actions(self, obs: Any, actions: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Values (B, 1), log-densities (B,) and entropies (B,) of flat chains."""
        logprob, entropy = self.actor_critic.logprob(obs, self.unflatten(actions))
        return self.actor_critic.value(obs)[:, None], self._reduce(logprob), entropy

    def predict_values(self, obs: Mapping[str, Tensor]) -> Tensor:
        return self.actor_critic.value(obs)[:, None]

    def _predict(self, observation: Any, deterministic: bool = False) -> Tensor:
        return self.forward(observation)[0]

    def unflatten(self, actions: Tensor) -> Tensor:
        """(B, D) -> chains (B, N + 1, H, A)."""
        return actions.unflatten(1, self.actor_critic.chain_shape)


class ChainPPO(PPO):
    """PPO whose two learning rates stay what they are, and whose first ratios must be 1."""

    policy: Any

    def _update_learning_rate(self, optimizers: Any) -> None:
        """SB3 would give both groups the actor's."""

    def train(self) -> None:
        first = next(self.rollout_buffer.get(self.batch_size))
        with torch.no_grad():
            _, logprob, _ = self.policy.evaluate_actions(first.observations, first.actions)
        check_ratios(logprob - first.old_log_prob, self.policy.settings)
        super().train()


def translation(actor_critic: ActorCritic, interface: Interface) -> Translation:
    """Windows of all numeric observations in, chains out."""
    n_obs = actor_critic.policy.spec.n_obs
    if "instruction" in actor_critic.policy.spec.observations:
        raise ManigymError(
            "Stable-Baselines3 keeps numbers, and this policy reads instructions; use "
            "training.backend=manigym"
        )
    boxes: dict[str, spaces.Space[Any]] = {
        key: _box((n_obs, *shape), np.dtype(kind))
        for key, (shape, kind) in interface.observation.items()
        if np.dtype(kind).kind in "iuf"
    }
    shape = actor_critic.chain_shape

    def observe(window: Window) -> Observations:
        return {key: window[key] for key in boxes}

    def decode(actions: np.ndarray) -> np.ndarray:
        chains = torch.as_tensor(actions).reshape(-1, *shape).to(actor_critic.device)
        return actor_critic.actions(chains)

    size = (int(np.prod(shape)),)
    return Translation(
        spaces.Dict(boxes), spaces.Box(-BOUND, BOUND, size, np.float32), observe, decode, n_obs
    )


def _box(shape: tuple[int, ...], dtype: np.dtype[Any]) -> spaces.Box:
    if dtype.kind == "f":
        return spaces.Box(-np.inf, np.inf, shape, np.float32)
    limits = np.iinfo(dtype)
    return spaces.Box(limits.min, limits.max, shape, dtype.type)


def fit(
    job: FinetuneJob,
    actor_critic: ActorCritic,
    folder: Path,
    pool: Pool,
    watched: Pool,
    record: Mapping[str, Any],
) -> list[dict[str, int]]:
    """Fine-tune into ``folder/best.pt``; the validations, made in ``watched``. An interrupted run
    begins anew."""
    settings = job.settings
    if settings.ratio not in LOGPROB:
        raise ManigymError(
            f"training.ratio={settings.ratio}: Stable-Baselines3 has one ratio per action; use "
            f"{' or '.join(LOGPROB)}, or training.backend=manigym"
        )
    _refuse_unsupported(settings)
    (folder / "resume.pt").write_text("")  # not finished; nothing to go on from
    plan = partial(planned_episode, job.env, "finetuning", root_seed=settings.seed)
    env = PoolVecEnv(pool, translation(actor_critic, pool.interface), plan, _reward(job.advantage))
    monitor = Monitor(folder, watched, settings, record, job.seed, job.protocol)
    try:
        with separate_streams(), progress(settings.total_timesteps, 0, "finetune", "step") as bar:
            model = _model(env, actor_critic, job)
            watch = _Watch(monitor, actor_critic, env, settings, bar)
            never: Any = None  # `watch` logs, and says when to end
            model.learn(2**62, watch, log_interval=never)
    finally:
        monitor.close()
    return monitor.history


def _refuse_unsupported(settings: FinetuneSettings) -> None:
    """What would be without effect is not accepted in silence."""
    plain = {"ema_decay": 0.0, "dual_clip": None, "precision": "float32"}
    for name, value in plain.items():
        if getattr(settings, name) != value:
            raise ManigymError(
                f"training.{name}={getattr(settings, name)}: Stable-Baselines3 cannot do that; use "
                "training.backend=manigym"
            )


def _reward(advantage: AdvantageSettings) -> Reward:
    if not advantage.bootstrap_timeout:
        raise ManigymError(
            "advantage.bootstrap_timeout=false: Stable-Baselines3 always bootstraps time-outs; use "
            "training.backend=manigym"
        )
    return Reward(advantage.reward, advantage.reward_scale, advantage.shaping)


def _model(env: PoolVecEnv, actor_critic: ActorCritic, job: FinetuneJob) -> ChainPPO:
    settings, advantage = job.settings, job.advantage
    policy: Any = ChainPolicy  # a BasePolicy is enough, whatever the annotation says
    return ChainPPO(
        policy,
        env,
        learning_rate=settings.learning_rate,
        n_steps=settings.rollout_chunks,
        batch_size=min(settings.batch_size, settings.rollout_chunks * env.num_envs),
        n_epochs=settings.epochs,
        gamma=advantage.gamma,
        gae_lambda=advantage.gae_lambda,
        clip_range=settings.clip_range,
        clip_range_vf=settings.value_clip,
        normalize_advantage=advantage.normalize,
        ent_coef=settings.entropy_coef,
        max_grad_norm=settings.max_grad_norm,
        target_kl=settings.target_kl,
        seed=settings.seed,
        device=actor_critic.device,
        policy_kwargs={"actor_critic": actor_critic, "settings": settings},
    )


class _Watch(BaseCallback):
    """Validates, logs and ends the training, between updates and rollouts."""

    def __init__(
        self,
        monitor: Monitor,
        actor_critic: ActorCritic,
        env: PoolVecEnv,
        settings: FinetuneSettings,
        bar: Any,
    ) -> None:
        super().__init__()
        self._monitor, self._actor_critic = monitor, actor_critic
        self._env, self._settings, self._bar = env, settings, bar
        self._iteration = -1  # complete ones
        self._over = False
        self._steps, self._began, self._rolled = 0, 0.0, 0.0

    def _on_rollout_start(self) -> None:
        """After every update, and before the first rollout."""
        self._iteration += 1
        steps = self._env.control_steps
        if self._iteration > 0:
            self._monitor.write(steps, self._figures(steps))
        self._over = steps >= self._settings.total_timesteps
        if self._iteration % self._settings.validate_every == 0 or self._over:
            self._monitor.validate(self._actor_critic.policy, steps)
        self._began, self._steps = perf_counter(), steps

    def _on_step(self) -> bool:
        self._bar.update(self._env.control_steps - self._bar.n)
        return not self._over

    def _on_rollout_end(self) -> None:
        self._rolled = perf_counter()

    def _figures(self, steps: int) -> dict[str, float]:
        """Of the last iteration."""
        now, known = perf_counter(), self.model.logger.name_to_value
        return {
            **{ours: float(known[theirs]) for theirs, ours in FIGURES.items() if theirs in known},
            "entropy": -float(known.get("train/entropy_loss", 0.0)),
            **self._of_episodes(),
            "chunks": float(self._settings.rollout_chunks * self._env.num_envs),
            "rollout_seconds": self._rolled - self._began,
            "update_seconds": now - self._rolled,
            "frames_per_second": (steps - self._steps) / (now - self._began),
        }

    def _of_episodes(self) -> dict[str, float]:
        """Over SB3's window, the last 100 episodes; nothing while none has ended."""
        episodes: Any = self.model.ep_info_buffer
        won: Any = self.model.ep_success_buffer
        if not episodes:
            return {}
        return {
            "rollout_success": safe_mean(won),
            "episode_return": safe_mean([episode["r"] for episode in episodes]),
            "episode_length": safe_mean([episode["l"] for episode in episodes]),
        }
