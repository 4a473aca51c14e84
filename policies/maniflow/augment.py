"""Training-time augmentation, one draw per sample, from an explicit generator.

Strengths are upstream's (brightness 0.3, contrast 0.4, saturation 0.5, hue 0.08; colours of point
clouds with probability 0.2). Deviations: upstream draws once per batch and also augments pictures
at evaluation; here every sample has its own draw, shared by its observed steps, and only training
is augmented. Pictures are shifted by up to 5 % instead of cropped and rotated.
Axes: B batch, O observed steps.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from policies.maniflow.images import unit

BRIGHTNESS, CONTRAST, SATURATION, HUE = 0.3, 0.4, 0.5, 0.08
SHIFT = 0.05
POINT_COLOR_PROBABILITY = 0.2

LUMA = (0.299, 0.587, 0.114)
# RGB to YIQ (NTSC 1953): hue is the angle in the I-Q plane.
YIQ = ((0.299, 0.587, 0.114), (0.5959, -0.2746, -0.3213), (0.2115, -0.5227, 0.3112))


def around(n: int, centre: float, spread: float, generator: torch.Generator) -> Tensor:
    """n draws of U(centre - spread, centre + spread)."""
    u = torch.rand(n, generator=generator, device=generator.device)
    return centre + spread * (2 * u - 1)


def color_matrices(n: int, generator: torch.Generator) -> Tensor:
    """n random colour maps (n, 3, 3): brightness, then saturation, then hue."""
    device = generator.device
    brightness = around(n, 1, BRIGHTNESS, generator)[:, None, None]
    saturation = around(n, 1, SATURATION, generator)[:, None, None]
    angle = 2 * torch.pi * around(n, 0, HUE, generator)
    gray = torch.tensor(LUMA, device=device).expand(3, 3)
    saturate = saturation * torch.eye(3, device=device) + (1 - saturation) * gray
    rotate = torch.eye(3, device=device).repeat(n, 1, 1)
    rotate[:, 1, 1] = rotate[:, 2, 2] = angle.cos()
    rotate[:, 2, 1] = angle.sin()
    rotate[:, 1, 2] = -angle.sin()
    yiq = torch.tensor(YIQ, device=device)
    return torch.linalg.inv(yiq) @ rotate @ yiq @ saturate * brightness


def jitter_colors(colors: Tensor, generator: torch.Generator) -> Tensor:
    """Colours (B, ..., 3) in [0, 1], each sample changed by one random map and contrast."""
    n = len(colors)
    flat = colors.flatten(1, -2)
    flat = flat @ color_matrices(n, generator).to(colors).transpose(1, 2)
    contrast = around(n, 1, CONTRAST, generator).to(colors)[:, None, None]
    mean = (flat @ torch.tensor(LUMA).to(colors)).mean(1)[:, None, None]
    return (mean + contrast * (flat - mean)).clamp(0, 1).reshape(colors.shape)


def shift_images(images: Tensor, generator: torch.Generator) -> Tensor:
    """Pictures (B, O, H, W, C), each sample shifted by up to 5 %; border pixels are repeated."""
    n, _, height, width, _ = images.shape
    rows, columns = (
        (torch.arange(size) + offsets(n, int(SHIFT * size), generator)).clamp(0, size - 1)
        for size in (height, width)
    )
    samples = torch.arange(n)[:, None, None]
    # A slice between index tensors comes after their axes: (B, H, W, O, C).
    shifted = images[samples, :, rows[:, :, None], columns[:, None, :]]
    return shifted.movedim(3, 1)


def offsets(n: int, reach: int, generator: torch.Generator) -> Tensor:
    """n whole numbers (n, 1) of -reach .. reach, on the CPU."""
    drawn = torch.randint(-reach, reach + 1, (n, 1), generator=generator, device=generator.device)
    return drawn.cpu()


def augment_cloud(cloud: Tensor, generator: torch.Generator) -> Tensor:
    """Clouds (B, O, N, 6): the colours of one sample in five are changed, xyz never."""
    chosen = around(len(cloud), 0.5, 0.5, generator) < POINT_COLOR_PROBABILITY
    colors = cloud[..., 3:]
    changed = jitter_colors(colors, generator)
    colors = torch.where(chosen.to(cloud.device)[:, None, None, None], changed, colors)
    return torch.cat((cloud[..., :3], colors), dim=-1)


def augment(obs: Mapping[str, Tensor], generator: torch.Generator) -> dict[str, Tensor]:
    """Observations in physical units, `key -> (B, O, ...)`, with pictures and colours changed."""
    result = dict(obs)
    for key in sorted(obs):
        if key.startswith("rgb/"):
            result[key] = jitter_colors(unit(shift_images(obs[key], generator)), generator)
        elif key == "point_cloud" and obs[key].shape[-1] == 6:
            result[key] = augment_cloud(obs[key], generator)
    return result
