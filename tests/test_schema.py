"""Plain data that every layer shares."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from envs.schema import (
    ActionGroup,
    ActionSpec,
    Interface,
    ManigymError,
    SuccessRule,
    VectorGroup,
    flatten,
    group_slices,
    unflatten,
)
from envs.toy.tasks import CARDS

ARM = ActionGroup(
    "arm", "joint_delta", ("a", "b"), (-0.1, -3.0), (0.3, 5.0), "rad", "joint", "physical"
)
HAND = ActionGroup("hand", "gripper_opening", ("g",), (0.0,), (0.08,), "m")
SPEC = ActionSpec((ARM, HAND))


def test_slices_follow_the_groups():
    assert SPEC.size == 3
    assert SPEC.slices == {"arm": slice(0, 2), "hand": slice(2, 3)}
    groups = (VectorGroup("x", 3, "m"), VectorGroup("q", 4, ""))
    assert group_slices(groups) == {"x": slice(0, 3), "q": slice(3, 7)}


def test_physical_values_are_exact_at_the_bounds_and_linear_between():
    np.testing.assert_array_equal(SPEC.to_physical(-np.ones(3)), [-0.1, -3.0, 0.0])
    np.testing.assert_array_equal(SPEC.to_physical(np.ones(3)), [0.3, 5.0, 0.08])
    np.testing.assert_allclose(SPEC.to_physical(np.zeros(3)), [0.1, 1.0, 0.04])
    np.testing.assert_allclose(SPEC.to_physical(np.array([0.5, -0.5, 0.25])), [0.2, -1.0, 0.05])


def test_native_values_are_physical_only_where_the_group_says_so():
    actions = np.array([[1.0, 1.0, 1.0], [0.0, 0.5, -0.25]], np.float32)
    native = SPEC.to_native(actions)
    np.testing.assert_allclose(native, [[0.3, 5.0, 1.0], [0.1, 3.0, -0.25]])
    back = SPEC.from_native(native)
    assert back.dtype == np.float32
    np.testing.assert_allclose(back, actions, atol=1e-7)


def test_bad_groups_are_refused():
    with pytest.raises(ValueError, match="same length"):
        ActionGroup("arm", "twist", ("a",), (0.0, 1.0), (1.0,), "m")
    with pytest.raises(ValueError, match="below its high"):
        ActionGroup("arm", "twist", ("a",), (1.0,), (1.0,), "m")


@pytest.mark.parametrize(
    ("count", "window", "goals", "success"),
    [
        (1, None, "0010", True),
        (1, None, "0000", False),
        (3, None, "101", False),
        (3, None, "1011", True),
        (2, 3, "11", False),  # the window is not full yet
        (2, 3, "110", True),
        (2, 3, "1100", False),  # not latched: lost again
        (5, 5, "011111", True),
    ],
)
def test_success_rules(count, window, goals, success):
    rule = SuccessRule("goal", "test", count, window)
    assert rule.decide([g == "1" for g in goals]) is success
    assert rule.latched is (window is None)


def test_protocols_are_found_by_name():
    card = CARDS[0]
    assert card.protocol() is card.protocols[0]
    assert card.protocol("hold").success.window == 5
    assert card.task == "reach"
    with pytest.raises(ManigymError, match="default, hold"):
        card.protocol("held")


def test_flat_keys_round_trip():
    nested = {"state": 1, "rgb": {"top": 2, "side": 3}}
    assert flatten(nested) == {"state": 1, "rgb/top": 2, "rgb/side": 3}
    assert unflatten(flatten(nested)) == nested


def test_an_interface_survives_json():
    interface = Interface(
        "A/b-v0", 3, {"rgb/top": ((8, 9, 3), "uint8"), "state": ((2,), "float32")}
    )
    for action in (None, SPEC):
        kept = replace(interface, action=action, action_repeat=2)
        assert Interface.from_dict(json.loads(json.dumps(kept.to_dict()))) == kept
    new = ("action", "action_repeat")
    old = {key: value for key, value in interface.to_dict().items() if key not in new}
    assert Interface.from_dict(old) == interface


def test_films_are_taken_from_the_overview_unless_cameras_are_chosen():
    card = replace(CARDS[0], cameras=("top", "side"), overview="above")
    assert card.film_cameras == ("above", "top", "side")
    assert card.film_camera(("top", "side")) == "above"
    assert card.film_camera(("side",)) == "side"
    assert replace(card, overview=None).film_camera(("top", "side")) == "top"


def test_action_groups_of_an_interface_must_add_up():
    with pytest.raises(ValueError, match="do not add up to 4 actions"):
        Interface("A/b-v0", SPEC.size + 1, {}, SPEC)
