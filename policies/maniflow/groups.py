"""Action groups in the network and in the loss (`policy.action_heads`, `policy.group_weights`)."""

from __future__ import annotations

from collections.abc import Mapping

from envs.schema import Interface, ManigymError
from policies.statistics import check_names

HEADS = ("joint", "groups")


def check_heads(heads: str, weights: Mapping[str, float]) -> None:
    """Raise for settings that mean nothing."""
    if heads not in HEADS:
        raise ManigymError(f"policy.action_heads must be one of {', '.join(HEADS)}; got {heads!r}")
    if weights and heads != "groups":
        raise ManigymError("policy.group_weights needs policy.action_heads=groups")
    for name, weight in weights.items():
        if not weight > 0:  # NaN is not either
            raise ManigymError(f"policy.group_weights.{name} must be above 0, got {weight}")


def head_sizes(heads: str, interface: Interface) -> tuple[int, ...]:
    """Sizes of the output heads; empty for a joint one."""
    if heads == "joint":
        return ()
    if not interface.action_groups:
        raise ManigymError(
            f"policy.action_heads=groups: the data of {interface.env} do not say what groups their "
            f"{interface.action_size} action dimensions form; collect or import them again, or use "
            "joint"
        )
    return tuple(interface.action_groups.values())


def dimension_weights(interface: Interface, given: Mapping[str, float]) -> list[float]:
    """Weight of every action dimension (A,), mean 1, with which the mean over all dimensions is the
    weighted mean over groups of the mean over their dimensions."""
    sizes = interface.action_groups
    check_names("group_weights", given, list(sizes))
    total = sum(given.get(name, 1.0) for name in sizes)
    return [
        interface.action_size * given.get(name, 1.0) / total / size
        for name, size in sizes.items()
        for _ in range(size)
    ]
