"""What success and rewards of the Adroit tasks are measured by, read from a running simulator."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

Measure = Callable[[Any], float]


def _sites(sim: Any, first: int, second: int) -> tuple[np.ndarray, np.ndarray]:
    return sim.data.site_xpos[first], sim.data.site_xpos[second]


def _pen_alignment(sim: Any) -> float:
    pen = np.subtract(*_sites(sim, sim.obj_t_site_id, sim.obj_b_site_id)) / sim.pen_length
    target = np.subtract(*_sites(sim, sim.tar_t_site_id, sim.tar_b_site_id)) / sim.tar_length
    return float(np.dot(pen, target))


def _object_distance(sim: Any, goal: int) -> float:
    return float(np.linalg.norm(sim.data.xpos[sim.obj_body_id] - sim.data.site_xpos[goal]))


# Task -> quantity of a goal condition -> its value, with upstream's arithmetic (same last bits).
MEASURES: Mapping[str, Mapping[str, Measure]] = {
    "door": {"hinge": lambda sim: float(sim.data.qpos[sim.door_hinge_addrs])},
    "hammer": {
        "nail": lambda sim: float(
            np.linalg.norm(np.subtract(*_sites(sim, sim.target_obj_site_id, sim.goal_site_id)))
        )
    },
    "pen": {
        "distance": lambda sim: _object_distance(sim, sim.eps_ball_site_id),
        "alignment": _pen_alignment,
    },
    "relocate": {"distance": lambda sim: _object_distance(sim, sim.target_obj_site_id)},
}
# Task -> palm and the thing it has to approach; Pen's reward has no such term.
APPROACHED: Mapping[str, Callable[[Any], tuple[np.ndarray, np.ndarray]]] = {
    "door": lambda sim: _sites(sim, sim.grasp_site_id, sim.handle_site_id),
    "hammer": lambda sim: (sim.data.site_xpos[sim.S_grasp_site_id], sim.data.xpos[sim.obj_body_id]),
    "relocate": lambda sim: (
        sim.data.site_xpos[sim.S_grasp_site_id],
        sim.data.xpos[sim.obj_body_id],
    ),
}
