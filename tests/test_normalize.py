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
    with pytest.raises(ManigymError, match=r"one of identity, .*gaussian; got 'minmax'"):
        Normalizer.fit(data, {"action": "minmax"})


def test_quantiles_are_exact_and_values_outside_are_not_cut():
    """Of 0, 1, ..., 100 they are 1 and 99, in whatever order and pieces the numbers come."""
    rows = np.random.default_rng(0).permutation(101).astype(np.float32)[:, None]
    modes = {"action": "quantiles"}
    whole = Normalizer.fit({"action": rows}, modes)
    assert whole.to_dict()["action"] == {"centre": [50.0], "half": [49.0]}
    assert whole.normalize("action", torch.tensor([[0.0]])).item() == pytest.approx(-50 / 49)
    pieces = ({"action": rows[::-1][a:b]} for a, b in pairwise([0, 1, 40, 101]))
    assert Normalizer.fit(pieces, modes).to_dict() == whole.to_dict()


def test_a_dimension_that_seldom_moves_does_not_explode_under_quantiles():
    """Both quantiles are 0; a tenth of the whole range counts instead."""
    rows = np.zeros((1000, 2), np.float32)
    rows[:3] = [1.0, 1e-6]
    normalizer = Normalizer.fit({"action": rows}, {"action": "quantiles"})
    far = normalizer.normalize("action", torch.from_numpy(rows)).amax(0)
    torch.testing.assert_close(far, torch.tensor([20.0, 1e-6]))


GROUPS = {"base": 2, "arm": 3, "gripper": 1}


def test_every_action_group_has_its_own_mode():
    rng = np.random.default_rng(1)
    action = rng.uniform(-0.3, 0.7, (400, 6)).astype(np.float32)
    modes = {"action": "quantiles", "action/base": "identity", "action/gripper": "limits"}
    normalizer = Normalizer.fit({"action": action, "state": action}, modes, GROUPS)
    found = normalizer.normalize("action", torch.from_numpy(action))
    assert torch.equal(found[:, :2], torch.from_numpy(action[:, :2]))
    for part, mode in ((slice(2, 5), "quantiles"), (slice(5, 6), "limits")):
        alone = Normalizer.fit({"action": action[:, part]}, {"action": mode})
        expected = alone.normalize("action", torch.from_numpy(action[:, part]))
        assert torch.equal(found[:, part], expected)
    assert (found[:, 2:5].abs().amax(0) > 1).all()
    whole = Normalizer.fit({"state": action}).to_dict()["state"]
    assert normalizer.to_dict()["state"] == whole  # groups are of actions only


def test_groups_that_are_all_the_same_are_one():
    action = np.random.default_rng(2).normal(size=(50, 6)).astype(np.float32)
    modes = {f"action/{name}": "gaussian" for name in GROUPS}
    one = Normalizer.fit({"action": action}, {"action": "gaussian"})
    assert Normalizer.fit({"action": action}, modes, GROUPS).to_dict() == one.to_dict()
    nothing = {f"action/{name}": "identity" for name in GROUPS}
    assert Normalizer.fit({"action": action}, nothing, GROUPS).to_dict() == {}


@pytest.mark.parametrize(("mode", "half"), [("limits", 0.004), ("gaussian", 0.004)])
def test_what_ranges_over_less_than_the_floor_is_only_shifted(mode, half):
    """-0.004 and 0.004 by turns: a range of 0.008, a deviation of 0.004."""
    rows = np.tile([[2.996], [3.004]], (50, 1))
    fine = Normalizer.fit({"state": rows}, {"state": mode}).to_dict()["state"]
    assert fine["half"] == pytest.approx([half], rel=1e-4)
    coarse = Normalizer.fit({"state": rows}, {"state": mode}, floor=0.01).to_dict()["state"]
    assert coarse["half"] == [1.0]
    assert coarse["centre"] == pytest.approx([3.0])


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        ("action/bse", "names 'action/bse', which is not there; did you mean 'action/base'"),
        ("stat", r"did you mean 'state'\? There is: action, action/arm, action/base, .*state"),
    ],
)  # fmt: skip
def test_a_choice_for_what_is_not_there_names_the_nearest(chosen, message):
    data = {"action": np.zeros((3, 6)), "state": np.zeros((3, 2))}
    with pytest.raises(ManigymError, match=message):
        Normalizer.fit(data, {chosen: "limits"}, GROUPS)


def test_groups_must_fill_the_action():
    with pytest.raises(ValueError, match="of 5 actions"):
        Normalizer.fit({"action": np.zeros((3, 5))}, {"action/base": "identity"}, GROUPS)
