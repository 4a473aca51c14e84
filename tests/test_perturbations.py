"""Perturbations against known rates, a simulator that is seen at every tick, and invariants."""

from __future__ import annotations

import numpy as np
import pytest

from benchmark.config import parse
from benchmark.engine.chunking import History
from benchmark.engine.perturbations import PerturbationSettings, Perturber
from envs.schema import Interface, ManigymError

SEEN = {
    "proprio": ((3,), "float32"),
    "rgb/top": ((20, 20, 3), "uint8"),
    "rgb/wrist": ((20, 20, 3), "uint8"),
    "depth/top": ((20, 20), "float32"),
    "instruction": ((), "str"),
    "expert": ((2,), "float32"),
}
INTERFACE = Interface("Toy/reach-v0", 2, SEEN)
BLIND = Interface("Toy/reach-v0", 2, {"proprio": ((3,), "float32"), "state": ((2,), "float32")})


def frame(tick, interface=INTERFACE):
    """Every entry of every array is ``tick``."""
    return {
        key: "reach" if dtype == "str" else np.full(shape, tick, dtype)
        for key, (shape, dtype) in interface.observation.items()
    }


def start(seed=0, interface=INTERFACE, **settings):
    perturber = Perturber(PerturbationSettings(**settings), interface)
    return perturber.start(np.random.default_rng(seed))


def ticks(frames, key="rgb/top"):
    return [int(frame[key].flat[0]) for frame in frames]


def equal(a, b):
    return all(np.array_equal(a[key], b[key]) for key in SEEN)


def test_nothing_is_changed_by_default():
    settings = PerturbationSettings()
    assert not settings.active
    assert settings.describe() == ""
    perturber = Perturber(settings, INTERFACE)
    assert perturber.extra_frames == 0
    episode, came = perturber.start(np.random.default_rng(0)), [frame(t) for t in range(3)]
    assert all(map(equal, episode.frames(came), came))
    actions = np.array([[0.3, 1.7]], np.float32)
    assert episode.actions(actions) is actions


def test_text_is_sorted_and_exact():
    settings = PerturbationSettings(
        drop_frames=0.2, action_noise=0.1, missing=["rgb/wrist", "proprio"], stale_frames=2
    )
    assert settings.active
    assert settings.describe() == (
        "action_noise=0.1 drop_frames=0.2 missing=proprio+rgb/wrist stale_frames=2"
    )


def test_settings_from_the_command_line():
    found = parse(
        {"perturb": PerturbationSettings},
        ["perturb.missing=[rgb/wrist,proprio]", "perturb.camera_noise=5"],
    )["perturb"]
    assert found == PerturbationSettings(missing=["rgb/wrist", "proprio"], camera_noise=5.0)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("drop_frames", 1.1),
        ("drop_frames", float("nan")),
        ("stale_frames", -1),
        ("camera_noise", -1.0),
        ("proprio_noise", float("inf")),
        ("action_noise", float("nan")),
        ("sensors", ["rgb"]),
    ],
)
def test_settings_out_of_range_are_refused(name, value):
    with pytest.raises(ManigymError, match=f"perturb.{name}"):
        PerturbationSettings(**{name: value})


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"missing": ["rgb/left"]}, "perturb.missing: .*'rgb/left'; it sees proprio, state"),
        ({"sensors": ["lidar"], "stale_frames": 1}, "perturb.sensors: .*'lidar'"),
        ({"camera_noise": 5.0}, "perturb.camera_noise: .*'rgb'"),
    ],
)
def test_what_the_policy_does_not_see_cannot_be_perturbed(settings, message):
    with pytest.raises(ManigymError, match=message):
        Perturber(PerturbationSettings(**settings), BLIND)


def replies(lengths, asked):
    """Ticks in each reply: the reset's frame, then the newest ``asked`` of every chunk."""
    tick, found = 0, [[0]]
    for length in lengths:
        tick += length
        found.append(list(range(tick - min(length, asked) + 1, tick + 1)))
    return found


@pytest.mark.parametrize("stale", [0, 1, 2, 5])
@pytest.mark.parametrize("n_obs", [1, 2, 3])
@pytest.mark.parametrize("length", [1, 2, 3, 4, 8, "mixed"])
def test_the_window_is_exactly_as_old_as_asked(n_obs, stale, length):
    """The reference sees every tick; the policy's window is its last frames, ``stale`` ago."""
    lengths = [1, 9, 2, 1, 1, 12, 3, 7, 1, 8] if length == "mixed" else [length] * 8
    perturber = Perturber(PerturbationSettings(stale_frames=stale), INTERFACE)
    assert perturber.extra_frames == stale
    episode, history = perturber.start(np.random.default_rng(0)), History(n_obs)
    for came in replies(lengths, n_obs + perturber.extra_frames):
        delivered = episode.frames([frame(t) for t in came])
        assert len(delivered) == len(came)
        history.extend(delivered)
        window, asked = history.window(), np.arange(came[-1] - n_obs + 1, came[-1] + 1)
        for key, late in (("rgb/top", stale), ("depth/top", stale), ("proprio", 0), ("expert", 0)):
            found = window[key].reshape(n_obs, -1)[:, 0]
            np.testing.assert_array_equal(found, np.maximum(asked - late, 0))


def test_which_sensors_are_late():
    came = [frame(t) for t in range(4)]
    named = start(stale_frames=2, sensors=["rgb/wrist", "proprio"]).frames(came)
    assert ticks(named, "rgb/wrist") == ticks(named, "proprio") == [0, 0, 0, 1]
    assert ticks(named, "rgb/top") == [0, 1, 2, 3]
    blind = start(interface=BLIND, stale_frames=1).frames([frame(t, BLIND) for t in range(4)])
    assert ticks(blind, "proprio") == ticks(blind, "state") == [0, 0, 1, 2]


def test_dropped_frames_repeat_the_one_before():
    episode = start(drop_frames=0.3, seed=1)
    seen = np.array(ticks(episode.frames([frame(t % 251) for t in range(4001)])))
    lost = seen != np.arange(4001) % 251
    assert not lost[0]
    assert abs(lost[1:].mean() - 0.3) < 4 * np.sqrt(0.3 * 0.7 / 4000)
    np.testing.assert_array_equal(seen[1:][lost[1:]], seen[:-1][lost[1:]])
    # Independent: a frame is lost after a lost one as often as after another.
    after = lost[2:][lost[1:-1]].mean()
    assert abs(after - 0.3) < 4 * np.sqrt(0.3 * 0.7 / lost.sum())


def test_dropped_frames_are_those_of_all_sensors_across_replies():
    whole = start(drop_frames=0.5).frames([frame(t) for t in range(40)])
    episode = start(drop_frames=0.5)
    parts = [f for t in range(0, 40, 4) for f in episode.frames([frame(t + i) for i in range(4)])]
    assert all(map(equal, whole, parts))
    assert ticks(whole) == ticks(whole, "depth/top") != list(range(40))
    assert ticks(whole, "proprio") == list(range(40))
    assert ticks(start(drop_frames=1.0).frames([frame(5), frame(6)])) == [5, 5]


def test_lost_and_late_frames_together():
    """With a certain loss the first frame stays; without, only the lateness is left."""
    came = [frame(t) for t in range(6)]
    assert ticks(start(drop_frames=1.0, stale_frames=2).frames(came)) == [0] * 6
    both = ticks(start(drop_frames=0.5, stale_frames=2).frames(came))
    lost = ticks(start(drop_frames=0.5).frames(came))
    assert both == [max(t - 2, 0) for t in lost]
    assert len(set(lost)) < 6


def test_noise_has_the_given_spread():
    frames = [frame(128) for _ in range(40)]
    seen = start(camera_noise=5.0, proprio_noise=0.2, drop_frames=0.0).frames(frames)
    grey = np.stack([f["rgb/top"] for f in seen]).astype(float) - 128
    assert abs(grey.mean()) < 4 * 5 / np.sqrt(grey.size)
    spread = np.sqrt(25 + 1 / 12)  # Gaussian, rounded to whole grey levels
    assert abs(grey.std() - spread) < 4 * spread / np.sqrt(2 * grey.size)
    assert not np.array_equal(seen[0]["rgb/top"], seen[0]["rgb/wrist"])
    interface = Interface("Toy/reach-v0", 2, {"proprio": ((5000,), "float32")})
    episode = start(interface=interface, proprio_noise=0.2)
    off = episode.frames([frame(1, interface)])[0]["proprio"] - 1
    assert abs(off.std() - 0.2) < 4 * 0.2 / np.sqrt(2 * 5000)


def test_noise_leaves_everything_else_alone():
    came = frame(7)
    seen = start(camera_noise=5.0, proprio_noise=0.2, action_noise=0.1).frames([came])[0]
    changed = {key for key in SEEN if not np.array_equal(seen[key], came[key])}
    assert changed == {"proprio", "rgb/top", "rgb/wrist"}


def test_grey_levels_are_clipped_not_wrapped():
    dark, bright = start(camera_noise=20.0).frames([frame(0), frame(255)])
    assert np.mean(dark["rgb/top"] == 0) > 0.45
    assert np.mean(bright["rgb/top"] == 255) > 0.45
    assert dark["rgb/top"].max() < 128 < bright["rgb/top"].min()


def test_a_repeated_frame_has_its_noise_repeated():
    first, second = start(camera_noise=5.0, drop_frames=1.0).frames([frame(100), frame(100)])
    np.testing.assert_array_equal(first["rgb/top"], second["rgb/top"])
    free, again = start(camera_noise=5.0).frames([frame(100), frame(100)])
    assert not np.array_equal(free["rgb/top"], again["rgb/top"])


def test_action_noise_is_added_and_clipped():
    seen = start(action_noise=0.1).actions(np.zeros((5000, 2), np.float32))
    assert seen.dtype == np.float32
    assert abs(seen.std() - 0.1) < 4 * 0.1 / np.sqrt(2 * seen.size)
    assert abs(seen.mean()) < 4 * 0.1 / np.sqrt(seen.size)
    edge = start(action_noise=0.5).actions(np.ones((1000, 2), np.float32))
    assert edge.max() == 1.0
    assert abs(np.mean(edge == 1.0) - 0.5) < 4 * 0.5 / np.sqrt(edge.size)


def test_missing_sensors_are_zero_from_the_start_whatever_the_noise():
    episode = start(
        missing=["rgb/wrist", "proprio", "instruction"], camera_noise=9.0, proprio_noise=1.0
    )
    for seen in episode.frames([frame(100), frame(101)]):
        assert not seen["rgb/wrist"].any()
        assert not seen["proprio"].any()
        assert seen["instruction"] == ""
        assert seen["rgb/top"].any()
    both = start(missing=["rgb"]).frames([frame(9)])[0]
    assert not both["rgb/top"].any()
    assert not both["rgb/wrist"].any()
    assert both["depth/top"].all()


EVERYTHING = {
    "action_noise": 0.1,
    "camera_noise": 5.0,
    "drop_frames": 0.3,
    "missing": ["depth"],
    "proprio_noise": 0.1,
    "stale_frames": 1,
}


def test_shapes_and_types_stay_and_nothing_is_changed_in_place():
    episode = start(**EVERYTHING)
    came, actions = [frame(t) for t in range(5)], np.full((4, 2), 0.5, np.float32)
    for original, seen in zip(came, episode.frames(came), strict=True):
        assert list(seen) == list(SEEN)
        for key, (shape, dtype) in SEEN.items():
            if dtype != "str":
                assert (seen[key].shape, seen[key].dtype) == (shape, np.dtype(dtype))
        assert seen is not original
    assert episode.actions(actions).shape == (4, 2)
    assert all(map(equal, came, [frame(t) for t in range(5)]))
    assert (actions == 0.5).all()


def test_same_seed_same_bits_another_seed_others():
    came, actions = [frame(t) for t in range(30)], np.zeros((4, 2), np.float32)
    a, b, other = (start(seed, **EVERYTHING) for seed in (3, 3, 4))
    seen = a.frames(came)
    assert all(map(equal, seen, b.frames(came)))
    assert not any(map(equal, seen, other.frames(came)))
    executed = a.actions(actions)
    np.testing.assert_array_equal(executed, b.actions(actions))
    assert not np.array_equal(executed, other.actions(actions))


def test_every_kind_has_a_stream_of_its_own():
    came, actions = [frame(100 + t) for t in range(30)], np.zeros((4, 2), np.float32)
    together = start(action_noise=0.1, drop_frames=0.3, proprio_noise=0.1, camera_noise=5.0)
    seen, executed = together.frames(came), together.actions(actions)
    np.testing.assert_array_equal(executed, start(action_noise=0.1).actions(actions))
    for key, alone in (
        ("depth/top", start(drop_frames=0.3)),
        ("proprio", start(proprio_noise=0.1)),
        ("rgb/top", start(camera_noise=5.0, drop_frames=0.3)),
    ):
        for a, b in zip(seen, alone.frames(came), strict=True):
            np.testing.assert_array_equal(a[key], b[key])


def test_more_loss_loses_the_same_frames_and_more():
    came = [frame(t) for t in range(100)]
    few, many = (
        np.array(ticks(start(drop_frames=p).frames(came))) != np.arange(100) for p in (0.2, 0.5)
    )
    assert (many | ~few).all()
    assert few.sum() < many.sum()
