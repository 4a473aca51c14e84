"""Colours and materials: one coherent palette, textures drawn with numpy."""

from __future__ import annotations

from dataclasses import dataclass

import mujoco
import numpy as np

Rgb = tuple[float, float, float]


@dataclass(frozen=True)
class Paint:
    """A material: colour, how it shines, a texture that covers ``tile`` metres, its own light."""

    rgb: Rgb
    shine: float = 0.2
    texture: str = ""
    tile: float = 1.0
    glow: float = 0.0


COLOURS: dict[str, Rgb] = {
    "red": (0.80, 0.16, 0.14),
    "orange": (0.95, 0.50, 0.10),
    "yellow": (0.95, 0.80, 0.18),
    "green": (0.25, 0.58, 0.26),
    "blue": (0.16, 0.36, 0.72),
    "purple": (0.48, 0.26, 0.62),
    "pink": (0.93, 0.52, 0.64),
    "white": (0.93, 0.93, 0.91),
    "black": (0.10, 0.10, 0.11),
    "brown": (0.42, 0.27, 0.16),
    "grey": (0.55, 0.56, 0.58),
    "cream": (0.92, 0.86, 0.74),
    "teal": (0.13, 0.52, 0.52),
}
PAINTS: dict[str, Paint] = {
    **{name: Paint(rgb, 0.35) for name, rgb in COLOURS.items()},
    "oak": Paint((0.78, 0.60, 0.40), 0.15, "grain", 0.9),
    "walnut": Paint((0.45, 0.30, 0.20), 0.15, "grain", 0.9),
    "birch": Paint((0.88, 0.77, 0.60), 0.15, "grain", 0.9),
    "wood": Paint((0.56, 0.40, 0.26), 0.15, "grain", 0.9),
    "pale_wood": Paint((0.85, 0.74, 0.58), 0.1),
    "front": Paint((0.90, 0.88, 0.83), 0.2),
    "front_dark": Paint((0.22, 0.22, 0.23), 0.1),
    "worktop": Paint((0.36, 0.35, 0.35), 0.5, "speckle", 0.5),
    "metal": Paint((0.72, 0.73, 0.75), 0.9),
    "dark_metal": Paint((0.30, 0.31, 0.33), 0.7),
    "steel": Paint((0.70, 0.72, 0.74), 0.7),
    "ice": Paint((0.90, 0.94, 0.97), 0.4),
    "splash": Paint((0.86, 0.90, 0.90), 0.5, "tiles", 0.6),
    "mirror": Paint((0.78, 0.87, 0.92), 0.9),
    "cloth": Paint((0.80, 0.77, 0.70), 0.0),
    "lamp": Paint((1.0, 0.93, 0.74), 0.0, glow=0.5),
    "screen": Paint((0.14, 0.17, 0.24), 0.9),
    "leaf": Paint((0.22, 0.45, 0.20), 0.1),
    "water": Paint((0.62, 0.82, 0.90), 0.9),
    "glass": Paint((0.68, 0.84, 0.95), 0.6, glow=0.25),
    "trim": Paint((0.95, 0.94, 0.92), 0.1),
    "door": Paint((0.88, 0.85, 0.79), 0.2),
    "planks_oak": Paint((0.80, 0.63, 0.44), 0.1, "planks", 1.3),
    "planks_grey": Paint((0.66, 0.60, 0.54), 0.1, "planks", 1.3),
    "planks_walnut": Paint((0.58, 0.41, 0.28), 0.1, "planks", 1.3),
    "tiles_stone": Paint((0.80, 0.78, 0.74), 0.2, "tiles", 1.6),
    "tiles_blue": Paint((0.72, 0.80, 0.84), 0.2, "tiles", 1.2),
    "wall_white": Paint((0.93, 0.92, 0.89), 0.0),
    "wall_sand": Paint((0.90, 0.84, 0.74), 0.0),
    "wall_sage": Paint((0.76, 0.82, 0.74), 0.0),
    "wall_sky": Paint((0.76, 0.83, 0.88), 0.0),
    "wall_rose": Paint((0.90, 0.80, 0.77), 0.0),
}
FLOORS: dict[str, tuple[str, ...]] = {
    "kitchen": ("tiles_stone", "planks_oak"),
    "living room": ("planks_oak", "planks_grey", "planks_walnut"),
    "bedroom": ("planks_oak", "planks_walnut", "planks_grey"),
    "bathroom": ("tiles_blue", "tiles_stone"),
}
WALLS: dict[str, tuple[str, ...]] = {
    "kitchen": ("wall_white", "wall_sand"),
    "living room": ("wall_sand", "wall_sage", "wall_white"),
    "bedroom": ("wall_rose", "wall_sky", "wall_sage"),
    "bathroom": ("wall_sky", "wall_white"),
}
_SIDE = 128  # pixels of a texture


def material(spec: mujoco.MjSpec, name: str) -> str:
    """The name in ``spec`` of a paint's material, added at its first use."""
    full = f"house/{name}"
    if spec.material(full) is None:
        paint = PAINTS[name]
        new = spec.add_material(name=full, rgba=(*paint.rgb, 1.0), emission=paint.glow)
        new.specular, new.shininess, new.reflectance = 0.5 * paint.shine, paint.shine, 0.0
        if paint.texture:
            new.textures[mujoco.mjtTextureRole.mjTEXROLE_RGB] = _texture(spec, paint.texture)
            new.texuniform = True
            new.texrepeat = (1 / paint.tile, 1 / paint.tile)
    return full


def _texture(spec: mujoco.MjSpec, name: str) -> str:
    full = f"house/{name}"
    if spec.texture(full) is None:
        grey = np.clip(_TEXTURES[name](), 0.0, 1.0)
        pixels = np.repeat((255 * grey).astype(np.uint8)[..., None], 3, axis=2)
        new = spec.add_texture(name=full, type=mujoco.mjtTexture.mjTEXTURE_2D)
        new.width = new.height = _SIDE
        new.nchannel = 3
        new.data = pixels.tobytes()
    return full


def _noise(seed: int, rows: int, columns: int) -> np.ndarray:
    """float64 (_SIDE, _SIDE): blocks of uniform noise in -1..1, the same every time."""
    coarse = np.random.default_rng(seed).uniform(-1, 1, (rows, columns))
    return np.kron(coarse, np.ones((_SIDE // rows, _SIDE // columns)))


def _grain() -> np.ndarray:
    return 0.93 + 0.035 * _noise(1, _SIDE, 2) + 0.03 * _noise(2, 32, 1)


def _speckle() -> np.ndarray:
    return 0.88 + 0.12 * _noise(3, 64, 64)


def _tiles() -> np.ndarray:
    """Four by four tiles with light joints."""
    tone = 0.93 + 0.03 * _noise(4, 4, 4)
    joint = np.arange(_SIDE) % (_SIDE // 4) < 1
    tone[joint, :] = tone[:, joint] = 0.72
    return tone


def _planks() -> np.ndarray:
    """Sixteen rows of boards, each row shifted against the one before."""
    tone = 0.92 + 0.02 * _noise(5, _SIDE, 8)
    shades = np.random.default_rng(6).uniform(-0.07, 0.07, (16, 2))
    width = _SIDE // 16
    for row in range(16):
        start = (row * 37) % _SIDE
        for half in range(2):
            columns = (start + half * _SIDE // 2 + np.arange(_SIDE // 2)) % _SIDE
            rows = slice(row * width, (row + 1) * width)
            tone[rows, columns] += shades[row, half]
            tone[rows, columns[0]] = 0.66
        tone[row * width] = 0.74
    return tone


_TEXTURES = {"grain": _grain, "speckle": _speckle, "tiles": _tiles, "planks": _planks}
