"""A Stable-Baselines3 algorithm from ``policy.*`` settings."""

from __future__ import annotations

import difflib
import inspect
import math
import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import stable_baselines3
import torch
from stable_baselines3.common.vec_env import VecEnv

from benchmark.sb3.settings import SB3Settings
from envs.schema import ManigymError
from policies.device import pick_device

NETWORK = "MlpPolicy"
# Ours to set: learning_rate, seed and device are training.*, the others belong to the harness.
MANAGED = {"policy", "env", "learning_rate", "seed", "device", "verbose", "tensorboard_log"}
MANAGED |= {"action_noise", "optimize_memory_usage"}
PLAIN = (int, float, str, list, dict, tuple, type(None))


def _ppo(settings: SB3Settings) -> dict[str, Any]:
    """SB3's 2048 steps per update are meant for one environment; in whole batches of 64."""
    return {"n_steps": 64 * math.ceil(2048 / (64 * settings.num_envs))}


def _sac(settings: SB3Settings) -> dict[str, Any]:
    """One update per step of any environment, as SB3 has it for one; no memory for the rest."""
    steps = settings.total_timesteps + settings.num_envs
    return {"gradient_steps": -1, "buffer_size": min(1_000_000, steps)}


# What follows from several environments; all else are SB3's own defaults.
DEFAULTS: Mapping[str, Callable[[SB3Settings], dict[str, Any]]] = {"PPO": _ppo, "SAC": _sac}


def hyperparameters(
    algorithm: str, settings: SB3Settings, options: Mapping[str, Any]
) -> dict[str, Any]:
    """``policy.*`` as arguments of the algorithm: those of its network go to ``policy_kwargs``."""
    kind: Any = getattr(stable_baselines3, algorithm)
    own, network = _plain(kind), _plain(kind.policy_aliases[NETWORK])
    known = sorted({*own, *network, "observations"})
    unknown = [key for key in options if key not in own and key not in network]
    if unknown:
        near = difflib.get_close_matches(unknown[0], known, n=1)
        hint = f"; did you mean policy.{near[0]}?" if near else "."
        raise ManigymError(
            f"{algorithm} has no setting policy.{unknown[0]}{hint} Known: {', '.join(known)}; "
            "learning_rate, seed and device belong to training.*"
        )
    return {
        **DEFAULTS[algorithm](settings),
        **{key: value for key, value in options.items() if key in own},
        "policy_kwargs": {key: value for key, value in options.items() if key not in own},
    }


def _plain(callable_: Any) -> set[str]:
    """Parameters that plain values can be given for."""
    return {
        name
        for name, parameter in inspect.signature(callable_).parameters.items()
        if isinstance(parameter.default, PLAIN)
        and name not in MANAGED
        and not name.startswith("_")
        and not name.endswith(("_class", "_kwargs"))
    }


def make_model(
    algorithm: str, env: VecEnv, settings: SB3Settings, options: Mapping[str, Any]
) -> Any:
    """An untrained model; call it within :func:`separate_streams`, it seeds the global ones."""
    arguments = hyperparameters(algorithm, settings, options)
    try:
        return getattr(stable_baselines3, algorithm)(
            NETWORK,
            env,
            learning_rate=settings.learning_rate,
            seed=settings.seed,
            device=pick_device(settings.device),
            **arguments,
        )
    except (AssertionError, TypeError, ValueError) as error:
        given = ", ".join(f"policy.{key}={value}" for key, value in options.items()) or "none"
        raise ManigymError(
            f"stable-baselines3's {algorithm} does not take these settings: {error}; given: {given}"
        ) from error


@contextmanager
def separate_streams() -> Iterator[None]:
    """SB3 draws from the global generators of Python, numpy and torch, and seeds them: give the
    caller's back afterwards."""
    mine, numpys = random.getstate(), np.random.get_state()  # noqa: NPY002
    with torch.random.fork_rng():
        try:
            yield
        finally:
            random.setstate(mine)
            np.random.set_state(numpys)  # noqa: NPY002


@contextmanager
def torch_threads(count: int) -> Iterator[None]:
    """Let torch use ``count`` threads of the CPU meanwhile."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
