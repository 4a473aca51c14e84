"""What this machine offers, and defaults that follow from it."""

from __future__ import annotations

import os
from pathlib import Path

import psutil

WORKER_BYTES = 1_200_000_000  # the largest simulator's process (robosuite with pictures)
QUOTA = Path("/sys/fs/cgroup/cpu.max")  # of a container: "200000 100000" is two cores
MEMORY = Path("/sys/fs/cgroup")


def available_cores() -> int:
    """Cores this process may use: its affinity, and a container's quota."""
    count = (
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    )
    quota, _, period = QUOTA.read_text().partition(" ") if QUOTA.exists() else ("max", "", "")
    return count if quota == "max" else max(1, min(count, int(quota) // int(period)))


def available_memory() -> int:
    """Bytes that processes can still take: the machine's, and a container's limit."""
    free = int(psutil.virtual_memory().available)
    limit, used = (MEMORY / name for name in ("memory.max", "memory.current"))
    if limit.exists() and (most := limit.read_text().strip()) != "max":
        free = min(free, int(most) - int(used.read_text()))
    return free


def default_workers() -> tuple[int, str]:
    """Simulator processes that suit this machine, and why: a core each, if memory suffices."""
    cores, fit = available_cores(), max(1, available_memory() // WORKER_BYTES)
    if fit < cores:
        return fit, f"memory for {fit}, {cores} cores"
    return cores, f"{cores} cores"
