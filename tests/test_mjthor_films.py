"""Films: what is lost is measured, what is not: number of frames, sides, order, colour."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from mjthor_files import pictures

from benchmark.data import mjthor_videos as videos
from envs.schema import ManigymError


@pytest.mark.parametrize("size", [(224, 224), (222, 226), (50, 38)])
def test_sides_are_never_changed(tmp_path: Path, size: tuple[int, int]) -> None:
    frames = np.random.default_rng(0).integers(0, 256, (7, *size, 3)).astype(np.uint8)
    videos.write(tmp_path / "film.mp4", frames, 10.0)
    assert videos.read(tmp_path / "film.mp4").shape == frames.shape
    film = videos.survey(tmp_path / "film.mp4")
    assert (film.frames, film.fps) == (7, 10.0)


@pytest.mark.parametrize("count", [1, 2, 250])
def test_every_frame_comes_back_in_its_place(tmp_path: Path, count: int) -> None:
    level = np.arange(count) % 25 * 10
    frames = np.broadcast_to(level[:, None, None, None], (count, 32, 32, 3)).astype(np.uint8)
    videos.write(tmp_path / "film.mp4", frames, 1000 / 66)
    got = videos.read(tmp_path / "film.mp4")
    assert len(got) == count
    assert np.abs(got.mean(axis=(1, 2, 3)) - level).max() < 2
    np.testing.assert_allclose(videos.survey(tmp_path / "film.mp4").fps, 1000 / 66, rtol=0.001)


def test_colours_and_loss(tmp_path: Path) -> None:
    red = np.full((3, 48, 64, 3), (200, 30, 10), np.uint8)
    videos.write(tmp_path / "red.mp4", red, 10.0)
    assert np.abs(videos.read(tmp_path / "red.mp4").astype(int) - red).max() <= 3
    frames = pictures(np.linspace(0, 1, 20)[:, None] * (1, 1, 1))
    videos.write(tmp_path / "film.mp4", frames, 10.0)
    assert videos.psnr(videos.read(tmp_path / "film.mp4"), frames) > 36
    assert videos.psnr(frames, frames) == float("inf")
    off = frames.astype(int) + np.where(frames > 128, -1, 1)
    np.testing.assert_allclose(videos.psnr(frames, off.astype(np.uint8)), 48.13, atol=0.01)


def test_motion_is_where_the_picture_changes(tmp_path: Path) -> None:
    place = np.array([0, 0, 0, 0.2, 0.2, 0.2, 0.2, 0.5, 0.5, 0.5])
    frames = pictures(place[:, None] * (1, 0, 0))
    videos.write(tmp_path / "film.mp4", frames, 10.0)
    got = videos.survey(tmp_path / "film.mp4").motion
    assert got.shape == (9,)
    assert sorted(np.argsort(got)[-2:]) == [2, 6]


def test_broken_films(tmp_path: Path) -> None:
    with pytest.raises(ManigymError, match="needs even sides"):
        videos.write(tmp_path / "odd.mp4", np.zeros((2, 33, 32, 3), np.uint8), 10.0)
    with pytest.raises(ManigymError, match="does not exist; copy the film beside"):
        videos.read(tmp_path / "odd.mp4")
    text = tmp_path / "text.mp4"
    text.write_text("no film")
    with pytest.raises(ManigymError, match="is no film that ffmpeg can read"):
        videos.read(text)
