"""What an episode is: drawn from a house and a random stream, so that it can be done.

Start distances are MolmoSpaces' (RB-Y1). One differs: its robot starts with its base within 0.5 m
of what it takes, whereas this one's base, 0.35 m long in front, stands before the furniture; its
start is where the right arm reaches, 0.5 to 0.7 m before the target, give or take.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from envs.mjthor.house.facts import House, Thing
from envs.mjthor.house.free_space import FreeSpace
from envs.mjthor.robot import ARM_NOISE, HEAD_NOISE, REST_ARM, REST_HEAD
from envs.mjthor.setting import Pose, Setting, name_of
from envs.mjthor.tasks import HEAD_HIGH, HEAD_LOW

INSTANCES = 6  # at most, of a category that is searched for
NAVIGATION = (4.0, 20.0)  # metres to go
TOGETHER = (0.15, 0.5)  # metres between a thing and its receptacle
DEEPER = 0.12  # metres that a receptacle may stand further from the edge, or nearer to it
DRAWER, DOOR = (0.55, 0.9), (1.0, 1.5)  # metres from base to handle
HANDLE_ASIDE, DOOR_ASIDE = (0.1, 0.4), (-0.2, 0.2)  # metres from there to the base's left


@dataclass(frozen=True)
class Episode:
    """``target``: a thing, where the episode is about one; ``instances``: every thing that counts;
    ``goal``: the receptacle; ``openings``: joints of which one has to be open; ``doors``: how far
    each door is open at the start; ``room``: where to go first; ``home``: where to bring it."""

    start: Pose
    instruction: str
    target: str = ""
    instances: tuple[str, ...] = ()
    goal: str = ""
    openings: tuple[str, ...] = ()
    doors: Mapping[str, float] = field(default_factory=dict)
    room: str = ""
    home: str = ""
    head: tuple[float, ...] = REST_HEAD
    arm: tuple[float, ...] = REST_ARM


def draw(task: str, house: House, rng: np.random.Generator) -> Episode:
    """An episode of a task in a house; doors are open unless the task is about one.

    Raises ``SimulationError`` where the house offers none.
    """
    episode = _DRAW[task](Setting(task, house, rng))
    head = np.clip(REST_HEAD + rng.uniform(-1, 1, 2) * HEAD_NOISE, HEAD_LOW, HEAD_HIGH)
    arm = REST_ARM + rng.uniform(-1, 1, 7) * ARM_NOISE
    doors = {door.name: 1.0 for door in house.doors} | dict(episode.doors)
    return replace(episode, doors=doors, head=tuple(head), arm=tuple(arm))


def _nav_to_object(scene: Setting) -> Episode:
    categories = Counter(thing.category for thing in scene.house.things)
    rare = sorted(c for c, count in categories.items() if count <= INSTANCES)
    for category in scene.shuffled(rare):
        things = [t for t in scene.house.things if t.category == category]
        if any(scene.support(t).opening for t in things):
            continue
        starts = scene.away([t.position[:2] for t in things], *NAVIGATION)
        if starts:
            several = len(things) > 1
            said = scene.say(int(several), target=category, count=len(things))
            names = tuple(t.name for t in things)
            return Episode(starts[0], said, target=names[0], instances=names)
    raise scene.nothing("object that is far enough away")


def _pick(scene: Setting) -> Episode:
    for thing in scene.graspable():
        for start in scene.stands(thing)[:1]:
            return Episode(start, scene.say(target=name_of(thing)), target=thing.name)
    raise scene.nothing("thing within reach")


def _pick_and_place(scene: Setting) -> Episode:
    for thing in scene.graspable():
        for start in scene.stands(thing)[:1]:
            for receptacle in scene.shuffled(_beside(scene, thing, start)):
                said = scene.say(target=name_of(thing), goal=name_of(receptacle))
                return Episode(start, said, target=thing.name, goal=receptacle.name)
    raise scene.nothing("thing beside a receptacle")


def _beside(scene: Setting, thing: Thing, start: Pose) -> list[Thing]:
    """Receptacles near a thing that the arm reaches from the same side of the furniture, if the
    base slides along it."""
    found = []
    for other in scene.receptacles():
        apart = np.subtract(other.position, thing.position)
        ahead = apart[0] * np.cos(start[2]) + apart[1] * np.sin(start[2])
        near = TOGETHER[0] <= np.linalg.norm(apart) <= TOGETHER[1] and abs(ahead) <= DEEPER
        if other.support == thing.support and near:
            found.append(other)
    return found


def _open_drawer(scene: Setting) -> Episode:
    drawers = [o for o in scene.house.openings if o.kind == "drawer"]
    for drawer in scene.shuffled(drawers):
        # The handle is to be on the robot's right.
        place = np.array(drawer.handle[:2])
        start = scene.before(scene.space, place, drawer.axis, DRAWER, HANDLE_ASIDE)
        if start is not None:
            piece = next(f for f in scene.house.furniture if f.name == drawer.furniture)
            same = tuple(o.name for o in drawers if o.furniture == drawer.furniture)
            said = scene.say(target=f"{piece.colour} {piece.category}")
            return Episode(start, said, openings=same)
    raise scene.nothing("drawer within reach")


def _open_door(scene: Setting) -> Episode:
    for door in scene.shuffled(list(scene.house.doors)):
        space = FreeSpace(scene.house, {door.name: 0.0})
        middle = np.add(door.hinge, door.latch) / 2
        x, y = np.subtract(door.latch, door.hinge) / np.linalg.norm(
            door.latch - np.array(door.hinge)
        )
        for out in scene.shuffled([(-y, x), (y, -x)]):
            start = scene.before(space, middle, out, DOOR, DOOR_ASIDE)
            if start is not None:
                room = scene.house.room_at(start[:2])
                said = scene.say(int(room is not None and room.name == door.swings_into))
                return Episode(start, said, openings=(door.name,), doors={door.name: 0.0})
    raise scene.nothing("door with room before it")


def _fetch(scene: Setting) -> Episode:
    for thing in scene.graspable():
        elsewhere = [r.name for r in scene.house.rooms if r.name != scene.room(thing)]
        if not scene.stands(thing):
            continue
        for room in scene.shuffled(elsewhere):
            for start in scene.anywhere(room)[:1]:
                return Episode(start, scene.say(target=name_of(thing)), target=thing.name)
    raise scene.nothing("thing in another room")


def _room_visit(scene: Setting) -> Episode:
    return Episode(scene.anywhere()[0], scene.say())


def _tidy(scene: Setting) -> Episode:
    fridges = [o for o in scene.house.openings if o.kind == "door"]
    for fridge in scene.shuffled(fridges):
        kept = {s.name: s for s in scene.house.supports if s.opening == fridge.name}
        inside = [t for t in scene.house.things if t.support in kept and t.grasp]
        for thing in scene.shuffled(inside):
            for goal in scene.shuffled(scene.receptacles()):
                home, support = scene.room(goal), scene.support(goal)
                if home == kept[thing.support].room or support.opening:
                    continue
                starts = scene.anywhere(home)
                if not starts or not scene.stands(goal):
                    continue
                return Episode(
                    starts[0],
                    scene.say(target=name_of(thing), opening="fridge", goal=name_of(goal)),
                    target=thing.name,
                    goal=goal.name,
                    openings=(fridge.name,),
                    room=kept[thing.support].room,
                    home=home,
                )
    raise scene.nothing("thing in a fridge and receptacle in another room")


_DRAW: Mapping[str, Callable[[Setting], Episode]] = {
    "nav_to_object": _nav_to_object,
    "pick": _pick,
    "pick_and_place": _pick_and_place,
    "open_drawer": _open_drawer,
    "open_door": _open_door,
    "fetch": _fetch,
    "room_visit": _room_visit,
    "tidy": _tidy,
}
