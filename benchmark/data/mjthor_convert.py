"""The arrays of one MolmoSpaces trajectory as our task has them: actions and observations.

The 13 numbers of our action are taken group by group, so files with other groups need no reader of
their own. Files of 12 numbers command no head: it stays where it is measured, or at upstream's
(0, 0.6). A group that a row leaves out is held: a displacement is zero, a position the last one
commanded, and before that the measured one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import h5py
import numpy as np

from benchmark.data import mjthor_read as read
from benchmark.data.mjthor_layout import Trajectory
from benchmark.data.mjthor_modes import FROM_TARGET, Modes, convert, modes_of, own_modes
from benchmark.data.mjthor_read import Rows
from benchmark.data.mjthor_write import BASE_VELOCITY
from benchmark.data.rows import Array
from envs.schema import ActionSpec, ManigymError, TaskCard

ROUNDING = 1e-6  # of a group's unit: how far beyond a limit is no mistake
RELATIVE = ("robot_delta", "world_delta", "delta")
POSITIONS = ("absolute", "opening")
LAST_ACTION = "last_action"
Outside = Literal["refuse", "clip"]


def modes_for(rows: Rows, spec: ActionSpec, asked: Modes, known: Modes) -> dict[str, str]:
    """The mode of every group; one that no row commands needs none."""
    idle = {g: m for g, m in own_modes(spec).items() if not any(g in row for row in rows.commands)}
    return modes_of(spec, asked, {**idle, **known})


def actions(rows: Rows, spec: ActionSpec, modes: Modes, outside: Outside) -> tuple[Array, int]:
    """float32 (T, A) in [-1, 1], and how many numbers had to be cut to get there."""
    own = own_modes(spec)
    parts = []
    for group in spec.groups:
        seen = read.measured(rows, group)
        said, held = read.commanded(rows, group)
        mode = modes[group.name]
        if held.any():
            # A joint may be measured a little outside its limits, and is told to stay inside.
            limited = own[group.name] in POSITIONS
            rest = np.clip(seen, group.low, group.high) if limited else seen
            said = _held(said, held, FROM_TARGET[mode](rest, seen), mode)
        parts.append(convert(said, seen, mode, own[group.name]))
    physical = np.concatenate(parts, axis=1)
    cut = (physical < spec.low - ROUNDING) | (physical > spec.high + ROUNDING)
    if cut.any() and outside == "refuse":
        _refuse(physical, cut, spec, rows.where)
    return np.clip(spec.from_physical(physical), -1, 1), int(cut.sum())


def proprio(rows: Rows, task: TaskCard, action: Array) -> Array:
    """float32 (T, P) by the groups of the card."""
    groups = {group.name: group for group in task.action.groups}
    base = next((g for g in task.action.groups if g.mode == "base_displacement"), None)
    parts = []
    for name, size in ((group.name, group.size) for group in task.proprio):
        if name in groups and groups[name] is not base:
            parts.append(read.measured(rows, groups[name]))
        elif name == BASE_VELOCITY and base is not None:
            yaw = read.measured(rows, base)[:, 2]
            parts.append(read.base_velocity(rows, yaw, base.name))
        elif name == LAST_ACTION and size == action.shape[1]:
            parts.append(np.concatenate([np.zeros_like(action[:1]), action[:-1]]))
        else:
            raise ManigymError(
                f"{rows.where}: MolmoSpaces' files hold no {name!r} ({size} numbers), which the "
                f"proprio of {task.id} has; they hold joints, openings, {BASE_VELOCITY!r} and "
                f"{LAST_ACTION!r}"
            )
    return np.concatenate(parts, axis=1).astype(np.float32)


def read_arrays(
    group: h5py.Group,
    where: Trajectory,
    task: TaskCard,
    keys: Sequence[str],
    modes: tuple[Modes, Modes],
    outside: Outside,
) -> tuple[dict[str, Array], int]:
    """Everything but pictures; ``modes``: what was asked for, and what the file says."""
    rows = read.read_rows(group, where)
    action, cut = actions(rows, task.action, modes_for(rows, task.action, *modes), outside)
    arrays = {"action": action}
    if "rewards" in group:
        rewards = read.flags(group, "rewards", where)[1 : len(action) + 1]
        arrays["reward"] = np.asarray(rewards, np.float32)
    if "proprio" in keys:
        arrays["obs/proprio"] = proprio(rows, task, action)
    if "state" in keys:
        size = sum(entry.size for entry in task.state)
        arrays["obs/state"] = read.state(group, size, len(action), where)
    return arrays, cut


def _held(said: Array, held: Array, rest: Array, mode: str) -> Array:
    """``said`` with the rows that leave the group out; ``rest``: what keeps it where it is."""
    if mode in RELATIVE or held.all():
        return np.where(held[:, None], rest, said)
    last = np.maximum.accumulate(np.where(held, -1, np.arange(len(held))))
    return np.where((last >= 0)[:, None], said[last], rest)


def _refuse(physical: Array, cut: Array, spec: ActionSpec, where: str) -> None:
    step, column = np.argwhere(cut)[0].tolist()
    label = [f"{g.name} {name}" for g in spec.groups for name in g.labels][column]
    reach = f"{spec.low[column]:g} to {spec.high[column]:g}"
    raise ManigymError(
        f"{where}: the action of state {step} has {label} = {physical[step, column]:g}, the task's "
        f"actions reach from {reach} ({int(cut.sum())} numbers of this episode are outside). Wrong "
        "--modes are the usual reason; --clip cuts them"
    )
