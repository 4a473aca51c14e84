"""Films of cameras: one H.264 (yuv420p) frame for each row, lossy.

What is lost is measured by :func:`psnr`: in one episode of our houses at 224 x 224 the head camera
kept 37 dB, the wrist camera 44 dB; colour has half the resolution, as in every yuv420p film. Sides
must be even and are never changed: imageio's writer, which upstream uses as it is, rescales to
multiples of 16 without a word.

Reading asks ffmpeg directly: imageio's reader leaves two pipes open at the end of every film.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import imageio_ffmpeg
import numpy as np

from benchmark.data.rows import Array
from benchmark.video import write_video
from envs.schema import ManigymError

QUALITY = 9  # of 0..10 in imageio's writer: x264's crf is 51 * (1 - quality / 10)
RAW = ("-fps_mode", "passthrough", "-pix_fmt", "rgb24", "-f", "rawvideo", "-")
STREAM = re.compile(r"Video: .*?\b(\d{2,})x(\d{2,})\b.*? ([\d.]+) fps")


@dataclass(frozen=True)
class Film:
    """How many frames, how many per second, and how much each differs from the one before, float64
    (T - 1,), in levels of 0..255."""

    frames: int
    fps: float
    motion: Array


def write(path: Path, frames: Array, fps: float) -> None:
    """``frames`` uint8 (T, H, W, 3), H and W even."""
    if frames.shape[1] % 2 or frames.shape[2] % 2:
        raise ManigymError(
            f"{path.name}: pictures are {frames.shape[2]} x {frames.shape[1]}, a film needs even "
            "sides (better: multiples of 16); collect with another env.image_size"
        )
    write_video(path, list(frames), fps, quality=QUALITY)


def read(path: Path) -> Array:
    """All frames, uint8 (T, H, W, 3)."""
    return np.stack(list(_frames(path)))


def survey(path: Path) -> Film:
    """What can be known of a film without keeping its pictures."""
    small = (_small(frame) for frame in _frames(path))
    motion = np.array([np.abs(b - a).mean() for a, b in pairwise(small)])
    return Film(len(motion) + 1, _stream(path)[2], motion)


def psnr(first: Array, second: Array) -> float:
    """Peak signal-to-noise ratio of two uint8 arrays in dB."""
    error = np.mean((first.astype(np.float64) - second.astype(np.float64)) ** 2)
    return float("inf") if error == 0 else float(10 * np.log10(255**2 / error))


def _small(frame: Array) -> Array:
    """About 64 x 48: whether something moves can be seen there, too."""
    height, width = frame.shape[:2]
    return frame[:: max(1, height // 48), :: max(1, width // 64)].astype(np.float64)


def _frames(path: Path) -> Iterator[Array]:
    """Every stored frame once, uint8 (H, W, 3); at least one."""
    width, height, _ = _stream(path)
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-i", str(path), *RAW]
    count, quiet = 0, subprocess.DEVNULL
    with subprocess.Popen(command, stdin=quiet, stdout=subprocess.PIPE, stderr=quiet) as ffmpeg:
        assert ffmpeg.stdout is not None
        while len(data := ffmpeg.stdout.read(width * height * 3)) == width * height * 3:
            yield np.frombuffer(data, np.uint8).reshape(height, width, 3)
            count += 1
    if ffmpeg.returncode or data or not count:
        raise ManigymError(f"{path} cannot be read after frame {count}; copy the film again")


def _stream(path: Path) -> tuple[int, int, float]:
    """Width, height and frames per second."""
    if not path.is_file():
        raise ManigymError(f"{path} does not exist; copy the film beside its .h5 file")
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-hide_banner", "-i", str(path)]
    # ffmpeg complains that no output is named; what it says of the input is what is wanted.
    said = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    found = STREAM.search(said.stderr)
    if found is None:
        reason = (said.stderr.strip().splitlines() or ["no reason"])[-1]
        raise ManigymError(f"{path} is no film that ffmpeg can read ({reason}); copy it again")
    return int(found[1]), int(found[2]), float(found[3])
