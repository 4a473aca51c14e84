"""Policies by name, through the entry points of group ``manigym.policies``.

Any installed package can add one; nothing in this repository has to change.
"""

from __future__ import annotations

import difflib
from importlib.metadata import entry_points

from envs.schema import ManigymError
from policies.base import Policy

GROUP = "manigym.policies"


def names() -> list[str]:
    """Every policy name this interpreter knows, sorted."""
    return sorted({entry.name for entry in entry_points(group=GROUP)})


def get(name: str) -> type[Policy]:
    """The policy class of a name; an unknown name raises with the nearest ones."""
    found = {entry.name: entry for entry in entry_points(group=GROUP)}
    if name not in found:
        if not found:
            raise ManigymError("no policies are registered; run pip install -e . in the repository")
        near = difflib.get_close_matches(name, found, n=3, cutoff=0.4) or sorted(found)
        raise ManigymError(
            f"unknown policy {name!r}; nearest: {', '.join(near)}. All: {', '.join(names())}"
        )
    policy: type[Policy] = found[name].load()
    policy.name = name
    return policy
