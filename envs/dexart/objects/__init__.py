"""Faucets, buckets, laptops and toilets of our own making, as many as upstream has of each.

Upstream's objects come from PartNet-Mobility, which may not be passed on; these are built from
boxes and spheres by rules. An object is a function of its task, split and index alone. The unseen
ones have handles and forms that no seen one has.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache

from envs.dexart.instance import Instance
from envs.dexart.objects import bucket, faucet, laptop, toilet
from envs.schema import ManigymError

# Upstream's dexart/env/task_setting.py, TRAIN_CONFIG.
COUNTS: Mapping[str, Mapping[str, int]] = {
    "faucet": {"seen": 11, "unseen": 7},
    "bucket": {"seen": 11, "unseen": 8},
    "laptop": {"seen": 11, "unseen": 6},
    "toilet": {"seen": 17, "unseen": 11},
}

_MAKERS: Mapping[str, Callable[[str, int], Instance]] = {
    "faucet": faucet.make,
    "bucket": bucket.make,
    "laptop": laptop.make,
    "toilet": toilet.make,
}


@cache
def build(task: str, split: str, index: int) -> Instance:
    """Object ``index`` of a task's ``seen`` or ``unseen`` ones, from 0."""
    if task not in COUNTS:
        raise ManigymError(f"no objects for {task!r}; there are some for {', '.join(COUNTS)}")
    if split not in COUNTS[task]:
        raise ManigymError(f"no {split!r} objects; choose one of {', '.join(COUNTS[task])}")
    count = COUNTS[task][split]
    if not 0 <= index < count:
        raise ManigymError(
            f"no {split} {task} {index}: there are {count}, numbered 0 to {count - 1}"
        )
    return _MAKERS[task](split, index)
