"""Say what works on this machine: packages, simulators, pictures; and how to mend what does not.

Every simulator is tried wherever it can run, in a worker process: start, one step, one picture.
"""

from __future__ import annotations

import argparse
import platform

from tabulate import tabulate

from benchmark.progress import note
from benchmark.results.provenance import code_version, machine, package_versions
from envs import CARDS, SIMULATORS
from envs.gl import select_backend
from envs.isolation.child import Order
from envs.isolation.env import IsolatedEnv
from envs.isolation.interpreter import Interpreter, available
from envs.registry import Simulator
from envs.schema import ManigymError, TaskCard
from envs.vulkan.answers import forget

PACKAGES = ("numpy", "gymnasium", "mujoco", "torch", "stable-baselines3")
HEADERS = ("simulator", "runs in", "versions", "physics", "pictures", "drawn by")
SECONDS = 180.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    pass


def main(args: argparse.Namespace) -> int:
    forget()  # which Vulkan driver draws is asked anew
    print(f"manigym {code_version()}, Python {platform.python_version()}, {machine()}")
    print(f"off-screen OpenGL: MUJOCO_GL={select_backend()}")
    print(tabulate(package_versions(PACKAGES).items(), headers=["package", "version"]), end="\n\n")
    first = {card.simulator: card for card in reversed(CARDS.values())}
    rows, remedies = [], []
    for simulator in SIMULATORS:
        for row, remedy in _examine(simulator, first[simulator.name]):
            rows.append(row)
            remedies += [f"{simulator.name}, {row[1]}: {remedy}"] if remedy else []
    print(tabulate(rows, headers=HEADERS))
    for remedy in remedies:
        print(f"\n{remedy}")
    return 2 if any("failed" in row[3:5] for row in rows) else 0


def _examine(simulator: Simulator, card: TaskCard) -> list[tuple[list[str], str]]:
    """A line of the table and what to do about it, for every place the simulator can run in."""
    interpreters = available(card.id)
    if not interpreters:
        remedy = f"python -m benchmark setup {simulator.extra}   (or at its first use)"
        return [([simulator.name, "not set up", "", "", "", ""], remedy)]
    return [_try(simulator, card, interpreter) for interpreter in interpreters]


def _try(simulator: Simulator, card: TaskCard, interpreter: Interpreter) -> tuple[list[str], str]:
    note(f"trying {simulator.name} in {interpreter.name}")
    order = Order(simulator, card.id, {}, interpreter, SECONDS)
    cells = [simulator.name, interpreter.name, "", "failed", "", ""]
    try:
        env = IsolatedEnv(card, order)
    except ManigymError as problem:
        return cells, str(problem)
    try:
        cells[2] = " ".join(f"{name} {version}" for name, version in env.versions.items())
        env.reset(seed=0)
        env.step(env.action_space.sample() * 0)
        cells[3:5] = "ok", "failed"
        env.render()
        cells[4:6] = "ok", env.render_device()
    except ManigymError as problem:
        return cells, str(problem)
    finally:
        env.close()
    return cells, ""
