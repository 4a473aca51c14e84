"""Point clouds as DexArt's policies see them, and where the robot knows its hand to be."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from envs.dexart.robot import FINGERS
from envs.dexart.things import on_surface
from envs.point_cloud import farthest_points
from envs.sapien.bodies import Body
from envs.sapien.cloud import Box
from envs.sapien.geometry import Pose, Vector

NOISE = 0.005  # standard deviation of the factor that every point is moved by
SIZES = {"maniflow": (84, 84), "upstream": (64, 64)}
_ROUNDING = 1e-6  # metres: faces that lie in the planes of a crop are not in it
_MOST = 4096  # points that ManiFlow draws before it takes the farthest ones
# Links of which the robot's own points are taken, upstream's order.
_ROWS = ((0, "_tip"), (1, ""), (2, ""))
KNOWN_LINKS = tuple(FINGERS[f][row] for row, _ in _ROWS for f in FINGERS)
_PER_LINK, _SEED = 8, 0
_HAND = (0.0, 0.0, 1.0, 0.0)  # handle, rest of the object, hand, arm


def within(low: Vector, high: Vector, origin: Vector) -> Box:
    """What lies strictly between two corners (3,), metres from ``origin``, but for rounding."""
    above, below = np.asarray(low) + _ROUNDING, np.asarray(high) - _ROUNDING
    return Box(np.nextafter(above, np.inf), np.nextafter(below, -np.inf), origin)


def sample(cloud: np.ndarray, count: int, way: str, rng: np.random.Generator) -> np.ndarray:
    """float64 (count, C) of a cropped cloud (M, C), each point moved by its own factor.

    ``upstream``: any ``count`` points. ``maniflow``: the farthest ones of any 4096. Fewer keep
    their order and are filled up with the first, the topmost in the picture.
    """
    if not len(cloud):
        return np.zeros((count, cloud.shape[1]))
    most = count if way == "upstream" else _MOST
    drawn = cloud[rng.permutation(len(cloud))[:most]] if len(cloud) > most else cloud.copy()
    drawn[:, :3] *= 1 + NOISE * rng.standard_normal((len(drawn), 1))
    if len(drawn) < count:
        return np.concatenate([drawn, np.repeat(drawn[:1], count - len(drawn), axis=0)])
    return farthest_points(drawn, count) if way == "maniflow" else drawn


class KnownHand:
    """Points on the hand's links, from the joint angles alone ("imagined" in the paper).

    They lie on what collides; upstream draws its own from the meshes that are seen.
    """

    def __init__(self, links: Mapping[str, Body]) -> None:
        self._links = [links[name] for name in KNOWN_LINKS]
        rng = np.random.default_rng(_SEED)  # the same points in every episode
        self._points = np.array([on_surface(link, _PER_LINK, rng) for link in self._links])

    def points(self, base: Pose) -> np.ndarray:
        """float32 (96, 7): xyz metres in the frame ``base``, then four zeros but for a 1 that says
        hand (the others: handle, rest of the object, arm)."""
        poses = [link.pose for link in self._links]
        turns = np.array([pose.rotation for pose in poses])
        world = self._points @ turns.transpose(0, 2, 1)
        world += np.array([pose.position for pose in poses])[:, None]
        xyz = (world.reshape(-1, 3) - base.position) @ base.rotation
        return np.concatenate([xyz, np.tile(_HAND, (len(xyz), 1))], axis=1).astype(np.float32)
