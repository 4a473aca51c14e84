"""AI2THOR: actions, episodes and success rules, against a stand-in for AI2-THOR."""

from __future__ import annotations

import math

import gymnasium as gym
import numpy as np
import pytest
from ai2thor_stand_in import GRASP, HEIGHT, SHOULDER, StandIn, play

from benchmark.data import spoc
from benchmark.engine.latency import LateExecutor, LatencySettings
from envs.ai2thor.env import AI2ThorEnv
from envs.ai2thor.scenes import KINDS, NUMBERS, candidates, draw_room, spoken
from envs.ai2thor.stretch import Stretch
from envs.ai2thor.tasks import ACTION, CARDS, LABELS, SENTENCES
from envs.schema import ManigymError, SimulationError
from envs.seeds import planned_seed

NAV, FETCH = CARDS


# ------------------------------------------------------------------ actions
ARM, BASE = {"returnToStart": True, "speed": 1}, {"returnToStart": False, "speed": 1}
CALLS = {  # of a robot with its arm at 0.5 m, reaching 0.2 m
    "m": {"action": "MoveAgent", "ahead": 0.2, **BASE},
    "b": {"action": "MoveAgent", "ahead": -0.2, **BASE},
    "l": {"action": "RotateAgent", "degrees": -30},
    "r": {"action": "RotateAgent", "degrees": 30},
    "ls": {"action": "RotateAgent", "degrees": -6},
    "rs": {"action": "RotateAgent", "degrees": 6},
    "yp": {"action": "MoveArm", "position": (0, 0.6, 0.2), **ARM},
    "ym": {"action": "MoveArm", "position": (0, 0.4, 0.2), **ARM},
    "yps": {"action": "MoveArm", "position": (0, 0.52, 0.2), **ARM},
    "yms": {"action": "MoveArm", "position": (0, 0.48, 0.2), **ARM},
    "zp": {"action": "MoveArm", "position": (0, 0.5, 0.3), **ARM},
    "zm": {"action": "MoveArm", "position": (0, 0.5, 0.1), **ARM},
    "zps": {"action": "MoveArm", "position": (0, 0.5, 0.22), **ARM},
    "zms": {"action": "MoveArm", "position": (0, 0.5, 0.18), **ARM},
    "wp": {"action": "RotateWristRelative", "yaw": -10, **ARM},
    "wm": {"action": "RotateWristRelative", "yaw": 10, **ARM},
    "p": {"action": "PickupObject"},
    "d": {"action": "ReleaseObject"},
}


@pytest.mark.parametrize("label", CALLS)
def test_an_action_is_the_call_that_spoc_makes(label):
    world = StandIn()
    robot = Stretch(world)
    robot.load("FloorPlan1", np.random.default_rng(0))
    world.lift, world.reach = 0.5, 0.2
    robot.event = world._event(True)
    world.calls.clear()
    robot.act(label)
    call = world.calls.pop(0)
    if "position" in call:
        call["position"] = tuple(pytest.approx(v) for v in call["position"].values())
    assert call == CALLS[label]
    settle = [{"action": "AdvancePhysicsStep", "simSeconds": 2.0}] if label == "d" else []
    assert world.calls == settle


def test_the_wrist_stops_at_its_limits():
    world = StandIn()
    robot = Stretch(world)
    robot.load("FloorPlan1", np.random.default_rng(0))
    for _ in range(9):
        robot.act("wm")
    assert robot.wrist_yaw() == 75.0
    world.wrist = 104.0  # the same as -256
    robot.event = world._event(True)
    robot.act("wp")
    assert robot.wrist_yaw() == pytest.approx(100.0)


def test_all_twenty_are_there_in_the_order_of_spocs_files():
    assert spoc.ACTIONS == LABELS and NAV.cameras == spoc.CAMERAS
    assert {*CALLS, "end", "sub_done"} == {*LABELS} and len(LABELS) == 20 == ACTION.size
    np.testing.assert_array_equal(spoc.one_hot(["zp"], "").argmax(1), [LABELS.index("zp")])


def test_the_largest_number_is_the_action(stand_ins):
    env = AI2ThorEnv(NAV)
    env.reset(seed=0)
    world = stand_ins[0]
    world.calls.clear()
    action = np.linspace(-0.9, -0.1, 20).astype(np.float32)
    action[LABELS.index("rs")] = 0.05
    env.step(action)
    env.step(np.zeros(20))  # of equals the first
    moved = [call for call in world.calls if call["action"] in ("RotateAgent", "MoveAgent")]
    assert moved == [CALLS["rs"], CALLS["m"]]
    world.calls.clear()
    play(env, "sub_done")
    assert {call["action"] for call in world.calls} <= {"GetVisibleObjects"}


def test_waiting_is_no_discrete_action():
    with pytest.raises(ManigymError, match="stretch takes one discrete action"):
        LateExecutor(4, 2, LatencySettings("1"), ACTION)


# ------------------------------------------------------------------ episodes
def test_a_target_may_vanish(stand_ins):
    env = AI2ThorEnv(NAV)
    env.reset(seed=1)
    stand_ins[0].things.pop(env._targets[0])
    observation, reward, *_ = play(env, "m")
    np.testing.assert_array_equal(observation["state"], [-1, 0, 0])
    assert reward == pytest.approx(-0.01)
    assert env.sim_state().shape == (14,)
    assert env.state_bytes() == env._physics().tobytes() != env.sim_state().tobytes()


def test_the_split_of_a_seed_says_which_rooms():
    rooms = {}
    for split in NUMBERS:
        seeds = [planned_seed(split, i) for i in range(400)]
        drawn = [draw_room(seed, np.random.default_rng(seed)) for seed in seeds]
        rooms[split] = {scene for _, scene in drawn}
        for kind, scene in drawn:
            number = int(scene.removeprefix("FloorPlan")) - KINDS[kind]
            assert number in NUMBERS[split]
    assert [len(found) for found in rooms.values()] == [80, 80, 20, 20]
    assert rooms["demonstrations"] == rooms["finetuning"]
    assert not rooms["demonstrations"] & rooms["validation"]
    assert not rooms["demonstrations"] & rooms["test"]
    assert not rooms["validation"] & rooms["test"]


def test_the_order_of_the_simulators_answer_decides_nothing(stand_ins, monkeypatch):
    env = AI2ThorEnv(NAV)
    starts = [env.reset(seed=seed)[0]["proprio"] for seed in range(3)]
    honest = StandIn._GetReachablePositions
    backwards = lambda self, gridSize: (True, honest(self, gridSize)[1][::-1])  # noqa: E731
    monkeypatch.setattr(StandIn, "_GetReachablePositions", backwards)
    np.testing.assert_array_equal([env.reset(seed=s)[0]["proprio"] for s in range(3)], starts)


def test_what_lies_in_something_that_opens_is_not_fetched():
    def thing(name, where=None, **kind):
        kind = {"openable": False, "pickupable": True} | kind
        return {"objectId": f"{name}|1", "objectType": name, "parentReceptacles": where, **kind}

    things = [
        thing("Fridge", openable=True, pickupable=False),
        thing("Egg", ["Fridge|1"]),
        thing("Mug", ["Table|1"]),
        thing("Bowl"),
    ]
    assert candidates("fetch", "kitchen", things) == ["Bowl", "Mug"]
    assert candidates("object_nav", "kitchen", things) == ["Bowl", "Fridge"]
    with pytest.raises(SimulationError, match="bedroom holds nothing"):
        candidates("object_nav", "bedroom", things)


def test_an_episode_starts_out_of_sight_and_names_its_target(stand_ins):
    seen = set()
    for card in CARDS:
        env = AI2ThorEnv(card, observations=("proprio", "state", "instruction"))
        for seed in range(12):
            observation, _ = env.reset(seed=seed)
            world = stand_ins[-1]
            kind = env._target
            assert observation["instruction"] == SENTENCES[card.task].format(target=spoken(kind))
            (place,) = [at for name, *at in world.things.values() if name == kind]
            position = (world.x, 0.9, world.z)
            distance, visible, held = observation["state"]
            assert distance == pytest.approx(math.dist(position, place), abs=1e-5)
            assert (visible, held) == (0, 0)
            assert observation["proprio"][[0, 2, 4]] == pytest.approx(
                [world.x, world.z, world.yaw], abs=1e-5
            )
            assert env.scene_name == world.scene
            seen.add(world.scene)
    assert len(seen) > 6
    assert spoken("AlarmClock") == "alarm clock"


def face(env, world, offset=0.0, away=1.0):
    """Stand so far from the target that it is straight ahead, or turned by ``offset`` degrees."""
    (place,) = [at for name, *at in world.things.values() if name == env._target]
    yaw = 0.0 if place[2] > 0 else 180.0  # towards the nearer wall: there is room behind
    world.x, world.z = place[0], place[2] - away * math.cos(math.radians(yaw))
    world.yaw = yaw + offset
    env._stretch.event = world._event(True)


@pytest.mark.parametrize(
    ("away", "offset", "won"), [(1.9, 0.0, True), (2.2, 0.0, False), (1.0, 90.0, False)]
)
def test_object_nav_is_won_by_end_in_sight_within_two_metres(stand_ins, away, offset, won):
    env = AI2ThorEnv(NAV)
    env.reset(seed=1)
    face(env, stand_ins[0], offset, away)
    _, _, terminated, _, info = play(env, "sub_done")
    assert (terminated, info["success"]) == (False, False)  # seeing alone is not enough
    _, reward, terminated, truncated, info = play(env, "end")
    assert (terminated, truncated, info["is_success"]) == (True, False, won)
    assert reward == pytest.approx(-0.01 + 10 * won)
    with pytest.raises(gym.error.ResetNeeded):
        play(env, "m")
    env.reset(seed=1)
    assert not play(env, "m")[4]["is_success"]


def test_fetch_is_won_by_end_with_the_target_in_the_gripper(stand_ins):
    env = AI2ThorEnv(FETCH)
    env.reset(seed=3)
    world = stand_ins[0]
    face(env, world, -90.0, SHOULDER + 0.2)  # the target is to the right, where the arm points
    play(env, *["yp"] * round(HEIGHT / 0.1))
    observation = play(env, "p")[0]
    assert observation["proprio"][-1] == 1 and observation["state"][2] == 1
    assert math.dist(world.hand(), (world.x, HEIGHT, world.z)) > GRASP  # it really reached out
    _, reward, terminated, _, info = play(env, "end")
    assert terminated and info["is_success"] and reward == pytest.approx(9.99)
    env.reset(seed=3)
    face(env, world, -90.0, SHOULDER + 0.2)
    play(env, *["yp"] * round(HEIGHT / 0.1))
    *_, info = play(env, "p", "d", "end")
    assert not info["is_success"]


def test_the_reward_is_the_metres_won(stand_ins):
    env = AI2ThorEnv(NAV)
    env.reset(seed=1)
    world = stand_ins[0]
    face(env, world, 0.0, 1.5)
    env._nearest = env._distance()
    rewards, distances = [], [env._distance()]
    for label in ("m", "m", "b", "m"):
        rewards.append(play(env, label)[1])
        distances.append(env._distance())
    expected = [distances[0] - distances[1], distances[1] - distances[2], 0.0, 0.0]
    assert rewards == pytest.approx([-0.01 + metres for metres in expected])
    assert expected[0] > 0.1
