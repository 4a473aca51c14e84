"""From an id to a running environment: Gymnasium's entry point for every id."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from importlib import import_module
from typing import Any

import gymnasium as gym

from envs.base import ManipEnv
from envs.gl import select_backend
from envs.registry import Simulator, card, install_hint, installed, simulator_of
from envs.schema import ManigymError, TaskCard


def launch(env_id: str, **options: Any) -> gym.Env[Any, Any]:
    """Make an environment in this interpreter (Gymnasium's entry point for every id)."""
    task = runnable(env_id)
    return construct(simulator_of(env_id), task, options)


def make_env(env_id: str, options: Mapping[str, Any]) -> ManipEnv:
    """``gymnasium.make`` without wrappers."""
    env = gym.make(env_id, **options).unwrapped
    assert isinstance(env, ManipEnv)
    return env


def runnable(env_id: str) -> TaskCard:
    """:func:`card` of an id whose simulator is installed; else raises with what installs it."""
    task = card(env_id)
    if not installed(env_id):
        raise ManigymError(
            f"{env_id} needs a simulator that this Python does not have.\n"
            f"  Install it: {install_hint(env_id)}"
        )
    return task


def construct(simulator: Simulator, task: TaskCard, options: Mapping[str, Any]) -> ManipEnv:
    """The environment object itself, in this interpreter."""
    select_backend()
    module, _, name = simulator.entry_point.partition(":")
    kind = getattr(import_module(module), name)
    _check_options(task.id, kind, options)
    return kind(task, **options)


def _check_options(env_id: str, kind: type[Any], options: Mapping[str, Any]) -> None:
    """Raise for an option that neither the class nor the classes it builds on have."""
    signatures = [inspect.signature(i) for c in kind.__mro__ if (i := vars(c).get("__init__"))]
    parameters = [p for s in signatures for p in s.parameters.values()]
    known = sorted({p.name for p in parameters if p.kind is p.KEYWORD_ONLY})
    wrong = [name for name in options if name not in known]
    if wrong:
        raise ManigymError(f"{env_id} has no option {wrong[0]!r}; it takes: {', '.join(known)}")
