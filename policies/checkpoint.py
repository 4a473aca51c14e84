"""Checkpoint files of trainable policies: one self-contained file of plain values and tensors.

Read with `weights_only`, so opening a file of unknown origin runs none of its code.
"""

from __future__ import annotations

import os
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from envs.schema import ManigymError

FORMAT = "manigym-checkpoint-1"
FIELDS = ("policy", "config", "interface", "normalizer", "weights")


def write_checkpoint(path: Path, content: Mapping[str, Any]) -> None:
    """Write `content` (at least `FIELDS`) so that a crash leaves the old file or the new one."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    save_whole(path, {"format": FORMAT, **content})


def save_whole(path: Path, content: Mapping[str, Any]) -> None:
    """`torch.save` that leaves the old file or the new one, whatever stops it in the middle."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with partial.open("wb") as file:
            torch.save(content, file)
        partial.replace(path)
    except RuntimeError as error:
        # torch fails once more while a full disk or Ctrl-C ends it; those are the news.
        if isinstance(error.__context__, (OSError, KeyboardInterrupt)):
            raise error.__context__ from None
        raise
    finally:
        partial.unlink(missing_ok=True)


def load_whole(path: Path) -> Any:
    """What `save_whole` wrote, on the CPU; a file it did not write raises."""
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, EOFError, OSError, ValueError, KeyError, pickle.UnpicklingError) as error:
        raise ManigymError(
            f"{path} ({path.stat().st_size} bytes) cannot be read as a checkpoint: it is truncated "
            f"or of another program ({type(error).__name__}). Copy it again or train anew "
            "(train --overwrite)"
        ) from error


def read_checkpoint(path: Path, policy: str | None = None) -> dict[str, Any]:
    """What `write_checkpoint` wrote, on the CPU; `policy` is the name the file must carry."""
    path = Path(path)
    if not path.is_file():
        raise ManigymError(f"no checkpoint at {path}; give the path of a file that training wrote")
    content = load_whole(path)
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        found = content.get("format") if isinstance(content, dict) else type(content).__name__
        raise ManigymError(
            f"{path} is not a Manigym checkpoint: expected format {FORMAT!r}, found {found!r}"
        )
    missing = [name for name in FIELDS if name not in content]
    if missing:
        raise ManigymError(f"checkpoint {path} lacks {', '.join(missing)}; train anew")
    if policy is not None and content["policy"] != policy:
        raise ManigymError(
            f"checkpoint {path} holds a {content['policy']!r} policy, expected {policy!r}; "
            f"use --policy {content['policy']}"
        )
    return content
