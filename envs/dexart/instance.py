"""One articulated object, of our own making or of upstream's: what a scene needs to know of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Instance:
    """An object that stands in front of the robot, and the joint of it that a task moves.

    ``urdf``: a file, or a URDF's text; collision shapes are boxes, spheres or meshes, and links
    without ``<inertial>`` weigh what their shapes' density makes. ``scale`` of all its lengths.
    ``place`` (3,): its root minus the robot's base, metres, before an episode's noise. The root's
    frame: z up, x away from the robot at yaw 0.

    ``joint``: the hinge that the task turns; its child link is the handle. ``closed`` and ``open``
    radians of that joint where the task begins and where it would be complete (upstream's ``left``
    and ``middle``; the faucet's are 0 and nothing). ``limits``: the joint's range where it is not
    the URDF's. ``body``: the link whose height says whether the bucket is lifted. ``ghosts``: links
    that do not collide with one another (a toilet's lid and its seat).
    """

    name: str
    urdf: Path | str
    joint: str
    place: tuple[float, float, float]
    closed: float = 0.0
    open: float = 0.0
    scale: float = 1.0
    limits: tuple[float, float] | None = None
    body: str = ""
    ghosts: tuple[str, ...] = ()
