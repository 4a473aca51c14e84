"""Say what works on this machine: packages, simulators, pictures; and how to mend what does not.

Every simulator is tried in a process of its own: import, one episode step, one picture.
"""

from __future__ import annotations

import argparse
import platform
import subprocess
import sys

from tabulate import tabulate

from benchmark.provenance import code_version, machine, package_versions
from envs import CARDS, SIMULATORS, installed
from envs.gl import select_backend
from envs.registry import install_hint
from envs.schema import TaskCard

PACKAGES = (
    "numpy",
    "gymnasium",
    "mujoco",
    "torch",
    "robosuite",
    "gymnasium-robotics",
    "stable-baselines3",
)
SECONDS = 180
_PROBE = """
import gymnasium, envs
env = gymnasium.make({id!r}, observations={observations!r})
env.reset(seed=0)
env.step(env.action_space.sample() * 0)
env.close()
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    pass


def main(args: argparse.Namespace) -> int:
    print(f"manigym {code_version()}, Python {platform.python_version()}, {machine()}")
    print(f"off-screen OpenGL: MUJOCO_GL={select_backend()}")
    print(tabulate(package_versions(PACKAGES).items(), headers=["package", "version"]), end="\n\n")
    first = {c.simulator: c for c in reversed(CARDS.values())}
    rows = [_examine(first[s.name]) for s in SIMULATORS if s.name in first]
    print(
        tabulate(
            [row[:4] for row in rows], headers=["simulator", "installed", "physics", "pictures"]
        )
    )
    for name, *_, remedy in rows:
        if remedy:
            print(f"\n{name}: {remedy}")
    return 0 if all("failed" not in row[2:4] for row in rows) else 2


def _examine(card: TaskCard) -> list[str]:
    if not installed(card.id):
        return [card.simulator, "no", "", "", install_hint(card.id)]
    physics = _probe(card.id, ("state",))
    pictures = _probe(card.id, ("rgb",))
    words = ["failed" if problem else "ok" for problem in (physics, pictures)]
    return [card.simulator, "yes", *words, physics or pictures]


def _probe(env_id: str, observations: tuple[str, ...]) -> str:
    """Empty if it works, else the last lines of what went wrong."""
    code = _PROBE.format(id=env_id, observations=observations)
    try:
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, timeout=SECONDS
        )
    except subprocess.TimeoutExpired:
        return f"no answer within {SECONDS} s"
    lines = done.stderr.strip().splitlines()
    start = next((i for i, line in enumerate(lines) if line.startswith("envs.schema.")), -1)
    if done.returncode < 0:
        return f"ended by signal {-done.returncode}"
    return "\n".join(lines[start:]) if done.returncode else ""
