"""One script per task: what the expert does, motion by motion."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from envs.mjthor.episodes import Episode
from envs.mjthor.expert.grasps import approach_thing
from envs.mjthor.expert.motions import Actions, Motions, OutOfReach
from envs.mjthor.stand import stand_poses, view_poses

_LIFT = 0.12  # metres
_AHEAD, _LATERAL = (0.60, 0.55, 0.65, 0.50), -0.25  # of what is grasped, in the robot's frame
_VIEW = 8  # poses to look from that are tried


def nav_to_object(motions: Motions, episode: Episode) -> Actions:
    """To the nearest instance, facing it."""
    base = motions.robot.base_pose[:2]
    places = [motions.world.position(name) for name in episode.instances]
    for place in sorted(places, key=lambda p: motions.space.distance(tuple(base), tuple(p[:2]))):
        poses = view_poses(motions.space, (place[0], place[1]))[:_VIEW]
        if len(poses):
            motions.watched = place
            yield from motions.drive(poses[0])
            yield from motions.wait(10)
            return
    raise OutOfReach("no pose from which an instance is seen")


def pick(motions: Motions, episode: Episode) -> Actions:
    """Take it from where the base stands, or drive to where it can be taken."""
    target = episode.target
    motions.watched = motions.world.middle(target)
    try:
        grasp = approach_thing(motions, target)
    except OutOfReach:
        yield from stand_before(motions, target)
        grasp = approach_thing(motions, target)
    yield from motions.reach(grasp.before, opening=1.0)
    yield from motions.reach(grasp.at)
    yield from motions.grip(0.0)
    yield from motions.line((0.0, 0.0, _LIFT))
    yield from motions.wait(5)
    if not motions.world.held(target):
        yield from motions.grip(1.0)
        yield from motions.line((0.0, 0.0, 0.10))
        yield from motions.rest()


def stand_before(motions: Motions, thing: str) -> Actions:
    """Drive to where the right arm reaches a thing."""
    support = motions.support_of(thing)
    place = motions.world.position(thing)
    for ahead in _AHEAD:
        poses = stand_poses(
            motions.space, (place[0], place[1]), support.sides, ahead=ahead, lateral=_LATERAL
        )
        if len(poses):
            yield from motions.rest()
            yield from motions.drive(poses[0])
            return
    raise OutOfReach(f"no place to stand before {thing}")


def room_visit(motions: Motions, episode: Episode) -> Actions:
    """The nearest room first."""
    del episode
    left = list(motions.world.house.rooms)
    while left:
        x, y, _ = motions.robot.base_pose
        middles = [(float(a), float(b)) for a, b in (np.add(r.low, r.high) / 2 for r in left)]
        ways = [motions.space.distance((x, y), middle) for middle in middles]
        nearest = int(np.argmin(ways))
        room = left.pop(nearest)
        if not room.holds((x, y)):
            yield from motions.drive((*middles[nearest], 0.0), turn=False)


def fetch(motions: Motions, episode: Episode) -> Actions:
    """Drive to it, then take it."""
    motions.watched = motions.world.middle(episode.target)
    yield from stand_before(motions, episode.target)
    yield from pick(motions, episode)


SCRIPTS: Mapping[str, Callable[[Motions, Episode], Actions]] = {
    "nav_to_object": nav_to_object,
    "pick": pick,
    "fetch": fetch,
    "room_visit": room_visit,
}
