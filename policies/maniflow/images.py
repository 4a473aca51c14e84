"""Camera pictures to tokens: a small residual network whose last feature map is the grid of tokens.

Trained from scratch, with GroupNorm, and needs neither torchvision nor timm. Upstream's image
policies pool every camera to a single vector (R3M) or take all patch tokens of a ViT; this keeps
the tokens, as the ViT variant does, at a size that trains without pretrained weights.
Axes: B batch, O observed steps, M cameras, H and W pixels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from envs.schema import Interface, ManigymError
from policies.maniflow.vectors import VectorInput, vector_mlp

STAGES = (32, 64, 128, 128)
TOKEN = STAGES[-1]
GROUP = 16


def unit(image: Tensor) -> Tensor:
    """uint8 pictures -> float32 in [0, 1]; float pictures (already augmented) unchanged."""
    return image.float() / 255 if image.dtype == torch.uint8 else image


class Residual(nn.Module):
    """Two 3x3 convolutions that halve the picture, beside a 1x1 one."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(inputs, outputs, 3, stride=2, padding=1, bias=False),
            nn.GroupNorm(outputs // GROUP, outputs),
            nn.ReLU(),
            nn.Conv2d(outputs, outputs, 3, padding=1, bias=False),
            nn.GroupNorm(outputs // GROUP, outputs),
        )
        self.skip = nn.Conv2d(inputs, outputs, 1, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.body(x) + self.skip(x))


def backbone() -> nn.Sequential:
    """(n, 3, H, W) -> (n, TOKEN, H / 16, W / 16), rounded up."""
    stem = nn.Sequential(
        nn.Conv2d(3, STAGES[0], 3, stride=2, padding=1, bias=False),
        nn.GroupNorm(STAGES[0] // GROUP, STAGES[0]),
        nn.ReLU(),
    )
    return nn.Sequential(stem, *(Residual(*channels) for channels in pairwise(STAGES)))


def picture_size(interface: Interface, cameras: Sequence[str]) -> tuple[int, int]:
    """Height and width common to all cameras."""
    shapes = {key: interface.observation[key][0] for key in cameras}
    if len(set(shapes.values())) != 1:
        raise ManigymError(
            f"all cameras must give pictures of one size, got {shapes}; "
            "set the same image_size for all"
        )
    height, width, _ = next(iter(shapes.values()))
    return height, width


class ImageEncoder(nn.Module):
    """A grid of tokens per camera and observed step, and one low-dimensional token per step.

    All cameras share the network; a learned embedding tells them apart.
    """

    def __init__(
        self, interface: Interface, cameras: Sequence[str], vectors: VectorInput, n_obs: int
    ) -> None:
        super().__init__()
        self.cameras = tuple(cameras)
        self.vectors = vectors
        height, width = picture_size(interface, cameras)
        cells = -(-height // 16) * -(-width // 16)
        per_step = len(self.cameras) * cells + (1 if vectors.size else 0)
        self.size = TOKEN
        self.length = n_obs * per_step
        self.backbone = backbone()
        self.norm = nn.LayerNorm(TOKEN)
        self.position = nn.Parameter(0.02 * torch.randn(cells, TOKEN))
        self.camera = nn.Parameter(0.02 * torch.randn(len(self.cameras), 1, TOKEN))
        self.state_mlp = vector_mlp(vectors.size, TOKEN) if vectors.size else None

    def forward(self, obs: Mapping[str, Tensor]) -> Tensor:
        """Pictures (B, O, H, W, 3), uint8 or float in [0, 1], and vectors -> (B, length, TOKEN)."""
        pictures = torch.stack([unit(obs[key]) for key in self.cameras], dim=2)
        flat = pictures.flatten(0, 2).permute(0, 3, 1, 2)
        grid = self.backbone(2 * flat - 1).flatten(2).transpose(1, 2)
        tokens = self.norm(grid).unflatten(0, pictures.shape[:3]) + self.position + self.camera
        tokens = tokens.flatten(2, 3)
        if self.state_mlp is not None:
            tokens = torch.cat((tokens, self.state_mlp(self.vectors(obs))[:, :, None]), dim=2)
        return tokens.flatten(1, 2)
