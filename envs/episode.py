"""Run one episode in chunks beside the simulator: the part of the engine that lives in a worker.

A chunk of K actions is executed in one call, stops at the end of the episode, and computes only
the observations that the policy will look at.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from envs.base import ManipEnv
from envs.schema import FlatObservation, ManigymError, flatten

LINK = 8  # bytes of the chained state hash kept per step


@dataclass
class EpisodeSummary:
    """What an episode came to. Hashes chain over every step: all states, all actions.

    ``actions``: float32 (T, A) as they were asked for; ``rewards``: float32 (T,); ``state_chain``:
    uint8 (T + 1, 8), the first bytes of the chained hash after the reset and after every step, so
    that two executions can be compared step by step. ``trajectory``: when recorded, ``obs/<key>``
    (T, ...), ``action`` (T, A), ``reward`` (T,) and ``sim_state`` (T, D), each before the action of
    its step. ``instruction``: the goal in words. ``frames``: the film, uint8 (H, W, 3) each.
    ``measures`` and ``scene``: see :class:`envs.base.ManipEnv`. ``stages``: seconds spent in
    ``reset``, ``simulate``, ``sense``, ``render``, ``expert``, ``track`` (hashes and recording)
    and ``film``.
    """

    success: bool
    steps: int
    total_reward: float
    state_hash: str
    action_hash: str
    stages: dict[str, float]
    actions: np.ndarray
    rewards: np.ndarray
    state_chain: np.ndarray
    instruction: str = ""
    trajectory: dict[str, np.ndarray] | None = None
    frames: list[np.ndarray] = field(default_factory=list)
    film_problem: str = ""
    measures: dict[str, float] = field(default_factory=dict)
    scene: str = ""


@dataclass
class Reply:
    """Answer to a reset or a chunk.

    ``observations``: the newest ones, oldest first, at most as many as were asked for.
    ``rewards`` and ``goals`` (the criterion holds now): one per executed step. ``summary``: at the
    end of an episode that was reset with ``track``.
    """

    observations: list[FlatObservation]
    rewards: list[float] = field(default_factory=list)
    goals: list[bool] = field(default_factory=list)
    terminated: bool = False
    truncated: bool = False
    succeeded: bool = False
    summary: EpisodeSummary | None = None


class EpisodeRunner:
    """Drives one :class:`ManipEnv` and keeps the books of its episode."""

    def __init__(self, env: ManipEnv, on_step: Callable[[], None] = lambda: None) -> None:
        self.env = env
        self._on_step = on_step  # called after every simulator step: a sign of life
        self._open_books(track=False, record=False, film=False)

    def reset(
        self, seed: int, track: bool = True, record: bool = False, film: bool = False
    ) -> Reply:
        """Start an episode; one observation comes back.

        ``track`` chains the hashes and gives a summary at the end; ``record`` keeps the
        trajectory, ``film`` the pictures (both need ``track``).
        """
        self._open_books(track, record, film)
        observation, _ = self.env.reset(seed=seed)
        self._latest = flatten(observation)
        self._note_state()
        return Reply([self._latest])

    def _open_books(self, track: bool, record: bool, film: bool) -> None:
        self.env.stopwatch.take()
        self._track = track
        self._states, self._actions = (hashlib.blake2b(digest_size=16) for _ in range(2))
        self._rewards: list[float] = []
        self._executed: list[np.ndarray] = []
        self._chain: list[bytes] = []
        self._rows: list[dict[str, Any]] | None = [] if record else None
        self._frames: list[np.ndarray] = []
        self._film, self._film_problem = film, ""

    def run(self, actions: np.ndarray, n_obs: int = 1) -> Reply:
        """Execute float32 (K, A), ending with the episode; observe the last ``n_obs`` steps."""
        return self._execute(actions, len(actions), n_obs)

    def follow(self, steps: int, n_obs: int = 1) -> Reply:
        """The same with actions of the environment's own expert, each for the state it finds."""
        return self._execute((self.env.expert_action() for _ in range(steps)), steps, n_obs)

    def _execute(self, actions: Iterable[np.ndarray], count: int, n_obs: int) -> Reply:
        reply = Reply([])
        end = min(count, self.env.horizon - len(self._rewards))  # unless success is earlier
        for k, action in enumerate(actions):
            self._record_before(action)
            reward, reply.terminated, reply.truncated = self.env.advance(action)
            self._on_step()
            reply.rewards.append(reward)
            reply.goals.append(self.env.goal_reached)
            self._note_action(action)
            self._note_state()
            over = reply.terminated or reply.truncated
            wanted = n_obs and (over or k >= end - n_obs)
            if wanted or self._rows is not None:
                self._latest = self.env.observe_flat()
                reply.observations.append(self._latest)
            if over:
                break
        self._rewards += reply.rewards
        reply.observations = reply.observations[-n_obs:] if n_obs else []
        reply.succeeded = self.env.succeeded
        if self._track and (reply.terminated or reply.truncated):
            reply.summary = self._summary()
        return reply

    def observe(self) -> Reply:
        """The present observation, once more."""
        self._latest = self.env.observe_flat()
        return Reply([self._latest], succeeded=self.env.succeeded)

    def _note_action(self, action: np.ndarray) -> None:
        if self._track:
            self._executed.append(np.array(action, np.float32))
            self._actions.update(self._executed[-1].tobytes())

    def _note_state(self) -> None:
        if self._track:
            with self.env.stopwatch("track"):
                self._states.update(self.env.state_bytes())
                self._chain.append(self._states.digest()[:LINK])
        if self._film:
            self._shoot()

    def _shoot(self) -> None:
        """One picture of the film; without a renderer the episode goes on and says so."""
        watch = self.env.stopwatch
        seconds = watch.take()
        try:
            self._frames.append(self.env.render())
        except ManigymError as problem:
            self._film, self._film_problem = False, str(problem)
        seconds["film"] = seconds.get("film", 0.0) + sum(watch.take().values())
        watch.seconds = seconds

    def _record_before(self, action: np.ndarray) -> None:
        if self._rows is not None:
            with self.env.stopwatch("track"):
                self._rows.append(self._row(action))

    def _row(self, action: np.ndarray) -> dict[str, Any]:
        row = {f"obs/{k}": v for k, v in self._latest.items() if k not in ("expert", "instruction")}
        clipped = np.clip(np.asarray(action, np.float32), -1.0, 1.0)
        return row | {"action": clipped, "sim_state": self.env.sim_state()}

    def _summary(self) -> EpisodeSummary:
        trajectory, rewards = None, np.array(self._rewards, np.float32)
        if self._rows is not None:
            trajectory = {key: np.stack([row[key] for row in self._rows]) for key in self._rows[0]}
            trajectory["reward"] = rewards
        return EpisodeSummary(
            success=self.env.succeeded,
            steps=len(self._rewards),
            total_reward=float(np.sum(self._rewards)),
            state_hash=self._states.hexdigest(),
            action_hash=self._actions.hexdigest(),
            stages=self.env.stopwatch.take(),
            actions=np.stack(self._executed),
            rewards=rewards,
            state_chain=np.frombuffer(b"".join(self._chain), np.uint8).reshape(-1, LINK),
            trajectory=trajectory,
            instruction=self.env.instruction,
            frames=self._frames,
            film_problem=self._film_problem,
            measures=self.env.measures(),
            scene=self.env.scene_name,
        )
