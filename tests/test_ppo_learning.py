"""Does PPO on chains make a policy better? A task of one decision, whose best answer is known."""

from __future__ import annotations

import numpy as np
import pytest
from finetuning import actor_critic, generators, looks
from test_maniflow_policy import made

from benchmark.finetuning.episodes import Batch
from benchmark.finetuning.learner import Learner
from benchmark.finetuning.ppo import improve
from benchmark.finetuning.settings import AdvantageSettings, FinetuneSettings

ROWS = 128


def rewards(obs, actions):
    """Minus the squared distance (B, K) to an action that depends on what was seen last."""
    side = np.where(obs["state"][:, -1, 0] > 0.5, 0.6, -0.6)
    return -((actions - side[:, None, None]) ** 2).mean(-1).astype(np.float32)


def tried(ac, seed):
    """Chunks that are episodes of their own."""
    obs = looks(ROWS, seed)
    chain, logprob = ac.sample(ac.tensors(obs), generators(ROWS, 1000 * seed))
    found = rewards(obs, ac.actions(chain))
    ended = np.ones(ROWS, bool)
    executed, counts = np.ones(found.shape, bool), np.ones(ROWS, int)
    both = chain.numpy(), logprob.numpy()
    return Batch(obs, looks(ROWS, seed), *both, executed, found, counts, ended, ~ended)


def deployed(policy):
    """Mean reward of the policy without noise on observations of its own."""
    obs = looks(200, 10_000)
    return rewards(obs, policy.act(obs, policy.start(policy.interface, range(200)))).mean()


@pytest.mark.parametrize(
    ("method", "ratio"),
    [("flow_sde", "chunk_mean"), ("flow_sde", "denoising_step"), ("flow_noise", "action_step")],
)
def test_the_policy_without_noise_gets_better(method, ratio):
    settings = FinetuneSettings(
        ratio=ratio,
        epochs=3,
        value_epochs=3,
        batch_size=64,
        learning_rate=1e-3,
        value_learning_rate=3e-3,
        critic_warmup=1,
    )
    chain = {"noise_method": method, "num_inference_steps": 2, "noise_range": (0.2, 0.4)}
    learner = Learner.fresh(actor_critic(made(), **chain), settings)
    before = deployed(learner.policy())
    for learner.iteration in range(25):
        batch = tried(learner.actor_critic, learner.iteration)
        improve(learner, batch, settings, AdvantageSettings(reward="env"))
    assert deployed(learner.policy()) > 0.5 * before
