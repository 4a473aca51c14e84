"""Normalisation: known answers, round trips, streaming, and broken data."""

from itertools import pairwise

import numpy as np
import pytest
import torch

from envs.schema import ManigymError
from policies.normalize import Normalizer


@pytest.fixture
def data() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {
        "action": rng.uniform(-1, 1, (500, 3)).astype(np.float32) * [1, 10, 0.5] + [0, 100, 0],
        "point_cloud": rng.normal(size=(500, 16, 6)).astype(np.float32) + np.arange(6),
        "rgb/front": rng.integers(0, 256, (500, 4, 4, 3), dtype=np.uint8),
    }


def test_limits_reach_exactly_plus_and_minus_one(data):
    normalizer = Normalizer.fit(data)
    for key in ("action", "point_cloud"):
        flat = normalizer.normalize(key, torch.from_numpy(data[key]).float()).flatten(0, -2)
        ones = torch.ones(flat.shape[-1])
        torch.testing.assert_close(flat.amax(0), ones, atol=1e-5, rtol=0)
        torch.testing.assert_close(flat.amin(0), -ones, atol=1e-5, rtol=0)


def test_known_answers():
    rows = np.array([[0.0, 5.0, 2.0], [4.0, 5.00001, 2.0], [2.0, 5.0, 8.0]])
    limits = Normalizer.fit({"state": rows})
    x = torch.tensor([[1.0, 5.5, 5.0]])
    # Range 4 around 2; (nearly) constant, so only shifted; range 6 around 5.
    torch.testing.assert_close(
        limits.normalize("state", x), torch.tensor([[-0.5, 0.5, 0.0]]), atol=1e-5, rtol=0
    )
    gaussian = Normalizer.fit({"state": rows}, {"state": "gaussian"})
    deviation = np.sqrt(8 / 3)
    expected = torch.tensor([[-1 / deviation, 0.5, 1 / np.sqrt(8)]], dtype=torch.float32)
    torch.testing.assert_close(gaussian.normalize("state", x), expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("mode", ["limits", "gaussian", "identity"])
def test_round_trip(data, mode):
    normalizer = Normalizer.fit(data, {"action": mode})
    x = torch.from_numpy(data["action"]).float()
    there = normalizer.normalize("action", x)
    assert torch.equal(there, x) == (mode == "identity")
    torch.testing.assert_close(normalizer.unnormalize("action", there), x, atol=1e-5, rtol=1e-6)


def test_images_and_unknown_keys_pass_through(data):
    normalizer = Normalizer.fit(data)
    image = torch.from_numpy(data["rgb/front"])
    assert normalizer.normalize("rgb/front", image) is image
    assert "rgb/front" not in normalizer.to_dict()


@pytest.mark.parametrize("mode", ["limits", "gaussian"])
def test_streaming_equals_fitting_at_once(data, mode):
    modes = {"action": mode, "point_cloud": mode}
    cuts = [0, 1, 7, 200, 500]
    chunks = ({k: v[a:b] for k, v in data.items()} for a, b in pairwise(cuts))
    streamed, whole = Normalizer.fit(chunks, modes).to_dict(), Normalizer.fit(data, modes).to_dict()
    for key in whole:
        for name in whole[key]:
            np.testing.assert_allclose(streamed[key][name], whole[key][name], rtol=1e-6, atol=1e-7)


def test_dictionary_round_trip_is_exact(data):
    normalizer = Normalizer.fit(data)
    again = Normalizer.from_dict(normalizer.to_dict())
    x = torch.from_numpy(data["action"]).float()
    assert torch.equal(normalizer.normalize("action", x), again.normalize("action", x))
    assert again.to_dict() == normalizer.to_dict()


def test_moves_with_the_module_and_stays_out_of_the_weights(data):
    normalizer = Normalizer.fit(data)
    assert normalizer.state_dict() == {}
    moved = torch.nn.Sequential(normalizer).to("meta")[0]
    assert moved.normalize("action", torch.zeros(2, 3, device="meta")).device.type == "meta"


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_numbers_that_are_not_finite_are_located(data, value):
    broken = data["action"].copy()
    broken[321, 1] = value
    message = f"'action' is {value} in row 321, dimension 1 .*collect it again"
    with pytest.raises(ManigymError, match=message):
        Normalizer.fit({"action": broken})
    with pytest.raises(ManigymError, match=message):
        Normalizer.fit({"action": broken[a : a + 100]} for a in range(0, 500, 100))


def test_wrong_sizes_and_modes_are_explained(data):
    with pytest.raises(ManigymError, match=r"'action' has 4 dimensions.*fitted to 3"):
        Normalizer.fit(data).normalize("action", torch.zeros(2, 4))
    with pytest.raises(ManigymError, match="one of limits, gaussian, identity; got 'minmax'"):
        Normalizer.fit(data, {"action": "minmax"})
