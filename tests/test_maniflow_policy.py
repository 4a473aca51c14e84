"""The ManiFlow policy as the harness uses it: settings, episodes, training, checkpoints."""

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch

from envs.schema import Interface, ManigymError
from policies.maniflow import ManiFlowConfig, ManiFlowPolicy
from policies.maniflow.times import TIME_SAMPLERS
from policies.normalize import Normalizer

STATE = Interface("Test/env-v0", 2, {"proprio": ((3,), "float32"), "state": ((4,), "float32")})
VISION = Interface(
    "Test/env-v0",
    2,
    {
        "proprio": ((3,), "float32"),
        "point_cloud": ((20, 6), "float32"),
        "rgb/front": ((24, 24, 3), "uint8"),
    },
)
TINY = ManiFlowConfig(
    layers=2, width=32, heads=2, state_size=32, horizon=5, n_action=3, time_size=8
)


def batch_of(interface: Interface, rows: int, config: ManiFlowConfig = TINY, seed: int = 0):
    """Random windows that fit the interface."""
    rng = np.random.default_rng(seed)
    obs = {}
    for key, (shape, dtype) in interface.observation.items():
        size = (rows, config.n_obs, *shape)
        obs[key] = (
            rng.integers(0, 256, size, dtype=np.uint8)
            if dtype == "uint8"
            else rng.uniform(0, 1, size).astype(np.float32)
        )
    action = rng.uniform(-1, 1, (rows, config.horizon, interface.action_size)).astype(np.float32)
    return {"obs": obs, "action": action, "action_is_pad": np.zeros(action.shape[:2], bool)}


def made(config: ManiFlowConfig = TINY, interface: Interface = STATE, steps: int = 20):
    """A policy whose weights have left their initial zeros."""
    batch = batch_of(interface, 8, config)
    normalizer = Normalizer.fit({**batch["obs"], "action": batch["action"]})
    policy = ManiFlowPolicy.build(config, interface, normalizer)
    train(policy, lambda _: batch, steps, rate=1e-2)
    return policy


def train(policy: ManiFlowPolicy, batches, steps: int, rate: float) -> list[float]:
    """A few steps of plain training with an EMA teacher; returns the losses."""
    generator = torch.Generator().manual_seed(0)
    teacher = copy.deepcopy(policy.module).eval().requires_grad_(False)
    optimizer = torch.optim.AdamW(policy.module.parameters(), rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps, rate / 100)
    policy.module.train()
    losses = []
    for step in range(steps):
        loss, _ = policy.loss(batches(step), teacher, generator)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        with torch.no_grad():
            for slow, fast in zip(teacher.parameters(), policy.module.parameters(), strict=True):
                slow.lerp_(fast, 0.05)
        losses.append(loss.item())
    policy.module.eval()
    return losses


def act(policy: ManiFlowPolicy, seeds: list[int], interface: Interface = STATE) -> np.ndarray:
    """Actions of the first call, with the observations of row i given to seed i."""
    obs = batch_of(interface, 8, policy.config)["obs"]
    states = policy.start(interface, seeds)
    return policy.act({k: v[seeds] for k, v in obs.items()}, states)


def test_actions_are_chunks_within_the_limits():
    policy = made(replace(TINY, normalization={"action": "identity"}))
    with torch.no_grad():
        policy.network.transformer.head[-1].bias += 5
    actions = act(policy, [0, 1, 2])
    assert actions.shape == (3, 3, 2)
    assert actions.dtype == np.float32
    assert actions.max() == 1


def test_an_episode_depends_on_itself_only():
    policy = made()
    together = act(policy, [0, 1, 2, 3])
    for seed in range(4):  # to rounding: whether batches keep bits is for the machine to say
        np.testing.assert_allclose(act(policy, [seed])[0], together[seed], atol=1e-5)
    np.testing.assert_allclose(act(policy, [3, 0])[0], together[3], atol=1e-5)
    assert len(np.unique(together[:, 0, 0].round(3))) == 4


@pytest.fixture
def steady_products():
    """One torch thread, on a machine whose products of four rows and more agree row by row.

    Elsewhere batches are found to change bits before a run, and episodes are asked one by one.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        layer, rows = torch.nn.Linear(40, 64), torch.randn(64, 40)
        with torch.inference_mode():
            steady = all(torch.equal(layer(rows[:n]), layer(rows)[:n]) for n in (4, 8, 12, 32))
        if not steady:
            pytest.skip("matrix products of this machine round by their number of rows")
        yield
    finally:
        torch.set_num_threads(threads)


@pytest.mark.usefixtures("steady_products")
@pytest.mark.parametrize("count", [2, 3, 4, 5, 8])
def test_a_row_has_the_same_bits_in_every_batch(count):
    policy = made()
    alone = np.concatenate([act(policy, [i]) for i in range(count)])
    assert np.array_equal(act(policy, list(range(count))), alone)


def test_a_fixed_number_of_rows_is_filled_up():
    policy = made()
    filled = policy.with_options({"rows_per_call": 3})
    np.testing.assert_allclose(act(filled, [0, 1, 2, 3]), act(policy, [0, 1, 2, 3]), atol=1e-5)
    assert np.array_equal(act(filled, [0, 1, 2, 3])[3], act(filled, [3])[0])


def test_noise_goes_on_through_the_episode_and_starts_again_with_it():
    policy = made()
    obs = {k: v[:1] for k, v in batch_of(STATE, 1)["obs"].items()}
    state = policy.start(STATE, [7])
    first, second = policy.act(obs, state), policy.act(obs, state)
    assert not np.array_equal(first, second)
    again = policy.start(STATE, [7])
    assert np.array_equal(policy.act(obs, again), first)
    assert np.array_equal(policy.act(obs, again), second)


def test_executed_steps_start_at_the_current_one():
    long, short = made(), made()
    short = short.with_options({"n_action": 1})
    assert np.array_equal(act(long, [0, 1])[:, :1], act(short, [0, 1]))
    predicted = long._predict(
        {k: v[:1] for k, v in batch_of(STATE, 8)["obs"].items()},
        torch.randn(5, 2, generator=torch.Generator().manual_seed(0))[None],
        np.arange(1),
    )
    expected = predicted[0, 1:4].clamp(-1, 1).numpy()
    assert np.array_equal(act(long, [0])[0], expected)


@pytest.mark.parametrize("modality", ["state", "point_cloud", "rgb"])
def test_every_kind_of_observation_trains_and_acts(modality):
    interface = STATE if modality == "state" else VISION
    config = replace(TINY, observations=["proprio", modality], points=8, point_colors=True)
    policy = made(config, interface, steps=3)
    assert policy.spec.observations == ("proprio", modality)
    assert np.isfinite(act(policy, [0, 1], interface)).all()
    gradients = [p.grad.abs().sum() for p in policy.network.encoder.parameters()]
    assert all(g > 0 for g in gradients)


@pytest.mark.parametrize("mode", sorted(TIME_SAMPLERS))
def test_every_time_sampling_trains(mode):
    policy = made(replace(TINY, flow_time=mode, consistency_time=mode), steps=2)
    loss, parts = policy.loss(batch_of(STATE, 8), policy.module, torch.Generator())
    assert torch.isfinite(loss)
    assert set(parts) == {"flow", "consistency"}


def value_of_loss(policy: ManiFlowPolicy, interface: Interface, seed: int) -> float:
    teacher = copy.deepcopy(policy.module).eval()
    policy.module.train()
    generator = torch.Generator().manual_seed(seed)
    return policy.loss(batch_of(interface, 8, policy.config), teacher, generator)[0].item()


@pytest.mark.parametrize(
    ("interface", "config"),
    [
        (STATE, replace(TINY, dropout=0.5)),
        (VISION, replace(TINY, observations=["rgb"], augment=True)),
    ],
    ids=["dropout", "augmentation"],
)
def test_loss_takes_all_its_randomness_from_the_generator(interface, config):
    policy = made(config, interface, steps=3)
    first = value_of_loss(policy, interface, 0)
    before = torch.get_rng_state()
    assert value_of_loss(policy, interface, 0) == first
    assert value_of_loss(policy, interface, 1) != first
    assert torch.equal(torch.get_rng_state(), before)


def test_augmentation_is_for_training_only():
    policy = made(replace(TINY, observations=["rgb"]), VISION, steps=3)
    plain = copy.copy(policy)
    plain.config = replace(policy.config, augment=False)
    policy.module.eval()

    def loss(p: ManiFlowPolicy) -> float:
        generator = torch.Generator().manual_seed(0)
        return p.loss(batch_of(VISION, 8), p.module, generator)[0].item()

    assert loss(policy) == loss(plain)
    policy.module.train()
    assert loss(policy) != loss(plain)


def test_initial_weights_depend_on_the_seed_alone():
    torch.manual_seed(1)
    weights = [
        ManiFlowPolicy.build(replace(TINY, init_seed=seed), STATE, Normalizer({}))
        .network.transformer.action_in.weight
        for seed in (0, 0, 1)
    ]  # fmt: skip
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_checkpoint_round_trip_gives_the_same_bits(tmp_path):
    policy = made()
    path = tmp_path / "deep" / "policy.pt"
    policy.save(path, {"step": 3})
    loaded = ManiFlowPolicy.load(path)
    assert loaded.config == policy.config
    assert loaded.interface == policy.interface
    assert np.array_equal(act(loaded, [0, 1, 2]), act(policy, [0, 1, 2]))
    assert torch.load(path, weights_only=True)["step"] == 3
    assert [p.name for p in path.parent.iterdir()] == ["policy.pt"]


def test_options_change_inference_but_not_the_network(tmp_path):
    path = tmp_path / "policy.pt"
    made().save(path)
    changed = ManiFlowPolicy.from_options(path, {"num_inference_steps": 1})
    assert changed.describe()["nfe"] == 1
    assert not np.array_equal(act(changed, [0]), act(ManiFlowPolicy.load(path), [0]))
    with pytest.raises(ManigymError, match=r"policy\.width is fixed by training"):
        ManiFlowPolicy.from_options(path, {"width": 8})
    with pytest.raises(ManigymError, match="give --checkpoint FILE"):
        ManiFlowPolicy.from_options(None, {})


def test_unusable_checkpoints_are_explained(tmp_path):
    path = tmp_path / "policy.pt"
    with pytest.raises(ManigymError, match="no checkpoint at"):
        ManiFlowPolicy.load(path)
    made(steps=1).save(path)
    whole = path.read_bytes()
    for broken in (whole[: len(whole) // 2], b"", b"hello"):
        path.write_bytes(broken)
        with pytest.raises(ManigymError, match=f"{len(broken)} bytes.*truncated or of another"):
            ManiFlowPolicy.load(path)
    for content, found in (({"a": 1}, "found None"), ([1], "found 'list'")):
        torch.save(content, path)
        with pytest.raises(ManigymError, match=found):
            ManiFlowPolicy.load(path)
    path.write_bytes(whole)
    torch.save(torch.load(path) | {"policy": "other"}, path)
    with pytest.raises(ManigymError, match="use --policy other"):
        ManiFlowPolicy.load(path)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (replace(STATE, action_size=7), "actions of size 7.*trained for 2"),
        (replace(STATE, observation={"proprio": ((3,), "float32")}), "nothing for .*'state'"),
        (
            replace(STATE, observation=dict(STATE.observation) | {"state": ((9,), "float32")}),
            r"shape \(9,\) for observation 'state'.*trained with shape \(4,\)",
        ),
    ],
)
def test_other_environments_are_refused(given, message):
    policy = ManiFlowPolicy.build(TINY, STATE, Normalizer({}))
    with pytest.raises(ManigymError, match=message):
        policy.start(given, [0])


def test_wrong_observation_shapes_are_explained():
    policy = ManiFlowPolicy.build(TINY, STATE, Normalizer({}))
    obs = {"proprio": np.zeros((1, 1, 3), np.float32), "state": np.zeros((1, 2, 4), np.float32)}
    with pytest.raises(ValueError, match=r"'proprio': expected \(B, O, ...\) = \(1, 2, 3\), got"):
        policy.act(obs, policy.start(STATE, [0]))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"n_action": 16, "horizon": 16}, "at most 15.*raise horizon to 17"),
        ({"preset": "huge"}, "preset must be one of cpu_small, base, large; got 'huge'"),
        ({"num_inference_steps": 0}, "num_inference_steps must be a whole number .* got 0"),
        ({"num_inference_steps": "few"}, "num_inference_steps must be a whole number .* 'few'"),
        ({"flow_time": "gamma"}, "policy.flow_time must be one of"),
        ({"observations": ["rgb", "point_cloud"]}, "not both"),
    ],
)
def test_wrong_settings_are_explained(settings, message):
    with pytest.raises(ManigymError, match=message):
        ManiFlowConfig(**settings).resolved()


def test_presets_are_filled_in_and_can_be_overridden():
    assert ManiFlowConfig(preset="base").resolved().layers == 12
    large = ManiFlowConfig(preset="large", width=64, cameras=["top"], image_size=[64, 64])
    assert (large.resolved().layers, large.resolved().width) == (28, 64)
    assert large.spec().env_options == {"cameras": ["top"], "image_size": [64, 64]}


def test_environments_are_asked_for_what_the_policy_was_trained_with():
    def options(**settings):
        config = replace(TINY, **settings)
        return ManiFlowPolicy.build(config, VISION, Normalizer({})).spec.env_options

    assert options(observations=["proprio"]) == {}
    assert options(observations=["point_cloud"]) == {"num_points": 20}
    pictures = {"cameras": ["front"], "image_size": [24, 24]}
    assert options(observations=["rgb"]) == pictures
    with pytest.raises(ManigymError, match=r"needs observation 'rgb/top', but .*rgb/front"):
        options(observations=["rgb"], cameras=["top"])


def windows(seed: int, rows: int) -> dict:
    """Actions that are a smooth function of the last observation, different at every step."""
    batch = batch_of(STATE, rows, seed=seed)
    last = np.concatenate([batch["obs"][k][:, -1] for k in ("proprio", "state")], axis=-1)
    phase = np.arange(TINY.horizon)[None, :, None] / TINY.horizon
    batch["action"] = np.sin(3 * last[:, None, :2] + phase).astype(np.float32) * 0.9
    return batch


@pytest.mark.parametrize("consistency_ratio", [0.25, 0.0])
def test_training_fits_a_function(consistency_ratio):
    config = replace(TINY, consistency_ratio=consistency_ratio)
    data = windows(0, 2000)
    policy = ManiFlowPolicy.build(
        config, STATE, Normalizer.fit({**data["obs"], "action": data["action"]})
    )
    losses = train(policy, lambda step: windows(step, 64), 400, rate=3e-3)
    assert np.mean(losses[-20:]) < 0.15 * losses[0]
    test = windows(10_000, 64)
    actions = policy.act(test["obs"], policy.start(STATE, range(64)))
    error = np.sqrt(np.mean((actions - test["action"][:, 1:4]) ** 2))
    assert test["action"].std() > 0.3
    assert error < 0.09
