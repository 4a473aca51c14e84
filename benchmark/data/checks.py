"""What is wrong with recordings of any format.

Problems make data unfit for training as it is; notes are legal but worth knowing.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from benchmark.data.alignment import RIGHT, explained, film_lag, wrong_offset
from benchmark.data.recordings import Recording

CONSTANT = 1e-6  # spread over all episodes
FPS = 0.01  # share by which rates may differ


@dataclass(frozen=True)
class Finding:
    """One line; ``kind`` for programs, ``where`` an episode or a group of the action."""

    kind: str
    where: str
    text: str
    problem: bool = True


def check(recordings: Sequence[Recording]) -> list[Finding]:
    """All findings, in the order of the episodes; those about all of them last."""
    findings = [finding for one in recordings for finding in _episode(one)]
    findings += [*_duplicates(recordings), *_constant(recordings)]
    findings += [*_offset(recordings), *_late_films(recordings)]
    return _grouped(findings)


def _episode(one: Recording) -> Iterator[Finding]:
    yield from (Finding("format", one.name, text) for text in one.problems)
    yield from (Finding("note", one.name, text, problem=False) for text in one.notes)
    for key, values in one.numbers.items():
        if not np.isfinite(values).all():
            step = int(np.argwhere(~np.isfinite(values))[0][0])
            yield Finding("non-finite", one.name, f"{key}: not finite from step {step}")
    wrong = {key: count for key, count in one.lengths.items() if count != one.steps}
    if wrong:
        said = ", ".join(f"{key} {count}" for key, count in wrong.items())
        yield Finding("length", one.name, f"{one.steps} actions, but {said}")
    yield from _films(one)


def _films(one: Recording) -> Iterator[Finding]:
    for camera, film in one.films.items():
        if film.frames != one.film_frames:
            text = f"{camera}: {film.frames} frames, {one.film_frames} rows"
            yield Finding("camera", one.name, text)
        if one.fps and abs(film.fps / one.fps - 1) > FPS:
            text = f"{camera}: film of {film.fps:g} frames/s, recorded at {one.fps:g}"
            yield Finding("camera", one.name, text)


def _late_films(recordings: Sequence[Recording]) -> Iterator[Finding]:
    pairs = defaultdict(list)
    for one in recordings:
        for camera, film in one.films.items():
            if one.poses is None or not _finite(one.poses):
                continue
            if film.frames == one.film_frames:
                pairs[camera].append((film.motion[: one.steps - 1], one.poses))
    for camera, episodes in pairs.items():
        if lag := film_lag(episodes):
            text = f"moves {abs(lag)} rows {'after' if lag > 0 else 'before'} the robot does"
            yield Finding("camera", camera, text)


def _duplicates(recordings: Sequence[Recording]) -> Iterator[Finding]:
    seen: dict[bytes, str] = {}
    for one in recordings:
        digest = hashlib.sha256()
        for name, values in sorted(one.actions.items()):
            digest.update(name.encode() + np.ascontiguousarray(values).tobytes())
        first = seen.setdefault(digest.digest(), one.name)
        if first != one.name and one.steps:
            yield Finding("duplicate", one.name, f"the same actions as {first}")


def _constant(recordings: Sequence[Recording]) -> Iterator[Finding]:
    for name, values in joined(recordings).items():
        if len(values) < 2:
            continue
        still = np.flatnonzero(np.ptp(values, axis=0) < CONSTANT).tolist()
        if still:
            text = f"dimension(s) {still} never change: normalise them with a floor on the range"
            yield Finding("constant", name, text, problem=False)


def _offset(recordings: Sequence[Recording]) -> Iterator[Finding]:
    """Over all episodes together: one episode alone may move too little."""
    pairs = defaultdict(list)
    for one in recordings:
        for name, pair in one.joints.items():
            if all(map(_finite, pair)):
                pairs[name].append(pair)
    for name, episodes in pairs.items():
        wrong = wrong_offset(episodes)
        if wrong is not None:
            shares = explained(episodes)
            text = (
                f"action t leads to state t{wrong:+d} ({shares[wrong]:.0%} of the motion), not to "
                f"t{RIGHT:+d} ({shares[RIGHT]:.0%}): rows of actions and states are shifted"
            )
            yield Finding("offset", name, text)


def _finite(values: np.ndarray) -> bool:
    return bool(np.isfinite(values).all())


def joined(recordings: Sequence[Recording]) -> dict[str, np.ndarray]:
    """Group -> (N, n) over all episodes that have it with the same size."""
    parts: dict[str, list[np.ndarray]] = defaultdict(list)
    for one in recordings:
        for name, values in one.actions.items():
            if not parts[name] or parts[name][0].shape[1:] == values.shape[1:]:
                parts[name].append(values)
    return {name: np.concatenate(values) for name, values in parts.items()}


def _grouped(findings: Sequence[Finding]) -> list[Finding]:
    """A line that many episodes share is said once, of the first, with their number."""
    episodes: dict[tuple[str, str, bool], list[str]] = defaultdict(list)
    for one in findings:
        episodes[one.kind, one.text, one.problem].append(one.where)
    return [
        Finding(
            kind, where[0] + (f" and {len(where) - 1} more" if where[1:] else ""), text, problem
        )
        for (kind, text, problem), where in episodes.items()
    ]
