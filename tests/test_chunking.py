"""History, receding horizon and ensembles against closed forms."""

from __future__ import annotations

import numpy as np
import pytest

from benchmark.engine.chunking import ENSEMBLES, Executor, History
from envs.schema import ManigymError


def frame(value):
    return {"state": np.array([value, -value], np.float32)}


def chunk(step, k=4):
    """Prediction made at ``step``: the action for step t is 10 * step + (t - step)."""
    return np.array([[10.0 * step + i] for i in range(k)], np.float32)


def test_history_repeats_the_first_frame_and_then_slides():
    history = History(3)
    history.extend([frame(1)])
    assert history.window()["state"][:, 0].tolist() == [1, 1, 1]
    history.extend([frame(2)])
    assert history.window()["state"][:, 0].tolist() == [1, 1, 2]
    history.extend([frame(3), frame(4)])
    assert history.window()["state"][:, 0].tolist() == [2, 3, 4]
    assert history.window()["state"].shape == (3, 2)


def test_history_of_a_longer_first_answer_keeps_the_newest():
    history = History(2)
    history.extend([frame(v) for v in (1, 2, 3)])
    assert history.window()["state"][:, 0].tolist() == [2, 3]


@pytest.mark.parametrize("execute", [None, 1, 3, 4])
def test_receding_horizon_executes_the_start_of_every_chunk(execute):
    executor = Executor(4, execute)
    for step in range(3):
        np.testing.assert_array_equal(executor.next_actions(chunk(step)), chunk(step)[:execute])


@pytest.mark.parametrize(
    ("name", "weights"),  # for a prediction made `age` steps ago, of four
    [
        ("act", lambda age: np.exp(-0.01 * (3 - age))),  # ACT: the oldest weighs most
        ("act_newest", lambda age: np.exp(-0.01 * age)),
        ("hato", lambda age: 0.5**age),
        ("average", lambda age: 1.0),
    ],
)
def test_ensembles_weigh_every_living_prediction(name, weights):
    executor = Executor(4, ensemble=name)
    for step in range(7):
        action = executor.next_actions(chunk(step))
    assert action.shape == (1, 1)
    assert action.dtype == np.float32
    w = np.array([weights(age) for age in range(4)])
    votes = np.array([chunk(6 - age)[age, 0] for age in range(4)])  # 60, 51, 42, 33
    assert votes.tolist() == [60, 51, 42, 33]
    assert action[0, 0] == pytest.approx(w @ votes / w.sum(), rel=1e-6)


def test_ensembles_start_with_what_there_is():
    executor = Executor(4, ensemble="hato")
    assert executor.next_actions(chunk(0))[0, 0] == 0.0
    assert executor.next_actions(chunk(1))[0, 0] == pytest.approx((10 + 0.5 * 1) / 1.5)


def test_act_prefers_the_oldest_and_its_variant_the_newest():
    assert ENSEMBLES["act"](3, 4) == 1.0 > ENSEMBLES["act"](0, 4)
    assert ENSEMBLES["act_newest"](0, 4) == 1.0 > ENSEMBLES["act_newest"](3, 4)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((4, 5), "give 1..4"),
        ((4, 0), "give 1..4"),
        ((4, None, "actt"), "choose one of act"),
        ((4, 2, "act"), "one action at a time"),
    ],
)
def test_settings_that_cannot_work_are_refused(arguments, message):
    with pytest.raises(ManigymError, match=message):
        Executor(*arguments)
