"""What tests of fine-tuning share: a small actor-critic, and a job on the toy."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
from test_maniflow_policy import STATE, batch_of
from toy import TINY, TOY, toy_store

from benchmark.config import DataSettings, TrainingSettings, parse
from benchmark.finetuning.episodes import Batch
from benchmark.finetuning.job import FinetuneJob
from benchmark.finetuning.settings import AdvantageSettings, FinetuneSettings
from benchmark.training.job import TrainJob, train
from envs.make import Workers
from policies.base import ActorCritic
from policies.maniflow import ManiFlowPolicy
from policies.maniflow.chain_config import ChainConfig


def actor_critic(policy: ManiFlowPolicy, seed: int = 0, **settings: object) -> ActorCritic:
    return policy.actor_critic(ChainConfig(value_hidden=[16], **settings), seed)


def looks(rows: int, seed: int = 0, last: bool = False) -> dict[str, np.ndarray]:
    """Random observations key -> (B, O, ...)."""
    return batch_of(STATE, rows, seed=seed + 100 * last)["obs"]


def generators(rows: int, seed: int = 0) -> list[torch.Generator]:
    return [torch.Generator().manual_seed(seed + i) for i in range(rows)]


def decided(actor_critic: ActorCritic, rows: int, rewards: float = 0.0) -> Batch:
    """``rows`` chunks of episodes of two; every other episode succeeds after two of three steps."""
    obs = looks(rows)
    chain, logprob = actor_critic.sample(actor_critic.tensors(obs), generators(rows))
    executed = np.ones((rows, logprob.shape[2]), bool)
    executed[1::4, 2:] = False
    succeeded = np.arange(rows // 2) % 2 == 0
    return Batch(
        obs=obs,
        last=looks(rows // 2, last=True),
        chain=chain.numpy(),
        logprob=logprob.numpy(),
        executed=executed,
        rewards=np.full(executed.shape, rewards, np.float32) * executed,
        counts=np.full(rows // 2, 2),
        terminated=succeeded,
        succeeded=succeeded,
    )


QUICK = (
    "training.num_envs=2",
    "training.total_timesteps=700",
    "training.rollout_episodes=4",
    "training.validation_episodes=4",
    "training.validate_every=1",
    "training.videos=0",
    "training.epochs=2",
    "training.value_epochs=2",
    "training.batch_size=16",
    "training.critic_warmup=1",
    "training.device=cpu",
    "policy.value_hidden=[16]",
)
"""Three or four iterations in about a second."""


def reacher(base: Path) -> Path:
    """The checkpoint of a policy that reaches about a quarter of the toy's targets."""
    folder = base / "reacher"
    checkpoint = folder / "checkpoint.pt"
    if not checkpoint.exists():
        folder.mkdir()
        kinds = {"policy": ManiFlowPolicy.Config, "training": TrainingSettings}
        short = ("training.steps=60", "training.warmup_steps=5", "training.learning_rate=5e-3")
        found = parse(kinds, [*TINY, "policy.width=32", "training.batch_size=32", *short])
        demos = toy_store(folder / "demos", 12).path
        job = TrainJob(ManiFlowPolicy, found["policy"], demos, DataSettings(), found["training"])
        train(job, folder, {})
    return checkpoint


def make_job(checkpoint: Path, out: Path, *overrides: str, workers: int = 1):
    """Fine-tuning of :func:`reacher`'s policy."""
    kinds = {
        "policy": ManiFlowPolicy.ChainConfig,
        "training": FinetuneSettings,
        "advantage": AdvantageSettings,
        "env": None,
    }
    found = parse(kinds, [*QUICK, *overrides])
    return FinetuneJob(
        policy=ManiFlowPolicy.load(checkpoint),
        checkpoint=checkpoint,
        env=TOY,
        out=out,
        chain=found["policy"],
        settings=found["training"],
        advantage=found["advantage"],
        env_options=found["env"],
        workers=Workers(workers),
    )


def weights_of(path: Path) -> dict[str, torch.Tensor]:
    return torch.load(path, weights_only=True)["weights"]


def same_weights(one: Path, other: Path) -> bool:
    first, second = weights_of(one), weights_of(other)
    return first.keys() == second.keys() and all(map(torch.equal, first.values(), second.values()))


def curve(folder: Path) -> list[dict[str, float]]:
    """What was logged, without what the clock decides."""
    timed = ("rollout_seconds", "update_seconds", "frames_per_second")
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [{k: v for k, v in line.items() if k not in timed} for line in lines]
