"""Which state an action leads to, and late films: found in numbers shifted on purpose."""

from __future__ import annotations

import numpy as np
import pytest

from benchmark.data.alignment import explained, film_lag, wrong_offset


def servo(seed: int, steps: int = 80, rate: float = 0.6) -> tuple[np.ndarray, np.ndarray]:
    """Targets (T, 3), and joints (T, 3) before each: critically damped, second order.

    Solved exactly over a step of one: ``x'' = -2 w x' - w^2 (x - target)`` with w = 2.5 * rate.
    """
    rng = np.random.default_rng(seed)
    command = np.cumsum(rng.normal(0, 0.05, (steps, 3)), axis=0)
    joints, w = np.zeros((steps, 3)), 2.5 * rate
    speed = np.zeros(3)
    for t in range(steps - 1):
        away = joints[t] - command[t]
        joints[t + 1] = command[t] + (away + (speed + w * away)) * np.exp(-w)
        speed = (speed - w * (speed + w * away)) * np.exp(-w)
    return command, joints


@pytest.mark.parametrize("rate", [0.4, 0.6, 1.0, 3.0])
@pytest.mark.parametrize("shift", [-2, -1, 0, 1])
def test_rows_shifted_on_purpose_are_found(rate: float, shift: int) -> None:
    """``shift``: by how many rows the states come too early."""
    pairs = []
    for seed in range(3):
        command, joints = servo(seed, rate=rate)
        low, high = max(0, -shift), len(command) - max(0, shift)
        pairs.append((command[low:high], joints[low + shift : high + shift]))
    assert wrong_offset(pairs) == (None if shift == 0 else 1 - shift if 1 - shift <= 2 else 2)


def test_what_says_nothing_is_not_judged() -> None:
    still = [(np.ones((50, 2)), np.ones((50, 2)))]
    assert explained(still) == {}
    assert wrong_offset(still) is None
    assert wrong_offset([]) is None
    short = [(command[:8], joints[:8]) for command, joints in (servo(0),)]
    assert explained(short) == {}


def walk(seed: int, steps: int = 60) -> np.ndarray:
    speed = np.random.default_rng(seed).uniform(0, 1, (steps, 1)) ** 3
    return np.cumsum(speed, axis=0)


@pytest.mark.parametrize("lag", [-2, -1, 0, 1, 3])
def test_late_films(lag: int) -> None:
    pairs = []
    for seed in range(3):
        poses = walk(seed)
        seen = np.roll(np.abs(np.diff(poses[:, 0])), lag) + 0.1
        pairs.append((seen, poses))
    assert film_lag(pairs) == lag


def test_films_that_show_something_else_are_not_called_late() -> None:
    rng = np.random.default_rng(0)
    assert film_lag([(rng.uniform(0, 1, 59), walk(i)) for i in range(5)]) == 0
    assert film_lag([(np.ones(59), walk(i)) for i in range(5)]) == 0
    assert film_lag([(np.ones(5), walk(0)[:6])]) == 0
