"""Episodes to learn from: run by the ordinary engine with a policy that keeps its chains.

One iteration is a fixed number of whole episodes, whose start states and noise come from the plan
of split ``finetuning``. So what is learned from does not depend on how many simulators ran it.
Axes: E episodes, C chunks of the longest one, M chunks of all, O observed steps, N steps of a
chain, H predicted and K executed steps, A action size.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import torch

from benchmark.engine.plan import PlannedEpisode
from benchmark.engine.rollout import Outcome, RolloutOptions, rollout
from benchmark.progress import note
from benchmark.training.bc import autocast
from envs.pool import Pool
from envs.schema import Interface, ManigymError
from policies.base import ActorCritic, Observations, Policy

TRIES = 2


class Decision(NamedTuple):
    """A chunk as it was chosen: observations (O, ...), chain (N + 1, H, A), log-density (N, K)."""

    window: Mapping[str, np.ndarray]
    chain: np.ndarray
    logprob: np.ndarray


@dataclass
class Path:
    """An episode under way: the source of its noise, and what was decided so far."""

    generator: torch.Generator
    decisions: list[Decision] = field(default_factory=list)


class Explorer(Policy):
    """Acts by noisy chains and keeps them in the episode's state."""

    name = "explorer"

    def __init__(self, actor_critic: ActorCritic, precision: str = "float32") -> None:
        self._actor_critic, self._precision = actor_critic, precision
        self.spec = actor_critic.policy.spec

    def start(self, interface: Interface, seeds: Sequence[int]) -> list[Path]:
        self._actor_critic.policy.start(interface, seeds)  # checks that they fit
        return [Path(torch.Generator().manual_seed(seed)) for seed in seeds]

    def act(self, observations: Observations, states: Sequence[Path]) -> np.ndarray:
        device = self._actor_critic.device
        with autocast(self._precision, device):  # as the updates compute it
            found = self._actor_critic.sample(
                self._actor_critic.tensors(observations), [state.generator for state in states]
            )
        chains, logprobs = (part.float().cpu().numpy() for part in found)
        for row, state in enumerate(states):
            window = {key: value[row] for key, value in observations.items()}
            state.decisions.append(Decision(window, chains[row], logprobs[row]))
        return self._actor_critic.actions(found.steps)


@dataclass(frozen=True)
class Batch:
    """The chunks of some episodes, one after the other.

    ``obs`` key -> (M, O, ...) and ``last`` key -> (E, O, ...), what followed the last chunk, keep
    the environment's dtypes. ``executed`` bool (M, K): steps that took place. ``rewards`` float32
    (M, K) and ``succeeded`` bool (E,); ``terminated`` bool (E,): it ended before its horizon.
    ``counts`` int (E,): chunks of each episode.
    """

    obs: dict[str, np.ndarray]
    last: dict[str, np.ndarray]
    chain: np.ndarray
    logprob: np.ndarray
    executed: np.ndarray
    rewards: np.ndarray
    counts: np.ndarray
    terminated: np.ndarray
    succeeded: np.ndarray

    def __len__(self) -> int:
        return len(self.chain)

    @property
    def steps(self) -> int:
        """Control steps of all episodes."""
        return int(self.executed.sum())

    def rows(self, index: np.ndarray) -> dict[str, np.ndarray]:
        """Observations of some chunks."""
        return {key: value[index] for key, value in self.obs.items()}


def run_episodes(
    pool: Pool,
    explorer: Explorer,
    episodes: Sequence[PlannedEpisode],
    options: RolloutOptions,
    on_end: Callable[[Outcome], None] = lambda outcome: None,
) -> Batch:
    """Run ``episodes`` and return what happened, in the order of the plan."""
    done: list[Outcome] = []

    def keep(outcome: Outcome) -> None:
        if outcome.failure is not None:
            note(f"episode {outcome.episode.index}: {outcome.failure}")
        else:
            done.append(outcome)
        if not outcome.retried:
            on_end(outcome)

    rollout(pool, explorer, episodes, keep, options, tries=TRIES)
    if not done:
        raise ManigymError(
            f"all {len(episodes)} episodes of an iteration ended in an error, see above; run "
            "python -m benchmark doctor"
        )
    return batch_of(sorted(done, key=lambda outcome: outcome.episode.index))


def batch_of(outcomes: Sequence[Outcome]) -> Batch:
    """Outcomes of an :class:`Explorer`'s episodes as arrays."""
    decisions = [d for outcome in outcomes for d in outcome.state.decisions]
    chunk = decisions[0].logprob.shape[1]
    rewards, executed = zip(*(_chunked(outcome, chunk) for outcome in outcomes), strict=True)
    return Batch(
        obs=_stacked([d.window for d in decisions]),
        last=_stacked([outcome.window for outcome in outcomes]),
        chain=np.stack([d.chain for d in decisions]),
        logprob=np.stack([d.logprob for d in decisions]),
        executed=np.concatenate(executed),
        rewards=np.concatenate(rewards),
        counts=np.array([len(outcome.state.decisions) for outcome in outcomes]),
        terminated=np.array([outcome.terminated for outcome in outcomes]),
        succeeded=np.array([bool(_summary(outcome).success) for outcome in outcomes]),
    )


def _chunked(outcome: Outcome, chunk: int) -> tuple[np.ndarray, np.ndarray]:
    """An episode's rewards by chunk (C, K), zero after its end, and which steps took place."""
    rewards = _summary(outcome).rewards
    padded = np.zeros(len(outcome.state.decisions) * chunk, np.float32)
    padded[: len(rewards)] = rewards
    return padded.reshape(-1, chunk), (np.arange(len(padded)) < len(rewards)).reshape(-1, chunk)


def _summary(outcome: Outcome) -> Any:
    assert outcome.summary is not None
    return outcome.summary


def _stacked(windows: Sequence[Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
    return {key: np.stack([window[key] for window in windows]) for key in windows[0]}
