"""The way from the robot to a place, over the map of the house: privileged."""

from __future__ import annotations

import numpy as np

from envs.mjthor.house.free_space import FreeSpace

_AHEAD = 0.5  # metres that the next way point is ahead on the way down the field


class Route:
    """Geodesic fields of one episode, one for each place that was asked for."""

    def __init__(self, space: FreeSpace) -> None:
        self._space = space
        self._fields: dict[tuple[float, float], np.ndarray] = {}

    def towards(self, base: np.ndarray, place: np.ndarray) -> tuple[np.ndarray, float]:
        """Next way point (2,) in the house and metres left, from ``base`` (x, y) to ``place``."""
        field = self._field((round(float(place[0]), 1), round(float(place[1]), 1)))
        raster = self._space.raster
        cell = self._nearest(field, base)
        left = float(field[cell])
        while field[cell] > max(0.0, left - _AHEAD):
            best = self._downhill(field, cell)
            if best == cell:
                break
            cell = best
        return (raster.centres[cell] if left > 0 else np.asarray(place[:2])), left

    def shortest(
        self, start: tuple[float, float], ends: np.ndarray, within: float, *, seen: bool
    ) -> float:
        """Metres from ``start`` to the nearest free place within ``within`` metres of one of the
        ends (K, 2), from where it is ``seen`` if that is asked; 0 where there is none."""
        field, places = self._space.distances(start), self._space.raster.centres
        best = np.inf
        for end in ends:
            near = (np.linalg.norm(places - end, axis=-1) < within) & np.isfinite(field)
            if seen:
                near[near] = self._space.sees(places[near], (float(end[0]), float(end[1])))
            best = min(best, float(field[near].min(initial=np.inf)))
        return best if np.isfinite(best) else 0.0

    def _field(self, place: tuple[float, float]) -> np.ndarray:
        if place not in self._fields:
            self._fields[place] = self._space.distances(place)
        return self._fields[place]

    def _nearest(self, field: np.ndarray, base: np.ndarray) -> tuple[int, int]:
        """The nearest cell with a way; the robot may stand where the disc does not fit."""
        known = np.argwhere(np.isfinite(field))
        if not len(known):
            return (0, 0)
        gaps = np.abs(self._space.raster.centres[np.isfinite(field)] - base).sum(axis=1)
        i, j = known[int(np.argmin(gaps))]
        return int(i), int(j)

    @staticmethod
    def _downhill(field: np.ndarray, cell: tuple[int, int]) -> tuple[int, int]:
        i, j = cell
        low = max(0, i - 1), max(0, j - 1)
        around = field[low[0] : i + 2, low[1] : j + 2]
        di, dj = np.unravel_index(int(np.argmin(around)), around.shape)
        return int(low[0] + di), int(low[1] + dj)
