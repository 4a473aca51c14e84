"""SAPIEN 2 and 3 behind one facade: physics and episodes; runs in the environment of either."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from sapien_reach import URDF, ReachEnv, reach_card

import envs.sapien.line as lines
from envs.registry import installed
from envs.sapien.geometry import Pose, euler, from_euler, look_at, quaternion
from envs.sapien.kinematics import Chain
from envs.sapien.parts import Link, Part, Stuff, urdf
from envs.sapien.urdf import movable_joints, robot_links, without_visuals
from envs.schema import ManigymError, SimulationError
from envs.vulkan.probe import Rendering

TIP = Pose((0.0, 0.0, 0.085))
# Whichever line this Python has runs the reaching task, under an id of no registry.
_PROBES = {"SAPIEN3": "RoboTwin/beat_block_hammer-v0", "SAPIEN2": "DexArt/laptop-v0"}
IDS = [f"{line}/reach-v0" for line, task in _PROBES.items() if installed(task)]
each_line = pytest.mark.parametrize(
    "env_id", IDS or [pytest.param("", marks=pytest.mark.skip(reason="no SAPIEN in this Python"))]
)


def make(env_id, **options):
    return ReachEnv(reach_card(env_id.partition("/")[0]), **options)


def turn(axis, angle):
    return (np.cos(angle / 2), *(np.sin(angle / 2) * np.asarray(axis)))


def press(env, steps):
    """Push the closed fingers into the table; the state's hash after every step."""
    action = np.array([0.1, 1.0, 0.2, 0.0, 0.1, 0.0, -1.0], np.float32)
    return [(env.advance(action), env.state_hash())[1] for _ in range(steps)]


# ------------------------------------------------------------------------ without a simulator
def test_poses_turn_and_shift():
    outer = Pose((1.0, 2.0, 3.0), turn((0, 0, 1), np.pi / 2))
    inner = Pose((1.0, 0.0, 0.0), turn((1, 0, 0), np.pi / 2))
    np.testing.assert_allclose(outer.apply((1, 0, 0)), (1, 3, 3), atol=1e-15)
    both = outer @ inner
    np.testing.assert_allclose(both.apply((0, 0, 1)), outer.apply(inner.apply((0, 0, 1))))
    np.testing.assert_allclose(both.rotation, outer.rotation @ inner.rotation, atol=1e-15)


@pytest.mark.parametrize("angle", (0.3, np.pi / 2, np.pi, -2.9))
@pytest.mark.parametrize("axis", np.eye(3))
def test_quaternion_of_a_rotation_matrix(axis, angle):
    expected = np.array(turn(axis, angle))
    got = quaternion(Pose(quaternion=expected).rotation)
    np.testing.assert_allclose(got * np.sign(got @ expected), expected, atol=1e-12)


def test_a_camera_looks_at_its_target_with_the_horizon_level():
    pose = look_at((1.0, 2.0, 3.0), (4.0, 6.0, 3.0))
    np.testing.assert_allclose(pose.rotation[:, 0], (0.6, 0.8, 0.0), atol=1e-12)
    np.testing.assert_allclose(pose.rotation[:, 2], (0.0, 0.0, 1.0), atol=1e-12)


def test_kinematics_of_the_arm():
    chain = Chain.read(URDF, "hand", TIP)
    quarter = np.pi / 2
    both, _, _ = chain.forward(np.array([[0.0] * 6, [quarter, quarter, 0, 0, 0, 0]]))
    stretched = (0, 0, 0.10 + 0.08 + 0.28 + 0.14 + 0.11 + 0.06 + 0.085)
    np.testing.assert_allclose(both, [stretched, (0, 0.675, 0.18)], atol=1e-12)
    angles = np.random.default_rng(0).uniform(-1, 1, 6)
    step = 1e-6 * np.eye(6)
    ahead, turned, _ = chain.forward(angles + step)
    behind, turned_back, _ = chain.forward(angles - step)
    _, _, jacobian = chain.forward(angles[None])
    np.testing.assert_allclose(jacobian[0, :3].T, (ahead - behind) / 2e-6, atol=1e-8)
    spins = (turned - turned_back) @ turned.transpose(0, 2, 1) / 2e-6
    spins = np.stack([spins[:, 2, 1], spins[:, 0, 2], spins[:, 1, 0]], axis=1)
    np.testing.assert_allclose(jacobian[0, 3:].T, spins, atol=1e-6)


def test_inverse_kinematics_reaches_and_keeps_the_limits():
    chain = Chain.read(URDF, "hand", TIP)
    start = np.array([[0.0, -0.3, 1.5, 0.0, 1.2, 0.0]])
    goal = np.array([[0.3, -0.2, 0.25]])
    found = chain.solve(goal, None, start)
    np.testing.assert_allclose(chain.forward(found.angles)[0], goal, atol=1e-4)
    assert (found.angles >= chain.low).all() and (found.angles <= chain.high).all()
    wanted, turns, _ = chain.forward(start + 0.2)
    posed = chain.solve(np.vstack([wanted, [[2.0, 0, 0]]]), np.vstack([turns] * 2), start[[0, 0]])
    assert posed.reached().tolist() == [True, False]
    assert posed.distance[1] > 1.0 and posed.distance[0] < 1e-4


def test_euler_angles_round_trip():
    for angles in np.random.default_rng(1).uniform(-1.5, 1.5, (20, 3)):
        np.testing.assert_allclose(euler(Pose(quaternion=from_euler(*angles))), angles, atol=1e-12)
    for roll, pitch in ((0.4, np.pi / 2), (-1.2, -np.pi / 2)):  # x upright: one of many
        upright = from_euler(roll, pitch, 0.7)
        same = from_euler(*euler(Pose(quaternion=upright)))
        np.testing.assert_allclose(abs(upright @ same), 1.0, atol=1e-12)
    yaw = Pose(quaternion=from_euler(0.0, 0.0, np.pi / 2))
    np.testing.assert_allclose(yaw.apply((1, 0, 0)), (0, 1, 0), atol=1e-15)
    np.testing.assert_allclose((yaw @ yaw.inverse).rotation, np.eye(3), atol=1e-15)


def test_what_is_read_from_the_robot_file():
    assert movable_joints(URDF)[-2:] == ("left_slide", "right_slide")
    assert robot_links(URDF)[0] == "base" and len(robot_links(URDF)) == 9
    bare = without_visuals(URDF)
    assert "<visual" not in bare and bare.count("<collision") == URDF.read_text().count(
        "<collision"
    )


@pytest.mark.parametrize("numpy", ("2.0.2", "2.4.6"))
def test_sapien_2_with_numpy_2_is_refused_before_it_is_imported(monkeypatch, numpy):
    installed = {"sapien": "2.2.1", "numpy": numpy}
    monkeypatch.setattr(lines, "version", installed.__getitem__)
    with pytest.raises(ManigymError, match=r"silently wrong.*(?s:.)*numpy>=1.26,<2"):
        lines.line.__wrapped__()


def test_a_sapien_that_cannot_be_imported_says_why(monkeypatch):
    monkeypatch.setattr(lines, "version", {"sapien": "0.0", "numpy": "1.26.4"}.__getitem__)
    monkeypatch.setattr(lines, "prepare", lambda: Rendering(ok=False, reason="switched off"))
    with pytest.raises(ManigymError, match=r"No module named 'envs.sapien.v0'\s+switched off"):
        lines.line.__wrapped__()


def test_arrays_that_repeat_their_first_entry_are_refused():
    lines.check_numpy("2.2.1", "1.26.4")
    lines.check_arrays(np.array([1, 0, 0, 0], np.float32), "1.26.4")
    with pytest.raises(ManigymError, match="identity rotation"):
        lines.check_arrays(np.ones(4, np.float32), "2.4.6")


# ------------------------------------------------------------------------------------ physics
@each_line
def test_links_are_where_kinematics_puts_them(env_id):
    env = make(env_id)
    env.reset(seed=0)
    chain = Chain.read(URDF, "hand", TIP)
    for angles in np.random.default_rng(0).uniform(-1, 1, (5, 6)):
        pose = np.concatenate([angles, [0.01, 0.02]])
        env.robot.set_state(pose, np.zeros(8), pose)
        tip = env.robot.links["hand"].pose @ TIP
        np.testing.assert_allclose(tip.position, chain.pose(angles).position, atol=1e-6)
        np.testing.assert_allclose(env.robot.qpos, pose, atol=1e-7)


@each_line
def test_joints_keep_the_order_of_the_file_whatever_the_simulator_chooses(env_id, tmp_path):
    root = ElementTree.parse(URDF).getroot()
    for joint in reversed(root.findall("joint")):  # the file's order becomes last to first
        root.remove(joint)
        root.append(joint)
    (tmp_path / "arm.urdf").write_text(ElementTree.tostring(root, encoding="unicode"))
    robot = lines.line().new_scene(0.004).load_urdf(tmp_path / "arm.urdf", Pose())
    assert robot.joint_names == movable_joints(URDF)[::-1]
    pose = np.array([0.03, 0.02, 0.6, -0.5, 0.4, 0.3, -0.2, 0.1])
    robot.set_state(pose, np.zeros(8), pose)
    np.testing.assert_allclose(robot.qpos, pose, atol=1e-7)
    chain = Chain.read(URDF, "hand", TIP)
    tip = robot.links["hand"].pose @ TIP
    np.testing.assert_allclose(tip.position, chain.pose(pose[:1:-1]).position, atol=1e-6)


@each_line
def test_an_expert_kept_from_another_episode_does_no_harm(env_id):
    env = make(env_id)
    env.reset(seed=0)
    expert, pose = env.expert(), env.robot.links["hand"].pose
    kept = env.robot.links["hand"]
    for seed in range(1, 4):
        env.reset(seed=seed)
    assert np.isfinite(expert.act()).all()
    assert np.array_equal(kept.pose.position, pose.position)


@each_line
def test_a_box_falls_and_rests_with_its_weight_on_the_table(env_id):
    env = make(env_id)
    env.reset(seed=0)
    scene, dt = env.scene, env.timestep
    box = scene.add_box("box", (0.05,) * 3, Pose((0.35, 0.0, 0.06)), (1.0, 0.0, 0.0), "dynamic")
    scene.step()
    np.testing.assert_allclose(box.velocity[2], -9.81 * dt, rtol=1e-3)
    for _ in range(250):
        scene.step()
    assert box.pose.position[2] == pytest.approx(0.05, abs=1e-3)
    (contact,) = [c for c in scene.contacts() if {c.first, c.second} == {"box", "table"}]
    weight = 1000 * 0.1**3 * 9.81
    assert abs(contact.impulse[2]) / dt == pytest.approx(weight, rel=0.02)


@each_line
def test_a_body_of_parts_rests_on_its_corners(env_id):
    scene = lines.line().new_scene(0.004)
    parts = [
        Part("box", (0.1, 0.1, 0.01)),
        Part("sphere", (0.02,), Pose((0.0, 0.0, 0.03)), visible=False),
        Part("capsule", (0.01, 0.05), Pose((0.0, 0.0, 0.1)), collides=False),
    ]
    scene.add_box("floor", (1.0, 1.0, 0.1), Pose((0.0, 0.0, -0.1)), (0.5, 0.5, 0.5))
    scene.add_body("tray", parts, Pose((0.0, 0.0, 0.01)))
    for _ in range(250):
        scene.step()
    contacts = [c for c in scene.contacts() if {c.first, c.second} == {"tray", "floor"}]
    weight = 1000 * 9.81 * (0.2 * 0.2 * 0.02 + 4 / 3 * np.pi * 0.02**3)
    pressed = sum(abs(contact.impulse[2]) for contact in contacts)
    assert pressed / 0.004 == pytest.approx(weight, rel=0.02)
    corners = np.concatenate([contact.points for contact in contacts])[:, :2]
    np.testing.assert_allclose(
        [corners.min(axis=0), corners.max(axis=0)], [[-0.1] * 2, [0.1] * 2], atol=2e-3
    )


@pytest.mark.skipif("SAPIEN3/reach-v0" not in IDS, reason="SAPIEN 3 only")
def test_a_body_with_a_weight_of_its_own_and_one_without():
    scene = lines.line().new_scene(0.004)
    scene.add_box("floor", (1.0, 1.0, 0.1), Pose((0.0, 0.0, -0.1)), (0.5, 0.5, 0.5))
    box = scene.add_body("box", [Part("box", (0.1,) * 3)], Pose((0.0, 0.0, 0.1)), mass=0.5)
    for _ in range(250):
        scene.step()
    (contact,) = scene.contacts()
    assert abs(contact.impulse[2]) / 0.004 == pytest.approx(0.5 * 9.81, rel=0.02)
    box.float()
    box.set_pose(Pose((0.0, 0.0, 0.5)))
    for _ in range(100):
        scene.step()
    assert box.pose.position[2] == pytest.approx(0.5, abs=0.01), "nothing pulls at it"


def flap():
    """A box of 1000 cm3 that stays and, hinged to its top, a plate of 100 cm3 that lies on it."""
    base = Link("base", (Part("box", (0.05, 0.05, 0.05)),))
    plate = Part("box", (0.05, 0.05, 0.005), Pose((0.05, 0.0, 0.005)))
    origin = Pose((-0.05, 0.0, 0.05))
    hinge = {"joint": "revolute", "origin": origin, "axis": (0.0, -1.0, 0.0), "high": 2.0}
    return urdf("flap", [base, Link("plate", (plate,), parent="base", **hinge)])


@each_line
def test_density_friction_and_range_of_an_articulation(env_id):
    scene = lines.line().new_scene(0.004)
    stuff = Stuff(500.0, {"flap/plate": 2000.0})
    thing = scene.load_urdf(flap(), Pose((0, 0, 1)), stuff=stuff)
    masses = {name: link.native.get_mass() for name, link in thing.links.items()}
    assert masses == pytest.approx({"flap/base": 0.5, "flap/plate": 0.2}, rel=1e-5)
    thing.set_limits("flap/plate_joint", 0.0, 0.7)
    np.testing.assert_allclose(thing.limits, [[0.0, 0.7]], atol=1e-6)
    thing.set_qpos(np.array([0.6]))
    thing.set_friction(5.0)
    for _ in range(100):
        scene.step()
    stuck = thing.qpos[0]
    thing.set_friction(0.0)
    thing.set_qpos(thing.qpos)  # what does not move falls asleep
    for _ in range(100):
        scene.step()
    assert stuck == pytest.approx(0.6, abs=0.05)  # held by its hinge
    assert thing.qpos[0] < 0.05  # fell


@each_line
def test_bodies_that_share_a_bit_pass_through_each_other(env_id):
    scene = lines.line().new_scene(0.004)
    floor = scene.add_box("floor", (1, 1, 0.1), Pose((0, 0, -0.1)), (0.5, 0.5, 0.5))
    boxes = [
        scene.add_box(name, (0.05, 0.05, 0.05), Pose((x, 0, 0.1)), (1, 0, 0), "dynamic")
        for name, x in (("ghost", 0.0), ("solid", 0.5))
    ]
    floor.pass_through(2)
    boxes[0].pass_through(3)
    for _ in range(100):
        scene.step()
    ghost, solid = (box.pose.position[2] for box in boxes)
    assert ghost < -0.3
    assert solid == pytest.approx(0.05, abs=0.005)
    assert [c.first for c in scene.contacts(of=("ghost",))] == []
    assert {c.first for c in scene.contacts(of=("solid",))} | {"floor"} == {"floor", "solid"}


@each_line
def test_joints_go_to_their_drive_target(env_id):
    env = make(env_id)
    env.reset(seed=0)
    before = env.robot.qpos
    action = np.array([1, -1, 0.5, 0, 0, 0, 1], np.float32)  # fingers open: 0.04 m each
    env.advance(action)
    for _ in range(30):
        env.advance(np.array([0, 0, 0, 0, 0, 0, 1], np.float32))
    expected = before + np.array([0.05, -0.05, 0.025, 0, 0, 0, 0.02, 0.02])
    np.testing.assert_allclose(env.robot.qpos, expected, atol=2e-3)


# ----------------------------------------------------------------------------------- episodes
@each_line
def test_the_expert_reaches_every_target(env_id):
    env = make(env_id, observations=("expert",))
    lengths = []
    for seed in range(50):
        observation, _ = env.reset(seed=seed)
        done = False
        while not done:
            observation, reward, success, late, _ = env.step(observation["expert"])
            done = success or late
        assert success and reward > -0.025, f"seed {seed}"
        lengths.append(len(env.snapshot()["actions"]))
    assert min(lengths) > 3, "a target must be worth reaching for"


@each_line
def test_a_snapshot_in_contact_continues_bit_for_bit_elsewhere(env_id):
    env, other = (make(env_id, terminate_on_success=False) for _ in range(2))
    env.reset(seed=1)
    press(env, 40)
    assert any("table" in (c.first, c.second) for c in env.scene.contacts())
    saved = env.snapshot()
    other.reset(seed=2)
    other.restore(saved)
    assert press(other, 20) == press(env, 20)


@each_line
def test_a_snapshot_that_is_not_reached_again_is_refused(env_id):
    env = make(env_id)
    env.reset(seed=1)
    saved = env.snapshot() | {"actions": [np.zeros(7)]}
    with pytest.raises(SimulationError, match="another state"):
        env.restore(saved)


@each_line
def test_physics_without_a_renderer_is_the_same_to_the_bit(env_id, monkeypatch):
    def episode():
        env = make(env_id, observations=("rgb",), terminate_on_success=False)
        type(env)._reset(env, 5)
        env._running = env._started = True
        return env, press(env, 40)

    _, seen = episode()
    line = lines.line()
    blind = replace(line, rendering=replace(line.rendering, ok=False, reason="no driver here"))
    monkeypatch.setattr("envs.sapien.env.line", lambda: blind)
    env, unseen = episode()
    assert seen == unseen
    assert not env.scene.visible
    with pytest.raises(ManigymError, match="no driver here"):
        env.observe()


@each_line
def test_another_process_lives_the_same_episode(env_id):
    code = (
        "import envs, numpy as np, test_sapien as t\n"
        f"env = t.make({env_id!r}, terminate_on_success=False)\n"
        "env.reset(seed=4); print(*t.press(env, 40))"
    )
    path = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    command = [sys.executable, "-c", code]
    run = subprocess.run(
        command, env=os.environ | {"PYTHONPATH": path}, capture_output=True, text=True, check=True
    )
    for _ in range(2):
        env = make(env_id, terminate_on_success=False)
        env.reset(seed=4)
        assert run.stdout.split() == press(env, 40)


@each_line
def test_physics_gone_wrong_ends_the_episode(env_id):
    env = make(env_id)
    env.reset(seed=0)
    env.robot.native.set_qpos(np.full(8, np.nan, np.float32))
    with pytest.raises(SimulationError, match="reward nan"):
        env.advance(np.zeros(7, np.float32))


@each_line
def test_an_unknown_render_profile_is_named(env_id):
    with pytest.raises(ManigymError, match="fast, upstream"):
        make(env_id, render_profile="raytraced")
