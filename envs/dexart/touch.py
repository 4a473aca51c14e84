"""Which fingers touch what."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from envs.dexart.robot import ARM_LINKS, FINGERS, PALM, Robot
from envs.dexart.things import Thing
from envs.sapien.bodies import Contact

FIRM = 1e-2  # N s that a contact of one physics step must have


class Touch:
    """Which parts of the robot touch which parts of the object of an episode."""

    def __init__(self, thing: Thing, robot: Robot) -> None:
        self._groups = {name: i for i, links in enumerate(FINGERS.values()) for name in links}
        self._groups[PALM] = len(FINGERS)
        self._robot = {*self._groups, *ARM_LINKS}
        self._object = set(thing.articulation.links)
        self._handle, self._body = thing.handle.name, thing.body.name
        self._height = float(thing.body.pose.position[2])

    def of(self, contacts: Sequence[Contact]) -> tuple[np.ndarray, np.ndarray, int]:
        """bool (5,) thumb, index, middle, ring finger and palm on the handle; the same on the body;
        how many links of the arm touch the object."""
        handle, body = np.zeros(5, bool), np.zeros(5, bool)
        arm: set[str] = set()
        for contact in contacts:
            pair = (contact.first, contact.second)
            mine, other = pair if pair[0] in self._robot else pair[::-1]
            if mine not in self._robot or other not in self._object or contact.pressure < FIRM:
                continue
            group = self._groups.get(mine)
            if group is None:
                arm.add(mine)
                continue
            handle[group] |= other == self._handle
            body[group] |= other == self._body
        return handle, body, len(arm)

    def lift(self, thing: Thing) -> float:
        """Metres that the body is above where it started; never negative."""
        return max(float(thing.body.pose.position[2]) - self._height, 0.0)
