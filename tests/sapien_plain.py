"""What is fast in ``envs.sapien``, written plainly: results must be the same to the bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from envs.base import ManipEnv
from envs.episode import EpisodeRunner
from envs.sapien import camera, env
from envs.sapien.bodies import Articulation
from envs.sapien.cloud import Box
from envs.sapien.geometry import Pose

_OPENGL = np.array([[0.0, 0.0, -1.0], [-1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])


def rotation(pose: Pose) -> np.ndarray:
    w, x, y, z = np.asarray(pose.quaternion, np.float64)
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )


def product(outer: Pose, inner: Pose) -> Pose:
    w, *vector = np.asarray(outer.quaternion, np.float64)
    s, *other = np.asarray(inner.quaternion, np.float64)
    v, u = np.array(vector), np.array(other)
    turn = np.array([w * s - v @ u, *(w * u + s * v + np.cross(v, u))])
    return Pose(rotation(outer) @ np.asarray(inner.position, np.float64) + outer.position, turn)


def rgb(colours: np.ndarray) -> np.ndarray:
    return (colours[..., :3] * 255).clip(0, 255).astype(np.uint8)


def world_points(points: np.ndarray, colours: np.ndarray, pose: Pose, box: Box) -> np.ndarray:
    """All points, then the crop."""
    local = points[..., :3].reshape(-1, 3)
    seen = local[:, 2] < 0
    world = local[seen] @ (rotation(pose) @ _OPENGL).T + pose.position
    apart = world - box.origin
    inside = ((apart >= box.low) & (apart <= box.high)).all(axis=1)
    return np.concatenate([world, rgb(colours).reshape(-1, 3)[seen] / 255.0], axis=1)[inside]


def seen_from(base: Pose, cloud: np.ndarray) -> np.ndarray:
    cloud[:, :3] = (cloud[:, :3] - base.position) @ rotation(base)
    return cloud


def drive(self: Articulation, first: int, targets: Any, velocities: Any) -> None:
    """Every joint is told its target and its velocity, whatever it was told before."""
    self._target[first : first + len(targets)] = targets
    for i, (target, velocity) in enumerate(zip(targets, velocities, strict=True), first):
        self._joints[i].set_drive_target(float(target))
        self._joints[i].set_drive_velocity_target(float(velocity))


def install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything plainly from here on."""
    monkeypatch.setattr(Pose, "rotation", property(rotation))
    monkeypatch.setattr(Pose, "__matmul__", product)
    monkeypatch.setattr(Articulation, "drive", drive)
    monkeypatch.setattr(camera.Camera, "rgb", lambda self: rgb(self._read("Color")))
    monkeypatch.setattr(env, "world_points", world_points)
    monkeypatch.setattr(env, "seen_from", seen_from)


def episode(env: ManipEnv, seed: int, chunks: np.ndarray) -> list[tuple[str, bytes]]:
    """Everything that an episode of ``chunks`` (n, K, A) shows: hashes, rewards, observations."""
    runner = EpisodeRunner(env)
    replies = [runner.reset(seed), *(runner.run(chunk, n_obs=2) for chunk in chunks)]
    shown = [("states", runner._states.digest())]
    for reply in replies:
        shown.append(("rewards", np.array(reply.rewards).tobytes()))
        for observation in reply.observations:
            shown += [(k, np.asarray(v).tobytes()) for k, v in sorted(observation.items())]
    return shown
