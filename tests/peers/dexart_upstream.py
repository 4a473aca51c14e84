"""DexArt against upstream's own classes: the same objects, the same actions, two interpreters.

``python tests/peers/dexart_upstream.py --upstream CHECKOUT --python PYTHON``, in an environment
with SAPIEN 2 and Manigym. CHECKOUT is a clone of Kami-code/dexart-release (d6ab75e), which is only
read; PYTHON has sapien==2.2.1, numpy<2, gym==0.25.2, open3d (0.14 or newer, or open3d-cpu), six and
opencv. Our objects are written in upstream's layout, boxes as meshes; the robot is upstream's where
``--robot`` names a folder like its ``assets/robot``, else ours. Then, per task:

- the same 120 actions, which reach for the handle and close the hand, and those of our expert:
  everything is compared, step by step (``--fixed``: upstream builds its object before the robot,
  see ``dexart_theirs.py``);
- the speed of ``step`` in CPU time (all threads, so that other work on the machine hardly counts),
  in turns, as the median of ``--rounds``: with the state alone, and with point clouds (64 x 64
  pixels, 512 points) and the robot's own points, whose last ones are compared. Their noise has
  other numbers, and upstream draws the robot's from other meshes. ``--own``: ours on our own files.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))
from dexart_files import write_assets

import envs  # noqa: F401  (registers the ids)
from envs.dexart.objects import build
from envs.dexart.robot import URDF
from envs.dexart.upstream import IDS, ROBOT
from envs.vulkan import prepare

TASKS = tuple(IDS)
COMPARED = ("robot", "object", "palm", "handle", "observation", "reward", "stage", "success")
_THEIRS = Path(__file__).with_name("dexart_theirs.py")
_ASIDE = np.array([-0.05, 0.0, 0.03])  # metres, where the palm goes from the handle
_CLOUDS = {"cloud": "upstream", "num_points": 512}


@dataclass(frozen=True)
class Peer:
    """Upstream's interpreter, and the folder with its package and our objects."""

    python: Path
    workspace: Path
    fixed: bool

    def play(self, task: str, number: int, actions: np.ndarray, clouds: bool) -> dict[str, Any]:
        """Tables of ``dexart_theirs.play``, and ``seconds``."""
        given, made = self.workspace / "actions.npy", self.workspace / "theirs.npz"
        np.save(given, actions)
        options = ["--clouds"] * clouds + ["--fixed"] * self.fixed
        command = [self.python, "-W", "ignore", _THEIRS, self.workspace, task, str(number)]
        subprocess.run([*command, given, made, *options], check=True, env=_environment())
        with np.load(made) as file:
            return dict(file)


def _environment() -> dict[str, str]:
    """Ours, with the libraries that rendering needs on the search path."""
    folders = {str(Path(file).parent) for file in prepare().libraries}
    known = os.environ.get("LD_LIBRARY_PATH", "")
    return {**os.environ, "LD_LIBRARY_PATH": ":".join([*folders, *filter(None, [known])])}


def write_workspace(folder: Path, checkout: Path, robot: Path | None) -> None:
    """Upstream's package beside an ``assets`` folder with our objects under upstream's ids."""
    shutil.copytree(checkout / "dexart", folder / "dexart")
    assets = folder / "assets"
    objects = {
        task: [
            replace(build(task, "seen", i), name=str(number))
            for i, number in enumerate(IDS[task]["seen"])
        ]
        for task in TASKS
    }
    write_assets(assets, objects, meshes=True)
    if robot is not None:
        shutil.copytree(robot, assets / "robot")
    else:
        (assets / ROBOT).parent.mkdir(parents=True)
        shutil.copy(URDF, assets / ROBOT)


def make(workspace: Path | None, task: str, instance: int, **options: Any) -> Any:
    """Our environment on the same files, or on its own."""
    options = {"observations": ("proprio",), **options}
    if workspace is not None:
        options["asset_folder"] = str(workspace / "assets")
    return gym.make(f"DexArt/{task}-v0", instance=instance, randomize=False, **options).unwrapped


def reach(env: Any, steps: int) -> np.ndarray:
    """Actions float32 (T, 22) that bring the palm to the handle, close the hand, then wander."""
    rng, actions = np.random.default_rng(1), list[np.ndarray]()
    env.reset(seed=0)
    for i in range(steps):
        aim = env.thing.handle_point - env.robot.palm.pose.position + _ASIDE
        linear = np.clip(4 * aim, -0.6, 0.6) if i < 0.7 * steps else rng.uniform(-0.5, 0.5, 3)
        fingers = -0.6 + 1.1 * np.clip(3 * i / steps - 1, 0, 1) + rng.normal(0, 0.05, 16)
        action = np.concatenate([linear, rng.normal(0, 0.1, 3), fingers])
        actions.append(action.clip(-1, 1).astype(np.float32))
        if any(env.step(actions[-1])[2:4]):
            break
    return np.stack(actions)


def solve(env: Any, _: int) -> np.ndarray:
    """Actions float32 (T, 22) of our expert, to its success or the horizon."""
    env.reset(seed=0)
    expert, actions = env.expert(), list[np.ndarray]()
    while True:
        actions.append(expert.act())
        if any(env.step(actions[-1])[2:4]):
            return np.stack(actions)


def row(env: Any, observation: Mapping[str, Any], reward: float) -> dict[str, Any]:
    """The same quantities as ``dexart_theirs.row``."""
    palm = env.robot.palm.pose
    return {
        "robot": env.robot.qpos,
        "object": env.thing.articulation.native.get_qpos(),
        "reward": reward,
        "stage": env.stage,
        "success": env.goal_reached,
        "observation": observation["proprio"],
        "handle": env.thing.handle_point,
        "palm": np.concatenate([palm.position, palm.quaternion]),
    }


def play(env: Any, actions: np.ndarray) -> dict[str, Any]:
    """Rows of the start and of every step, and the CPU seconds of the steps."""
    observation, _ = env.reset(seed=0)
    rows, spent = [row(env, observation, 0.0)], 0.0
    for action in actions:
        begin = time.process_time()
        observation, reward, terminated, truncated, _ = env.step(action)
        spent += time.process_time() - begin
        rows.append(row(env, observation, reward))
        if terminated or truncated:
            break
    table: dict[str, Any] = {name: np.array([entry[name] for entry in rows]) for name in rows[0]}
    if "point_cloud" in observation:
        table |= {"cloud": observation["point_cloud"], "hand": observation["robot_points"]}
    return table | {"seconds": spent}


def differences(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> dict[str, tuple[int, float]]:
    """By quantity: the first row that differs (-1: none), and the largest difference."""
    found = {}
    for name in COMPARED:
        one, other = np.asarray(ours[name], float), np.asarray(theirs[name], float)
        if name == "observation":
            other = np.float32(other).astype(float)
        rows = min(len(one), len(other))
        gaps = np.abs(one[:rows] - other[:rows]).reshape(rows, -1).max(1)
        first = np.flatnonzero(gaps > 0)
        found[name] = (int(first[0]) if len(first) else -1, float(gaps.max()))
    return found


def compare(peer: Peer, task: str, instance: int, way: str, steps: int) -> None:
    """Print how far one episode of both is the same."""
    env = make(peer.workspace, task, instance)
    actions = {"reach": reach, "expert": solve}[way](env, steps)
    ours = play(env, actions)
    theirs = peer.play(task, IDS[task]["seen"][instance], actions, clouds=False)
    lengths = len(ours["reward"]) - 1, len(theirs["reward"]) - 1
    stages = np.bincount(theirs["stage"][1:], minlength=4)[1:]
    print(f"{task} {instance}, {way}: {lengths} steps, stages {stages}, ", end="")
    print(f"successes {ours['success'].sum()} and {theirs['success'].sum()}, return ", end="")
    print(f"{ours['reward'].sum():.6f} and {theirs['reward'].sum():.6f}")
    for name, (first, most) in differences(ours, theirs).items():
        print(f"  {name:12}", "the same" if first < 0 else f"from row {first}, at most {most:.3g}")


def apart(ours: np.ndarray, theirs: np.ndarray) -> str:
    """How many different points two clouds (N, 3 or more) have, and how far the points of one are
    from the nearest of the other."""
    one, other = (np.unique(np.asarray(cloud)[:, :3], axis=0) for cloud in (ours, theirs))
    gaps = np.linalg.norm(one[:, None] - other, axis=2)
    nearest = np.concatenate([gaps.min(0), gaps.min(1)])
    return (
        f"{len(one)} and {len(other)} points, {np.median(nearest) * 1000:.1f} mm apart, "
        f"at most {nearest.max() * 1000:.1f}"
    )


def speeds(peer: Peer, task: str, clouds: bool, own: bool, steps: int, rounds: int) -> None:
    """Print the steps per CPU second of both, in turns."""
    seen = ("proprio", "point_cloud", "robot_points") if clouds else ("proprio",)
    workspace = None if own else peer.workspace
    env = make(workspace, task, 0, observations=seen, **(_CLOUDS if clouds else {}))
    actions = reach(env, steps)
    rates: dict[str, list[float]] = {"ours": [], "theirs": []}
    for _ in range(rounds):
        for name, table in (
            ("ours", play(env, actions)),
            ("theirs", peer.play(task, IDS[task]["seen"][0], actions, clouds)),
        ):
            rates[name].append((len(table["reward"]) - 1) / float(table["seconds"]))
    ours, theirs = (float(np.median(rates[name])) for name in ("ours", "theirs"))
    if clouds and not own:
        mine, others = play(env, actions), peer.play(task, IDS[task]["seen"][0], actions, clouds)
        for name in ("cloud", "hand"):
            print(f"{task}, last {name}: {apart(mine[name], others[name])}")
    mode = "point cloud" if clouds else "state"
    print(f"{task}, {mode}: {ours:.0f} and {theirs:.0f} steps/CPU s, {ours / theirs:.2f} times")


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--upstream", type=Path, required=True, help="clone of dexart-release")
    parser.add_argument("--python", type=Path, required=True, help="interpreter with its packages")
    parser.add_argument("--robot", type=Path, help="upstream's assets/robot; ours by default")
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=TASKS)
    parser.add_argument("--instances", nargs="+", type=int, default=[0], help="numbers from 0")
    parser.add_argument("--steps", type=int, default=120)
    parser.add_argument("--rounds", type=int, default=0, help="of the speed comparison")
    parser.add_argument("--own", action="store_true", help="time ours on its own files")
    parser.add_argument("--fixed", action="store_true", help="upstream builds the object first")
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        write_workspace(Path(folder), given.upstream, given.robot)
        peer = Peer(given.python, Path(folder), given.fixed)
        for task in given.tasks:
            for instance in given.instances:
                for way in ("reach", "expert"):
                    compare(peer, task, instance, way, given.steps)
            for clouds in (False, True) if given.rounds else ():
                speeds(peer, task, clouds, given.own, given.steps, given.rounds)


if __name__ == "__main__":
    main()
