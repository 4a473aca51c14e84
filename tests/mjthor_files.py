"""Stores of the mobile manipulator with known numbers, and files as others write them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from benchmark.data import mjthor_videos as videos
from benchmark.data.index import StoreHeader
from benchmark.data.mjthor_export import export
from benchmark.data.mjthor_modes import own_modes, rotate, wrap
from benchmark.data.mjthor_rows import encode_name, encode_rows
from benchmark.data.mjthor_write import BASE_POSE, BASE_VELOCITY
from benchmark.data.store import Episode, TrajectoryStore
from envs.mjthor.tasks import CARDS
from envs.schema import TaskCard, group_slices

CARD = next(card for card in CARDS if card.id == "MJThor/pick-v0")
DELTA = CARD.under("delta")
HEIGHT, WIDTH = 48, 64
LAG = 0.6  # part of the way to its target that a joint gets in one step


def pictures(pose: np.ndarray) -> np.ndarray:
    """uint8 (T, H, W, 3): a smooth pattern that moves as the base does."""
    y, x = np.mgrid[0 : 1 : HEIGHT * 1j, 0 : 1 : WIDTH * 1j]
    shift = (pose[:, 0] * 2 + pose[:, 2])[:, None, None]
    red = 127 + 100 * np.sin(2 * np.pi * (x + shift))
    green, blue = 60 + 100 * (y + 0 * shift), 90 + 60 * np.cos(2 * np.pi * (y + shift))
    return np.stack(np.broadcast_arrays(red, green, blue), -1).round().astype(np.uint8)


def targets(steps: int, card: TaskCard, rng: np.random.Generator) -> np.ndarray:
    """float32 (T, 13) in [-1, 1]: smooth with some noise; head and arm near their rest."""
    time = np.arange(steps)[:, None] / 7
    phase = rng.uniform(0, 6, card.action.size)
    wave = 0.5 * np.sin(time + phase) + rng.normal(0, 0.1, (steps, card.action.size))
    return np.clip(wave, -1, 1).astype(np.float32)


def episode(id_: int, group: str | None = None, card: TaskCard = CARD, steps: int = 0) -> Episode:
    """Joints follow their targets with a lag; the base does what it is told."""
    rng, steps = np.random.default_rng(id_), steps or 14 + id_
    action = targets(steps, card, rng)
    spec = card.action
    physical, columns = spec.to_physical(action), spec.slices
    seen = {g.name: np.zeros((steps, g.size)) for g in spec.groups}
    pose = seen["base"]
    pose[0] = rng.uniform(-3, 3, 3)
    seen["head"][0], seen["right_gripper"][0] = (0.0, 0.6), 1.0
    seen["right_arm"][0] = (0.5, -0.2, 0.0, -2.3, 0.0, -0.5, 0.0)
    for t in range(steps - 1):
        move = physical[t, columns["base"]]
        pose[t + 1, :2] = pose[t, :2] + rotate(move[:2], pose[t, 2])
        pose[t + 1, 2] = wrap(pose[t, 2] + move[2])
        for part in spec.groups[1:]:
            q, told = seen[part.name], physical[t, columns[part.name]]
            aim = q[t] + told if part.mode == "joint_delta" else told
            q[t + 1] = q[t] + LAG * (aim - q[t])
    arrays = observations(card, action, seen, rng)
    words = f"Pick up the mug number {id_}"
    return Episode(id_, arrays, card.task, id_ % 2 == 0, 1000 + id_, group, words)


def observations(
    card: TaskCard, action: np.ndarray, seen: Mapping[str, np.ndarray], rng: np.random.Generator
) -> dict[str, np.ndarray]:
    steps = len(action)
    previous = np.concatenate([np.zeros((1, action.shape[1])), action[:-1]])
    known = dict(seen) | {"last_action": previous, BASE_VELOCITY: rng.normal(size=(steps, 3))}
    proprio = np.concatenate([known[group.name] for group in card.proprio], axis=1)
    state = rng.normal(size=(steps, sum(group.size for group in card.state)))
    state[:, group_slices(card.state)[BASE_POSE]] = seen["base"]
    reward = (np.arange(steps) == steps - 1).astype(np.float32)
    return {
        "action": action,
        "reward": reward,
        "obs/proprio": proprio.astype(np.float32),
        "obs/state": state.astype(np.float32),
        **{f"obs/rgb/{camera}": pictures(seen["base"]) for camera in card.cameras},
    }


def house_store(
    path: Path, groups: Sequence[str | None], card: TaskCard = CARD, **changes: Any
) -> TrajectoryStore:
    """One episode per entry of ``groups``, with ids 0, 1, ..."""
    episodes = [episode(i, group, card) for i, group in enumerate(groups)]
    episodes = [replace(one, arrays={**one.arrays, **changes}) for one in episodes]
    keys = {k: (v.dtype.name, v.shape[1:]) for k, v in episodes[0].arrays.items()}
    header = StoreHeader(CARD.id, keys, 10.0, action_spec=asdict(card.action))
    with TrajectoryStore.create(path, header) as store:
        for one in episodes:
            store.append(one)
    return TrajectoryStore.open(path)


def foreign_rows(steps: int, seed: int = 0) -> dict[str, list[dict[str, Any]]]:
    """Twelve numbers, as door opening was recorded: base in the world, no head, two fingers."""
    rng = np.random.default_rng(seed)
    pose = np.array((1.0, 2.0, 0.5)) + np.cumsum(rng.uniform(-0.02, 0.02, (steps + 2, 3)), axis=0)
    arm = np.array((0.5, -0.2, 0, -2.3, 0, -0.5, 0)) + np.cumsum(
        rng.uniform(-0.02, 0.02, (steps + 2, 7)), axis=0
    )
    head, fingers = [0.1, 0.5], [-0.05, 0.05]
    qpos = [
        {"base": p.tolist(), "head": head, "right_arm": a.tolist(), "right_gripper": fingers}
        for p, a in zip(pose, arm, strict=True)
    ]
    commands = [
        {
            "base": pose[t].tolist(),
            "right_arm": arm[t].tolist(),
            "right_gripper": [-100.0, -100.0] if t <= steps // 2 else [100.0, 100.0],
        }
        for t in range(1, steps + 1)
    ]
    qvel = [{"base": [0.0, 0.0, 0.0]}] * (steps + 2)
    return {"commanded_action": [{}, *commands, {}], "qpos": qpos, "qvel": qvel}


def foreign_file(
    folder: Path,
    rows: Mapping[str, Sequence[Mapping[str, Any]]],
    flat: bool = False,
    name_films: bool = True,
    cameras: Sequence[str] = ("head_camera",),
    scene: Mapping[str, Any] | None = None,
    number: int = 0,
) -> Path:
    """``traj_<number>`` without any attribute of ours, added to the file of the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "trajectories_batch_2_of_3.h5"
    length = len(rows["commanded_action"])
    said = {"task_type": CARD.task, "task_description": "Push the door open"}
    said |= {"policy_dt_ms": 100.0, "frozen_config": "gASVCgAAAAAAAACMBnVuc2FmZZQu"}
    with h5py.File(path, "a") as file:
        group = file.create_group(f"traj_{number}")
        commands = encode_rows(rows["commanded_action"])
        group["actions" if flat else "actions/commanded_action"] = commands
        group["obs/agent/qpos"] = encode_rows(rows["qpos"])
        group["obs/agent/qvel"] = encode_rows(rows["qvel"])
        group["obs_scene"] = json.dumps(said if scene is None else scene)
        group["success"] = np.arange(length) == length - 1
        films = group.create_group("obs/sensor_data")
        for camera in cameras:
            name = f"episode_{number:08d}_{camera}_batch_2_of_3.mp4"
            videos.write(
                folder / name, pictures(np.linspace(0, 1, length)[:, None] * (1, 1, 1)), 10
            )
            if name_films:
                films[camera] = encode_name(name)
    return path


def exported(folder: Path) -> Path:
    """``folder`` with a ``store`` of four episodes in two houses and its ``files``."""
    store = house_store(folder / "store", ["train/house_1"] * 3 + ["val/house_2"])
    export(store, folder / "files", task=CARD)
    return folder


OWN = own_modes(CARD.action)
DOORS = {"base": "world_absolute", "right_arm": "absolute", "right_gripper": "force"}
