"""What this machine offers, and defaults that follow from it."""

from __future__ import annotations

import os
from pathlib import Path

import psutil

WORKER_BYTES = 1_200_000_000  # the largest simulator's process (robosuite with pictures)
QUOTA = Path("/sys/fs/cgroup/cpu.max")  # of a container: "200000 100000" is two cores
CONTAINER = Path("/sys/fs/cgroup")  # memory.max, memory.current, memory.stat


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
    limit = CONTAINER / "memory.max"
    if limit.exists() and (most := limit.read_text().strip()) != "max":
        free = min(free, int(most) - _in_use())
    return free


def _in_use() -> int:
    """Bytes of the container that cannot be had back: files that were read can."""
    stat = dict(line.split() for line in (CONTAINER / "memory.stat").read_text().splitlines())
    return int((CONTAINER / "memory.current").read_text()) - int(stat.get("inactive_file", 0))


def default_workers() -> tuple[int, str]:
    """Simulator processes that suit this machine, and why: a core each, if memory suffices."""
    cores, fit = available_cores(), max(1, available_memory() // WORKER_BYTES)
    if fit < cores:
        return fit, f"memory for {fit} of {cores} cores"
    return cores, f"{cores} cores"
