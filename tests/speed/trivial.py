"""An environment that costs nothing: what is measured is the way to it and back.

Two 256x256 pictures and 14 numbers, as a bimanual robot would send.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from envs.base import ManipEnv
from envs.registry import Simulator
from envs.schema import ActionGroup, ActionSpec, Protocol, SuccessRule, TaskCard, VectorGroup

SIZE, VALUES = 256, 14
_JOINTS = tuple(f"joint_{i}" for i in range(VALUES))
CARDS = (
    TaskCard(
        id="Trivial/pictures-v0",
        simulator="Trivial",
        description="no physics at all",
        packages=(),
        action=ActionSpec(
            (ActionGroup("arms", "joint_delta", _JOINTS, (-1.0,) * 14, (1.0,) * 14, "rad"),)
        ),
        proprio=(VectorGroup("qpos", VALUES, "rad"),),
        state=(),
        cameras=("left", "right"),
        protocols=(Protocol("default", 10**9, 50.0, SuccessRule("never", "none"), "endless"),),
        instructions=("wait",),
        modalities=("proprio", "rgb"),
        image_size=(SIZE, SIZE),
    ),
)
SIMULATOR = Simulator("Trivial", "trivial", "trivial:TrivialEnv")
OPTIONS = {"observations": ("proprio", "rgb")}


class TrivialEnv(ManipEnv):
    """Pictures that change with every step in one pixel."""

    def __init__(self, card: TaskCard, **options: Any) -> None:
        super().__init__(card, **options)
        rng = np.random.default_rng(0)
        shape = (SIZE, SIZE, 3)
        self._pictures = {c: rng.integers(0, 256, shape, np.uint8) for c in self.cameras}
        self._values = np.zeros(VALUES, np.float32)

    def _reset(self, seed: int) -> None:
        self._values[:] = seed % 100

    def _advance(self, native: np.ndarray) -> float:
        self._values += native
        return 0.0

    def _goal_reached(self) -> bool:
        return False

    def _sense(self, modality: str) -> np.ndarray:
        return self._values.copy()

    def _picture(self, kind: str, camera: str, size: tuple[int, int]) -> np.ndarray:
        self._pictures[camera][0, 0, 0] += 1
        return self._pictures[camera]

    def _physics(self) -> np.ndarray:
        return self._values.astype(np.float64)

    def _set_physics(self, state: np.ndarray) -> None:
        self._values[:] = state
