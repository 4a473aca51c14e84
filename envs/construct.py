"""Make the environment object of a task, in this interpreter."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from importlib import import_module
from typing import Any

from envs.base import ManipEnv
from envs.gl import select_backend
from envs.registry import Simulator
from envs.schema import ManigymError, TaskCard


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
