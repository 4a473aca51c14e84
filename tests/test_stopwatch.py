"""Seconds by stage, with a clock that we turn."""

import pytest

from envs import stopwatch
from envs.stopwatch import Stopwatch


@pytest.fixture
def clock(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(stopwatch, "perf_counter", lambda: now[0])
    return now


def test_a_stage_inside_another_counts_for_itself_alone(clock):
    watch = Stopwatch()
    with watch("sense"):
        clock[0] += 1
        for _ in range(2):
            with watch("render"):
                clock[0] += 10
        clock[0] += 2
    clock[0] += 100  # in no stage
    with watch("simulate"):
        clock[0] += 5
    assert watch.take() == {"sense": 3, "render": 20, "simulate": 5}
    assert watch.take() == {}


def test_an_error_ends_its_stage(clock):
    watch = Stopwatch()
    with watch("sense"):
        with pytest.raises(ValueError), watch("render"):
            clock[0] += 1
            raise ValueError
        clock[0] += 2
    assert watch.take() == {"sense": 2, "render": 1}


def test_taking_inside_a_stage_loses_nothing(clock):
    watch = Stopwatch()
    with watch("simulate"):
        clock[0] += 1
        with watch("track"):
            clock[0] += 1
        first = watch.take()
        clock[0] += 3
    assert first == {"simulate": 1, "track": 1}
    assert watch.take() == {"simulate": 3}
