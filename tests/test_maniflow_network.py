"""DiT-X against its formulas, and the observation encoders against known answers."""

import math

import pytest
import torch
from torch import Tensor

from envs.schema import Interface, ManigymError
from policies.maniflow.augment import color_matrices, jitter_colors, shift_images
from policies.maniflow.ditx import DiTX, DiTXConfig
from policies.maniflow.encoders import build_encoder, check_modalities, used_keys
from policies.maniflow.linear import SteadyLinear
from policies.maniflow.points import farthest_points, with_robot

SMALL = DiTXConfig(action_size=3, horizon=5, context_size=7, context_length=6, layers=2,
                   width=24, heads=3, time_size=8)  # fmt: skip


def randomised(config: DiTXConfig = SMALL) -> DiTX:
    """A float64 network in which no weight is zero."""
    generator = torch.Generator().manual_seed(0)
    network = DiTX(config).double().eval()
    with torch.no_grad():
        for parameter in network.parameters():
            noise = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
            parameter.copy_(0.3 * noise)
    return network


def inputs(rows: int = 4, tokens: int = 6) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)

    def draw(*shape: int) -> Tensor:
        return torch.rand(shape, generator=generator, dtype=torch.float64)

    return draw(rows, 5, 3) - 0.5, draw(rows), draw(rows), draw(rows, tokens, 7) - 0.5


@pytest.mark.parametrize(
    ("layers", "width", "heads", "expected"),
    [(12, 768, 8, 180_225_806), (28, 1152, 16, 935_558_414)],
)
def test_parameter_counts_are_upstreams(layers, width, heads, expected):
    with torch.device("meta"):
        network = DiTX(DiTXConfig(14, 16, 192, 256, layers, width, heads))
    assert sum(p.numel() for p in network.parameters()) == expected


def reference(w: dict[str, Tensor], x: Tensor, t: Tensor, d: Tensor, cond: Tensor) -> Tensor:
    """DiT-X read literally from its formulas: plain einsum on the weights, no modules."""

    def linear(name: str, h: Tensor) -> Tensor:
        return torch.einsum("...i,oi->...o", h, w[f"{name}.weight"]) + w.get(f"{name}.bias", 0)

    def layer_norm(h: Tensor, eps: float) -> Tensor:
        centred = h - h.mean(-1, keepdim=True)
        return centred / torch.sqrt((centred**2).mean(-1, keepdim=True) + eps)

    def gelu(h: Tensor) -> Tensor:
        return 0.5 * h * (1 + torch.tanh(math.sqrt(2 / math.pi) * (h + 0.044715 * h**3)))

    def encode_time(name: str, s: Tensor) -> Tensor:
        k = torch.arange(4)
        angle = torch.einsum("b,k->bk", s, torch.exp(-k * math.log(10000) / 3).double())
        h = linear(f"{name}.1", torch.cat([torch.sin(angle), torch.cos(angle)], -1))
        return linear(f"{name}.3", h * torch.tanh(torch.log(1 + torch.exp(h))))

    def attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        scores = torch.einsum("bthd,blhd->bhtl", q, k) / math.sqrt(q.shape[-1])
        weights = torch.exp(scores) / torch.exp(scores).sum(-1, keepdim=True)
        return torch.einsum("bhtl,blhd->bthd", weights, v).flatten(2)

    def heads(h: Tensor) -> Tensor:
        return h.reshape(*h.shape[:2], 3, 8)

    time = linear("time_mix", torch.cat([encode_time("time", t), encode_time("hop", d)], -1))
    context = linear("context_in", cond) + w["context_position"][:, : cond.shape[1]]
    x = linear("action_in", x) + w["position"]
    for i in range(2):
        name = f"blocks.{i}"
        m = linear(f"{name}.modulation", time / (1 + torch.exp(-time)))[:, None].chunk(9, dim=-1)
        h = layer_norm(x, 1e-6) * (1 + m[1]) + m[0]
        q, k, v = linear(f"{name}.self_attention.qkv", h).chunk(3, dim=-1)
        h = attend(heads(q), heads(k), heads(v))
        x = x + m[2] * linear(f"{name}.self_attention.out", h)
        h = layer_norm(x, 1e-6) * (1 + m[4]) + m[3]
        cross = f"{name}.cross_attention"
        q = layer_norm(heads(linear(f"{cross}.q", h)), 1e-5)
        k, v = linear(f"{cross}.kv", context).chunk(2, dim=-1)
        k = layer_norm(heads(k), 1e-5)
        q = q * w[f"{cross}.q_norm.weight"] + w[f"{cross}.q_norm.bias"]
        k = k * w[f"{cross}.k_norm.weight"] + w[f"{cross}.k_norm.bias"]
        x = x + m[5] * linear(f"{cross}.out", attend(q, k, heads(v)))
        h = layer_norm(x, 1e-6) * (1 + m[7]) + m[6]
        x = x + m[8] * linear(f"{name}.mlp.2", gelu(linear(f"{name}.mlp.0", h)))
    x = x / torch.sqrt((x**2).mean(-1, keepdim=True) + 1e-6) * w["head.0.weight"]
    return linear("head.3", gelu(linear("head.1", x)))


@pytest.mark.parametrize("tokens", [6, 4])
def test_network_agrees_with_its_formulas(tokens):
    network = randomised()
    batch = inputs(tokens=tokens)
    expected = reference(dict(network.state_dict()), *batch)
    assert expected.std() > 0.1
    # Only the frequencies of the sinusoid were rounded to float32.
    torch.testing.assert_close(network(*batch), expected, rtol=0, atol=1e-6)


def test_every_input_matters():
    network = randomised()
    batch = inputs()
    base = network(*batch)
    for i in range(len(batch)):
        changed = [b + 0.1 if j == i else b for j, b in enumerate(batch)]
        assert (network(*changed) - base).abs().max() > 1e-3


def test_output_is_zero_and_blocks_are_identities_at_initialisation():
    network = DiTX(SMALL).double()
    _, t, d, cond = batch = inputs()
    assert network(*batch).abs().max() == 0
    x = torch.randn(4, 5, 24, dtype=torch.float64)
    for block, m, kv in zip(
        network.blocks, network.modulation(t, d), network.context(cond), strict=True
    ):
        assert torch.equal(block(x, m, kv), x)
    assert network.position.std().item() == pytest.approx(0.02, rel=0.3)
    assert network.context_position.abs().max() == 0


def test_split_computation_equals_forward():
    network = randomised()
    x, t, d, cond = inputs()
    split = network.velocity(x, network.modulation(t, d), network.context(cond))
    assert torch.equal(split, network(x, t, d, cond))


def test_dropout_acts_in_training_only():
    config = DiTXConfig(3, 5, 7, 6, layers=2, width=24, heads=3, time_size=8, dropout=0.5)
    network = randomised(config)
    batch = inputs()
    assert torch.equal(network(*batch), network(*batch))
    network.train()
    assert not torch.equal(network(*batch), network(*batch))


def test_too_many_tokens_and_bad_sizes_are_explained():
    with pytest.raises(ValueError, match=r"9 context tokens.*6 rows"):
        randomised().context(torch.zeros(1, 9, 7, dtype=torch.float64))
    with pytest.raises(ValueError, match="25 is not a multiple of its 3 heads"):
        DiTXConfig(3, 5, 7, 6, layers=2, width=25, heads=3)


def interface(**observation: tuple[int, ...]) -> Interface:
    keys = {k.replace("__", "/"): (shape, "float32") for k, shape in observation.items()}
    return Interface("Test/env-v0", 3, keys)


def encoder(modalities: list[str], given: Interface, points: int = 8, colors: bool = False):
    check_modalities(modalities)
    keys = used_keys(modalities, given)
    return build_encoder(keys, given, 2, state_size=16, points=points, point_colors=colors)


@pytest.mark.parametrize(("colors", "expected"), [(False, 80_768), (True, 245_312)])
def test_point_encoder_has_upstreams_sizes(colors, expected):
    made = encoder(
        ["proprio", "point_cloud"], interface(proprio=(14,), point_cloud=(32, 6)), colors=colors
    )
    assert sum(p.numel() for p in made.parameters()) == expected
    obs = {"proprio": torch.randn(3, 2, 14), "point_cloud": torch.randn(3, 2, 32, 6)}
    assert made(obs).shape == (3, made.length, made.size) == (3, 16, 192)


def test_point_tokens_do_not_mix_and_carry_the_state_of_their_step():
    made = encoder(["proprio", "point_cloud"], interface(proprio=(4,), point_cloud=(8, 3)))
    obs = {"proprio": torch.randn(1, 2, 4), "point_cloud": torch.randn(1, 2, 8, 3)}
    base = made(obs)
    cloud = obs["point_cloud"].clone()
    cloud[0, 1, 5] += 1
    moved = (made(obs | {"point_cloud": cloud}) - base).abs().sum(-1)[0]
    assert moved.nonzero().flatten().tolist() == [13]
    state = obs["proprio"].clone()
    state[0, 0] += 1
    moved = (made(obs | {"proprio": state}) - base).abs().sum(-1)[0]
    assert moved.nonzero().flatten().tolist() == list(range(8))


@pytest.mark.parametrize("channels", [3, 6])
def test_the_robots_own_points_join_the_cloud(channels):
    given = interface(point_cloud=(6, channels), robot_points=(4, 7))
    made = encoder(["point_cloud", "robot_points"], given, points=10, colors=channels == 6)
    obs = {"point_cloud": torch.randn(2, 2, 6, channels), "robot_points": torch.randn(2, 2, 4, 7)}
    joined = with_robot(obs)["point_cloud"]
    assert joined.shape == (2, 2, 10, channels)
    torch.testing.assert_close(joined[:, :, :6], obs["point_cloud"])
    torch.testing.assert_close(joined[:, :, 6:], obs["robot_points"][..., :channels])
    assert made(with_robot(obs)).shape == (2, 20, 128)
    assert with_robot({"proprio": joined}) == {"proprio": joined}


def test_farthest_points_on_a_line():
    xyz = torch.zeros(2, 6, 3)
    xyz[0, :, 0] = torch.tensor([0.0, 1.0, 2.0, 3.0, 4.0, 10.0])
    xyz[1, :, 1] = torch.tensor([5.0, 4.0, 9.0, 0.0, 6.0, 2.0])
    assert farthest_points(xyz, 4).tolist() == [[0, 5, 4, 2], [0, 3, 2, 5]]


def test_image_encoder_shapes_and_cameras():
    given = interface(proprio=(4,), rgb__front=(40, 24, 3), rgb__wrist=(40, 24, 3))
    made = encoder(["proprio", "rgb"], given)
    picture = torch.randint(0, 256, (3, 2, 40, 24, 3), dtype=torch.uint8)
    obs = {"rgb/front": picture, "rgb/wrist": picture, "proprio": torch.randn(3, 2, 4)}
    tokens = made(obs)
    # 3 x 2 cells for each of two cameras and one vector, at two steps.
    assert tokens.shape == (3, made.length, made.size) == (3, 26, 128)
    difference = tokens[:, 6:12] - tokens[:, :6]
    expected = (made.camera[1] - made.camera[0]).expand(3, 6, -1)
    torch.testing.assert_close(difference, expected, atol=1e-6, rtol=0)
    torch.testing.assert_close(
        made(obs | {"rgb/front": picture / 255, "rgb/wrist": picture.float() / 255}), tokens
    )


def test_state_encoder_makes_one_token_per_step():
    made = encoder(["proprio", "state"], interface(proprio=(4,), state=(2,)))
    obs = {"proprio": torch.randn(3, 2, 4), "state": torch.randn(3, 2, 2)}
    assert made(obs).shape == (3, made.length, made.size) == (3, 2, 16)


@pytest.mark.parametrize(
    ("modalities", "message"),
    [
        (["state", "point_cloud"], "needs observation 'state', but Test/env-v0 gives"),
        (["rgb", "point_cloud"], "not both"),
        (["touch"], "uses observations among"),
        (["proprio", "robot_points"], "added to a point_cloud"),
        ([], "uses observations among"),
        (["rgb"], "one size"),
    ],
)
def test_unusable_observations_are_explained(modalities, message):
    given = interface(point_cloud=(8, 6), rgb__a=(8, 8, 3), rgb__b=(9, 8, 3))
    with pytest.raises(ManigymError, match=message):
        encoder(modalities, given)


def test_point_colors_need_colors():
    with pytest.raises(ManigymError, match="6 channels, Test/env-v0 gives 3"):
        encoder(["point_cloud"], interface(point_cloud=(8, 3)), colors=True)


def test_color_jitter_keeps_gray_gray_and_differs_by_sample():
    generator = torch.Generator().manual_seed(0)
    gray = torch.full((50, 4, 3), 0.4)
    changed = jitter_colors(gray, generator)
    assert (changed.amax(-1) - changed.amin(-1)).max() < 1e-3
    assert changed.min() >= 0.4 * 0.7 - 1e-3
    assert changed.max() <= 0.4 * 1.3 + 1e-3
    assert changed[:, 0, 0].std() > 0.02
    red = color_matrices(50, generator) @ torch.tensor([1.0, 0.0, 0.0])
    assert (red[:, 0] > red[:, 1]).all()
    assert (red[:, 0] > red[:, 2]).all()


def test_shift_moves_whole_pictures_and_repeats_the_border():
    rows = torch.arange(40)[None, None, :, None, None].expand(20, 2, 40, 40, 3)
    shifted = shift_images(rows, torch.Generator().manual_seed(0))
    offset = shifted[:, 0, 20, 20, 0] - 20
    assert sorted(set(offset.tolist())) == [-2, -1, 0, 1, 2]
    expected = (torch.arange(40)[None] + offset[:, None]).clamp(0, 39)
    assert torch.equal(shifted, expected[:, None, :, None, None].expand_as(shifted))


@pytest.mark.parametrize("shape", [(1,), (3,), (2, 1), (1, 3), (4,), (5, 2)])
def test_a_steady_linear_map_computes_at_least_four_rows(shape, monkeypatch):
    counted = []
    honest = torch.nn.Linear.forward
    monkeypatch.setattr(
        torch.nn.Linear, "forward", lambda self, x: counted.append(x) or honest(self, x)
    )
    layer = SteadyLinear(6, 3)
    x = torch.randn(*shape, 6)
    y = layer(x)
    assert y.shape == (*shape, 3)
    assert counted[0].shape[:-1].numel() == max(4, x.shape[:-1].numel())
    torch.testing.assert_close(y, x @ layer.weight.T + layer.bias)
