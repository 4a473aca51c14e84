"""Gymnasium spaces of the observation schema."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from gymnasium import spaces

from envs.schema import CAMERA_MODALITIES, TaskCard, flatten


def observation_space(
    card: TaskCard,
    modalities: Sequence[str],
    cameras: Sequence[str],
    image_size: Sequence[int],
    num_points: int,
) -> spaces.Dict:
    """The ``Dict`` of the chosen modalities, pictures in a ``Dict`` per camera."""

    def space(modality: str) -> spaces.Space:
        if modality in CAMERA_MODALITIES:
            return spaces.Dict(dict.fromkeys(cameras, _picture(modality, *image_size)))
        if modality == "expert":
            return spaces.Box(-1.0, 1.0, (card.action.size,), np.float32)
        if modality == "instruction":
            return spaces.Text(256, charset="".join(map(chr, range(32, 127))))
        shapes = {
            "proprio": (sum(group.size for group in card.proprio),),
            "state": (sum(group.size for group in card.state),),
            "point_cloud": (num_points, 6),
            "robot_points": (card.robot_points, 7),
        }
        return spaces.Box(-np.inf, np.inf, shapes[modality], np.float32)

    return spaces.Dict({modality: space(modality) for modality in modalities})


def _picture(modality: str, height: int, width: int) -> spaces.Box:
    if modality == "rgb":
        return spaces.Box(0, 255, (height, width, 3), np.uint8)
    if modality == "depth":
        return spaces.Box(0.0, np.inf, (height, width), np.float32)
    return spaces.Box(-1, 2**31 - 1, (height, width), np.int32)


def flat_shapes(space: spaces.Dict) -> dict[str, tuple[tuple[int, ...], str]]:
    """Flat key -> shape and dtype name of every array of an observation."""
    flat = flatten({name: getattr(s, "spaces", s) for name, s in space.spaces.items()})
    return {key: (tuple(s.shape or ()), np.dtype(s.dtype).name) for key, s in flat.items()}
