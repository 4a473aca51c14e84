"""When an episode has reached its goal: one class per rule, looked at after every control step.

MolmoSpaces' rules (``allenai/molmospaces``, its tasks and success configuration), SPOC's where
``strict`` says so. Every goal knows its sub-goals, in order, and a dense reward in 0..1.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping

import numpy as np

from envs.mjthor.episodes import Episode
from envs.mjthor.world import World

NEAR, SPOC_NEAR = 1.5, 2.0  # metres from base to object
LIFT = 0.01  # metres
OPEN = 0.67  # of the travel (RB-Y1 data generation)
MOVED, TILTED = 0.10, np.radians(45.0)  # what placing may do to a receptacle


class Goal(ABC):
    """The goal of one episode in one world; ``spoc`` chooses SPOC's rule where it has one.

    ``memory``: float64 (D,), what the goal remembers of the episode, part of the state.
    """

    def __init__(self, world: World, episode: Episode, spoc: bool) -> None:
        self.world, self.episode, self.spoc = world, episode, spoc
        self.memory = np.zeros(0)

    @abstractmethod
    def reached(self) -> bool:
        """Whether the rule holds now."""

    def reward(self, reached: bool) -> float:
        """By default 1 where the rule holds, which the caller has just asked."""
        return float(reached)

    def subgoals(self) -> Mapping[str, bool]:
        """Name -> whether it holds (or was passed), in order."""
        return {"reached": self.reached()}

    @abstractmethod
    def place(self) -> np.ndarray:
        """float64 (3,): where in the house to go next."""


class SeeNear(Goal):
    """The base is near the nearest instance of an object and the head camera sees it."""

    def _nearest(self) -> tuple[float, str]:
        base = self.world.robot.base_pose[:2]
        gaps = (
            (float(np.linalg.norm(self.world.position(name)[:2] - base)), name)
            for name in self.episode.instances
        )
        return min(gaps)

    def reached(self) -> bool:
        gap, name = self._nearest()
        near = gap < (SPOC_NEAR if self.spoc else NEAR)
        return near and self.world.sees(self.world.things[name])

    def place(self) -> np.ndarray:
        return self.world.position(self._nearest()[1])

    def reward(self, reached: bool) -> float:
        gap, name = self._nearest()
        near = SPOC_NEAR if self.spoc else NEAR
        sees = gap < near and self.world.sees(self.world.things[name])
        return 1.0 - gap / near if sees else 0.0


class Lifted(Goal):
    """The target is off its support and touches only the robot; SPOC: is between the fingers."""

    def reached(self) -> bool:
        target = self.episode.target
        if self.spoc:
            return self.world.held(target)
        rise = self.world.position(target)[2] - self.world.things[target].position[2]
        return bool(rise >= LIFT) and self.world.touching(target) == {self.world.robot.root}

    def place(self) -> np.ndarray:
        return self.world.middle(self.episode.target)


class Placed(Goal):
    """The target is carried by the receptacle, let go, and the receptacle stayed where it was."""

    def __init__(self, world: World, episode: Episode, spoc: bool) -> None:
        super().__init__(world, episode, spoc)
        self.memory = np.zeros(1)  # whether the target was ever held

    def reached(self) -> bool:
        if not self.memory[0]:
            self.memory[0] = self.world.held(self.episode.target)
        return self._in_place()

    def _in_place(self) -> bool:
        world, target, goal = self.world, self.episode.target, self.episode.goal
        start = np.array(world.things[goal].position)
        if np.linalg.norm(world.position(goal) - start) > MOVED or world.tilt(goal) > TILTED:
            return False
        return not world.touched_by_robot(target) and rests_on(world, target, goal)

    def place(self) -> np.ndarray:
        return self.world.middle(self.episode.goal)

    def reward(self, reached: bool) -> float:
        apart = self.world.middle(self.episode.target) - self.world.middle(self.episode.goal)
        return float(np.exp(-np.linalg.norm(apart)))

    def subgoals(self) -> Mapping[str, bool]:
        return {"held": bool(self.memory[0]), "placed": self._in_place()}


class Opened(Goal):
    """An opening of a piece of furniture, or a door, is open: the furthest of several counts."""

    def _share(self) -> float:
        return max(self.world.opened(name) for name in self.episode.openings)

    def reached(self) -> bool:
        return self._share() >= OPEN

    def place(self) -> np.ndarray:
        return self.world.handle(self.episode.openings[0])

    def reward(self, reached: bool) -> float:
        return float(np.clip(self._share(), 0.0, 1.0))


class AllRooms(Goal):
    """The base was inside every room."""

    def __init__(self, world: World, episode: Episode, spoc: bool) -> None:
        super().__init__(world, episode, spoc)
        self.memory = np.zeros(len(world.house.rooms))

    def reached(self) -> bool:
        x, y, _ = self.world.robot.base_pose
        for i, room in enumerate(self.world.house.rooms):
            if room.holds((x, y)):
                self.memory[i] = 1.0
        return bool(self.memory.all())

    def reward(self, reached: bool) -> float:
        return float(self.memory.mean())

    def subgoals(self) -> Mapping[str, bool]:
        rooms = self.world.house.rooms
        return {room.name: bool(seen) for room, seen in zip(rooms, self.memory, strict=True)}

    def place(self) -> np.ndarray:
        """The middle of the nearest room that is left, by the straight line."""
        middles = [np.add(room.low, room.high) / 2 for room in self.world.house.rooms]
        base = self.world.robot.base_pose[:2]
        gaps = [
            np.linalg.norm(m - base) + 1e6 * s for m, s in zip(middles, self.memory, strict=True)
        ]
        return np.array([*middles[int(np.argmin(gaps))], 0.0])


class Tidied(Goal):
    """A chain: be in the room, open, take, bring back, place. A sub-goal passed stays passed, and
    only the first that is not passed can be."""

    _STAGES = ("room", "opened", "taken", "brought", "placed")

    def __init__(self, world: World, episode: Episode, spoc: bool) -> None:
        super().__init__(world, episode, spoc)
        self.memory = np.zeros(1)

    @property
    def _passed(self) -> int:
        return int(self.memory[0])

    def _holds(self, stage: str) -> bool:
        world, episode = self.world, self.episode
        x, y, _ = world.robot.base_pose
        here = world.house.room_at((x, y))
        room = here.name if here else ""
        if stage == "room":
            return room == episode.room
        if stage == "opened":
            return max(world.opened(name) for name in episode.openings) >= OPEN
        if stage == "taken":
            return world.touching(episode.target) == {world.robot.root}
        if stage == "brought":
            return room == episode.home and world.held(episode.target)
        released = not world.touched_by_robot(episode.target)
        return released and rests_on(world, episode.target, episode.goal)

    def reached(self) -> bool:
        if self._passed < len(self._STAGES) and self._holds(self._STAGES[self._passed]):
            self.memory[0] += 1
        return self._passed == len(self._STAGES)

    def reward(self, reached: bool) -> float:
        return self._passed / len(self._STAGES)

    def subgoals(self) -> Mapping[str, bool]:
        return {stage: i < self._passed for i, stage in enumerate(self._STAGES)}

    def place(self) -> np.ndarray:
        """The opening, then the target, then where it goes."""
        if self._passed < 2:
            return self.world.handle(self.episode.openings[0])
        carried = self._passed > 2
        return self.world.middle(self.episode.goal if carried else self.episode.target)


GOALS: Mapping[str, type[Goal]] = {
    "nav_to_object": SeeNear,
    "pick": Lifted,
    "pick_and_place": Placed,
    "open_drawer": Opened,
    "open_door": Opened,
    "fetch": Lifted,
    "room_visit": AllRooms,
    "tidy": Tidied,
}


def rests_on(world: World, target: str, goal: str) -> bool:
    """Whether a receptacle carries half of a thing's weight; of a thing that sleeps, which has no
    contacts to ask, whether it stands within the receptacle's box."""
    if world.carried_by(target, goal) >= 0.5:
        return True
    return world.asleep(target) and world.inside(target, goal)
