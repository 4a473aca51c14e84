"""VectorEnv: environments of one task as one batch, each in a worker process or all in this one.

Workers write their rows straight into the batch arrays. A chunk of actions crosses once, not once
per step.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.utils import seeding
from gymnasium.vector import AutoresetMode
from gymnasium.vector.utils import batch_space

from envs.isolation.durable import DurableLink
from envs.isolation.link import Link, Request, close_all, reset_request
from envs.isolation.memory import OBS, SlotArrays, fields
from envs.isolation.server import CALL, RUN
from envs.schema import ManigymError, TaskCard, unflatten
from envs.spaces import observation_space

Observations = dict[str, Any]


class ManipVectorEnv(gym.vector.VectorEnv[Observations, np.ndarray, np.ndarray]):
    """Gymnasium's ``VectorEnv`` over links; ``envs.make_vec`` builds it.

    ``copy=False`` hands out views of the batch, valid until the next step. With ``n_obs`` > 1 every
    observation has an axis of that many frames after the batch axis, oldest first (the first
    observation repeated at the start of an episode), and so has the observation space.

    ``infos`` has ``success`` (the criterion held after the last step) and ``is_success`` (the
    episode's success rule holds), bool (n,), and ``steps`` int (n,), executed in this call. With
    ``SAME_STEP`` autoreset these are those before the resets, as are ``final_obs`` (a batch) and
    ``final_info``.
    """

    def __init__(
        self,
        links: Sequence[Link],
        card: TaskCard,
        place: str,
        *,
        max_chunk: int = 1,
        n_obs: int = 1,
        copy: bool = True,
        autoreset_mode: AutoresetMode = AutoresetMode.NEXT_STEP,
    ) -> None:
        self.card, self.place, self.num_envs, self.n_obs = card, place, len(links), n_obs
        self.autoreset_mode, self._max_chunk, self._copy = autoreset_mode, max_chunk, copy
        self._make_spaces(links[0])
        rate = round(card.protocol(links[0].chosen["protocol"]).control_hz)
        self.render_mode = links[0].chosen["render_mode"]
        self.metadata = {"autoreset_mode": autoreset_mode, "render_fps": rate}
        self._memory = SlotArrays.shared(fields(links[0].interface, max_chunk, n_obs), len(links))
        self._batch = {  # flat key -> (n, ...), or (n, n_obs, ...)
            name[len(OBS) :]: array[:, 0] if n_obs == 1 or name == f"{OBS}instruction" else array
            for name, array in self._memory.arrays.items()
            if name.startswith(OBS)
        }
        self._links = [DurableLink(link, card.id) for link in links]
        for slot, link in enumerate(links):
            link.attach(self._memory, slot)
        self._streams = [seeding.np_random()[0] for _ in links]
        self._over = np.ones(len(links), bool)  # needs a reset before it can step
        self._started = False

    def _make_spaces(self, link: Link) -> None:
        names = ("cameras", "image_size", "num_points")
        chosen = {name: link.chosen[name] for name in names}
        self.single_observation_space = observation_space(
            self.card, link.chosen["observations"], **chosen
        )
        self.single_action_space = gym.spaces.Box(-1.0, 1.0, (self.card.action.size,), np.float32)
        single = self.single_observation_space
        framed = gym.spaces.Dict({name: self._framed(name, s) for name, s in single.items()})
        self.observation_space = batch_space(framed, self.num_envs)
        self.action_space = batch_space(self.single_action_space, self.num_envs)

    def _framed(self, modality: str, space: gym.Space[Any]) -> gym.Space[Any]:
        """The goal in words has no history."""
        framed = self.n_obs > 1 and modality != "instruction"
        return batch_space(space, self.n_obs) if framed else space

    def reset(
        self,
        *,
        seed: int | Sequence[int | None] | None = None,
        options: dict[str, Any] | None = None,
    ) -> tuple[Observations, dict[str, Any]]:
        """Start episodes: slot i with ``seed + i``, its entry of a list, or the next seed of its
        stream. ``options={"reset_mask": bool (n,)}`` resets those slots only."""
        mask = np.asarray((options or {}).get("reset_mask", np.ones(self.num_envs, bool)), bool)
        if isinstance(seed, int | np.integer):
            seed = [int(seed) + i for i in range(self.num_envs)]
        seeds = [None] * self.num_envs if seed is None else list(seed)
        if len(seeds) != self.num_envs or mask.shape != (self.num_envs,):
            raise ManigymError(
                f"{self.num_envs} environments take as many seeds and a reset_mask of that shape; "
                f"got {len(seeds)} seeds and a mask of shape {mask.shape}"
            )
        slots = np.flatnonzero(mask)
        self._started = self._started or bool(mask.all())
        self._reset_slots(slots, [seeds[slot] for slot in slots])
        return self._observations(), self._infos()

    def _reset_slots(self, slots: Sequence[int] | np.ndarray, seeds: Sequence[int | None]) -> None:
        self._post_resets(slots, seeds)
        self._take(slots)

    def _post_resets(self, slots: Sequence[int] | np.ndarray, seeds: Sequence[int | None]) -> None:
        for slot, seed in zip(slots, seeds, strict=True):
            self._links[slot].post(reset_request(self._next_seed(slot, seed)))

    def _take(self, slots: Iterable[int]) -> None:
        """Wait for all of these answers, whatever one of them says.

        Then the first error, if any; its slot needs a reset, as one whose episode is over.
        """
        errors: list[Exception] = []
        ended = self._memory.arrays["terminated"], self._memory.arrays["truncated"]
        for slot in slots:
            try:
                self._links[slot].take()
                self._over[slot] = ended[0][slot] or ended[1][slot]
            except Exception as error:
                self._over[slot] = True
                errors.append(error)
        if errors:
            raise errors[0]

    def _next_seed(self, slot: int, seed: int | None) -> int:
        """As an environment by itself: the seed given, else the next of its stream."""
        if seed is None:
            return int(self._streams[slot].integers(2**32))
        self._streams[slot] = seeding.np_random(int(seed))[0]
        return int(seed)

    def step(
        self, actions: np.ndarray
    ) -> tuple[Observations, np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]:
        """One step of float32 (n, A); rewards float64 (n,)."""
        outcome = self.step_chunk(np.asarray(actions)[:, None])
        return outcome[0], outcome[1][:, 0], *outcome[2:]

    def step_chunk(
        self, actions: np.ndarray
    ) -> tuple[Observations, np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]:
        """Execute float32 (n, k, A), k up to ``max_chunk``, each slot ending with its episode.

        Rewards are float64 (n, k), zero after the end; the observation is that after the last
        executed step. A slot whose episode is over is reset instead (``NEXT_STEP``), has been
        reset before this returns (``SAME_STEP``), or is an error (``DISABLED``).
        """
        chunk = self._checked(actions)
        resets = [slot for slot, over in enumerate(self._over) if over]
        self._refuse_unless_autoreset(resets)
        for slot, link in enumerate(self._links):
            if not self._over[slot]:
                link.post(Request(RUN, actions=chunk[slot], n_obs=self.n_obs))
        self._post_resets(resets, [None] * len(resets))
        self._take(range(self.num_envs))
        return self._outcome(chunk.shape[1])

    def _outcome(
        self, length: int
    ) -> tuple[Observations, np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]:
        arrays = self._memory.arrays
        rewards = arrays["reward"][:, :length].copy()
        if (arrays["steps"] < length).any():
            rewards[np.arange(length) >= arrays["steps"][:, None]] = 0.0
        terminated, truncated = arrays["terminated"].copy(), arrays["truncated"].copy()
        infos = self._infos()
        if self.autoreset_mode == AutoresetMode.SAME_STEP and self._over.any():
            infos |= self._reset_at_once(infos)
        return self._observations(), rewards, terminated, truncated, infos

    def _reset_at_once(self, infos: dict[str, Any]) -> dict[str, Any]:
        over, final = self._over.copy(), self._observations(copy=True)
        slots = np.flatnonzero(over)
        self._reset_slots(slots, [None] * len(slots))
        return {"final_obs": final, "_final_obs": over, "final_info": infos, "_final_info": over}

    def _refuse_unless_autoreset(self, slots: list[int]) -> None:
        if not self._started:
            raise gym.error.ResetNeeded(f"{self.card.id}: call reset() first")
        if slots and self.autoreset_mode != AutoresetMode.NEXT_STEP:
            raise gym.error.ResetNeeded(
                f"{self.card.id}: slots {slots} must be reset first, with "
                'reset(options={"reset_mask": ...})'
            )

    def _checked(self, actions: np.ndarray) -> np.ndarray:
        chunk = np.array(actions, np.float32)  # a copy: repeated, should a worker die
        n, size = self.num_envs, self.card.action.size
        fits = chunk.ndim == 3 and 1 <= chunk.shape[1] <= self._max_chunk
        if not fits or chunk.shape[::2] != (n, size):
            raise ManigymError(
                f"{self.card.id}: expected actions ({n}, k, {size}) with k from 1 to max_chunk="
                f"{self._max_chunk}, got {chunk.shape}"
            )
        if not np.isfinite(chunk).all():
            bad = sorted(set(np.argwhere(~np.isfinite(chunk))[:, 0].tolist()))
            raise ManigymError(f"{self.card.id}: non-finite actions for the slots {bad}")
        return chunk

    def _observations(self, copy: bool | None = None) -> Observations:
        copy = self._copy if copy is None else copy
        flat: dict[str, Any] = {k: v.copy() if copy else v for k, v in self._batch.items()}
        if "instruction" in flat:
            flat["instruction"] = tuple(map(str, flat["instruction"]))
        return unflatten(flat)

    def _infos(self) -> dict[str, Any]:
        arrays = self._memory.arrays
        steps = arrays["steps"].copy()
        held = arrays["goal"][np.arange(self.num_envs), steps - 1] & (steps > 0)
        return {"success": held, "is_success": arrays["succeeded"].copy(), "steps": steps}

    def render(self) -> tuple[np.ndarray, ...]:
        """A picture of every environment, uint8 (H, W, 3) each."""
        return self.call("render")

    def call(self, name: str, *args: Any, **kwargs: Any) -> tuple[Any, ...]:
        """One of the methods that cross (``render``, ``state_bytes``, ``sim_state``,
        ``object_names``, ...) of every environment; keyword arguments do not cross."""
        if kwargs:
            raise ManigymError(f"{name}: positional arguments only, got {sorted(kwargs)}")
        for link in self._links:
            link.post(Request(CALL, call=(name, args)))
        return tuple(link.take() for link in self._links)

    def close_extras(self, **kwargs: Any) -> None:
        close_all([durable.link for durable in self._links])
        self._memory.close()
