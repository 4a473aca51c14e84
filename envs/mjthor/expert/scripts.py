"""One script per task: what the expert does, motion by motion."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from envs.mjthor.episodes import Episode
from envs.mjthor.expert.arm import arm, grasp_axes
from envs.mjthor.expert.grasps import Approach, approach_handle, approach_thing, place_over
from envs.mjthor.expert.motions import Actions, Motions, OutOfReach
from envs.mjthor.stand import stand_poses, view_poses

_LIFT = 0.12  # metres
_AHEAD, _LATERAL = (0.60, 0.55, 0.65, 0.50), -0.25  # of what is grasped, in the robot's frame
_AHEAD_OF_HANDLE = (0.55, 0.50, 0.60, 0.45, 0.65)
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


def stand_before(motions: Motions, thing: str, carrying: bool = False) -> Actions:
    """Drive to where the right arm reaches a thing; with something in the hand the arm stays as
    it is."""
    support = motions.support_of(thing)
    place = motions.world.position(thing)
    for ahead in _AHEAD:
        poses = stand_poses(
            motions.space, (place[0], place[1]), support.sides, ahead=ahead, lateral=_LATERAL
        )
        if len(poses):
            if not carrying:
                yield from motions.rest()
            yield from motions.drive(poses[0])
            return
    raise OutOfReach(f"no place to stand before {thing}")


def stand_at_handle(motions: Motions, name: str) -> Actions:
    """Drive to where the right arm reaches a handle, facing it squarely."""
    place, out = motions.world.handle(name), motions.outward(name)
    for ahead in _AHEAD_OF_HANDLE:
        poses = stand_poses(
            motions.space, (place[0], place[1]), [out], ahead=ahead, lateral=_LATERAL
        )
        if len(poses):
            yield from motions.rest()
            yield from motions.drive(poses[0])
            return
    raise OutOfReach(f"no place to stand before the handle of {name}")


def take_handle(motions: Motions, grasp: Approach) -> Actions:
    yield from motions.reach(grasp.before, opening=1.0)
    yield from motions.reach(grasp.at)
    yield from motions.grip(0.0)


def pick_and_place(motions: Motions, episode: Episode) -> Actions:
    """Take it, bring it over the receptacle, sliding along the furniture where need be, let go."""
    if not motions.world.held(episode.target):
        yield from pick(motions, episode)
    yield from put(motions, episode.target, episode.goal)


def put(motions: Motions, thing: str, receptacle: str) -> Actions:
    """Put what is in the hand into or onto a receptacle that is near."""
    if not motions.world.held(thing):
        raise OutOfReach(f"{thing} is not in the hand")
    motions.watched = motions.world.middle(receptacle)
    try:
        aside, over = place_over(motions, thing, receptacle)
    except OutOfReach:
        yield from motions.carry()
        yield from stand_before(motions, receptacle, carrying=True)
        aside, over = place_over(motions, thing, receptacle)
    if abs(aside) > 0.01:
        yield from motions.slide(0.0, aside)
        yield from motions.wait(5)
        over = place_over(motions, thing, receptacle)[1]
    yield from motions.reach(over.before)
    yield from motions.reach(over.at)
    yield from motions.grip(1.0)
    yield from motions.reach(over.before)
    yield from motions.wait(8)


def open_drawer(motions: Motions, episode: Episode) -> Actions:
    """Take the highest handle and back away with it."""
    drawer = max(episode.openings, key=lambda name: motions.world.handle(name)[2])
    motions.watched = motions.world.handle(drawer).copy()
    try:
        grasp = approach_handle(motions, drawer)
    except OutOfReach:
        yield from stand_at_handle(motions, drawer)
        grasp = approach_handle(motions, drawer)
    yield from take_handle(motions, grasp)
    yield from motions.slide(-0.27)
    yield from motions.wait(10)
    yield from motions.grip(1.0)
    yield from motions.slide(-0.1)


def open_door(motions: Motions, episode: Episode) -> Actions:
    """Push it by driving through, fist ahead; or pull it by its handle."""
    door = motions.world.doors[episode.openings[0]]
    x, y, _ = motions.robot.base_pose
    here = motions.world.house.room_at((float(x), float(y)))
    if here is not None and here.name == door.swings_into:
        yield from pull(motions, door.name, np.array(door.hinge), door.open_angle)
    else:
        yield from push(motions, door.name)


def push(motions: Motions, name: str) -> Actions:
    """Drive through the doorway against its closed leaf, the fist first."""
    door = motions.world.doors[name]
    along = np.subtract(door.latch, door.hinge)
    middle = np.add(door.hinge, door.latch) / 2
    ahead = np.array((-along[1], along[0])) / np.linalg.norm(along)
    ahead *= np.sign(np.dot(ahead, middle - motions.robot.base_pose[:2]))
    motions.watched = np.array((*middle, 1.0))
    yaw = float(np.arctan2(ahead[1], ahead[0]))
    yield from motions.straight_to((*(middle - 0.95 * ahead), yaw))
    fist = arm().solve(np.array((0.62, -0.12, 1.02)), grasp_axes(0.0, 0.0), motions.robot.arm)
    if fist is not None:
        yield from motions.reach(fist, opening=0.0)
    yield from motions.straight_to((*(middle + 0.45 * ahead), yaw))


def pull(
    motions: Motions, name: str, hinge: np.ndarray, full: float, share: float = 0.8
) -> Actions:
    """Take the handle of a hinged leaf and back away along its arc."""
    motions.watched = motions.world.handle(name).copy()
    try:
        grasp = approach_handle(motions, name)
    except OutOfReach:
        yield from stand_at_handle(motions, name)
        grasp = approach_handle(motions, name)
    yield from take_handle(motions, grasp)
    yield from motions.swing(hinge, full * (share - motions.world.opened(name)))
    yield from motions.grip(1.0)
    yield from motions.slide(-0.15)
    yield from motions.rest()


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


def tidy(motions: Motions, episode: Episode) -> Actions:
    """Open the fridge, take it out, bring it home, put it down; from where it was left off."""
    fridge = motions.world.openings[episode.openings[0]]
    if motions.world.opened(fridge.name) < 0.67:
        yield from motions.rest()
        yield from stand_at_handle(motions, fridge.name)
        yield from pull(motions, fridge.name, np.array(fridge.axis), fridge.travel, share=0.95)
    if not motions.world.held(episode.target):
        yield from fetch(motions, episode)
        yield from motions.slide(-0.35)
    yield from motions.carry()
    yield from stand_before(motions, episode.goal, carrying=True)
    yield from put(motions, episode.target, episode.goal)


SCRIPTS: Mapping[str, Callable[[Motions, Episode], Actions]] = {
    "nav_to_object": nav_to_object,
    "pick": pick,
    "pick_and_place": pick_and_place,
    "open_drawer": open_drawer,
    "open_door": open_door,
    "fetch": fetch,
    "room_visit": room_visit,
    "tidy": tidy,
}
