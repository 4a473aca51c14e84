"""One episode of upstream's DexArt classes, in an interpreter of their own.

``python tests/peers/dexart_theirs.py WORKSPACE TASK NUMBER ACTIONS.npy OUT.npz``: WORKSPACE
holds upstream's ``dexart`` package and an ``assets`` folder in its layout, ACTIONS float (T, 22).
Needs sapien==2.2.1, numpy<2, gym==0.25.2, open3d and what upstream imports; not Manigym. None of
upstream's files is changed; what only works with CUDA or an older open3d is replaced from here.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np


class _Readout:
    """What upstream takes for its own asynchronous CUDA read-out of one camera's textures."""

    def __init__(self, camera: Any, names: list[str]) -> None:
        camera.take_picture()
        self._textures = [camera.get_float_texture(name) for name in names]

    def wait(self) -> list[np.ndarray]:
        return self._textures


class _Camera:
    """A camera whose pictures are read on the CPU; all else is the camera's own."""

    def __init__(self, native: Any) -> None:
        self._native = native

    def __getattr__(self, name: str) -> Any:
        return getattr(self._native, name)

    def take_picture_and_get_dl_tensors_async(self, names: list[str]) -> _Readout:
        return _Readout(self._native, names)


def prepare(workspace: Path, task: str, number: int) -> None:
    """Import upstream from ``workspace`` and let it know one object only."""
    os.environ.pop("CUDA_VISIBLE_DEVICES", None)  # upstream would ask for a CUDA device
    sys.path.insert(0, str(workspace))
    import open3d
    import sapien.core as sapien
    from dexart.env import task_setting

    task_setting.TASK_CONFIG[task][:] = [number]  # one list, which the classes hold too
    sapien.dlpack.dl_shape = lambda texture: texture.shape
    sapien.dlpack.dl_to_numpy_cuda_async_unchecked = lambda texture, out: np.copyto(out, texture)
    sapien.dlpack.dl_cuda_sync = lambda: None
    sample = open3d.geometry.TriangleMesh.sample_points_uniformly

    def seeded(mesh: Any, number_of_points: int, seed: int = 0) -> Any:
        open3d.utility.random.seed(seed)
        return sample(mesh, number_of_points=number_of_points)

    open3d.geometry.TriangleMesh.sample_points_uniformly = seeded


def make(task: str, number: int, clouds: bool = False, fixed: bool = False) -> Any:
    """Upstream's environment with one object, nowhere moved or turned.

    As in upstream's training the object comes from a list, and is built after the robot;
    ``fixed``: it is said by its index, and built before the robot. That makes other bits.
    """
    from dexart.env.create_env import create_env

    more = {"pc_noise": True, "img_type": "robot"} if clouds else {}
    env = create_env(task, use_visual_obs=clouds, index=0 if fixed else [number], **more)
    env.seed(0)
    env.cameras = {name: _Camera(camera) for name, camera in env.cameras.items()}
    return env


def row(env: Any, observation: Any, reward: float) -> dict[str, Any]:
    """What is compared, of one moment."""
    vector = observation["oracle_state"] if isinstance(observation, dict) else observation
    handle, palm = env.handle_pose, env.palm_pose
    return {
        "robot": env.robot.get_qpos(),
        "object": env.instance.get_qpos(),
        "reward": reward,
        "stage": env.state,
        "success": bool(env.is_eval_done),
        "observation": vector,
        "handle": handle.p,
        "palm": np.concatenate([palm.p, palm.q]),
    }


def play(env: Any, actions: np.ndarray) -> tuple[dict[str, np.ndarray], float]:
    """Rows of the start (reward 0) and of every step, and the CPU seconds of the steps."""
    first = env.get_observation()
    rows, spent = [row(env, first, 0.0)], 0.0
    for action in actions:
        begin = time.process_time()
        observation, reward, done, _ = env.step(action)
        spent += time.process_time() - begin
        rows.append(row(env, observation, reward))
        if done:
            break
    table = {name: np.array([entry[name] for entry in rows]) for name in rows[0]}
    if isinstance(observation, dict):
        table["cloud"] = observation["instance_1-point_cloud"]
        table["hand"] = observation["imagination_robot"]
    return table, spent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("workspace", type=Path)
    parser.add_argument("task")
    parser.add_argument("number", type=int, help="the object's id")
    parser.add_argument("actions", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--clouds", action="store_true", help="observe point clouds, and time that")
    parser.add_argument("--fixed", action="store_true", help="build the object before the robot")
    arguments = parser.parse_args()
    prepare(arguments.workspace, arguments.task, arguments.number)
    env = make(arguments.task, arguments.number, arguments.clouds, arguments.fixed)
    table, seconds = play(env, np.load(arguments.actions))
    np.savez(arguments.out, seconds=seconds, **table)


if __name__ == "__main__":
    main()
