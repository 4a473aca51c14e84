"""Which encoder turns the observations into context tokens.

An encoder is a module with `size` (width of a token) and `length` (tokens per call, all observed
steps together) that maps normalised observations `key -> (B, O, ...)` to (B, length, size).
Which one is used follows from the modalities asked for.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from envs.schema import Interface, ManigymError
from policies.maniflow.images import ImageEncoder
from policies.maniflow.linear import SteadyLinear
from policies.maniflow.points import ROBOT_POINTS, PointEncoder
from policies.maniflow.vectors import VECTORS, StateEncoder, VectorInput

VISION = ("point_cloud", "rgb")
INSTRUCTION = "instruction"

Seeing = StateEncoder | PointEncoder | ImageEncoder


class Instructed(nn.Module):
    """Another encoder's tokens and, after them, one for the instruction.

    ``words``: size of the vector that stands for a sentence (`policies.maniflow.language`).
    """

    def __init__(self, seeing: Seeing, words: int) -> None:
        super().__init__()
        self.seeing = seeing
        self.size = seeing.size
        self.length = seeing.length + 1
        self.scale = math.sqrt(words)  # entries of a vector of length 1 are small
        self.words = SteadyLinear(words, seeing.size)

    def forward(self, obs: Mapping[str, Tensor]) -> Tensor:
        """key -> (B, O, ...), `instruction` (B, O, words), to tokens (B, length, size)."""
        token = self.words(self.scale * obs[INSTRUCTION][:, -1])
        return torch.cat((self.seeing(obs), token[:, None]), dim=1)


Encoder = Seeing | Instructed


def check_modalities(modalities: Sequence[str]) -> None:
    """Raise unless the modalities are ones that one encoder can use together."""
    known = (*VECTORS, *VISION, ROBOT_POINTS, INSTRUCTION)
    if not modalities or len(set(modalities)) < len(modalities) or set(modalities) - set(known):
        raise ManigymError(
            f"ManiFlow uses observations among {', '.join(known)}, each at most once; "
            f"got {list(modalities)}"
        )
    if set(modalities) == {INSTRUCTION}:
        raise ManigymError("ManiFlow must see something beside the instruction: add proprio or rgb")
    if ROBOT_POINTS in modalities and "point_cloud" not in modalities:
        raise ManigymError(f"{ROBOT_POINTS} are added to a point_cloud; ask for that, too")
    if set(VISION) <= set(modalities):
        raise ManigymError("ManiFlow takes point_cloud or rgb, not both; drop one of them")


def used_keys(
    modalities: Sequence[str], interface: Interface, cameras: Sequence[str] | None = None
) -> tuple[str, ...]:
    """Flat observation keys of the modalities, in a fixed order; of pictures those of `cameras`.

    Without `cameras`, the pictures of all cameras.
    """
    chosen: list[str] = []
    for modality in modalities:
        if modality == "rgb" and cameras is not None:
            keys = [f"rgb/{camera}" for camera in cameras]
        else:
            keys = sorted(key for key in interface.observation if key.split("/")[0] == modality)
        if not keys or set(keys) - set(interface.observation):
            raise ManigymError(
                f"the policy needs observation {', '.join(keys) or modality!r}, but "
                f"{interface.env} gives {', '.join(interface.observation) or 'none'}; ask the "
                "environment (or the data set) for it, or change policy.observations"
            )
        chosen += keys
    return tuple(chosen)


def trained_options(keys: Sequence[str], interface: Interface) -> dict[str, Any]:
    """Environment options that give observations of the shapes in the interface."""
    options: dict[str, Any] = {}
    cameras = [key.removeprefix("rgb/") for key in keys if key.startswith("rgb/")]
    if cameras:
        height, width, _ = interface.observation[f"rgb/{cameras[0]}"][0]
        options |= {"cameras": cameras, "image_size": [height, width]}
    if "point_cloud" in keys:
        options["num_points"] = interface.observation["point_cloud"][0][0]
    return options


def build_encoder(
    keys: Sequence[str],
    interface: Interface,
    n_obs: int,
    *,
    state_size: int,
    points: int,
    point_colors: bool,
    words: int = 0,
) -> Encoder:
    """The encoder for these flat observation keys.

    `state_size`: width of a token of low-dimensional observations where there is no vision;
    `points`: tokens per cloud, chosen by farthest-point sampling where the cloud has more;
    `point_colors`: use rgb beside xyz; `words`: size of an encoded instruction.
    """
    seeing = _seeing(keys, interface, n_obs, state_size, points, point_colors)
    return Instructed(seeing, words) if INSTRUCTION in keys else seeing


def _seeing(
    keys: Sequence[str],
    interface: Interface,
    n_obs: int,
    state_size: int,
    points: int,
    point_colors: bool,
) -> Seeing:
    vectors = VectorInput(keys, interface)
    if "point_cloud" in keys:
        known = interface.observation[ROBOT_POINTS][0][0] if ROBOT_POINTS in keys else 0
        return PointEncoder(interface, vectors, n_obs, points, point_colors, known)
    cameras = [key for key in keys if key.startswith("rgb/")]
    if cameras:
        return ImageEncoder(interface, cameras, vectors, n_obs)
    return StateEncoder(vectors, n_obs, state_size)
