"""Point clouds to tokens: one token per point, without pooling.

Sizes as in geyan21/ManiFlow_Policy, `model/vision_3d/pointnet_extractor.py`: per-point MLP,
projection to 128 with LayerNorm; low-dimensional observations through an MLP to 64 and appended to
every point. Hence tokens of 192, or of 128 without low-dimensional observations.
Axes: B batch, O observed steps, N points, P sampled points.
"""

from __future__ import annotations

from collections.abc import Mapping

import fpsample
import numpy as np
import torch
from torch import Tensor, nn

from envs.schema import Interface, ManigymError
from policies.maniflow.vectors import VectorInput, vector_mlp

POINT_TOKEN = 128
STATE_TOKEN = 64


ROBOT_POINTS = "robot_points"


def with_robot(obs: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Observations whose clouds (B, O, N, C) also hold the robot's own points, (B, O, K, 7).

    As upstream (`use_imagined_robot`): their first C numbers, so that what they belong to takes the
    place of the colour.
    """
    joined = dict(obs)
    if ROBOT_POINTS in joined:
        cloud = joined["point_cloud"]
        known = joined.pop(ROBOT_POINTS)[..., : cloud.shape[-1]]
        joined["point_cloud"] = torch.cat((cloud, known), dim=-2)
    return joined


@torch.no_grad()
def farthest_points(xyz: Tensor, count: int) -> Tensor:
    """Indices (B, count) of farthest-point sampling in clouds (B, N, 3), starting at point 0.

    Every next point is the one farthest from all chosen ones, of several the first in the cloud, so
    the result has no randomness. float32 on a CPU goes to `fpsample`, which chooses the same.
    """
    if xyz.is_cpu and xyz.dtype == torch.float32:
        return torch.stack([_farthest_points(cloud, count) for cloud in xyz])
    return farthest_points_by_torch(xyz, count)


def _farthest_points(cloud: Tensor, count: int) -> Tensor:
    """Of one cloud (N, 3). Of points equally far `fpsample` takes the last: it sees them reversed.

    Its variants with a k-d tree are faster, but choose in another order.
    """
    last = len(cloud) - 1
    chosen = fpsample.fps_sampling(cloud.flip(0).numpy(), count, start_idx=last)
    return last - torch.from_numpy(chosen.astype(np.int64))


def farthest_points_by_torch(xyz: Tensor, count: int) -> Tensor:
    """The same on any device, all clouds at once."""
    rows = torch.arange(len(xyz), device=xyz.device)
    chosen = torch.zeros(len(xyz), count, dtype=torch.long, device=xyz.device)
    nearest = torch.full(xyz.shape[:2], torch.inf, dtype=xyz.dtype, device=xyz.device)
    for i in range(1, count):
        newest = xyz[rows, chosen[:, i - 1]]
        nearest = torch.minimum(nearest, (xyz - newest[:, None]).square().sum(-1))
        chosen[:, i] = nearest.argmax(-1)
    return chosen


def sample_points(cloud: Tensor, count: int) -> Tensor:
    """Clouds (B, N, C) -> (B, count, C)."""
    if cloud.shape[1] == count:
        return cloud
    index = farthest_points(cloud[..., :3], count)
    return cloud.gather(1, index[..., None].expand(-1, -1, cloud.shape[-1]))


def point_mlp(colors: bool) -> nn.Sequential:
    """(..., 3 or 6) -> (..., 128) through 64-128-256 for xyz, 64-128-256-512 with colours."""
    layers: list[nn.Module] = []
    size = 6 if colors else 3
    for hidden in (64, 128, 256):
        layers += [nn.Linear(size, hidden), nn.LayerNorm(hidden), nn.ReLU()]
        size = hidden
    if colors:
        layers.append(nn.Linear(size, 512))
        size = 512
    return nn.Sequential(*layers, nn.Linear(size, POINT_TOKEN), nn.LayerNorm(POINT_TOKEN))


class PointEncoder(nn.Module):
    """One token per sampled point and observed step.

    Sampling is by distance in normalised coordinates, as upstream.
    """

    def __init__(
        self,
        interface: Interface,
        vectors: VectorInput,
        n_obs: int,
        points: int,
        colors: bool,
        known: int = 0,
    ) -> None:
        """`known`: how many points of the robot the clouds hold beside those seen."""
        super().__init__()
        (available, channels), _ = interface.observation["point_cloud"]
        available += known
        if colors and channels < 6:
            raise ManigymError(
                f"point_colors needs clouds of 6 channels, {interface.env} gives {channels}; "
                "set policy.point_colors=false"
            )
        self.channels = 6 if colors else 3
        self.points = min(points, available)
        self.length = n_obs * self.points
        self.size = POINT_TOKEN + (STATE_TOKEN if vectors.size else 0)
        self.vectors = vectors
        self.point_mlp = point_mlp(colors)
        self.state_mlp = vector_mlp(vectors.size, STATE_TOKEN) if vectors.size else None

    def forward(self, obs: Mapping[str, Tensor]) -> Tensor:
        """key -> (B, O, ...), clouds (B, O, N, 3 or 6), to tokens (B, O * P, size)."""
        cloud = obs["point_cloud"]
        picked = sample_points(cloud.flatten(0, 1)[..., : self.channels], self.points)
        tokens = self.point_mlp(picked).unflatten(0, cloud.shape[:2])
        if self.state_mlp is not None:
            state = self.state_mlp(self.vectors(obs))[:, :, None].expand(-1, -1, self.points, -1)
            tokens = torch.cat((tokens, state), dim=-1)
        return tokens.flatten(1, 2)
