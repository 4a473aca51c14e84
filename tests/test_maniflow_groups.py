"""Action groups: known to the policy, weighed in the loss, with output heads of their own."""

from __future__ import annotations

import itertools
from contextlib import nullcontext
from dataclasses import asdict, replace

import gymnasium as gym
import numpy as np
import pytest
import torch
from finetuning import actor_critic, generators
from test_maniflow_policy import TINY, act, batch_of, made, train
from toy import TOY, toy_store

import envs
from benchmark.collect import CollectJob, _header
from benchmark.training.job import store_interface
from envs.schema import ActionGroup, ActionSpec, Interface, ManigymError
from policies.maniflow import ManiFlowPolicy
from policies.maniflow.ditx import DiTX, DiTXConfig
from policies.maniflow.groups import dimension_weights
from policies.maniflow.objective import Regression, regress
from policies.normalize import Normalizer

GROUPS = {"base": 3, "head": 2, "right_arm": 7, "right_gripper": 1}
SEEN = {"proprio": ((3,), "float32"), "state": ((4,), "float32")}
UNKNOWN = Interface("Test/env-v0", 13, SEEN)
SPLIT = replace(TINY, action_heads="groups")


def grouped(sizes: dict[str, int], **changes: object) -> Interface:
    """An interface with action groups of these sizes; ``changes`` to the arm."""
    groups = [
        ActionGroup(name, "joint_position", ("q",) * n, (-1.0,) * n, (1.0,) * n, "rad")
        for name, n in sizes.items()
    ]
    groups = [replace(g, **changes) if g.name == "right_arm" else g for g in groups]
    return replace(UNKNOWN, action=ActionSpec(tuple(groups)))


MOBILE = grouped(GROUPS)


def slices() -> dict[str, slice]:
    ends = np.cumsum(list(GROUPS.values()))
    return {name: slice(end - GROUPS[name], end) for name, end in zip(GROUPS, ends, strict=True)}


def loss_of(errors: torch.Tensor, weights: list[float] | None) -> float:
    """The loss of a student that is off by `errors` (A,) everywhere."""
    rows, steps = 5, 4
    zeros, t = torch.zeros(rows, steps, 13), torch.zeros(rows)
    part = Regression(zeros, t, t, zeros)
    given = None if weights is None else torch.tensor(weights)
    student = lambda x, *_: x + errors  # noqa: E731
    return regress(student, [part], torch.zeros(rows, 1, 1), given)[0].item()


def test_the_loss_is_the_mean_over_groups_of_their_means():
    errors = torch.arange(13.0)
    expected = np.mean([(errors[part] ** 2).mean().item() for part in slices().values()])
    assert loss_of(errors, dimension_weights(MOBILE, {})) == pytest.approx(expected)
    assert loss_of(errors, None) == pytest.approx((errors**2).mean().item())


@pytest.mark.parametrize("name", GROUPS)
def test_a_group_counts_by_its_weight_and_not_by_its_size(name):
    errors = torch.zeros(13)
    errors[slices()[name]] = 1
    assert loss_of(errors, dimension_weights(MOBILE, {})) == pytest.approx(1 / 4)
    # 2 of 2 + 1 + 1 + 1
    assert loss_of(errors, dimension_weights(MOBILE, {name: 2.0})) == pytest.approx(2 / 5)


def test_every_group_has_a_head_of_its_own():
    """What is changed in one head changes its dimensions and no others."""
    sizes = tuple(GROUPS.values())
    network = DiTX(DiTXConfig(13, 5, 7, 6, layers=1, width=24, heads=3, time_size=8,
                              head_sizes=sizes)).eval()  # fmt: skip
    inputs = torch.randn(2, 5, 13), torch.rand(2), torch.rand(2), torch.randn(2, 6, 7)
    assert network(*inputs).abs().max() == 0
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(0.3 * torch.randn(parameter.shape, generator=generator))
        before = network(*inputs)
        for head, part in zip(network.head.heads, slices().values(), strict=True):
            for parameter in head.parameters():
                parameter.mul_(1.5)
            changed = (network(*inputs) != before).any(0).any(0)
            expected = torch.zeros(13, dtype=torch.bool)
            expected[part] = True
            assert torch.equal(changed, expected)
            before = network(*inputs)


def test_a_policy_with_heads_trains_acts_and_is_read_again(tmp_path):
    policy = made(replace(SPLIT, group_weights={"right_gripper": 3.0}), MOBILE)
    policy.save(tmp_path / "policy.pt")
    loaded = ManiFlowPolicy.load(tmp_path / "policy.pt")
    assert loaded.interface.action_groups == GROUPS
    assert torch.equal(loaded.network.dimension_weights, policy.network.dimension_weights)
    actions = act(loaded, [0, 1, 2], MOBILE)
    assert actions.shape == (3, 3, 13)
    assert np.array_equal(actions, act(policy, [0, 1, 2], MOBILE))


@pytest.mark.parametrize("method", ["flow_sde", "flow_noise"])
def test_fine_tuning_knows_the_density_of_what_the_heads_did(method):
    ac = actor_critic(made(SPLIT, MOBILE), noise_method=method)
    obs = ac.tensors(batch_of(MOBILE, 6)["obs"])
    chain, old = ac.sample(obs, generators(6))
    assert chain.shape == (6, 5, 5, 13)
    new, _ = ac.logprob(obs, chain)
    assert old.std() > 0
    assert (new - old).abs().max() < 1e-3
    new.sum().backward()
    heads = ac.policy.network.transformer.head.heads
    assert all(head[-1].weight.grad.abs().sum() > 0 for head in heads)


def test_a_head_learns_beside_others_that_cannot():
    """The gripper opens or closes by what is seen; all other actions are noise."""
    batch = batch_of(MOBILE, 64)
    batch["action"][..., 12] = np.where(batch["obs"]["state"][:, -1:, 0] > 0.5, 1.0, -1.0)
    normalizer = Normalizer.fit({"action": batch["action"], **batch["obs"]})
    policy = ManiFlowPolicy.build(replace(SPLIT, consistency_ratio=0.0), MOBILE, normalizer)
    train(policy, lambda _: batch, 150, rate=3e-3)
    found = policy.act(batch["obs"], policy.start(MOBILE, range(64)))[..., 12]
    assert (np.sign(found) == batch["action"][:, 1:4, 12]).mean() > 0.97


@pytest.mark.parametrize(
    ("settings", "interface", "message"),
    [
        ({"action_heads": "groups"}, UNKNOWN, "do not say what groups their 13 action dimensions"),
        ({"action_heads": "single"}, MOBILE, "one of joint, groups; got 'single'"),
        ({"group_weights": {"base": 2.0}}, MOBILE, "needs policy.action_heads=groups"),
        (
            {"action_heads": "groups", "group_weights": {"right_grip": 2.0}},
            MOBILE,
            "did you mean 'right_gripper'",
        ),
        ({"action_heads": "groups", "group_weights": {"base": 0.0}}, MOBILE, "must be above 0"),
        ({"normalization": {"action": "minmax"}}, MOBILE, "one of identity, limits"),
    ],
)
def test_wrong_settings_are_explained(settings, interface, message):
    with pytest.raises(ManigymError, match=message):
        ManiFlowPolicy.build(replace(TINY, **settings), interface, Normalizer({}))


def test_environments_with_other_groups_of_the_same_size_are_refused():
    policy = ManiFlowPolicy.build(TINY, MOBILE, Normalizer({}))
    policy.start(MOBILE, [0])
    policy.start(UNKNOWN, [0])  # nothing to compare with
    swapped = grouped({"right_arm": 7, "base": 3, "head": 2, "gripper": 1})
    with pytest.raises(ManigymError, match=r"in groups \[\('right_arm', 7\).*has \[\('base'"):
        policy.start(swapped, [0])


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"mode": "joint_delta"}, "right_arm: joint_delta .* \\(there: joint_position"),
        ({"high": (1.0,) * 6 + (1.5,)}, "-1 .. 1.5 rad \\(there: .* -1 .. 1 rad"),
        ({"unit": "degrees"}, "degrees \\(there: .* rad"),
        ({"frame": "world"}, "world"),
    ],
)
def test_actions_of_another_meaning_are_refused(tmp_path, changes, said):
    """Names and sizes of the groups are the same: what the numbers do is not."""
    made(TINY, MOBILE).save(tmp_path / "policy.pt")
    policy = ManiFlowPolicy.load(tmp_path / "policy.pt")
    policy.start(MOBILE, [0])
    with pytest.raises(ManigymError, match=f"else here than what this policy has .*{said}"):
        policy.start(grouped(GROUPS, **changes), [0])
    with pytest.raises(ManigymError, match=r"every action: executed 2 x \(there: executed 1 x\)"):
        policy.start(replace(MOBILE, action_repeat=2), [0])
    words = {"labels": tuple("abcdefg"), "native": "physical"}  # a name, and the simulator's matter
    policy.start(grouped(GROUPS, **words), [0])


def test_protocols_with_other_actions_refuse_one_another():
    """Of every task: MJThor's changes of the arm, RoboTwin's poses, Adroit's actions that are
    executed twice."""
    refused = set()
    for card in envs.CARDS.values():
        faces = {
            p.name: Interface(card.id, spec.size, {}, spec, p.action_repeat)
            for p in card.protocols
            if (spec := card.under(p.name).action)
        }
        for here, there in itertools.permutations(faces, 2):
            same = faces[here] == faces[there]
            with nullcontext() if same else pytest.raises(ManigymError, match="of its training"):
                faces[here].check_action(faces[there], "this policy")
            if not same:
                refused.add((card.simulator, here))
    assert {("MJThor", "delta"), ("RoboTwin", "rate_ee"), ("Adroit", "maniflow")} <= refused
    assert ("Adroit", "dapg") in refused  # by maniflow
    assert not {s for s, _ in refused} & {"Toy", "Robomimic"}


def test_a_checkpoint_that_does_not_know_its_actions_says_so(tmp_path, capsys):
    path = tmp_path / "policy.pt"
    made(TINY, MOBILE).save(path)
    content = torch.load(path, weights_only=True)
    del content["interface"]["action"]
    torch.save(content, path)
    ManiFlowPolicy.load(path).start(grouped(GROUPS, mode="joint_delta"), [0])
    assert "it does not say what its actions mean" in capsys.readouterr().out


def test_stores_and_environments_know_the_groups_of_the_card(tmp_path):
    expected = envs.card(TOY).action
    store = toy_store(tmp_path / "demos", 2)
    assert store_interface(store).action == expected
    env = gym.make(TOY)
    assert env.unwrapped.interface.action == expected
    env.close()
    for name, value in (("labels", "one more"), ("low", -1.0), ("high", 1.0)):
        store.header.action_spec["groups"][0][name].append(value)  # of another protocol
    assert store_interface(store).action is None


def test_a_store_describes_the_action_of_its_protocol():
    own = [
        (card, protocol)
        for card in envs.CARDS.values()
        for protocol in card.protocols
        if protocol.action is not None and protocol.action != card.action
    ]
    assert own
    for card, protocol in own:
        job = CollectJob(card.id, 1, env_options={"protocol": protocol.name})
        assert _header(job, {"action": np.zeros((1, 2))}, {}).action_spec == asdict(protocol.action)
