"""Episode films and pictures for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import imageio.v2 as imageio
import numpy as np
from PIL import Image, ImageDraw

COLUMNS = 5


def write_video(path: Path, frames: Sequence[np.ndarray], fps: float, quality: int = 7) -> None:
    """Write uint8 (H, W, 3) frames as H.264; H and W must be even. ``quality``: 0..10."""
    path.parent.mkdir(parents=True, exist_ok=True)
    writer: Any
    settings: dict[str, Any] = {"fps": fps, "codec": "libx264", "macro_block_size": 2}
    settings["quality"] = quality
    with imageio.get_writer(path, **settings) as writer:
        for frame in frames:
            writer.append_data(frame)


def contact_sheet(path: Path, pictures: Mapping[str, np.ndarray]) -> None:
    """Write uint8 (H, W, 3) pictures of one size as a grid with their names as captions."""
    height, width = next(iter(pictures.values())).shape[:2]
    rows = -(-len(pictures) // COLUMNS)
    sheet = Image.new("RGB", (min(COLUMNS, len(pictures)) * width, rows * height))
    draw = ImageDraw.Draw(sheet)
    for i, (name, picture) in enumerate(pictures.items()):
        corner = (i % COLUMNS * width, i // COLUMNS * height)
        sheet.paste(Image.fromarray(picture), corner)
        box = (corner[0], corner[1] + height - 18, corner[0] + width, corner[1] + height)
        draw.rectangle(box, fill=(0, 0, 0))
        draw.text((box[0] + 6, box[1] + 3), name, fill=(255, 255, 255))
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(path)
