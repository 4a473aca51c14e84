"""Stages, rewards and success against numbers worked out by hand from upstream's formulas."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from envs.dexart.reward import GOALS, Reading, reward, stage_of
from envs.dexart.setting import SETTINGS

# All joints at 0.5 rad/s but one at 3, which counts as 1; the wrist is 2 mm off.
SPEEDS = np.array([3.0] + [0.5] * 21)
MOVING = 0.01 * (1 + 21 * 0.25)
OFF = 1e3 * 0.002**2
PENALTY = {"faucet": 0.01, "laptop": 0.01, "toilet": 0.005, "bucket": 0.1}
UPSTREAM, MANIFLOW = GOALS["upstream"], GOALS["maniflow"]


def reading(fingers="", palm=False, **given):
    touching = np.array([name in fingers for name in "timr"])  # thumb, index, middle, ring
    state = {
        "step": 40,
        "distance": 0.05,
        "fingers": touching,
        "palm": palm,
        "arm": 0,
        "progress": 0.5,
        "speeds": SPEEDS,
        "cartesian_error": 0.002,
        "body": np.zeros(5, bool),
        "body_velocity": np.zeros(6),
    }
    return Reading(**(state | given))


def value(task, seen, goals=UPSTREAM):
    """The reward without its penalty, which is checked on the way."""
    paid = PENALTY[task] * (MOVING + OFF)
    return reward(task, seen, SETTINGS[task], goals[task]) + paid


def stage(task, seen):
    return stage_of(task, seen, SETTINGS[task])


@pytest.mark.parametrize("task", SETTINGS)
def test_far_away_only_the_distance_counts_up_to_half_a_metre(task):
    touching = {"fingers": "timr", "palm": True, "arm": 2, "progress": 0.0}
    far, farther = (reading(distance=d, **touching) for d in (0.31, 0.83))
    assert stage(task, far) == 1
    assert value(task, far) == pytest.approx(-0.031)
    assert value(task, farther) == pytest.approx(-0.05)


@pytest.mark.parametrize(
    ("task", "near", "far"),
    [("faucet", 0.2, 0.2001), ("laptop", 0.2, 0.2001), ("toilet", 0.1, 0.1001)],
)
def test_near_is_within_a_distance_of_each_task(task, near, far):
    assert stage(task, reading(distance=near)) == 2
    assert stage(task, reading(distance=far)) == 1


@pytest.mark.parametrize(
    ("task", "loose", "firm"),
    [
        ("faucet", [("t", True), ("im", False)], [("ti", True), ("timr", True)]),
        ("laptop", [("t", True), ("im", False)], [("mr", True)]),
        ("toilet", [("t", True), ("", True)], [("im", False)]),
        ("bucket", [("ti", True)], [("tim", False)]),
    ],
)
def test_a_firm_contact_takes_fingers_and_for_some_the_palm(task, loose, firm):
    assert [stage(task, reading(f, p)) for f, p in loose] == [2] * len(loose)
    assert [stage(task, reading(f, p)) for f, p in firm] == [3] * len(firm)


@pytest.mark.parametrize("task", ["faucet", "laptop", "toilet"])
def test_in_firm_contact_the_opening_is_paid(task):
    # 0.2 for the contact, 0.1 off for each of two links of the arm, 1 per unit of progress.
    assert value(task, reading("tim", True, arm=2)) == pytest.approx(0.2 - 0.2 + 0.5)
    assert value(task, reading("t", False, arm=1)) == pytest.approx(-0.1)


@pytest.mark.parametrize(("task", "paid"), [("laptop", -0.15), ("toilet", -0.15), ("faucet", 0)])
def test_closing_what_should_open_costs_half_of_it(task, paid):
    assert value(task, reading(progress=-0.3)) == pytest.approx(paid)


def test_success_pays_for_the_steps_that_are_left():
    opened = reading("ti", True, progress=1.6, step=90)
    assert value("faucet", opened) == pytest.approx(0.2 + 1.6 + (250 - 90) * 1.2 * 1.6)
    half = reading("ti", True, progress=0.9, step=90)
    assert value("laptop", half) == pytest.approx(0.2 + 0.9)
    assert value("laptop", half, MANIFLOW) == pytest.approx(0.2 + 0.9 + 160 * 1.2 * 0.9)


def test_a_bucket_in_reach():
    seen = reading(
        "t", True, progress=0.4, palm_up=0.5, arm=3,
        body=np.array([True, True, False, False, False]),
        body_velocity=np.array([0.3, 0.0, 0.4, 0.0, 2.0, 0.0]),
    )  # fmt: skip
    assert stage("bucket", seen) == 2
    # Palm up, two of five on the body, arm touching (once), velocities, handle, two of five on it.
    paid = 0.1 - 0.08 - 0.1 - 0.01 * (0.5 + 2.0) + 0.2 + 0.2 * 0.4 * 0.4
    assert value("bucket", seen) == pytest.approx(paid)


def test_a_bucket_that_is_lifted():
    held = reading("tim", True, progress=0.8, lift=0.15, palm_rise=0.004, palm_up=-1.0)
    assert stage("bucket", held) == 3
    paid = -0.2 + 0.2 + 0.4 + 0.2 * 0.8 * 0.8 + 100 * 0.004 + 5.0
    assert value("bucket", held) == pytest.approx(paid)
    high = replace(held, lift=0.3)
    assert value("bucket", high) == pytest.approx(-0.2 + 0.2 + 0.4 + 0.2 * 0.8 * 0.8)
    assert stage("bucket", replace(held, progress=0.49)) == 2


@pytest.mark.parametrize(
    ("goals", "task", "below", "above"),
    [
        (UPSTREAM, "faucet", 1.5, 1.51),
        (MANIFLOW, "faucet", 1.2, 1.21),
        (UPSTREAM, "laptop", 0.95, 0.951),
        (MANIFLOW, "laptop", 0.8, 0.81),
        (UPSTREAM, "toilet", 0.95, 0.951),
        (MANIFLOW, "toilet", 0.95, 0.951),
    ],
)
def test_success_is_progress_in_firm_contact(goals, task, below, above):
    goal = goals[task]
    short, enough, loose = (
        reading("tim", True, progress=below),
        reading("tim", True, progress=above),
        reading("t", False, progress=above),
    )
    assert [goal.reached(r, stage(task, r)) for r in (short, enough, loose)] == [False, True, False]
    assert goal.over(enough, stage(task, enough))


def test_a_flung_bucket_counts_for_upstream_but_not_as_held():
    flung = reading(progress=0.75, lift=0.26, distance=0.7)
    assert GOALS["upstream"]["bucket"].reached(flung, stage("bucket", flung))
    assert not GOALS["held"]["bucket"].reached(flung, stage("bucket", flung))
    held = reading("tim", progress=0.75, lift=0.26)
    assert GOALS["held"]["bucket"].reached(held, stage("bucket", held))
    low = replace(flung, lift=0.2)
    assert not GOALS["upstream"]["bucket"].reached(low, 1)
    assert GOALS["maniflow"]["bucket"].reached(low, 1)


def test_only_maniflows_bucket_ends_early():
    done = reading("tim", progress=0.95, lift=0.31)
    assert not GOALS["upstream"]["bucket"].over(done, stage("bucket", done))
    assert GOALS["maniflow"]["bucket"].over(done, stage("bucket", done))
    assert not GOALS["maniflow"]["bucket"].over(replace(done, lift=0.3), 3)
