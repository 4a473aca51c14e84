"""Where torch runs."""

from __future__ import annotations

import torch

from envs.schema import ManigymError


def pick_device(name: str) -> torch.device:
    """``auto`` is the GPU where there is one; a device that is not there raises."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name.startswith("cuda") and not torch.cuda.is_available():
        raise ManigymError(f"device {name!r} asked for, but torch {torch.__version__} sees no GPU")
    try:
        return torch.device(name)
    except RuntimeError as error:
        raise ManigymError(f"device {name!r}: {error}") from None
