"""Delays as distributions, and what a robot executes while its policy thinks, by hand."""

from __future__ import annotations

import hashlib
import json

import numpy as np
import pytest

from benchmark.config import parse
from benchmark.engine.chunking import Executor
from benchmark.engine.latency import (
    Delays,
    LateExecutor,
    LatencySettings,
    idle,
    keep_profile,
    parse_delay,
)
from envs.schema import ActionGroup, ActionSpec, ManigymError


def group(mode, low=-1.0, high=1.0):
    return ActionGroup(mode, mode, ("x",), (low,), (high,), "")


SPEC = ActionSpec((group("joint_delta"), group("joint_position")))
IDLE = 0.0  # of the first column; the second repeats its last value


def chunk(tick, size):
    """Predicted at ``tick``: both columns hold the tick an action is meant for."""
    return np.repeat(np.arange(tick, tick + size, dtype=np.float32)[:, None], 2, axis=1)


def executed(size, execute, settings, delays, start=1):
    """Executed actions per call; every chunk is predicted at the tick its call begins."""
    executor, tick, calls = LateExecutor(size, execute, settings, SPEC), start, []
    for delay in delays:
        calls.append(executor.next_actions(chunk(tick, size), delay))
        tick += len(calls[-1])
    return calls


def column(calls, index=0):
    return [call[:, index].tolist() for call in calls]


def pool_file(folder, *timings):
    file = folder / "episodes.jsonl"
    file.write_text("".join(json.dumps({"policy_ms": list(ms)}) + "\n" for ms in timings))
    return file


def draws(delays: Delays, count=4000, seed=0):
    rng = np.random.default_rng(seed)
    return np.array([delays.draw(rng) for _ in range(count)])


def test_fixed_and_uniform_delays():
    assert set(draws(parse_delay("3", 20.0))) == {3}
    found, counts = np.unique(draws(parse_delay("uniform:1:4", 20.0)), return_counts=True)
    assert found.tolist() == [1, 2, 3, 4]
    assert np.abs(counts - 1000).max() < 4 * np.sqrt(4000 * 0.25 * 0.75)
    assert parse_delay("uniform:2:2", 20.0).describe() == parse_delay(" 2 ", 20.0).describe() == "2"


def test_lognormal_delays_are_rounded_up_and_clipped():
    delays = parse_delay("lognormal:2.0:0.5:8", 20.0)
    found = draws(delays)
    assert delays.most == found.max() == 8
    assert found.min() == 1
    # P(ceil(x) <= 2) = P(x <= 2) = 1/2: two ticks are the median.
    assert abs((found <= 2).mean() - 0.5) < 4 * 0.5 / np.sqrt(4000)
    assert set(draws(parse_delay("lognormal:2.5:0:8", 20.0), 5)) == {3}
    assert delays.describe() == "lognormal:2:0.5:8"


def test_a_profile_pools_every_call_and_rounds_up_to_ticks(tmp_path):
    file = pool_file(tmp_path, [0.0, 70.0], [70.001, 10.0])
    delays = parse_delay(f"profile:{file}", 100.0)
    found, counts = np.unique(draws(delays), return_counts=True)
    assert found.tolist() == [0, 1, 7, 8]  # 70 ms are exactly 7 ticks of 100 Hz
    assert np.abs(counts - 1000).max() < 4 * np.sqrt(4000 * 0.25 * 0.75)
    digest = hashlib.sha256(b"[0.0, 70.0, 70.001, 10.0]").hexdigest()
    expected = f"profile:{digest[:8]}(median=4,most=8)"
    assert delays.describe() == expected
    assert json.loads(json.dumps(delays.identity)) == {"delay": "profile", "sha256": digest}
    assert parse_delay(f"profile:{tmp_path}", 100.0).describe() == expected
    assert parse_delay(f"profile:{tmp_path}", 10.0).most == 1


def test_a_run_keeps_the_profile_it_was_made_with(tmp_path):
    file = pool_file(tmp_path, [5.0, 120.0], [60.0])
    used = LatencySettings(f"profile:{file}")
    run = tmp_path / "run"
    keep_profile(used, run)
    before = parse_delay(used.delay, 20.0)
    pool_file(tmp_path, [1.0])  # that run goes on, or is gone
    keep_profile(used, run)
    kept = parse_delay(f"profile:{run / 'profile.json'}", 20.0)
    assert kept.identity == before.identity
    assert kept.identity != parse_delay(used.delay, 20.0).identity
    keep_profile(LatencySettings("3"), tmp_path / "other")
    assert not (tmp_path / "other").exists()


def test_identity_follows_the_content_not_the_place(tmp_path):
    for name, ms in (("a", 5.0), ("b", 5.0), ("c", 6.0)):
        (tmp_path / name).mkdir()
        pool_file(tmp_path / name, [ms])
    a, b, c = (parse_delay(f"profile:{tmp_path / name}", 20.0).identity for name in "abc")
    assert a == b != c
    assert parse_delay("3", 20.0).identity != parse_delay("4", 20.0).identity


@pytest.mark.parametrize("spec", ["4", "uniform:0:9", "lognormal:3:1:9", "profile"])
def test_same_generator_same_draws_within_bounds(spec, tmp_path):
    if spec == "profile":
        spec = f"profile:{pool_file(tmp_path, np.linspace(0, 400, 50).tolist())}"
    delays = parse_delay(spec, 20.0)
    np.testing.assert_array_equal(draws(delays, 200, 7), draws(delays, 200, 7))
    assert 0 <= draws(delays, 500).min() <= draws(delays, 500).max() <= delays.most
    assert isinstance(delays.draw(np.random.default_rng(0)), int)


@pytest.mark.parametrize(
    "spec",
    [
        *("", "-1", "1.5", "soon", "3:4", "gamma:1:2"),
        *("uniform:1", "uniform:4:1", "uniform:-1:2", "uniform:1:2:3"),
        *("lognormal:0:1:5", "lognormal:9:1:5", "lognormal:2:nan:5", "lognormal:2:-1:5"),
    ],
)
def test_bad_delays_name_the_setting(spec):
    with pytest.raises(ManigymError, match=r"latency\.delay"):
        LatencySettings(delay=spec)


def test_bad_profiles_say_what_is_wrong(tmp_path):
    with pytest.raises(ManigymError, match=r"No such file.*earlier run"):
        parse_delay(f"profile:{tmp_path}", 20.0)
    for text in ("{", "[]", "{}", '{"policy_ms": 3}', '{"policy_ms": ["x"]}'):
        (tmp_path / "episodes.jsonl").write_text(text)
        with pytest.raises(ManigymError, match=r"not the episodes.jsonl of a run"):
            parse_delay(f"profile:{tmp_path}", 20.0)
    for timings in ([], [-1.0], [float("nan")]):
        with pytest.raises(ManigymError, match=f"{len(timings)} policy calls"):
            parse_delay(f"profile:{pool_file(tmp_path, timings)}", 20.0)


def test_settings_from_the_command_line():
    kinds = {"latency": LatencySettings}
    assert parse(kinds, [])["latency"] == LatencySettings("0", "hold", 0)
    assert parse(kinds, ["latency.delay=3"])["latency"].delay == "3"
    assert parse(kinds, ["latency.delay=uniform:1:4"])["latency"].delay == "uniform:1:4"
    found = parse(kinds, ["latency.mode=overlap", "latency.lead=2"])["latency"]
    assert (found.mode, found.lead) == ("overlap", 2)
    assert LatencySettings(delay=3) == LatencySettings(delay="3")
    for bad in ("mode=late", "lead=-1", "lead=1", "delay=1e1"):
        with pytest.raises(ManigymError, match=f"latency.{bad.split('=')[0]}"):
            parse(kinds, [f"latency.{bad}"])


def test_text_of_a_row():
    overlap = LatencySettings("uniform:1:4", "overlap", 2)
    assert overlap.describe(parse_delay("uniform:1:4", 20.0)) == "overlap(lead=2) uniform:1:4"
    assert LatencySettings("3").describe(parse_delay("3", 20.0)) == "hold 3"
    assert LatencySettings().describe(parse_delay("0", 20.0)) == ""


def test_idle_is_a_physical_zero_or_the_last_target():
    modes = ("joint_delta", "ee_delta", "twist", "base_displacement")
    spec = ActionSpec(
        (
            *(group(mode, -1.0, 3.0) for mode in modes),
            ActionGroup("far", "twist", ("v",), (0.5,), (1.0,), "m/s"),
            *(group(mode, 0.0, 2.0) for mode in ("joint_position", "ee_pose", "gripper_opening")),
        )
    )
    last = np.linspace(-0.9, 0.9, 8).astype(np.float32)
    action = idle(last, spec)
    assert action.dtype == np.float32
    np.testing.assert_allclose(spec.to_physical(action)[:5], [0, 0, 0, 0, 0.5], atol=1e-7)
    np.testing.assert_array_equal(action[5:], last[5:])


def test_hold_idles_then_executes_the_chunk_from_its_first_action():
    calls = executed(3, 2, LatencySettings(), [9, 2, 0, 1])
    assert column(calls) == [[1, 2], [IDLE, IDLE, 3, 4], [7, 8], [IDLE, 9, 10]]
    assert column(calls, 1) == [[1, 2], [2, 2, 3, 4], [7, 8], [8, 9, 10]]


@pytest.mark.parametrize("execute", [None, 1, 3])
@pytest.mark.parametrize("mode", ["hold", "overlap"])
def test_without_delay_it_is_the_plain_receding_horizon(mode, execute):
    plain, late = (
        Executor(4, execute),
        LateExecutor(4, execute, LatencySettings(mode=mode), SPEC),
    )
    rng = np.random.default_rng(0)
    for _ in range(5):
        predicted = rng.standard_normal((4, 2)).astype(np.float32)
        np.testing.assert_array_equal(
            late.next_actions(predicted, 0), plain.next_actions(predicted)
        )


def test_overlap_by_hand():
    """Six predicted, three executed, two of lead; every number is the tick it was meant for."""
    settings = LatencySettings(mode="overlap", lead=2)
    calls = executed(6, 3, settings, [5, 2, 1, 3, 4, 7, 1])
    assert column(calls) == [
        [1, 2, 3],  # the first answer is waited for
        [4, 5, 6],  # two of the old chunk, and action 2 of the one predicted at 4
        [7, 8, 9],  # one old, then actions 1 and 2 of the new one
        [10, 11, IDLE],  # as late as it executes: its lead is for the next call
        [13, 14, IDLE, IDLE],  # later: what is left begins at action 4
        [17, 18, *[IDLE] * 5],  # later than the chunk is long: nothing is left
        [IDLE, 25, 26],
    ]
    assert column(calls, 1)[3:5] == [[10, 11, 11], [13, 14, 14, 14]]
    assert column(calls, 1)[6] == [18, 25, 26]


@pytest.mark.parametrize(("size", "execute", "lead"), [(8, 4, 4), (8, 4, 2), (16, 8, 3), (5, 4, 1)])
def test_overlap_never_idles_when_the_lead_covers_the_delay(size, execute, lead):
    settings = LatencySettings(mode="overlap", lead=lead)
    calls = executed(size, execute, settings, [lead] * 6)
    ticks = np.concatenate(column(calls))
    np.testing.assert_array_equal(ticks, np.arange(1, 6 * execute + 1))


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("mode", ["hold", "overlap"])
def test_ticks_add_up_and_no_action_comes_at_another_tick_than_it_was_meant_for(mode, seed):
    rng = np.random.default_rng(seed)
    lead = 3 if mode == "overlap" else 0
    delays = [0, *rng.integers(0, 12, 40).tolist()]
    settings = LatencySettings(mode=mode, lead=lead)
    calls = executed(9, 5, settings, delays)
    lengths = [max(5, d) if mode == "overlap" else 5 + d for d in delays]
    assert [len(call) for call in calls] == lengths
    assert max(lengths) <= LateExecutor(9, 5, settings, SPEC).longest(max(delays))
    ticks = np.concatenate(column(calls))
    if mode == "overlap":
        moving = ticks != IDLE
        np.testing.assert_array_equal(ticks[moving], np.flatnonzero(moving) + 1)
    else:
        assert np.count_nonzero(ticks == IDLE) == sum(delays)
    assert all(call.dtype == np.float32 for call in calls)


def test_the_bound_is_reached():
    for settings in (LatencySettings(), LatencySettings(mode="overlap")):
        for most in (2, 9):
            calls = executed(4, 4, settings, [0, most])
            assert len(calls[1]) == LateExecutor(4, 4, settings, SPEC).longest(most)


def test_a_chunk_that_is_overwritten_later_does_not_change_what_is_left():
    executor = LateExecutor(4, 2, LatencySettings(mode="overlap", lead=2), SPEC)
    first = chunk(1, 4)
    executor.next_actions(first, 0)
    first[:] = -7
    assert executor.next_actions(chunk(3, 4), 2)[:, 0].tolist() == [3, 4]


def test_what_cannot_work_is_refused():
    settings = LatencySettings(mode="overlap", lead=3)
    for execute in (None, 6):
        with pytest.raises(ManigymError, match=r"latency.lead=3 .*e\.g\. run.execute=5"):
            LateExecutor(8, execute, settings, SPEC)
    with pytest.raises(ManigymError, match=r"run.execute=9"):
        LateExecutor(8, 9, LatencySettings(), SPEC)
