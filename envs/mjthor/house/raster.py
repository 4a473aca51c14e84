"""Shortest ways over a raster of clearances."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import label, map_coordinates
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import dijkstra

from envs.mjthor.house.solid import Array, Mask, distance

CELL = 0.05
REACH = 0.8  # clearances are exact up to here and not told apart beyond
COMFORT, SHY = 0.65, 6.0  # metres of clearance that cost nothing; extra cost per metre at the least
ISLAND = 1.0  # square metres: a smaller pocket that the disc cannot leave is no place to go
SPACING = CELL / 2  # between the samples of a line
HORIZON = 80  # way points ahead that a straight line may reach

# Half of the neighbours of a cell, each with the cells that a move to it passes. The knight's moves
# bound the excess of a shortest way over a straight line by 2.8 %; without them it is 8.2 %.
MOVES: tuple[tuple[tuple[int, int], tuple[tuple[int, int], ...]], ...] = (
    ((1, 0), ()),
    ((0, 1), ()),
    ((1, 1), ((1, 0), (0, 1))),
    ((1, -1), ((1, 0), (0, -1))),
    ((2, 1), ((1, 0), (1, 1))),
    ((2, -1), ((1, 0), (1, -1))),
    ((1, 2), ((0, 1), (1, 1))),
    ((1, -2), ((0, -1), (1, -1))),
)


@dataclass(frozen=True)
class Raster:
    """Clearances (W, H) in metres at the centres of cells; cell (0, 0) is centred at ``origin``."""

    origin: Array
    field: Array

    @classmethod
    def of(cls, boxes: Array, low: Array, high: Array) -> Raster:
        """The signed distance to the nearest of the boxes (M, 5), from ``low`` to ``high`` and two
        cells beyond. Exact: each box is measured in a window of ``REACH`` around it."""
        origin = low - 1.5 * CELL
        shape = np.ceil((high - low) / CELL - 1e-9).astype(int) + 4
        field = np.full(shape, REACH)
        for box in boxes:
            cos, sin = abs(np.cos(box[4])), abs(np.sin(box[4]))
            extent = np.array((cos * box[2] + sin * box[3], sin * box[2] + cos * box[3])) + REACH
            first = np.clip(np.floor((box[:2] - extent - origin) / CELL), 0, shape).astype(int)
            last = np.clip(np.ceil((box[:2] + extent - origin) / CELL) + 1, 0, shape).astype(int)
            axes = (origin[k] + CELL * np.arange(first[k], last[k]) for k in (0, 1))
            points = np.stack(np.meshgrid(*axes, indexing="ij"), -1)
            window = field[first[0] : last[0], first[1] : last[1]]
            np.minimum(window, distance(box, points), out=window)
        return cls(origin, field)

    @cached_property
    def centres(self) -> Array:
        """World positions (W, H, 2) of the cells."""
        return self.origin + CELL * np.moveaxis(np.indices(self.field.shape), 0, -1)

    def at(self, points: Array) -> Array:
        """Clearance (...) at points (..., 2), linear between the centres of cells."""
        cells = np.moveaxis((points - self.origin) / CELL, -1, 0)
        return map_coordinates(self.field, cells, order=1, mode="nearest")


class Ways:
    """Shortest ways for a disc of one radius; ``shy`` makes the metres near obstacles longer.

    The nodes are the cells where the disc fits: ``points`` (N, 2) their positions, ``cells`` (N,)
    their places in the flattened raster, ``roomy`` (N,) those that are not in a small pocket.
    """

    def __init__(self, raster: Raster, radius: float, *, shy: bool) -> None:
        self.raster, self.radius, self.shy = raster, radius, shy
        regions, _ = label(raster.field >= radius, np.ones((3, 3)))
        sizes = np.bincount(regions.ravel())
        free = regions > 0
        self.points = raster.centres[free]
        self.cells: NDArray[np.intp] = np.flatnonzero(free)
        self.roomy: Mask = (sizes >= ISLAND / CELL**2)[regions[free]]
        self.graph = self._graph(free)

    def _graph(self, free: Mask) -> csr_matrix:
        number = np.full(free.shape, -1)
        number[free] = np.arange(len(self.cells))
        padded = np.pad(number, 2, constant_values=-1)
        price = self.price(self.raster.field[free])
        tails, heads, costs = [], [], []
        for move, passed in MOVES:
            tail, head = number, _shifted(padded, move)
            met = (tail >= 0) & (head >= 0)
            for step in passed:
                met &= _shifted(padded, step) >= 0
            tails.append(tail[met])
            heads.append(head[met])
            length = CELL * np.hypot(*move)
            costs.append(length * (price[tails[-1]] + price[heads[-1]]) / 2)
        tail, head, cost = (np.concatenate(parts) for parts in (tails, heads, costs))
        both = np.concatenate((tail, head)), np.concatenate((head, tail))
        size = len(self.cells)
        return csr_matrix((np.concatenate((cost, cost)), both), shape=(size, size))

    def price(self, clearance: Array) -> Array:
        """Cost of a metre (...) at a clearance (...): 1, or more near obstacles when ``shy``."""
        if not self.shy:
            return np.ones_like(clearance)
        short = np.clip((COMFORT - clearance) / (COMFORT - self.radius), 0.0, 1.0)
        return 1.0 + SHY * short**2

    def field(self, nodes: NDArray[np.intp]) -> Array:
        """Cost (nodes of the graph,) of the shortest way from the nearest of ``nodes``."""
        return dijkstra(self.graph, indices=nodes, min_only=True)

    def between(self, start: int, goal: int) -> Array | None:
        """The shortest way (K, 2) from node to node, cell by cell; ``None`` where there is none."""
        cost, before = dijkstra(self.graph, indices=goal, return_predecessors=True)
        if not np.isfinite(cost[start]):
            return None
        nodes = [start]
        while nodes[-1] != goal:
            nodes.append(int(before[nodes[-1]]))
        return self.points[nodes]

    def tightened(self, way: Array) -> Array:
        """A way (K, 2) pulled straight wherever a straight line costs no more: its corners."""
        back = self._corners(_dense(self._corners(way))[::-1])
        return back[::-1]

    def _corners(self, way: Array) -> Array:
        costs = np.cumsum(np.append(0.0, self._costs(way[:-1], way[1:])[0]))
        kept = [0]
        while kept[-1] < len(way) - 1:
            here = kept[-1]
            ahead = way[here + 1 : here + 1 + HORIZON]
            detour = costs[here + 1 : here + 1 + HORIZON] - costs[here]
            straight, fits = self._costs(np.broadcast_to(way[here], ahead.shape), ahead)
            better = np.flatnonzero(fits & (straight <= detour + 1e-9))
            kept.append(here + 1 + (int(better[-1]) if len(better) else 0))
        return way[kept]

    def _costs(self, starts: Array, ends: Array) -> tuple[Array, Mask]:
        """Costs (N,) of straight lines (N, 2) to (N, 2), and whether the disc fits all along."""
        lengths = np.hypot(*(ends - starts).T)
        steps = max(2, int(np.ceil(lengths.max(initial=0.0) / SPACING)) + 1)
        parts = np.linspace(0.0, 1.0, steps)[:, None, None]
        clearance = self.raster.at(starts + parts * (ends - starts))
        return lengths * self.price(clearance).mean(0), clearance.min(0) >= self.radius - 1e-3


def _shifted(padded: NDArray[np.int_], move: tuple[int, int]) -> NDArray[np.int_]:
    """The entries ``move`` cells away, of an array padded by two."""
    i, j = 2 + move[0], 2 + move[1]
    return padded[i : i + padded.shape[0] - 4, j : j + padded.shape[1] - 4]


def _dense(way: Array) -> Array:
    """The same way with a point at least every cell, its corners kept."""
    parts = [
        np.linspace(a, b, max(1, int(np.ceil(np.hypot(*(b - a)) / CELL))), endpoint=False)
        for a, b in pairwise(way)
    ]
    return np.concatenate((*parts, way[-1:]))
