"""The articulated objects of DexArt's tasks in SAPIEN 2: as made, at rest, free to turn."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from made_objects import ALL, joint, stuff, weight

import assets
from envs.dexart.objects import COUNTS, build
from envs.dexart.setting import SETTINGS
from envs.registry import install_hint, installed
from envs.sapien.geometry import Pose, from_euler

pytestmark = pytest.mark.skipif(
    not installed("DexArt/faucet-v0"), reason=install_hint("DexArt/faucet-v0")
)
each_task = pytest.mark.parametrize("task", list(COUNTS))


def loaded(key, friction=5.0, noise=0.0):
    """A scene with table and object as a task puts them, the object's articulation, its joint."""
    from envs.sapien.line import line

    task, instance, scene = key[0], build(*key), line().scene(1 / 250, False)
    scene.add_box("table", (0.65, 0.65, 0.025), Pose((0, 0, -0.025)), (0.6, 0.6, 0.6))
    setting = SETTINGS[task]
    place = np.add(instance.place, (-0.5, 0.0, setting.base)) + noise
    pose = Pose(place, from_euler(0.0, 0.0, setting.yaw))
    body = scene.load_urdf(instance.urdf, pose, setting.fixed, stuff=stuff(instance, task))
    body.set_friction(0.0 if task == "bucket" else friction)
    for ghost in instance.ghosts:
        body.links[ghost].pass_through(1)
    number = body.joint_names.index(instance.joint)
    angles = np.zeros(len(body.joint_names))
    angles[number] = instance.closed + setting.ajar
    body.set_qpos(angles)
    return scene, body, number


@each_task
def test_objects_load_as_they_were_made(task):
    for key in [key for key in ALL if key[0] == task]:
        _, body, number = loaded(key)
        *_, low, high, child = joint(build(*key))
        assert np.allclose(body.limits[number], (low, high), atol=1e-5)
        pose = (
            body.links[body.native.get_links()[0].get_name()].pose.inverse @ body.links[child].pose
        )
        assert np.allclose(pose.position, joint(build(*key))[0].position, atol=1e-5)
        made = stuff(build(*key), task)
        for name, link in body.links.items():
            expected = weight(build(*key), name, made.densities.get(name, made.density))
            assert np.isclose(link.native.get_mass(), expected, rtol=1e-4), name


@each_task
def test_objects_stand_still(task):
    for key in [key for key in ALL if key[0] == task]:
        scene, body, number = loaded(key, noise=0.05 * (task == "bucket"))
        place = body.native.get_root_pose().p[:2]
        start, root = body.qpos[number], body.native.get_links()[0]
        for _ in range(400):
            scene.step()
        assert abs(body.qpos[number] - start) < 0.01, key
        if task == "bucket":  # dropped on the table: upright, at rest, where it fell
            pose = root.get_pose()
            assert abs(pose.p[2]) < 0.003 and pose.to_transformation_matrix()[2, 2] > 0.9999
            assert np.allclose(pose.p[:2], place, atol=0.005)
            assert np.abs(root.get_velocity()).max() < 1e-3


@each_task
def test_hinges_turn_freely_over_their_whole_range(task):
    torque = 0.05 if task == "bucket" else 0.3
    for key, sign in product([key for key in ALL if key[0] == task], (1.0, -1.0)):
        scene, body, number = loaded(key, friction=0.0)
        end = body.limits[number][int(sign > 0)]
        names = [joint.get_name() for joint in body.native.get_active_joints()]
        own = names.index(build(*key).joint)
        for _ in range(400):
            force = body.native.compute_passive_force(True, False, False)
            force[own] += sign * torque
            body.native.set_qf(force)
            scene.step()
            if sign * (body.qpos[number] - end) > -0.02:
                break
        assert abs(body.qpos[number] - end) < 0.05, (key, sign)


@each_task
def test_no_object_stands_in_the_robot_where_an_episode_begins(task):
    for key in [key for key in ALL if key[0] == task]:
        scene, _, _ = loaded(key, noise=SETTINGS[task].shift / 2)
        base = Pose((-0.5, 0.0, SETTINGS[task].base))
        scene.load_urdf(assets.path("dexart/xarm6_allegro.urdf"), base)
        scene.step()
        for contact in scene.contacts():
            names = {contact.first.partition("/")[0], contact.second.partition("/")[0]}
            assert names <= {task, "table"} or task not in names, (key, names)
