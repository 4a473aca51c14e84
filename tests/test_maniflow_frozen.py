"""The frozen network: the plain one's actions, the same bits in every batch, never stale."""

from __future__ import annotations

import shutil
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context

import numpy as np
import pytest
import torch

from envs.schema import Interface, ManigymError
from policies.maniflow import ManiFlowConfig, ManiFlowPolicy
from policies.maniflow.ditx import DiTX, DiTXConfig
from policies.maniflow.frozen import Freezer, FrozenDiTX
from policies.maniflow.sampler import sample_recomputing
from policies.normalize import Normalizer

SMALL = DiTXConfig(3, 5, 7, 6, layers=2, width=24, heads=3, time_size=8)
PACKED = DiTXConfig(3, 5, 64, 6, layers=1, width=512, heads=4, time_size=8)
CPU_PRESET = DiTXConfig(7, 10, 96, 4, layers=3, width=96, heads=4)
BASE = DiTXConfig(14, 16, 192, 256, layers=1, width=768, heads=8)  # a block of the base preset


def network_of(config: DiTXConfig) -> DiTX:
    """Without zeros, behind which differences would hide."""
    torch.manual_seed(0)
    network = DiTX(config).eval()
    with torch.no_grad():
        for weights in network.parameters():
            if not weights.any():
                weights.normal_(std=0.02 if config.width > 100 else 0.3)
    return network


def inputs(config: DiTXConfig, rows: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Context tokens and noise."""
    generator = torch.Generator().manual_seed(rows)
    cond = torch.randn(rows, config.context_length, config.context_size, generator=generator)
    return cond, torch.randn(rows, config.horizon, config.action_size, generator=generator)


@pytest.mark.parametrize("hop", ["step", "instant"])
@pytest.mark.parametrize("target", ["relative", "absolute"])
@pytest.mark.parametrize("steps", [1, 4, 10])
@pytest.mark.parametrize(
    "config",
    [
        SMALL,
        PACKED,
        replace(SMALL, qkv_bias=False, qk_norm=False),
        replace(SMALL, head_sizes=(1, 2)),
    ],
    ids=["small", "packed", "bare", "groups"],
)
def test_samples_equal_those_of_the_plain_way(config, steps, target, hop):
    network = network_of(config)
    cond, noise = inputs(config, 3)
    made = FrozenDiTX(network).sample(cond, noise, steps, target, hop)
    with torch.inference_mode():
        plain = sample_recomputing(network, cond, noise, steps, target, hop)
    assert (made - noise).abs().max() > 0.1
    torch.testing.assert_close(made, plain, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("config", [SMALL, PACKED])
def test_keys_and_values_equal_those_of_two_maps(config):
    network = network_of(config)
    frozen = FrozenDiTX(network)
    for rows in (3, 1):  # the second call takes a part of the first one's memory
        cond = inputs(config, rows)[0][:, :-1]
        for made, plain in zip(frozen.context(cond), network.context(cond), strict=True):
            torch.testing.assert_close(made, plain, atol=1e-5, rtol=1e-5)
    with pytest.raises(ValueError, match="got 7 context tokens, but the positional table has 6"):
        frozen.context(torch.zeros(1, 7, config.context_size))


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("config", [CPU_PRESET, PACKED, BASE], ids=["preset", "packed", "base"])
def test_a_row_has_the_same_bits_in_every_batch(config, precision, one_thread):
    frozen = FrozenDiTX(network_of(config), precision)
    cond, noise = inputs(config, 8)
    alone = [frozen.sample(cond[[i]], noise[[i]], 2) for i in range(8)]
    for rows in range(1, 9):
        assert torch.equal(frozen.sample(cond[:rows], noise[:rows], 2), torch.cat(alone[:rows]))


@pytest.fixture
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def test_bfloat16_rounds_by_little_and_leaves_the_integration_alone():
    config = replace(BASE, layers=4)
    network = network_of(config)
    cond, noise = inputs(config, 2)
    exact = FrozenDiTX(network).sample(cond, noise, 10)
    rounded = FrozenDiTX(network, "bfloat16").sample(cond, noise, 10)
    assert rounded.dtype == torch.float32
    difference = (rounded - exact).abs().max()
    assert 0 < difference < 0.03 * exact.square().mean().sqrt()


def optimise(network: DiTX) -> None:
    optimizer = torch.optim.AdamW(network.parameters(), 1e-2)
    network(
        torch.randn(2, 5, 3), torch.rand(2), torch.rand(2), torch.randn(2, 6, 7)
    ).sum().backward()
    optimizer.step()


def average(network: DiTX) -> None:
    other = [torch.randn_like(weights) for weights in network.parameters()]
    torch._foreach_lerp_(list(network.parameters()), other, 0.1)


def average_in_inference_mode(network: DiTX) -> None:
    with torch.inference_mode():
        average(network)


def load(network: DiTX) -> None:
    network.load_state_dict({key: 1.1 * value for key, value in network.state_dict().items()})


def assign(network: DiTX) -> None:
    state = {key: 1.1 * value for key, value in network.state_dict().items()}
    network.load_state_dict(state, assign=True)


def round_to_half(network: DiTX) -> None:
    network.to(torch.float16).to(torch.float32)


def one_bias(network: DiTX) -> None:
    network.blocks[1].cross_attention.kv.bias[5] += 1


CHANGES = [optimise, average, average_in_inference_mode, load, assign, round_to_half, one_bias]


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_of_weights_is_followed(change):
    network, freezer = network_of(SMALL), Freezer("float32", compiled=False)
    cond, noise = inputs(SMALL, 2)
    before = freezer(network).sample(cond, noise, 4)
    assert freezer(network) is freezer(network)
    with torch.no_grad() if change is not optimise else torch.enable_grad():
        change(network)
    after = freezer(network).sample(cond, noise, 4)
    assert not torch.equal(after, before)
    with torch.inference_mode():
        plain = sample_recomputing(network, cond, noise, 4)
    torch.testing.assert_close(after, plain, atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_no_weight_is_overlooked():
    network, freezer = network_of(SMALL), Freezer("float32", compiled=False)
    for weights in network.parameters():
        before = freezer(network)
        weights.mul_(1.5)
        assert freezer(network) is not before


@torch.no_grad()
def test_another_network_is_another_field():
    first, freezer = network_of(SMALL), Freezer("float32", compiled=False)
    second = network_of(SMALL)
    second.position.add_(1)
    cond, noise = inputs(SMALL, 1)
    assert not torch.equal(
        freezer(first).sample(cond, noise, 1), freezer(second).sample(cond, noise, 1)
    )


SEEN = {
    "proprio": ((3,), "float32"),
    "point_cloud": ((20, 6), "float32"),
    "instruction": ((), "str"),
}
TINY = ManiFlowConfig(
    layers=2,
    width=32,
    heads=2,
    state_size=32,
    time_size=8,
    horizon=5,
    n_action=3,
    points=8,
    language="hashed",
)


def observations(rows: int, modalities: list[str]) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    words = np.array(["open the door", "close the drawer"])
    return {
        key: words[rng.integers(0, 2, (rows, 1)).repeat(2, 1)]
        if key == "instruction"
        else rng.uniform(0, 1, (rows, 2, *SEEN[key][0])).astype(np.float32)
        for key in modalities
    }


def policy_of(modalities: list[str]) -> ManiFlowPolicy:
    """Untrained, but without zeros."""
    interface = Interface("Test/env-v0", 2, {key: SEEN[key] for key in modalities})
    seen = observations(8, modalities)
    seen.pop("instruction", None)
    action = np.random.default_rng(1).uniform(-1, 1, (8, 5, 2)).astype(np.float32)
    config = replace(TINY, observations=modalities)
    policy = ManiFlowPolicy.build(config, interface, Normalizer.fit({**seen, "action": action}))
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for weights in policy.module.parameters():
            if not weights.any():
                weights.normal_(std=0.1, generator=generator)
    policy.module.eval()
    return policy


@torch.inference_mode()
def plain_actions(policy: ManiFlowPolicy, obs: dict, seeds: list[int]) -> np.ndarray:
    """What `act` does, by the plain network."""
    generators = (torch.Generator().manual_seed(seed) for seed in seeds)
    noise = torch.stack([torch.randn(5, 2, generator=g) for g in generators])
    network = policy.network
    cond = network.encode(policy.tensors(obs))
    actions = sample_recomputing(network.transformer, cond, noise, 10)
    return policy.executed(network.normalizer.unnormalize("action", actions))


@pytest.mark.parametrize(
    "modalities",
    [["proprio"], ["proprio", "point_cloud"], ["proprio", "point_cloud", "instruction"]],
    ids=len,
)
def test_a_policy_acts_as_its_network_says_also_after_training(modalities):
    policy, obs = policy_of(modalities), observations(3, modalities)
    answers = []
    for _ in range(2):
        made = policy.act(obs, policy.start(policy.interface, [4, 5, 6]))
        np.testing.assert_allclose(made, plain_actions(policy, obs, [4, 5, 6]), atol=1e-5)
        answers.append(made)
        with torch.no_grad():
            for weights in policy.module.parameters():
                weights.mul_(1.05)
    assert np.abs(answers[0] - answers[1]).max() > 1e-3


def test_stages_are_those_of_the_last_act():
    policy, obs = policy_of(["proprio"]), observations(3, ["proprio"])
    assert policy.stages == {}
    for options in ({}, {"rows_per_call": 1}):
        used = policy.with_options(options)
        seconds = []
        for _ in range(2):
            used.act(obs, used.start(used.interface, [0, 1, 2]))
            seconds.append(used.stages)
        assert list(seconds[1]) == ["encode", "denoise"]
        assert all(0 < part < 10 for part in seconds[1].values())
        assert seconds[0] != seconds[1]


def test_stages_add_up_over_the_calls_of_one_act(monkeypatch):
    policy, obs = policy_of(["proprio"]), observations(3, ["proprio"])
    policy = policy.with_options({"rows_per_call": 1})
    ticks = iter([0.0, 1.0, 11.0] * 3)
    monkeypatch.setattr(policy, "_clock", lambda: next(ticks))
    policy.act(obs, policy.start(policy.interface, [0, 1, 2]))
    assert policy.stages == {"encode": 3.0, "denoise": 30.0}


def test_precision_is_an_inference_setting():
    policy, obs = policy_of(["proprio"]), observations(2, ["proprio"])
    rounded = policy.with_options({"precision": "bfloat16"})
    made, exact = (p.act(obs, p.start(p.interface, [0, 1])) for p in (rounded, policy))
    assert rounded.config.precision == "bfloat16"
    assert 0 < np.abs(made - exact).max() < 0.05
    with pytest.raises(ManigymError, match=r"policy.precision must be one of float32, bfloat16"):
        policy.with_options({"precision": "float16"})


def compare_compiled() -> None:
    config = replace(SMALL, layers=1)
    network = network_of(config)
    cond, noise = inputs(config, 2)
    compiled, eager = FrozenDiTX(network, compiled=True), FrozenDiTX(network)
    assert hasattr(compiled.step, "_torchdynamo_orig_callable")
    torch.testing.assert_close(
        compiled.sample(cond, noise, 4), eager.sample(cond, noise, 4), atol=1e-5, rtol=1e-5
    )


@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a C++ compiler (g++)")
def test_a_compiled_step_gives_the_same_samples():
    """In a process of its own: torch's compiler loads distutils, which setuptools dislikes."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        process.submit(compare_compiled).result()
