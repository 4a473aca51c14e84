"""Which episodes may share a call of the policy.

An answer must not depend on which other episodes happen to wait at the same time. Whether batching
keeps an answer's bits depends on the network's sizes, the device and the number of threads, so it
is tried on the machine and the task at hand before a run: the same episodes alone, in turns, and in
batches. Alone is the reference; a size that changes one bit is not used.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmark.engine.chunking import History
from benchmark.engine.plan import PlannedEpisode
from envs.pool import Failure, Pool
from envs.schema import FlatObservation, ManigymError
from policies.base import Policy

SPARE = 4
CALLS = 2  # of each episode: the second one shows what the first has left behind
Window = dict[str, np.ndarray]


@dataclass(frozen=True)
class Inference:
    """``sizes``: how many episodes may share a call, ascending, the first is 1. ``repeatable``:
    whether an answer depends on the observations and the episode's state alone."""

    sizes: tuple[int, ...] = (1,)
    repeatable: bool = True

    def describe(self) -> str:
        """``alone``, ``batched 2 4 8`` or ``unrepeatable``."""
        if not self.repeatable:
            return "unrepeatable"
        return " ".join(["batched", *map(str, self.sizes[1:])]) if self.sizes[1:] else "alone"

    def groups(self, waiting: int) -> list[slice]:
        """Cut ``waiting`` rows into calls of tried sizes, largest first."""
        cuts, start = [], 0
        while start < waiting:
            size = max(s for s in self.sizes if s <= waiting - start)
            cuts.append(slice(start, start + size))
            start += size
        return cuts


ALONE = Inference()


def probe(
    policy: Policy, pool: Pool, episodes: Sequence[PlannedEpisode], largest: int
) -> Inference:
    """Try the policy on the first observations of the first ``largest`` episodes.

    Where the simulator fails, the next episode is taken, up to ``SPARE`` times; in the run the
    failure is recorded.
    """
    wanted = max(largest, 2)
    windows: list[Window] = []
    tried: list[PlannedEpisode] = []
    for episode in episodes[: wanted + SPARE]:
        frame = _first_frame(pool, episode) if len(tried) < wanted else None
        if frame is not None:
            windows.append(_window(frame, policy.spec.n_obs))
            tried.append(episode)
    if not tried:
        return ALONE
    reference = _alone(policy, pool, windows, tried)
    if not _same(_in_turns(policy, pool, windows, tried), reference):
        return Inference(repeatable=False)
    sizes = [2**k for k in range(1, len(tried).bit_length()) if 2**k <= min(largest, len(tried))]
    kept = [n for n in sizes if _same(_batched(policy, pool, windows, tried, n), reference)]
    return Inference((1, *kept))


def refuse(policy: Policy) -> ManigymError:
    """What to say of a policy whose answers cannot be repeated."""
    return ManigymError(
        f"policy {policy.name!r} answers differently when episodes take turns, so a result would "
        "depend on the number of workers and could not be replayed. Its answers must follow from "
        "the observations and the episode's state: keep generators, memories and counters in what "
        "start() returns (policies/base.py). If that cannot be (a remote model), "
        "run.allow_unrepeatable=true runs it all the same and the row says so"
    )


def _first_frame(pool: Pool, episode: PlannedEpisode) -> FlatObservation | None:
    pool.reset(0, episode.seed)
    ((_, reply),) = pool.wait()
    return None if isinstance(reply, Failure) else reply.observations[0]


def _window(frame: FlatObservation, n_obs: int) -> Window:
    history = History(n_obs)
    history.extend([frame])
    return history.window()


def ask(policy: Policy, windows: Sequence[Window], states: Sequence[Any]) -> np.ndarray:
    """One call of the policy: windows key -> (O, ...) of B episodes -> chunks (B, K, A)."""
    batch = {key: np.stack([window[key] for window in windows]) for key in windows[0]}
    chunks = np.array(policy.act(batch, states), np.float32)  # a copy: it may be its own buffer
    if chunks.ndim != 3 or len(chunks) != len(states):
        raise ManigymError(
            f"policy {policy.name!r} answered with shape {chunks.shape} to the observations of "
            f"{len(states)} episodes; expected float32 (B, K, A) = ({len(states)}, "
            f"{policy.spec.n_action}, ...), one chunk of actions for each"
        )
    return chunks


Answers = list[list[np.ndarray]]  # [episode][call] -> (K, A)


def _alone(
    policy: Policy, pool: Pool, windows: Sequence[Window], episodes: Sequence[PlannedEpisode]
) -> Answers:
    """Every episode from its start, one after the other."""
    answers = []
    for window, episode in zip(windows, episodes, strict=True):
        (state,) = policy.start(pool.interface, [episode.policy_seed])
        answers.append([ask(policy, [window], [state])[0] for _ in range(CALLS)])
    return answers


def _in_turns(
    policy: Policy, pool: Pool, windows: Sequence[Window], episodes: Sequence[PlannedEpisode]
) -> Answers:
    """All episodes side by side, backwards, still one at a time."""
    states = policy.start(pool.interface, [e.policy_seed for e in episodes])
    answers: Answers = [[] for _ in episodes]
    for _ in range(CALLS):
        for i in reversed(range(len(episodes))):
            answers[i].append(ask(policy, [windows[i]], [states[i]])[0])
    return answers


def _batched(
    policy: Policy,
    pool: Pool,
    windows: Sequence[Window],
    episodes: Sequence[PlannedEpisode],
    size: int,
) -> Answers:
    """Batches of ``size``, so that every episode is in one; the last ones may overlap."""
    answers: Answers = [[] for _ in episodes]
    starts = [min(at, len(episodes) - size) for at in range(0, len(episodes), size)]
    for rows in ([*range(at, at + size)] for at in starts):
        states = policy.start(pool.interface, [episodes[i].policy_seed for i in rows])
        calls = [ask(policy, [windows[i] for i in rows], states) for _ in range(CALLS)]
        for row, i in enumerate(rows):
            answers[i] = [call[row] for call in calls]
    return answers


def _same(got: Answers, expected: Answers) -> bool:
    """Equal bits; NaN equals NaN (it is refused later, with a message of its own)."""
    return all(
        np.asarray(a).tobytes() == np.asarray(b).tobytes()
        for mine, theirs in zip(got, expected, strict=True)
        for a, b in zip(mine, theirs, strict=True)
    )
