"""Our pool of environments as a Stable-Baselines3 ``VecEnv``.

All environments step in lockstep, and start states come from a plan: who takes which episode
follows from the order of the slots, never from timing. So the same actions give the same numbers
whether the environments live in this process or in workers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from gymnasium import spaces
from stable_baselines3.common.vec_env import VecEnv

from benchmark.engine.chunking import History
from benchmark.engine.plan import PlannedEpisode
from benchmark.sb3.settings import REWARDS
from envs.episode import Reply
from envs.pool import Failure, Pool
from envs.schema import Interface, ManigymError
from policies.sb3 import concatenated

Window = dict[str, np.ndarray]
Observation = Any  # an array, or arrays by key


@dataclass(frozen=True)
class Translation:
    """Between a model's spaces and ours.

    ``observe``: a window, key -> (O, ...), to an observation of ``observation_space``; ``decode``:
    actions (n, D) of ``action_space`` to chunks float32 (n, K, A), K at most the pool's chunk.
    """

    observation_space: spaces.Space[Any]
    action_space: spaces.Box
    observe: Callable[[Window], Observation]
    decode: Callable[[np.ndarray], np.ndarray]
    n_obs: int = 1


def flat(interface: Interface, modalities: Sequence[str]) -> Translation:
    """The baseline's: these vectors of the newest observation in a row, one action at a time."""
    size = sum(int(np.prod(shape)) for shape, _ in interface.observation.values())
    return Translation(
        spaces.Box(-np.inf, np.inf, (size,), np.float32),
        spaces.Box(-1.0, 1.0, (interface.action_size,), np.float32),
        observe=lambda window: concatenated(window, modalities)[0],
        decode=lambda actions: actions[:, None],
    )


@dataclass(frozen=True)
class Reward:
    """What a learner is paid for a chunk.

    ``kind``: ``env`` is the sum of the environment's over the chunk; ``success`` is the change of
    "this episode is a success", so that an episode's rewards add up to 1 or 0 under any rule.
    ``shaping`` times the change of the environment's reward over the chunk is added.
    """

    kind: str = "env"
    scale: float = 1.0
    shaping: float = 0.0

    def __post_init__(self) -> None:
        if self.kind not in REWARDS:
            raise ManigymError(f"reward must be one of {', '.join(REWARDS)}; got {self.kind!r}")


@dataclass
class _Running:
    """One slot's episode so far; ``steps`` of the environment, not of the learner; ``latest``: its
    last reward."""

    episode: PlannedEpisode
    history: History
    total: float = 0.0
    steps: int = 0
    succeeded: bool = False
    latest: float | None = None


class PoolVecEnv(VecEnv):
    """Slots of ``pool`` for a learner, restarted with ``plan(0)``, ``plan(1)``, ... as they end.

    What SB3 expects of infos is there: ``terminal_observation``, ``TimeLimit.truncated``,
    ``episode`` and ``is_success``. SB3's own seeds have no effect. The pool is closed by who opened
    it.
    """

    def __init__(
        self,
        pool: Pool,
        translation: Translation,
        plan: Callable[[int], PlannedEpisode],
        reward: Reward = Reward(),
    ) -> None:
        self._pool, self._translation, self._plan = pool, translation, plan
        self._reward = reward
        self._begun = 0
        self.control_steps = 0  # of all episodes so far
        self._running: dict[int, _Running] = {}
        super().__init__(pool.size, translation.observation_space, translation.action_space)

    def reset(self) -> Observation:
        """Begin the next planned episode in every slot."""
        started = self._begin(range(self.num_envs))
        return _stacked([started[slot] for slot in range(self.num_envs)])

    def step_async(self, actions: np.ndarray) -> None:
        chunks = np.asarray(self._translation.decode(actions), np.float32)
        for slot, chunk in enumerate(chunks):
            self._pool.run(slot, chunk, self._translation.n_obs)

    def step_wait(self) -> tuple[Observation, np.ndarray, np.ndarray, list[dict[str, Any]]]:
        """Observations, float32 (n,) rewards, bool (n,) ends and infos."""
        replies = self._replies(range(self.num_envs))
        rewards = [self._account(slot, reply) for slot, reply in replies.items()]
        seen = {slot: self._observed(slot) for slot in replies}
        ended = [slot for slot, reply in replies.items() if reply.terminated or reply.truncated]
        infos: list[dict[str, Any]] = [{} for _ in replies]
        for slot in ended:
            infos[slot] = self._end(slot, replies[slot], seen[slot])
        seen |= self._begin(ended)
        dones = np.isin(np.arange(self.num_envs), ended)
        return _stacked(list(seen.values())), np.array(rewards, np.float32), dones, infos

    def _begin(self, slots: Sequence[int]) -> dict[int, Observation]:
        """Start planned episodes in the order of ``slots``; their first observations."""
        for slot in slots:
            episode = self._plan(self._begun)
            self._begun += 1
            self._running[slot] = _Running(episode, History(self._translation.n_obs))
            self._pool.reset(slot, episode.seed)
        for slot, reply in self._replies(slots).items():
            self._running[slot].history.extend(reply.observations)
        return {slot: self._observed(slot) for slot in slots}

    def _replies(self, slots: Iterable[int]) -> dict[int, Reply]:
        """Wait for all of these; by slot, ascending."""
        missing, found = set(slots), {}
        while missing:
            for slot, reply in self._pool.wait():
                if isinstance(reply, Failure):
                    raise self._failed(slot, reply)
                found[slot] = reply
                missing.discard(slot)
        return dict(sorted(found.items()))

    def _failed(self, slot: int, failure: Failure) -> ManigymError:
        episode = self._running[slot].episode
        return ManigymError(
            f"{episode.env}: the simulator failed in episode {episode.index} of training (seed "
            f"{episode.seed}): {failure}. Stable-Baselines3 cannot leave a transition out, so "
            "training ends here; a task that does this often is not for it"
        )

    def _account(self, slot: int, reply: Reply) -> float:
        running = self._running[slot]
        running.history.extend(reply.observations)
        gained = float(reply.succeeded) - float(running.succeeded)
        earned = gained if self._reward.kind == "success" else float(np.sum(reply.rewards))
        before = reply.rewards[0] if running.latest is None else running.latest
        running.latest = reply.rewards[-1]
        running.succeeded = reply.succeeded
        running.steps += len(reply.rewards)
        self.control_steps += len(reply.rewards)
        running.total += earned
        return self._reward.scale * earned + self._reward.shaping * (running.latest - before)

    def _observed(self, slot: int) -> Observation:
        return self._translation.observe(self._running[slot].history.window())

    def _end(self, slot: int, reply: Reply, last: Observation) -> dict[str, Any]:
        running = self._running[slot]
        return {
            "terminal_observation": last,
            "TimeLimit.truncated": reply.truncated and not reply.terminated,
            "is_success": reply.succeeded,
            "episode": {"r": running.total, "l": running.steps},
        }

    def close(self) -> None:
        self._running.clear()

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        if attr_name != "render_mode":
            raise AttributeError(f"environments of a pool have no attribute {attr_name!r} to read")
        return [None] * self.num_envs

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        raise AttributeError(f"environments of a pool have no attribute {attr_name!r} to set")

    def env_method(
        self, method_name: str, *method_args: Any, indices: Any = None, **method_kwargs: Any
    ) -> list[Any]:
        raise AttributeError(f"environments of a pool have no method {method_name!r} to call")

    def env_is_wrapped(self, wrapper_class: type[Any], indices: Any = None) -> list[bool]:
        return [False] * self.num_envs


def _stacked(observations: Sequence[Observation]) -> Observation:
    """One array (n, ...), or one for each key."""
    if isinstance(observations[0], dict):
        return {key: np.stack([o[key] for o in observations]) for key in observations[0]}
    return np.stack(observations)
