"""Episode films."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import imageio.v2 as imageio
import numpy as np


def write_video(path: Path, frames: Sequence[np.ndarray], fps: float) -> None:
    """Write uint8 (H, W, 3) frames as H.264; H and W must be even."""
    path.parent.mkdir(parents=True, exist_ok=True)
    writer: Any
    with imageio.get_writer(
        path, fps=fps, codec="libx264", quality=7, macro_block_size=2
    ) as writer:
        for frame in frames:
            writer.append_data(frame)
