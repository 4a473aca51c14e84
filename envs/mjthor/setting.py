"""A house while an episode is drawn in it: where the robot can start, what it can take."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from envs.mjthor.house.facts import House, Point, Support, Thing
from envs.mjthor.house.free_space import FreeSpace
from envs.mjthor.house.ground import approaches
from envs.mjthor.stand import stand_poses, start_poses
from envs.mjthor.tasks import sentences
from envs.schema import SimulationError

Array = NDArray[np.float64]
Pose = tuple[float, float, float]
Span = tuple[float, float]
REACH, LATERAL = (0.5, 0.7), (-0.32, -0.18)  # of the target, in the robot's frame
TURNED = 0.1  # rad, half width
TRIES = 40  # poses that are drawn for one start


class Setting:
    """One house, one task, one random stream."""

    def __init__(self, task: str, house: House, rng: np.random.Generator) -> None:
        self.task, self.house, self.rng = task, house, rng
        self.space = FreeSpace(house)
        self.supports = {support.name: support for support in house.supports}

    def shuffled(self, items: list) -> list:
        """In random order."""
        return [items[i] for i in self.rng.permutation(len(items))]

    def support(self, thing: Thing) -> Support:
        """What a thing stands on."""
        return self.supports[thing.support]

    def room(self, thing: Thing) -> str:
        """The room that a thing is in."""
        return self.support(thing).room

    def _unique(self) -> list[Thing]:
        """Things that no other has the name of."""
        names = Counter(name_of(thing) for thing in self.house.things)
        return [thing for thing in self.house.things if names[name_of(thing)] == 1]

    def graspable(self) -> list[Thing]:
        """Things in the open that can be taken and that no other has the name of, shuffled."""
        taken = [t for t in self._unique() if t.grasp and not self.support(t).opening]
        return self.shuffled(taken)

    def receptacles(self) -> list[Thing]:
        """Receptacles that no other thing has the name of."""
        return [thing for thing in self._unique() if thing.receptacle]

    def stands(self, thing: Thing) -> list[Pose]:
        """Where the right arm takes a thing, best first, base turned a little; from the sides of
        its support that it is near to and that it faces."""
        sides = [(-np.cos(yaw), -np.sin(yaw)) for _, _, yaw in approaches(self.house, thing)]
        if not sides:
            return []
        ahead, lateral = self.rng.uniform(*REACH), self.rng.uniform(*LATERAL)
        place = (thing.position[0], thing.position[1])
        poses = stand_poses(self.space, place, sides, ahead=ahead, lateral=lateral)
        turned = poses + np.array((0.0, 0.0, self.rng.uniform(-TURNED, TURNED)))
        free = self.space.rectangles_free(turned)
        return _poses(turned[free] if free.any() else poses)

    def before(
        self,
        space: FreeSpace,
        place: Array,
        out: Sequence[float],
        away: Span,
        aside: Span,
    ) -> Pose | None:
        """A free pose that faces ``place`` from the direction ``out``, about ``away`` metres off
        and ``aside`` metres to its left, the base turned a little."""
        yaw = np.arctan2(-out[1], -out[0])
        left = np.array([-np.sin(yaw), np.cos(yaw)])
        for _ in range(TRIES):
            x, y = place + self.rng.uniform(*away) * np.array(out) + self.rng.uniform(*aside) * left
            pose = (float(x), float(y), float(yaw + self.rng.uniform(-TURNED, TURNED)))
            if space.rectangle_free(*pose):
                return pose
        return None

    def away(self, points: list[Point], low: float, high: float) -> list[Pose]:
        """Free poses from which the nearest of some points is ``low`` to ``high`` metres to go."""
        return _poses(start_poses(self.rng, self.space, points, low, high))

    def anywhere(self, room: str | None = None) -> list[Pose]:
        """Free poses of a room, or of the whole house."""
        return _poses(self.space.sample(self.rng, TRIES, room=room))

    def say(self, which: int = 0, **words: object) -> str:
        """One of the task's instructions with its words filled in."""
        return sentences(self.task)[which].format(**words)

    def nothing(self, what: str) -> SimulationError:
        """The error that the house has no episode of the task."""
        house = f"house {self.house.split}/{self.house.index}"
        return SimulationError(f"MJThor/{self.task}-v0: {house} has no {what}")


def name_of(thing: Thing) -> str:
    """``red mug``; an orange is an ``orange``."""
    same = thing.colour == thing.category
    return thing.category if same else f"{thing.colour} {thing.category}"


def _poses(rows: Array) -> list[Pose]:
    return [(float(x), float(y), float(yaw)) for x, y, yaw in rows]
