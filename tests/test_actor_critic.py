"""ManiFlow as an actor with a critic: its densities, its actions, what learns and what does not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from finetuning import actor_critic, generators, looks
from test_maniflow_policy import TINY, made, steady_products  # noqa: F401  (a fixture)

from envs.schema import ManigymError
from policies.maniflow.chain import Moment, gaussian_entropy
from policies.maniflow.chain_config import ChainConfig
from policies.maniflow.frozen import FrozenDiTX
from policies.maniflow.sampler import sample_recomputing

ROWS = 8
METHODS = ("flow_sde", "flow_cps", "flow_noise")


@pytest.fixture(scope="module")
def policy():
    return made()


def tensors(rows=ROWS):
    return {key: torch.from_numpy(value) for key, value in looks(rows).items()}


def picked(obs, index):
    return {key: value[index] for key, value in obs.items()}


@pytest.mark.parametrize("dropout", [0.0, 0.5])
@pytest.mark.parametrize("method", METHODS)
def test_training_computes_the_density_of_sampling_in_any_batch(method, dropout):
    """Dropout stays off; rows alone, in pairs or shuffled make no difference beyond rounding."""
    ac = actor_critic(made(replace(TINY, dropout=dropout), steps=5), noise_method=method)
    obs = tensors()
    chain, old = ac.sample(obs, generators(ROWS))
    assert old.shape == (ROWS, 4, 3)
    assert not any(module.training for module in ac.module.modules())
    shuffled = torch.from_numpy(np.random.default_rng(0).permutation(ROWS))
    for index in ([[i] for i in range(ROWS)], shuffled.split(3), [torch.arange(ROWS)]):
        for rows in index:
            new, entropy = ac.logprob(picked(obs, rows), chain[rows])
            ratios = (new - old[rows]).sum((1, 2)).exp()
            assert (ratios - 1).abs().max() < 1e-4
            assert entropy.shape == (len(rows),)
    assert old.std(0).min() > 0 or method == "flow_cps"


@pytest.mark.usefixtures("steady_products")
@pytest.mark.parametrize("method", METHODS)
def test_a_row_has_the_same_bits_alone_and_in_a_batch(policy, method):
    ac, obs = actor_critic(policy, noise_method=method), tensors()
    together = ac.sample(obs, generators(ROWS))
    for i in range(ROWS):
        alone = ac.sample(picked(obs, [i]), generators(1, i))
        assert torch.equal(alone.steps[0], together.steps[i])
        assert torch.equal(alone.logprob[0], together.logprob[i])


def test_the_chain_starts_with_the_noise_of_its_generator(policy):
    chain = actor_critic(policy).sample(tensors(), generators(ROWS)).steps
    assert chain.shape == (ROWS, 5, 5, 2)
    expected = torch.randn(5, 5, 2, generator=torch.Generator().manual_seed(2))[0]
    assert torch.equal(chain[2, 0], expected)


def test_only_what_is_executed_counts(policy):
    """Of five predicted steps the first is past (two observed) and the last is not executed."""
    ac, obs = actor_critic(policy), tensors()
    chain, _ = ac.sample(obs, generators(ROWS))
    before, _ = ac.logprob(obs, chain)
    for step in range(5):
        changed = chain.clone()
        changed[:, -1, step, 0] += 0.1
        moved = (ac.logprob(obs, changed)[0] != before).any(0)
        expected = torch.zeros(4, 3, dtype=torch.bool)
        if 1 <= step <= 3:
            expected[-1, step - 1] = True
        assert torch.equal(moved, expected)


def test_actions_are_those_of_the_deployed_policy(policy):
    ac, obs = actor_critic(policy), looks(ROWS)
    assert (ac.policy.config.num_inference_steps, ac.policy.config.hop) == (4, "instant")
    network = ac.policy.network
    noise = torch.stack([torch.randn(5, 2, generator=g) for g in generators(ROWS)])
    with torch.inference_mode():
        cond = network.encode(tensors())
        end = FrozenDiTX(network.transformer).sample(cond, noise, 4, hop="instant")
    deployed = ac.policy.act(obs, ac.policy.start(ac.policy.interface, range(ROWS)))
    assert np.array_equal(ac.actions(end[:, None]), deployed)
    wild = ac.actions(20 * end[:, None])
    assert wild.shape == (ROWS, 3, 2)
    assert (np.abs(wild) <= 1).all()
    assert (np.abs(wild) == 1).any()


def test_the_chain_without_noise_is_the_deployed_policy(policy):
    """So what is learned with noise is evaluated without it, at the same steps."""
    ac = actor_critic(policy, noise_method="flow_noise", noise_range=(1e-6, 2e-6))
    assert ac.policy.config.hop == "step"
    states = ac.policy.start(ac.policy.interface, range(ROWS))
    chain = ac.sample(tensors(), [state.generator for state in states]).steps
    same = ac.policy.start(ac.policy.interface, range(ROWS))
    draws = [torch.randn(5, 5, 2, generator=state.generator)[0] for state in same]
    assert torch.equal(chain[:, 0], torch.stack(draws))
    network = ac.policy.network
    end = sample_recomputing(network.transformer, network.encode(tensors()), chain[:, 0], 4)
    np.testing.assert_allclose(chain[:, -1], end.detach(), atol=2e-5)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("freeze", [True, False])
@pytest.mark.parametrize("features", ["own", "encoder"])
def test_actor_and_critic_share_no_gradient(policy, features, freeze, method):
    settings = {"value_features": features, "freeze_encoder": freeze, "noise_method": method}
    ac, obs = actor_critic(policy, **settings), tensors()
    actor, critic = ac.actor_parameters(), ac.critic_parameters()
    assert not {id(p) for p in actor} & {id(p) for p in critic}
    chain = ac.sample(obs, generators(ROWS)).steps
    ac.logprob(obs, chain)[0].sum().backward()
    assert all(p.grad is None for p in critic)
    assert all(p.grad is not None for p in actor)
    encoder = [*ac.policy.network.encoder.parameters()]
    assert all((p.grad is None) == freeze for p in encoder)
    ac.module.zero_grad()
    ac.value(obs).sum().backward()
    assert all(p.grad is None for p in [*actor, *encoder])
    assert all(p.grad is not None for p in critic)


def test_the_critics_features_are_its_own_or_the_policys(policy):
    own, shared = (actor_critic(policy, value_features=f) for f in ("own", "encoder"))
    obs = tensors()
    values = [ac.value(obs) for ac in (own, shared)]
    assert [v.shape for v in values] == [(ROWS,), (ROWS,)]
    torch.testing.assert_close(*values)  # they start equal
    assert values[0].std() > 0
    for ac in (own, shared):
        with torch.no_grad():
            for parameter in ac.policy.network.encoder.parameters():
                parameter.mul_(-1)
    assert torch.equal(own.value(obs), values[0])
    assert not torch.equal(shared.value(obs), values[1])
    assert len(own.critic_parameters()) > len(shared.critic_parameters())


def test_without_a_value_head_everything_is_worth_nothing(policy):
    ac = actor_critic(policy, add_value_head=False)
    assert torch.equal(ac.value(tensors()), torch.zeros(ROWS))
    assert ac.critic_parameters() == []


@pytest.mark.parametrize("method", METHODS)
def test_only_learned_noise_has_an_entropy_to_learn(policy, method):
    ac, obs = actor_critic(policy, noise_method=method), tensors()
    chain = ac.sample(obs, generators(ROWS)).steps
    _, entropy = ac.logprob(obs, chain)
    assert entropy.requires_grad == (method == "flow_noise")
    if method == "flow_noise":
        stds = ac.module["noise"](ac.policy.network.encode(obs))
        assert ((stds > 0.08) & (stds < 0.16)).all()
        expected = gaussian_entropy(stds[:, 1:4]).mean((1, 2))
        gradients = torch.autograd.grad(entropy.sum(), [*ac.module["noise"].parameters()])
        assert all((g != 0).any() for g in gradients)
    else:
        _, noise = ac._field(obs)
        x = torch.zeros(1)
        stds = torch.stack([noise.transition(x, x, Moment(k, 4))[1] for k in range(4)])
        expected = gaussian_entropy(stds[stds > 0]).mean().expand(ROWS)
    torch.testing.assert_close(entropy, expected)


def test_the_policy_it_was_made_from_stays_as_it_was(policy):
    before = {name: value.clone() for name, value in policy.module.state_dict().items()}
    ac = actor_critic(policy, freeze_encoder=False)
    with torch.no_grad():
        for parameter in ac.module.parameters():
            parameter.add_(1)
    assert all(torch.equal(policy.module.state_dict()[k], v) for k, v in before.items())
    assert policy.config.num_inference_steps == 10


def test_new_weights_depend_on_the_seed_alone(policy):
    torch.manual_seed(1)
    one, same, other = (actor_critic(policy, seed=seed) for seed in (0, 0, 1))
    values = [ac.value(tensors()) for ac in (one, same, other)]
    assert torch.equal(values[0], values[1])
    assert not torch.equal(values[0], values[2])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"noise_method": "flow"},
            "noise_method must be one of flow_sde, flow_cps, flow_noise.*'f",
        ),
        ({"noise_method": "flow_ode"}, "flow_ode has no noise to learn from"),
        ({"noise_range": (0.2, 0.1)}, r"noise_range must be two rising numbers above 0, got 0.2"),
        ({"noise_range": (0.0, 0.1)}, "noise_range must be two rising numbers above 0"),
        ({"noise_level": 0.0}, r"noise_level must lie in \(0, 1\], got 0.0"),
        ({"min_std": -0.1}, "min_std must be at least 0, got -0.1"),
        ({"noise_method": "flow_cps", "num_inference_steps": 1}, "must be at least 2"),
        ({"num_inference_steps": 0}, "num_inference_steps must be at least 1, got 0"),
        ({"n_action": 5}, "n_action=5 does not fit.*at most 4"),
        ({"n_action": 0}, "n_action must be a whole number of at least 1, got 0"),
        ({"value_features": "pixels"}, "value_features must be one of own, encoder; got 'pixels'"),
        ({"hop": "long"}, "hop must be one of step, instant; got 'long'"),
    ],
)
def test_settings_that_cannot_work_are_explained(policy, settings, message):
    with pytest.raises(ManigymError, match=message):
        policy.actor_critic(ChainConfig(**settings), 0)
