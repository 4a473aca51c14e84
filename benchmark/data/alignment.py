"""Which state does an action lead to? Found from the numbers, whatever a format promises.

A joint follows its target with a lag, so where the target and the joint agree best is no answer.
What an action adds to the past is: of the states ``t - 1 .. t + 2``, action ``t`` explains best how
the joints change on the way to the one it leads to,

    q[s] - q[s-1]  ~  a (command[s-k] - q[s-1]) + b (q[s-1] - q[s-2]) + c,

with k = 1 where row ``t`` of the actions is what was done in state ``t``.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from benchmark.data.rows import Array

OFFSETS = (-1, 0, 1, 2)
RIGHT = 1
FEWEST = 12  # steps, below which nothing is decided
STILL = 1e-6  # rad^2 in all: joints that do not move say nothing
MARGIN = 0.02  # of the explained variance, by which another offset must be better
FEWEST_FRAMES = 60  # in all, below which no film is called late
LAGS = range(-3, 4)
CLEAR = 0.2  # by which the correlation at another lag must be higher
LOWEST = 0.6  # correlation that counts


def explained(pairs: Sequence[tuple[Array, Array]]) -> dict[int, float]:
    """Offset k -> explained share of the joints' changes, pooled over episodes and joints.

    ``pairs``: targets (T, n) and measured joints (T, n) of each episode. Empty where nothing can be
    said.
    """
    left, total = dict.fromkeys(OFFSETS, 0.0), 0.0
    for command, joints in pairs:
        if len(command) < FEWEST:
            continue
        span = np.arange(2, len(command) - 1)  # states for which all offsets have a command
        change = joints[span] - joints[span - 1]
        total += float(((change - change.mean(axis=0)) ** 2).sum())
        for k in OFFSETS:
            left[k] += _unexplained(command[span - k], joints, span)
    return {k: 1 - left[k] / total for k in OFFSETS} if total > STILL else {}


def wrong_offset(pairs: Sequence[tuple[Array, Array]]) -> int | None:
    """The offset that explains clearly more than the right one; ``None`` where there is none."""
    shares = explained(pairs)
    best = max(shares, key=lambda k: shares[k], default=RIGHT)
    return best if best != RIGHT and shares[best] > shares[RIGHT] + MARGIN else None


def film_lag(pairs: Sequence[tuple[Array, Array]]) -> int:
    """By how many rows films are late: 0 unless another lag fits clearly better.

    ``pairs``: of each episode the change from frame to frame (T - 1,), and what moves the camera
    (T, n). One episode alone may agree with a wrong lag by chance, so all are taken together.
    """
    series = [(seen, _speed(poses)) for seen, poses in pairs if len(poses) > FEWEST]
    if sum(len(speed) for _, speed in series) < FEWEST_FRAMES:
        return 0
    scores = {lag: _correlation(series, lag) for lag in LAGS}
    best = max(scores, key=lambda lag: scores[lag])
    return best if scores[best] > max(scores[0] + CLEAR, LOWEST) else 0


def _unexplained(command: Array, joints: Array, span: Array) -> float:
    """Squared rest of the regression above, summed over joints."""
    rest = 0.0
    for j in range(joints.shape[1]):
        now, before, past = (joints[span - i, j] for i in range(3))
        terms = np.stack([command[:, j] - before, before - past, np.ones(len(span))], axis=1)
        weights = np.linalg.lstsq(terms, now - before, rcond=None)[0]
        rest += float(((now - before - terms @ weights) ** 2).sum())
    return rest


def _speed(poses: Array) -> Array:
    """float64 (T - 1,): how much moves, every number in units of its own spread."""
    spread = poses.std(axis=0)
    moving = spread > 0
    return np.linalg.norm(np.diff(poses[:, moving] / spread[moving], axis=0), axis=1)


def _correlation(series: Sequence[tuple[Array, Array]], lag: int) -> float:
    """Pearson's correlation of pictures at ``t + lag`` with motion at ``t``, each episode's mean
    taken off."""
    late, early = [], []
    for seen, speed in series:
        count = min(len(seen), len(speed)) - abs(lag)
        a, b = seen[max(0, lag) :][:count], speed[max(0, -lag) :][:count]
        late.append(a - a.mean())
        early.append(b - b.mean())
    a, b = np.concatenate(late), np.concatenate(early)
    scale = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / scale if scale > 0 else 0.0
