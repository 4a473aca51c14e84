"""One script per task: what the expert does, motion by motion."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from envs.mjthor.episodes import Episode
from envs.mjthor.expert.arm import arm, grasp_axes
from envs.mjthor.expert.grasps import Approach, approach_handle, approach_thing
from envs.mjthor.expert.motions import Actions, Motions, OutOfReach
from envs.mjthor.expert.places import place_over, stand_at_handle, stand_to_put, stand_to_take
from envs.mjthor.expert.swing import swing
from envs.mjthor.goals import OPEN
from envs.mjthor.stand import view_poses

_LIFT = 0.12  # metres
_PULLED = 0.27  # metres that a drawer is drawn out
_DOOR, _FRIDGE = 0.8, 0.97  # how far they are pulled open
_PULLS = 3  # at a fridge that does not open at once
_BACK_OFF = 0.15  # metres from an opened leaf


def nav_to_object(motions: Motions, episode: Episode) -> Actions:
    """To the nearest instance, facing it."""
    space = motions.scene.space
    x, y, _ = motions.robot.base_pose
    places = [motions.world.position(name) for name in episode.instances]
    for place in sorted(places, key=lambda p: space.distance((x, y), (p[0], p[1]))):
        poses = view_poses(space, (place[0], place[1]))
        if len(poses):
            motions.watched = place
            yield from motions.drive(poses[0])
            yield from motions.wait(10)
            return
    raise OutOfReach("no pose from which an instance is seen")


def pick(motions: Motions, episode: Episode) -> Actions:
    """Take it from where the base stands, or drive to where it can be taken."""
    target, scene = episode.target, motions.scene
    motions.watched = motions.world.middle(target)
    try:
        grasp = approach_thing(scene, target)
    except OutOfReach:
        pose = stand_to_take(scene, target)
        yield from motions.rest()
        yield from motions.drive(pose)
        grasp = approach_thing(scene, target)
    yield from take(motions, grasp)
    yield from motions.line((0.0, 0.0, _LIFT))
    yield from motions.wait(3)
    if not motions.world.held(target):
        yield from motions.grip(1.0)
        yield from motions.line((0.0, 0.0, 0.10))
        yield from motions.rest()


def take(motions: Motions, grasp: Approach) -> Actions:
    """Go in with the open hand and close it."""
    yield from motions.reach(grasp.before, opening=1.0)
    yield from motions.along(grasp.way)
    yield from motions.grip(0.0)


def take_handle(motions: Motions, name: str) -> Actions:
    """Take a handle from where the base stands, or drive to where it can be taken."""
    motions.watched = motions.world.handle(name).copy()
    try:
        grasp = approach_handle(motions.scene, name)
    except OutOfReach:
        pose = stand_at_handle(motions.scene, name)
        yield from motions.rest()
        yield from motions.drive(pose)
        grasp = approach_handle(motions.scene, name)
    yield from take(motions, grasp)


def pick_and_place(motions: Motions, episode: Episode) -> Actions:
    """Take it, bring it over the receptacle, sliding along the furniture where need be, let go."""
    if not motions.world.held(episode.target):
        yield from pick(motions, episode)
    yield from put(motions, episode.target, episode.goal)


def put(motions: Motions, thing: str, receptacle: str) -> Actions:
    """Put what is in the hand into or onto a receptacle, wherever that is."""
    if not motions.world.held(thing):
        raise OutOfReach(f"{thing} is not in the hand")
    scene = motions.scene
    motions.watched = motions.world.middle(receptacle)
    try:
        over = place_over(scene, thing, receptacle)
    except OutOfReach:
        pose = stand_to_put(scene, thing, receptacle)
        if not scene.straight(pose, (thing,)):
            yield from motions.carry()
        yield from motions.drive(pose)
        over = place_over(scene, thing, receptacle)
    yield from motions.reach(over.before)
    yield from motions.along(over.way)
    yield from motions.grip(1.0)
    yield from motions.along(over.way[::-1])
    yield from motions.wait(5)


def open_drawer(motions: Motions, episode: Episode) -> Actions:
    """Take the highest handle and back away with it."""
    drawer = max(episode.openings, key=lambda name: motions.world.handle(name)[2])
    yield from take_handle(motions, drawer)
    yield from motions.slide(-_PULLED)
    yield from motions.wait(10)
    yield from motions.grip(1.0)
    yield from motions.slide(-0.1)


def open_door(motions: Motions, episode: Episode) -> Actions:
    """Push it by driving through, fist ahead; or pull it by its handle."""
    door = motions.world.doors[episode.openings[0]]
    x, y, _ = motions.robot.base_pose
    here = motions.world.house.room_at((float(x), float(y)))
    if here is not None and here.name == door.swings_into:
        yield from pull(motions, door.name, _DOOR)
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


def pull(motions: Motions, name: str, share: float) -> Actions:
    """Take the handle of a hinged leaf and back away along its arc."""
    yield from take_handle(motions, name)
    yield from swing(motions, name, share)
    yield from motions.grip(1.0)
    yield from motions.slide(-_BACK_OFF)
    yield from motions.rest()


def room_visit(motions: Motions, episode: Episode) -> Actions:
    """The nearest room first."""
    del episode
    left = list(motions.world.house.rooms)
    while left:
        x, y, _ = motions.robot.base_pose
        middles = [(float(a), float(b)) for a, b in (np.add(r.low, r.high) / 2 for r in left)]
        ways = [motions.scene.space.distance((x, y), middle) for middle in middles]
        nearest = int(np.argmin(ways))
        room = left.pop(nearest)
        if not room.holds((x, y)):
            yield from motions.visit(middles[nearest])


def fetch(motions: Motions, episode: Episode) -> Actions:
    """Drive to it, then take it."""
    motions.watched = motions.world.middle(episode.target)
    pose = stand_to_take(motions.scene, episode.target)
    yield from motions.rest()
    yield from motions.drive(pose)
    yield from pick(motions, episode)


def tidy(motions: Motions, episode: Episode) -> Actions:
    """Open the fridge, take it out, bring it home, put it down; from where it was left off."""
    fridge, target = episode.openings[0], episode.target
    if not motions.world.held(target):
        for _ in range(_PULLS):
            if motions.world.opened(fridge) >= OPEN:
                break
            yield from motions.rest()
            yield from motions.drive(stand_at_handle(motions.scene, fridge))
            yield from pull(motions, fridge, _FRIDGE)
        yield from fetch(motions, episode)
        yield from motions.slide(-0.35)
    yield from put(motions, target, episode.goal)


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
