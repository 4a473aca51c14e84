"""One iteration of PPO: what is updated, how far, and what stops it."""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
from finetuning import actor_critic, decided
from test_maniflow_policy import TINY, made

from benchmark.finetuning.learner import Diverged, Learner
from benchmark.finetuning.ppo import improve
from benchmark.finetuning.settings import RATIOS, AdvantageSettings, FinetuneSettings
from envs.schema import ManigymError

ROWS = 64
ENV = AdvantageSettings(reward="env")


@pytest.fixture(scope="module")
def policy():
    return made()


@pytest.fixture
def learn(policy):
    """Improve a fresh learner on 64 chunks: the learner and its figures."""

    def run(advantage=AdvantageSettings(), rewards=0.0, chain=None, **given):  # noqa: B008
        plain = {"epochs": 1, "value_epochs": 1, "critic_warmup": 0, "device": "cpu"}
        plain |= {"batch_size": ROWS}
        settings = FinetuneSettings(**(plain | given))
        learner = Learner.fresh(actor_critic(policy, **(chain or {})), settings)
        batch = decided(learner.actor_critic, ROWS, rewards)
        return learner, improve(learner, batch, settings, advantage)

    return run


def weights(parameters):
    return [p.detach().clone() for p in parameters]


def moved(learner, policy, which, **chain):
    """Largest change of an actor's or critic's parameter."""
    before = getattr(actor_critic(policy, **chain), which)()
    after = getattr(learner.actor_critic, which)()
    return max((a - b).abs().max().item() for a, b in zip(after, before, strict=True))


@pytest.mark.parametrize("ratio", RATIOS)
def test_gradient_accumulation_gives_the_same_step(learn, ratio):
    """Four parts of 16 chunks, among them chunks that were cut short, are one batch of 64."""
    given = {"ratio": ratio, "batch_size": 64, "max_grad_norm": 1e9, "epochs": 2}
    chain = {"noise_method": "flow_noise"}
    whole, figures = learn(micro_batch=64, entropy_coef=0.1, chain=chain, **given)
    parts, same = learn(micro_batch=16, entropy_coef=0.1, chain=chain, **given)
    for name in ("actor_loss", "actor_gradient_norm", "critic_gradient_norm", "critic_loss", "kl"):
        assert same[name] == pytest.approx(figures[name], rel=2e-3, abs=1e-6)
    for optimizer in ("actor_optimizer", "critic_optimizer"):
        states = [getattr(x, optimizer).state_dict()["state"] for x in (whole, parts)]
        for i, state in states[0].items():  # Adam's mean of gradients: no division hides the scale
            torch.testing.assert_close(
                states[1][i]["exp_avg"], state["exp_avg"], rtol=1e-2, atol=2e-6
            )


def test_each_optimizer_has_its_own_learning_rate(learn, policy):
    """The first step of Adam is as long as its learning rate."""
    learner, figures = learn(learning_rate=1e-4, value_learning_rate=3e-3)
    assert figures["updates"] == 1
    assert moved(learner, policy, "actor_parameters") == pytest.approx(1e-4, rel=0.02)
    assert moved(learner, policy, "critic_parameters") == pytest.approx(3e-3, rel=0.02)


def test_while_the_critic_warms_up_the_actor_stays(learn, policy):
    learner, figures = learn(critic_warmup=1, epochs=2, value_epochs=2)
    assert moved(learner, policy, "actor_parameters") == 0
    assert moved(learner, policy, "critic_parameters") > 1e-4
    assert figures["updates"] == 0
    assert "kl" not in figures
    learner.iteration = 1
    settings = FinetuneSettings(critic_warmup=1, epochs=1)
    improve(learner, decided(learner.actor_critic, ROWS), settings, AdvantageSettings())
    assert moved(learner, policy, "actor_parameters") > 0


@pytest.mark.parametrize("freeze", [True, False])
def test_the_encoder_is_frozen_or_not(learn, policy, freeze):
    learner, _ = learn(chain={"freeze_encoder": freeze}, weight_decay=0.1)
    encoders = (x.module.encoder.parameters() for x in (policy, learner.actor_critic.policy))
    same = [torch.equal(a, b) for a, b in zip(*encoders, strict=True)]
    assert all(same) if freeze else not any(same)


def test_the_policy_becomes_likelier_where_it_did_better_than_expected(learn, policy):
    learner, _ = learn(epochs=4, batch_size=32, learning_rate=3e-4)
    before = actor_critic(policy)
    batch = decided(before, ROWS)
    obs = {key: torch.from_numpy(value) for key, value in batch.obs.items()}
    new, _ = learner.actor_critic.logprob(obs, torch.from_numpy(batch.chain))
    change = (new.detach().numpy() - batch.logprob).mean(1).sum(1)
    good = np.repeat(batch.succeeded, 2)
    assert change[good].mean() > change[~good].mean() + 0.02


def test_the_value_is_fitted_to_the_returns(learn):
    """Which are fixed here: nothing is bootstrapped."""
    fixed = replace(ENV, gae_lambda=1.0, bootstrap_timeout=False)
    settings = {"value_epochs": 150, "value_learning_rate": 3e-3, "critic_warmup": 1}
    learner, before = learn(fixed, rewards=1.0, **settings)
    batch = decided(learner.actor_critic, ROWS, 1.0)
    after = improve(learner, batch, FinetuneSettings(epochs=1), fixed)
    assert before["explained_variance"] < 0.1
    assert after["explained_variance"] > 0.7


def test_target_kl_ends_the_updates(learn, policy):
    free = {"epochs": 3, "batch_size": 32, "learning_rate": 1e-3}
    assert learn(**free)[1]["updates"] == 6
    stopped, figures = learn(target_kl=1e-5, **free)
    assert figures["updates"] == 1  # the first minibatch has not moved, the second has
    assert "critic_loss" in figures  # which goes on
    assert moved(stopped, policy, "actor_parameters") == pytest.approx(1e-3, rel=0.02)
    assert learn(target_kl=100.0, **free)[1]["updates"] == 6


def test_the_average_is_an_exponential_one(learn, policy, monkeypatch):
    seen, step = [], torch.optim.AdamW.step

    def watched(self, *rest):
        result = step(self, *rest)
        seen.append((self, weights(p for group in self.param_groups for p in group["params"])))
        return result

    monkeypatch.setattr(torch.optim.AdamW, "step", watched)
    learner, _ = learn(ema_decay=0.7, epochs=2, batch_size=32, learning_rate=1e-2)
    trained = [w for optimizer, w in seen if optimizer is learner.actor_optimizer]
    assert len(trained) == 4
    expected = weights(policy.network.transformer.parameters())
    for now in trained:
        expected = [0.7 * slow + 0.3 * fast for slow, fast in zip(expected, now, strict=True)]
    deployed = learner.policy().network.transformer
    torch.testing.assert_close(weights(deployed.parameters()), expected, rtol=1e-5, atol=1e-6)
    latest = learner.actor_critic.policy.network.transformer
    assert all(map(torch.equal, latest.parameters(), trained[-1]))


@pytest.mark.parametrize("warmup", [0, 1])
def test_not_a_number_in_a_gradient_stops_and_says_what_to_try(learn, warmup):
    name = "critic" if warmup else "actor"
    key = "value_learning_rate" if warmup else "learning_rate"
    with pytest.raises(
        Diverged, match=f"the {name}'s gradient is nan; try a third of.*{key}.*scale"
    ):
        learn(ENV, rewards=float("nan"), critic_warmup=warmup)


def test_gradients_are_clipped(learn, monkeypatch):
    norms, step = [], torch.optim.AdamW.step

    def watched(self, *rest):
        grads = [p.grad for group in self.param_groups for p in group["params"]]
        norms.append(torch.stack([g.square().sum() for g in grads]).sum().sqrt().item())
        return step(self, *rest)

    monkeypatch.setattr(torch.optim.AdamW, "step", watched)
    _, figures = learn(max_grad_norm=1e-4)
    assert figures["actor_gradient_norm"] > 1e-3
    assert max(norms) <= 1.001e-4


def test_somebody_who_switches_dropout_on_is_caught():
    """A train mode costs far more than the clip range, and nothing else would show it."""
    settings = FinetuneSettings(epochs=1, critic_warmup=0)
    learner = Learner.fresh(actor_critic(made(replace(TINY, dropout=0.1))), settings)
    batch = decided(learner.actor_critic, ROWS)
    learner.actor_critic.module.train()
    before = weights(learner.actor_critic.actor_parameters())
    with pytest.raises(ManigymError, match=r"ratio is off by .*random \(dropout\)"):
        improve(learner, batch, settings, AdvantageSettings())
    assert all(map(torch.equal, before, learner.actor_critic.actor_parameters()))


def test_chains_of_other_weights_are_caught(learn, policy):
    settings = FinetuneSettings(epochs=1, critic_warmup=0)
    learner = Learner.fresh(actor_critic(policy), settings)
    batch = decided(learner.actor_critic, ROWS)
    with torch.no_grad():
        learner.actor_critic.actor_parameters()[0].add_(0.05)
    with pytest.raises(ManigymError, match="ratio is off by"):
        improve(learner, batch, settings, AdvantageSettings())


def test_without_a_critic_only_the_actor_learns(learn, policy):
    chain = {"add_value_head": False}
    learner, figures = learn(chain=chain, epochs=2)
    assert learner.critic_optimizer is None
    assert figures["value_mean"] == 0
    assert moved(learner, policy, "actor_parameters", **chain) > 0


def test_a_learner_that_was_stored_goes_on_with_the_same_bits(policy, tmp_path):
    settings = FinetuneSettings(epochs=2, batch_size=32, critic_warmup=1, ema_decay=0.9)
    path = tmp_path / "resume.pt"

    def go_on(learner, iterations):
        for _ in range(iterations):
            improve(learner, decided(learner.actor_critic, ROWS), settings, AdvantageSettings())
            learner.iteration += 1
        return copy.deepcopy(learner.actor_critic.module.state_dict())

    whole = Learner.fresh(actor_critic(policy), settings)
    expected = go_on(whole, 3)
    first = Learner.fresh(actor_critic(policy), settings)
    go_on(first, 2)
    first.save(path, {"more": [1]})
    second = Learner.fresh(actor_critic(policy, seed=5), settings)
    assert second.load(path)["more"] == [1]
    assert second.iteration == 2
    found = go_on(second, 1)
    assert all(torch.equal(found[name], value) for name, value in expected.items())
    averages = (x.averaged.state_dict() for x in (whole, second))
    assert all(map(torch.equal, *(a.values() for a in averages)))
