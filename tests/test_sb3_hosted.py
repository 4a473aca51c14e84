"""Stable-Baselines3's PPO hosting chains, against our own loop."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch

pytest.importorskip("stable_baselines3")

from finetuning import make_job, reacher, same_weights
from stable_baselines3.common.buffers import RolloutBuffer

from benchmark.engine.plan import planned_episode
from benchmark.finetuning.advantages import Targets, gae
from benchmark.finetuning.episodes import Batch
from benchmark.finetuning.job import actor_critic_of, finetune, opened
from benchmark.finetuning.learner import Learner
from benchmark.finetuning.ppo import Updates
from benchmark.sb3.hosted import _model, _reward, translation
from benchmark.sb3.model import separate_streams
from benchmark.sb3.vec_env import PoolVecEnv
from envs.schema import ManigymError
from policies.maniflow import ManiFlowPolicy


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return reacher(tmp_path_factory.mktemp("hosted"))


HOSTED = ("training.backend=sb3", "training.rollout_chunks=6")


def test_the_job_ends_with_a_checkpoint_that_acts_as_it_was_trained(checkpoint, tmp_path):
    job = make_job(checkpoint, tmp_path, *HOSTED, "policy.num_inference_steps=3")
    done = finetune(job)
    policy = ManiFlowPolicy.load(done.checkpoint)
    assert (policy.config.num_inference_steps, policy.config.hop) == (3, "instant")
    assert done.history[0]["env_steps"] == 0
    assert done.history[-1]["env_steps"] >= job.settings.total_timesteps
    assert not same_weights(done.checkpoint, checkpoint)
    assert finetune(job).existed


def test_the_same_command_gives_the_same_weights(checkpoint, tmp_path):
    one, two = (
        finetune(make_job(checkpoint, tmp_path / name, *HOSTED)).checkpoint for name in "ab"
    )
    assert same_weights(one, two)


def rolled_out(job, pool):
    """SB3's model with one filled buffer, and the actor-critic that filled it."""
    actor_critic = actor_critic_of(job)
    env = PoolVecEnv(
        pool,
        translation(actor_critic, pool.interface),
        lambda index: planned_episode(job.env, "finetuning", index, 0),
        _reward(job.advantage),
    )
    model = _model(env, actor_critic, job)
    _, callback = model._setup_learn(10**6, None)
    model.collect_rollouts(env, callback, model.rollout_buffer, model.n_steps)
    return model, actor_critic


@pytest.mark.parametrize("ratio", ["chunk", "chunk_mean"])
def test_one_update_is_the_same_in_both(checkpoint, tmp_path, ratio):
    """Same data, same advantages: the same gradient of the actor."""
    settings = (
        *(*HOSTED, f"training.ratio={ratio}", "training.epochs=1", "training.batch_size=12"),
        *("training.max_grad_norm=1e9", "training.critic_warmup=0", "training.micro_batch=12"),
        *("env.terminate_on_success=false", "advantage.reward=env", "training.value_epochs=1"),
    )
    job = make_job(checkpoint, tmp_path, *settings)
    with separate_streams(), opened(job, tmp_path) as pool:
        model, theirs = rolled_out(job, pool)
        ours = copy.deepcopy(theirs)
        buffer = model.rollout_buffer
        data = next(buffer.get(None))
        chains = data.actions.unflatten(1, theirs.chain_shape)
        obs = dict(data.observations)
        with torch.no_grad():
            logprob, _ = ours.logprob(obs, chains)
        advantages = (data.advantages - data.advantages.mean()) / (data.advantages.std() + 1e-8)
        batch = Batch(
            obs={key: value.numpy() for key, value in obs.items()},
            last={},
            chain=chains.numpy(),
            logprob=logprob.numpy(),
            executed=np.ones(logprob.shape[::2], bool),
            rewards=np.zeros(logprob.shape[::2], np.float32),
            counts=np.array([len(chains)]),
            terminated=np.array([False]),
            succeeded=np.array([False]),
        )
        aims = Targets(advantages.numpy(), data.returns.numpy())
        learner = Learner.fresh(ours, job.settings)
        Updates(learner, batch, aims, data.old_values.numpy(), job.settings).run()
        model.train()
    theirs_gradient, ours_gradient = (
        torch.cat([parameter.grad.flatten() for parameter in ac.actor_parameters()])
        for ac in (theirs, ours)
    )
    assert theirs_gradient.norm() > 0
    assert (theirs_gradient - ours_gradient).norm() < 1e-4 * theirs_gradient.norm()


def test_advantages_are_the_same_in_both():
    """One environment, an episode of four chunks that ends, then one of three that is cut."""
    rng = np.random.default_rng(0)
    rewards, values = rng.normal(size=7), rng.normal(size=7)
    cut_value, gamma, decay = 0.7, 0.9, 0.8
    buffer = RolloutBuffer(7, *_spaces(), gae_lambda=decay, gamma=gamma, n_envs=1, device="cpu")
    starts = np.array([1, 0, 0, 0, 1, 0, 0])
    for i in range(7):
        reward = rewards[i] + (gamma * cut_value if i == 6 else 0.0)  # as SB3 adds it
        value = torch.tensor([values[i]])
        buffer.add(
            np.zeros((1, 1)), np.zeros((1, 1)), np.array([reward]), starts[i : i + 1], value, value
        )
    buffer.compute_returns_and_advantage(torch.zeros(1), np.array([1]))
    dones = np.array([[0, 0, 0, 1], [0, 0, 1, 0]])

    def grid(flat):
        return np.array([[*flat[:4]], [*flat[4:], 0.0]])

    following = np.array([[*values[1:4], 0.0], [*values[5:], cut_value, 0.0]])
    found = gae(grid(rewards), grid(values), following, dones, gamma, decay)
    expected = grid(buffer.advantages[:, 0])
    np.testing.assert_allclose(found, expected, atol=1e-6)


def _spaces():
    from gymnasium import spaces

    box = spaces.Box(-1, 1, (1,))
    return box, box


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("training.ratio=denoising_step", "one ratio per action; use chunk_mean or chunk"),
        ("training.ema_decay=0.9", "Stable-Baselines3 cannot do that"),
        ("training.precision=bfloat16", "Stable-Baselines3 cannot do that"),
        ("advantage.bootstrap_timeout=false", "always bootstraps time-outs"),
    ],
)
def test_what_it_cannot_do_is_said(checkpoint, tmp_path, setting, message):
    with pytest.raises(ManigymError, match=message):
        finetune(make_job(checkpoint, tmp_path, *HOSTED, setting))


def test_dropout_stays_off(checkpoint, tmp_path):
    job = make_job(checkpoint, tmp_path, *HOSTED)
    with separate_streams(), opened(job, tmp_path) as pool:
        model, actor_critic = rolled_out(job, pool)
        model.train()
        assert not any(module.training for module in actor_critic.module.modules())
        for module in actor_critic.module.modules():
            module.train()
            if hasattr(module, "dropout"):
                module.dropout = 0.5
        with pytest.raises(ManigymError, match="a probability ratio is off"):
            model.train()
