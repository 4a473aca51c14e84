"""Recorded actions played back from the start states they were recorded in."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from envs.schema import ActionSpec, Interface, ManigymError
from policies.base import Observations, Policy, PolicySpec


@dataclass
class ReplayState:
    """The recorded actions (T, A) of one episode and the next step to play."""

    actions: np.ndarray
    step: int = 0


class ReplayPolicy(Policy):
    """Plays episodes of a trajectory store (``policy.data=DIR``), matched by reset seed.

    On the recording machine a replay reproduces the recorded episodes bit for bit; a success rate
    below the recording's tells that the simulator or its settings are not the same. The recording's
    environment options are asked for. After the last recorded action the last one is repeated.
    """

    def __init__(self, data: str) -> None:
        folder = Path(data)
        if not (folder / "index.npz").is_file():
            raise ManigymError(
                f"policy.data={data}: no trajectory store there (index.npz is missing); "
                "make one with: python -m benchmark collect --env ID"
            )
        try:
            header = json.loads((folder / "header.json").read_text(encoding="utf-8"))
            self._env, said = header["env"], header.get("action_spec")
            self._action = ActionSpec.from_dict(said) if said else None
            self.spec = PolicySpec(env_options=header["env_options"])
            with np.load(folder / "index.npz") as index:
                ends, seeds = index["episode_ends"], index["seed"]
            actions = np.load(folder / "action.npy", mmap_mode="r")
        except (OSError, ValueError, KeyError, EOFError, BadZipFile) as error:
            raise ManigymError(f"policy.data={data}: damaged store ({error!r})") from error
        if np.any(seeds < 0):
            raise ManigymError(
                f"policy.data={data}: its episodes do not say from which seed they started, so "
                "they cannot be replayed (an imported data set?)"
            )
        starts = np.concatenate([[0], ends[:-1]])
        self._episodes = {
            int(seed): actions[a:b] for seed, a, b in zip(seeds, starts, ends, strict=True)
        }

    def reset_seeds(self) -> list[int]:
        return list(self._episodes)

    def start(self, interface: Interface, seeds: Sequence[int]) -> list[ReplayState]:
        if interface.env != self._env:
            raise ManigymError(
                f"policy.data holds {self._env}, it cannot be replayed on {interface.env}"
            )
        if self._action is not None:
            repeat = interface.action_repeat  # a store does not say it
            recorded = Interface(self._env, self._action.size, {}, self._action, repeat)
            interface.check_action(recorded, "policy.data")
        missing = [s for s in seeds if s not in self._episodes]
        if missing:
            raise ManigymError(f"no recorded episode starts from seed {missing[0]}")
        return [ReplayState(self._episodes[s]) for s in seeds]

    def act(self, observations: Observations, states: Sequence[ReplayState]) -> np.ndarray:
        chunks = []
        for state in states:
            chunks.append(state.actions[min(state.step, len(state.actions) - 1)][None])
            state.step += 1
        return np.stack(chunks).astype(np.float32)
